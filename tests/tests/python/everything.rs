//! What any two peers can do with each other, in both directions.

use communica_tests::{Entity, Failure, Language, Peer, Role, Stage};
use serde_json::{Value, json};

const MIB: usize = 1 << 20;
/// Leaves its sender as bytes that no format can load.
const SPOIL: &str = "SPOIL ME";

pub(crate) async fn check(stage: &Stage, entity: Entity, server: Language, client: Language) {
    let server = stage.start(server, Role::Server).await;
    let client = stage.start(client, Role::Client).await;
    for (asker, answerer) in [(&client, &server), (&server, &client)] {
        calls(asker).await;
        throws(asker, answerer).await;
        errors(asker).await;
        spoiled_payloads(asker).await;
        if entity == Entity::Route {
            unknown_route(asker).await;
        }
        assert_eq!(asker.tell("large", json!({"size": 8 * MIB})).await, true, "8 MiB there and back");
    }
    many_at_once(&client, &server).await;
    client.close().await;
    server.close().await;
}

async fn calls(asker: &Peer) {
    assert_eq!(asker.tell("corpus", json!({})).await, json!([]), "values that came back changed");
    let data = json!({"text": "Привет 🦀", "none": null, "nested": [[1.5, {"a": -1}]]});
    assert_eq!(asker.request("echo", data.clone()).await, Ok(data));
    // The answer needs a call back to the asker.
    let call = json!({"name": "double", "data": 21});
    assert_eq!(asker.request("relay", call).await, Ok(json!(42)));
}

async fn throws(asker: &Peer, answerer: &Peer) {
    for number in 0..20 {
        asker.throw("note", number).await;
    }
    for number in 0..20 {
        assert_eq!(answerer.next_note().await, number, "throws arrive in order");
    }
    // Nobody hears of a throw whose handler fails, and the connection lives on.
    asker.throw("crash", "thrown").await;
    asker.throw("nowhere", "thrown").await;
    assert_eq!(asker.request("double", 4).await, Ok(json!(8)));
}

async fn errors(asker: &Peer) {
    for kind in ["ReqError", "RespError"] {
        for code in [None, Some(0), Some(404), Some(-1), Some(i64::MAX)] {
            let told = json!({"kind": kind, "message": "нет \"так\" 🐍", "code": code});
            let failure = asker.request("fail", told.clone()).await.unwrap_err();
            assert_eq!(json!({"kind": failure.kind, "message": failure.message, "code": failure.code}), told);
        }
    }
    let crash = asker.request("crash", "no such luck").await.unwrap_err();
    assert_eq!((crash.kind.as_str(), crash.code), ("UnknownError", None));
    assert!(crash.message.contains("no such luck"), "{crash:?}");

    let undumpable = asker.request("undumpable", Value::Null).await.unwrap_err();
    assert_eq!(undumpable.kind, "RespError", "{undumpable:?}");
}

/// What cannot be loaded fails that call alone, at either end.
async fn spoiled_payloads(asker: &Peer) {
    let request = asker.request("echo", SPOIL).await.unwrap_err();
    assert_eq!(request.kind, "SerializerError", "{request:?}");
    assert_eq!(request.code, None);

    let answer = asker.request("spoiled", Value::Null).await.unwrap_err();
    assert_eq!(answer.kind == "SerializerError", asker.language == Language::Rust, "{answer:?}");
    assert_eq!(asker.request("double", -3).await, Ok(json!(-6)));
}

async fn unknown_route(asker: &Peer) {
    let message = "Route \"nowhere\" is not defined".to_owned();
    let failure = Failure { kind: "ReqError".to_owned(), message, code: None };
    assert_eq!(asker.request("nowhere", 1).await, Err(failure));
}

/// 200 calls each way, all at the same time.
async fn many_at_once(client: &Peer, server: &Peer) {
    let count = json!({"count": 200});
    let (client, server) = tokio::join!(client.tell("many", count.clone()), server.tell("many", count));
    assert_eq!((client, server), (json!([]), json!([])), "wrong answers");
}
