//! Types of one language meet types of the other: a service's arguments, dataclasses and structs. The road is the one
//! that is usual where this is included.

use communica_tests::{Failure, Language, Peer, Role, in_time};
use serde_json::{Value, json};

fn failure(kind: &str, message: &str, code: Option<i64>) -> Failure {
    Failure { kind: kind.to_owned(), message: message.to_owned(), code }
}

/// Python calls the Rust trait `Office`: no argument is null, one is itself, several are an object.
#[tokio::test]
async fn python_calls_a_rust_service() {
    in_time(async {
        let stage = super::usual();
        let server = stage.start(Language::Rust, Role::Server).await;
        let client = stage.start(Language::Python, Role::Client).await;
        assert_eq!(client.request("open", Value::Null).await, Ok(json!(true)));
        assert_eq!(client.request("square", -12).await, Ok(json!(144)));
        assert_eq!(client.request("divide", json!({"number": 9, "by": 2})).await, Ok(json!(4.5)));
        assert_eq!(
            client.request("divide", json!({"by": 4, "extra": [], "number": 1})).await,
            Ok(json!(0.25))
        );
        assert_eq!(client.request("remember", "молоко 🥛").await, Ok(Value::Null));
        client.throw("remember", "thrown").await;
        assert_eq!(server.next_note().await, "молоко 🥛");
        assert_eq!(server.next_note().await, "thrown");

        let by_zero = client.request("divide", json!({"number": 1, "by": 0})).await;
        assert_eq!(by_zero, Err(failure("ReqError", "division by zero", Some(400))));
        let shredded = client.request("shred", 3).await;
        assert_eq!(shredded, Err(failure("RespError", "the shredder holds 2 pages", Some(507))));
        wrong_arguments(&client).await;
        client.close().await;
        server.close().await;
    })
    .await;
}

/// Arguments of another type are the requester's mistake, and are told with their name.
async fn wrong_arguments(client: &Peer) {
    for (route, data) in
        [("square", json!("twelve")), ("divide", json!({"number": 1})), ("divide", json!([1]))]
    {
        let refused = client.request(route, data).await.unwrap_err();
        assert_eq!(refused.kind, "SerializerError", "{refused:?}");
    }
    let missing = client.request("divide", json!({"number": 1})).await.unwrap_err();
    assert!(missing.message.contains("by"), "{missing:?}");
}

/// The Rust stub of `Office` calls a Python server, whose errors come back as the enum's variants.
#[tokio::test]
async fn a_rust_stub_calls_python() {
    in_time(async {
        let stage = super::usual();
        let server = stage.start(Language::Python, Role::Server).await;
        let client = stage.start(Language::Rust, Role::Client).await;
        let said = client.tell("visit_office", json!({})).await;
        assert_eq!(
            said,
            json!([
                "open: true",
                "square: 49",
                "divide: 2.5",
                "divide: DivisionByZero",
                "shred: Route \"shred\" is not defined"
            ])
        );
        assert_eq!(server.next_note().await, "called");
        assert_eq!(server.next_note().await, "thrown");
        client.close().await;
        server.close().await;
    })
    .await;
}

/// What `buy` orders in either language, answered by the other.
fn receipt() -> Value {
    json!({"number": 7, "total": 3.75, "lines": {"сыр 🧀": 2.5, "bread": 1.25}, "remark": null})
}

const PAIRS: [(Language, Language); 2] =
    [(Language::Rust, Language::Python), (Language::Python, Language::Rust)];

#[tokio::test]
async fn dataclasses_are_structs() {
    in_time(async {
        for (server, client) in PAIRS {
            let stage = super::usual();
            let server = stage.start(server, Role::Server).await;
            let client = stage.start(client, Role::Client).await;
            assert_eq!(client.tell("buy", json!({})).await, receipt());
            assert_eq!(server.tell("buy", json!({})).await, receipt());
            client.close().await;
            server.close().await;
        }
    })
    .await;
}

/// Adaptix checks what arrives, and so does serde. (Nothing is bought here: in Python one route has one serializer.)
#[tokio::test]
async fn other_shapes_are_refused() {
    in_time(async {
        for (server, client) in PAIRS {
            let stage = super::usual();
            let server = stage.start(server, Role::Server).await;
            let client = stage.start(client, Role::Client).await;
            for asker in [&client, &server] {
                let refused = asker.request("trade", json!({"number": "seven"})).await.unwrap_err();
                assert_eq!(refused.kind, "SerializerError", "{refused:?}");
            }
        }
    })
    .await;
}
