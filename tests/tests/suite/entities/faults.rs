//! Handlers panic, payloads do not fit: that call alone ends with an error that says so.

use communica::{Error, JsonSerializer, MsgPackSerializer, RouteTable, SerializerSide};

use crate::support::{Gate, echo, memory_pair, noting, take, within};

#[tokio::test]
async fn a_panic_is_an_unknown_error_of_that_call_alone() {
    within(20, async {
        let gate = Gate::shut();
        let routes = echo()
            .route("at once", |number: i64| -> i64 { panic!("at once {number}") })
            .route("first poll", |number: i64| async move {
                assert!(number > 100, "first poll {number}");
                number
            })
            .route("later", |number: i64| async move {
                tokio::task::yield_now().await;
                assert!(number > 100, "later {number}");
                number
            })
            .route("slow", {
                let gate = gate.clone();
                move |number: i64| {
                    let gate = gate.clone();
                    async move {
                        gate.pass().await;
                        number
                    }
                }
            });
        let (_server, client) = memory_pair(routes).await;
        let slow = tokio::spawn({
            let client = client.clone();
            async move { client.request::<_, i64>("slow", &1).await }
        });
        for route in ["at once", "first poll", "later"] {
            match client.request::<_, i64>(route, &7).await {
                Err(Error::Unknown(error)) => {
                    assert!(error.message().contains(&format!("{route} 7")), "{}", error.message());
                }
                other => panic!("{route}: {other:?}"),
            }
            client.throw(route, &8).await.unwrap();
        }
        assert_eq!(client.request::<_, i64>("echo", &2).await.unwrap(), 2);
        gate.open();
        assert_eq!(slow.await.unwrap().unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn many_panics_leave_room_for_handlers() {
    within(30, async {
        let routes = echo().route("panic", |number: i64| async move {
            tokio::task::yield_now().await;
            assert!(number < 0);
        });
        let (_server, client) = memory_pair(routes).await;
        // More than the handlers of one peer that may run at once.
        for _ in 0..1100 {
            let ended = client.request::<_, ()>("panic", &1).await;
            assert!(matches!(ended, Err(Error::Unknown(_))), "{ended:?}");
        }
        assert_eq!(client.request::<_, i64>("echo", &2).await.unwrap(), 2);
    })
    .await;
}

#[tokio::test]
async fn an_unknown_route_is_the_requesters_fault_and_named() {
    within(20, async {
        let (routes, mut noted) = noting(RouteTable::new(), "note");
        let (_server, client) = memory_pair(routes).await;
        match client.request::<_, ()>("nowhere", &1).await {
            Err(Error::Req(error)) => {
                assert_eq!(error.message(), "Route \"nowhere\" is not defined");
                assert!(Error::Req(error.clone()).is_undefined_route());
                assert_eq!(error.code(), None);
            }
            other => panic!("{other:?}"),
        }
        client.throw("nowhere", &1).await.unwrap();
        client.throw("note", &2).await.unwrap();
        assert_eq!(take(&mut noted, 1).await, [2]);
    })
    .await;
}

#[tokio::test]
async fn each_route_speaks_its_own_format() {
    within(20, async {
        let routes = RouteTable::new().route("json", |number: i64| number + 1).route_with(
            "msgpack",
            MsgPackSerializer,
            |number: i64| number + 2,
        );
        let (_server, client) = memory_pair(routes).await;
        assert_eq!(client.request::<_, i64>("json", &1).await.unwrap(), 2);
        assert_eq!(client.request_with::<_, _, i64>("msgpack", &MsgPackSerializer, &1).await.unwrap(), 3);
        assert_eq!(client.request_with::<_, _, i64>("json", &JsonSerializer, &1).await.unwrap(), 2);
    })
    .await;
}

#[tokio::test]
async fn the_wrong_format_is_a_serializer_error_at_the_caller() {
    within(20, async {
        let (routes, mut noted) = noting(RouteTable::new(), "note");
        let routes = routes.route_with("text", MsgPackSerializer, |text: String| text);
        let (_server, client) = memory_pair(routes).await;
        let json = client.request::<_, String>("text", "a text").await.map(drop);
        let msgpack = client.request_with::<_, _, ()>("note", &MsgPackSerializer, &300).await;
        let wrong_type = client.request::<_, ()>("note", "no number").await;
        for ended in [json, msgpack, wrong_type] {
            match ended {
                Err(Error::Serializer(error)) => assert_eq!(error.side(), SerializerSide::Peer),
                other => panic!("{other:?}"),
            }
        }
        client.throw("note", &1).await.unwrap();
        assert_eq!(take(&mut noted, 1).await, [1], "a handler ran with what it could not load");
    })
    .await;
}

#[tokio::test]
async fn a_result_that_cannot_be_loaded_is_a_serializer_error_of_the_result() {
    within(20, async {
        let (_server, client) = memory_pair(echo()).await;
        match client.request::<_, i64>("echo", "text").await {
            Err(Error::Serializer(error)) => assert_eq!(error.side(), SerializerSide::Result),
            other => panic!("{other:?}"),
        }
    })
    .await;
}

#[tokio::test]
async fn a_value_that_cannot_be_dumped_is_not_sent() {
    within(20, async {
        let (_server, client) = memory_pair(echo()).await;
        let no_json = std::collections::HashMap::from([((1, 2), 3)]);
        match client.request::<_, ()>("echo", &no_json).await {
            Err(Error::Serializer(error)) => assert_eq!(error.side(), SerializerSide::Request),
            other => panic!("{other:?}"),
        }
        assert_eq!(client.request::<_, i64>("echo", &2).await.unwrap(), 2);
    })
    .await;
}

/// As a value that a handler panics with may.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "what it panicked with panics");
    }
}

#[tokio::test]
async fn what_a_handler_panics_with_may_panic_itself() {
    within(20, async {
        let routes = echo().route("at once", |_: i64| -> i64 { std::panic::panic_any(Bomb) }).route(
            "later",
            |number: i64| async move {
                tokio::task::yield_now().await;
                if number > 0 {
                    std::panic::panic_any(Bomb);
                }
                number
            },
        );
        let (_server, client) = memory_pair(routes).await;
        for route in ["at once", "later"] {
            let ended = client.request::<_, i64>(route, &7).await;
            assert!(matches!(ended, Err(Error::Unknown(_))), "{ended:?}");
            assert_eq!(client.request::<_, i64>("echo", &1).await.unwrap(), 1);
        }
    })
    .await;
}
