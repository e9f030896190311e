//! What a method can take and give, and how it arrives.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use communica::{CallError, MemoryConnector, RouteClient, RouteServer};
use serde::{Deserialize, Serialize};

mod calls;

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
    pub(super) type Result<T = (), E = super::NotFound> = std::result::Result<T, E>;
}

/// Everything that a method can take and give.
#[communica::service]
trait Desk {
    /// Adds two numbers.
    async fn add(&self, a: i64, b: i64) -> i64;
    async fn ping(&self);
    async fn fail(&self, which: u8) -> Result<f64, MathError>;
    async fn find(&self, name: &str) -> found::Result<Point>;
    async fn lose(&self, name: &str) -> found::Result;
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
    async fn lose(&self, name: &str) -> found::Result {
        if name.is_empty() { Ok(()) } else { Err(NotFound { name: name.into() }) }
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
