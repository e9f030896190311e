//! A real service over memory: what is called, what arrives, and what comes back.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use communica::{CallError, MemoryConnector, RouteClient, RouteServer};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Point {
    x: i32,
    y: i32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    size: u32,
}

#[derive(Debug, PartialEq, thiserror::Error, communica::ServiceError)]
enum MathError {
    #[error("division by zero")]
    #[service_error(code = 400)]
    DivisionByZero,
    #[error("overflow at {at} of {type}")]
    #[service_error(code = -500, responder)]
    Overflow { at: u32, r#type: String },
    #[error("one {0:?}")]
    One(Vec<u8>),
    #[error("two {0} {1:?}")]
    Two(String, Option<Point>),
}

#[derive(Debug, PartialEq, thiserror::Error, communica::ServiceError)]
#[error("{name} is not here")]
#[service_error(code = 404)]
struct NotFound {
    name: String,
}

mod found {
    pub(super) type Result<T> = std::result::Result<T, super::NotFound>;
}

/// Everything that a method can take and give.
#[communica::service]
trait Desk {
    /// Adds two numbers.
    async fn add(&self, a: i64, b: i64) -> i64;
    async fn ping(&self);
    async fn fail(&self, which: u8) -> Result<f64, MathError>;
    async fn find(&self, name: &str) -> found::Result<Point>;
    async fn log(&self, line: &str);
    async fn join(&self, words: &[String], between: &str, last: Option<&str>) -> String;
    async fn sum(&self, points: &[Point], extra: Option<&[Point]>, more: Option<&Point>) -> Point;
    async fn mirror(&self, point: &Point) -> Point;
    async fn named<'a>(&'a self, first: &'a str, record: Record<'a>, cow: Cow<'_, str>) -> String;
    async fn maybe(&self, a: Option<u8>, b: Option<String>) -> (Option<u8>, Option<String>);
    fn plain(&self, a: u8, text: &str) -> Result<String, NotFound>;
    fn quick(&self) -> bool {
        true
    }
    async fn twice(&self, mut point: Point, _unused: &str) -> Result<Box<Point>, MathError> {
        if point.x < 0 {
            return Err(MathError::DivisionByZero);
        }
        point.x = u8::try_from(point.x).map_err(|_| MathError::One(vec![1]))?.into();
        point.y *= 2;
        self.ping().await;
        Ok(Box::new(point))
    }
    async fn r#type(&self, r#fn: u8, r#match: u8) -> u8;
    #[cfg(any())]
    async fn absent(&self, value: Missing) -> Missing;
}

#[communica::service]
trait Counter: Send {
    async fn count(&self) -> u32;
}

#[derive(Default)]
struct Host {
    log: Mutex<Vec<String>>,
}

impl Desk for Host {
    async fn add(&self, a: i64, b: i64) -> i64 {
        a + b
    }
    async fn ping(&self) {}
    async fn fail(&self, which: u8) -> Result<f64, MathError> {
        tokio::task::yield_now().await;
        Err(match which {
            0 => MathError::DivisionByZero,
            1 => MathError::Overflow { at: 3, r#type: "u8".into() },
            2 => MathError::One(vec![1, 2]),
            3 => MathError::Two("é".into(), Some(Point { x: 1, y: 2 })),
            _ => return Ok(0.5),
        })
    }
    async fn find(&self, name: &str) -> found::Result<Point> {
        Err(NotFound { name: name.into() })
    }
    async fn log(&self, line: &str) {
        self.log.lock().unwrap().push(line.into());
    }
    async fn join(&self, words: &[String], between: &str, last: Option<&str>) -> String {
        words.join(between) + last.unwrap_or("!")
    }
    async fn sum(&self, points: &[Point], extra: Option<&[Point]>, more: Option<&Point>) -> Point {
        let all = points.iter().chain(extra.unwrap_or_default()).chain(more);
        all.fold(Point { x: 0, y: 0 }, |sum, point| Point { x: sum.x + point.x, y: sum.y + point.y })
    }
    async fn mirror(&self, point: &Point) -> Point {
        Point { x: point.y, y: point.x }
    }
    async fn named<'a>(&'a self, first: &'a str, record: Record<'a>, cow: Cow<'_, str>) -> String {
        format!("{first} {} {} {cow}", record.name, record.size)
    }
    async fn maybe(&self, a: Option<u8>, b: Option<String>) -> (Option<u8>, Option<String>) {
        (a, b)
    }
    fn plain(&self, a: u8, text: &str) -> Result<String, NotFound> {
        if a == 0 { Err(NotFound { name: text.into() }) } else { Ok(text.repeat(a.into())) }
    }
    async fn r#type(&self, r#fn: u8, r#match: u8) -> u8 {
        r#fn + r#match
    }
}

impl Counter for Host {
    async fn count(&self) -> u32 {
        self.log.lock().unwrap().len().try_into().unwrap()
    }
}

/// Runs a test against a served `Host`, and fails it when it takes too long.
async fn served<F: Future<Output = ()>>(name: &str, test: impl FnOnce(Arc<Host>, RouteClient) -> F) {
    let run = async {
        let host = Arc::new(Host::default());
        let routes = Desk::into_routes(Arc::clone(&host)).merge(Counter::into_routes(Arc::clone(&host)));
        let server = RouteServer::new(MemoryConnector::new(name), routes).start().await.unwrap();
        let client = RouteClient::connect(MemoryConnector::new(name)).await.unwrap();
        test(host, client).await;
        server.stop().await;
    };
    tokio::time::timeout(Duration::from_secs(20), run).await.expect("the test should end within 20 seconds");
}

fn point(x: i32, y: i32) -> Point {
    Point { x, y }
}

#[tokio::test]
async fn owned_arguments_and_results() {
    served("owned", |_, client| async move {
        let desk = DeskClient::new(&client);
        assert_eq!(desk.add(2, 3).await.unwrap(), 5);
        assert_eq!(desk.clone().timeout(Duration::from_secs(9)).add(i64::MAX, 0).await.unwrap(), i64::MAX);
        desk.ping().await.unwrap();
        assert_eq!(desk.maybe(Some(1), None).await.unwrap(), (Some(1), None));
        assert_eq!(desk.r#type(40, 2).await.unwrap(), 42);
        assert_eq!(desk.fail(9).await.unwrap(), 0.5);
    })
    .await;
}

#[tokio::test]
async fn borrowed_arguments() {
    served("borrowed", |host, client| async move {
        let desk = DeskClient::new(client);
        let words = ["a".to_string(), "b".to_string()];
        // An escape in the text cannot be lent by the payload.
        assert_eq!(desk.join(&words, "\n\"", None).await.unwrap(), "a\n\"b!");
        assert_eq!(desk.join(&words, "-", Some("\t?")).await.unwrap(), "a-b\t?");
        let points = [point(1, 2), point(3, 4)];
        assert_eq!(desk.sum(&points, None, None).await.unwrap(), point(4, 6));
        assert_eq!(desk.sum(&[], Some(&points), Some(&point(1, 1))).await.unwrap(), point(5, 7));
        assert_eq!(desk.mirror(&point(1, 2)).await.unwrap(), point(2, 1));
        let record = Record { name: "r".into(), size: 7 };
        assert_eq!(desk.named("f", record, Cow::Borrowed("c")).await.unwrap(), "f r 7 c");
        desk.log("é\n").await.unwrap();
        assert_eq!(host.log.lock().unwrap().join(","), "é\n");
    })
    .await;
}

#[tokio::test]
async fn errors_come_back_as_the_variant_with_its_fields() {
    served("errors", |_, client| async move {
        let desk = DeskClient::new(client.clone());
        let expected = [
            MathError::DivisionByZero,
            MathError::Overflow { at: 3, r#type: "u8".into() },
            MathError::One(vec![1, 2]),
            MathError::Two("é".into(), Some(point(1, 2))),
        ];
        for (which, expected) in (0..).zip(expected) {
            match desk.fail(which).await {
                Err(CallError::Service(error)) => assert_eq!(error, expected),
                other => panic!("{other:?} instead of {expected:?}"),
            }
        }
        match desk.find("it").await {
            Err(CallError::Service(error)) => assert_eq!(error, NotFound { name: "it".into() }),
            other => panic!("{other:?}"),
        }
        let untyped = client.request::<_, f64>("fail", &0_u8).await.unwrap_err();
        assert!(untyped.to_string().contains("division by zero"), "{untyped}");
    })
    .await;
}

#[tokio::test]
async fn plain_functions_and_default_bodies() {
    served("plain", |_, client| async move {
        let desk = DeskClient::new(client);
        assert_eq!(desk.plain(2, "ab").await.unwrap(), "abab");
        assert!(
            matches!(desk.plain(0, "n").await, Err(CallError::Service(NotFound { name })) if name == "n")
        );
        assert!(desk.quick().await.unwrap());
        assert_eq!(*desk.twice(point(255, 2), "").await.unwrap(), point(255, 4));
        let error = desk.twice(point(256, 0), "").await.unwrap_err();
        assert!(matches!(error, CallError::Service(MathError::One(bytes)) if bytes == [1]));
        let error = desk.twice(point(-1, 0), "").await.unwrap_err();
        assert!(matches!(error, CallError::Service(MathError::DivisionByZero)));
    })
    .await;
}

#[tokio::test]
async fn throws_arrive_before_a_later_call_starts() {
    served("throws", |host, client| async move {
        let (desk, counter) = (DeskClient::new(&client), CounterClient::new(&client));
        desk.throw_log("one").await.unwrap();
        desk.throw_log("two").await.unwrap();
        desk.throw_type(1, 2).await.unwrap();
        assert_eq!(counter.count().await.unwrap(), 2);
        assert_eq!(host.log.lock().unwrap().join(","), "one,two");
    })
    .await;
}

/// What another language has to send: nothing in particular, the value itself, or an object.
#[tokio::test]
async fn the_shape_of_arguments_on_the_wire() {
    #[derive(Serialize)]
    struct Add {
        a: i64,
        unknown: &'static str,
        b: i64,
    }
    #[derive(Serialize)]
    struct Nothing {}
    #[derive(Serialize)]
    struct Typed {
        r#fn: u8,
        r#match: u8,
    }
    served("shape", |_, client| async move {
        let unknown = "ignored";
        assert_eq!(client.request::<_, i64>("add", &Add { a: 2, unknown, b: 3 }).await.unwrap(), 5);
        client.request::<_, ()>("ping", &"anything").await.unwrap();
        client.request::<_, ()>("ping", &()).await.unwrap();
        assert_eq!(client.request::<_, Point>("mirror", &point(1, 2)).await.unwrap(), point(2, 1));
        let missing = client.request::<_, (Option<u8>, Option<String>)>("maybe", &Nothing {}).await;
        assert_eq!(missing.unwrap(), (None, None));
        assert_eq!(client.request::<_, u8>("type", &Typed { r#fn: 1, r#match: 2 }).await.unwrap(), 3);
        client.request::<_, i64>("add", &Nothing {}).await.unwrap_err();
    })
    .await;
}

/// The places in the error are those of `into_routes`, not some inside generated code.
#[tokio::test]
async fn a_route_served_twice_is_told_with_both_places() {
    let lines = [line!() + 1, line!() + 2];
    let first = Counter::into_routes(Host::default());
    let second = Counter::into_routes(Host::default());
    let error = RouteServer::new(MemoryConnector::new("twice"), first.merge(second)).start().await.err();
    let told = error.expect("the route is there twice").to_string();
    for line in lines {
        assert!(told.contains(&format!("service.rs:{line}:")) && told.contains("`count`"), "{told}");
    }
}

/// A server calls its clients, one of them or all.
#[tokio::test]
async fn a_client_over_peers() {
    let run = async {
        let connector = MemoryConnector::new("peers");
        let server = RouteServer::new(connector.clone(), Default::default()).start().await.unwrap();
        let client =
            RouteClient::builder(connector).routes(Counter::into_routes(Host::default())).client_id("w1");
        let client = client.connect().await.unwrap();
        assert_eq!(CounterClient::new(server.peer("w1").await).count().await.unwrap(), 0);
        assert_eq!(CounterClient::new(server.any_peer()).count().await.unwrap(), 0);
        let all = CounterClient::new(server.all_peers()).count().await;
        assert!(matches!(&all[..], [(id, Ok(0))] if *id == *"w1"));
        client.close().await;
        server.stop().await;
    };
    tokio::time::timeout(Duration::from_secs(20), run).await.expect("the test should end within 20 seconds");
}

/// A program spawns its calls, whatever they borrow.
#[test]
fn futures_can_be_sent_to_another_thread() {
    fn sendable<T: Send>(_: impl FnOnce(DeskClient) -> T) {}
    sendable(|desk| async move {
        let (words, points) = (vec![String::new()], vec![point(0, 0)]);
        let _ = desk.join(&words, &words[0], Some(&words[0])).await;
        let _ = desk.sum(&points, Some(&points), Some(&points[0])).await;
        let _ = desk.named("", Record { name: "".into(), size: 0 }, Cow::Borrowed(&words[0])).await;
        let _ = desk.throw_mirror(&points[0]).await;
        let _ = desk.twice(point(0, 0), "").await;
    });
    fn served_future(host: &impl Desk) -> impl Send {
        host.log("line")
    }
    let _ = served_future(&Host::default());
}
