//! State strings: ours is what the Python library's connector takes as arguments.

use communica::{RmqConnector, RouteServer, RouteTable};
use communica_tests::{Language, Role, in_time};
use serde_json::{Value, json};

use super::usual;

#[test]
fn a_state_is_ascii_and_complete() {
    let url = "amqp://ada:p%40ss@broker.example:5673/north%2feast";
    let connector = RmqConnector::new(url, "Бюро").client_id("касса-7").exchange("other");
    let state = connector.dump_state();
    assert!(state.is_ascii(), "{state}");
    let read: Value = serde_json::from_str(&state).expect("it is JSON");
    let expected = json!({
        "type": "RABBITMQ",
        "url": url,
        "address": "Бюро",
        "client_id": "касса-7",
        "exchange_name": "other",
    });
    assert_eq!(read, expected);
    assert_eq!(RmqConnector::load_state(&state).expect("it is a state"), connector);
}

/// A client in Python gets the state of our server, as a child would.
#[tokio::test]
async fn python_connects_with_our_state() {
    in_time(async {
        let stage = usual();
        let connector = RmqConnector::load_state(&stage.connector()).expect("it is a state");
        let routes = RouteTable::new().route("double", |number: i64| number * 2);
        let server = RouteServer::new(connector, routes).start().await.expect("it listens");
        let state = server.dump_state();
        assert_eq!(serde_json::from_str::<Value>(&state).ok(), serde_json::from_str(&stage.connector()).ok());

        let python = stage.start(Language::Python, Role::Client).await;
        assert_eq!(python.request("double", 21).await, Ok(json!(42)));
        let mut arguments: Value = serde_json::from_str(&state).expect("it is JSON");
        arguments.as_object_mut().expect("it is one").remove("type");
        // Python's URLs have capitals there.
        arguments["url"] = arguments["url"].as_str().expect("it is text").replace("%2f", "%2F").into();
        assert_eq!(python.tell("pickled_connector", json!({})).await, arguments);
        server.stop().await;
    })
    .await;
}
