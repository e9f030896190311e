//! Calls of the desk and what came of them.

use super::*;

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
        desk.lose("").await.unwrap();
        match desk.lose("it").await {
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
        assert!(told.contains(&format!("calls.rs:{line}:")) && told.contains("`count`"), "{told}");
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
