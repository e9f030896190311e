//! Servers that let a client not in, and the reason that it is told.

use communica::{Error, Limits, RmqConnector, RouteClient, RouteServer, RouteTable};
use communica_tests::{Language, Role, in_time};
use serde_json::json;

use super::usual;

#[tokio::test]
async fn python_is_refused_while_our_server_is_full() {
    in_time(async {
        let stage = usual().not_waiting();
        let connector = RmqConnector::load_state(&stage.connector()).expect("it is a state");
        let routes = RouteTable::new().route("double", |number: i64| number * 2);
        let server = RouteServer::new(connector.clone(), routes).limits(Limits::new().peers(1));
        let server = server.start().await.expect("it listens");
        let first = RouteClient::connect(connector.client_id("first")).await.expect("there is a place");

        let python = stage.start(Language::Python, Role::Client).await;
        let warning = python.tell("warning", json!({"about": "Connect failed"})).await;
        let reason = "the server has its 1 clients, see `Limits::peers`";
        assert!(warning.as_str().is_some_and(|warning| warning.contains(reason)), "{warning}");

        first.close().await;
        assert_eq!(python.request("double", 21).await, Ok(json!(42)), "it gets in when there is a place");
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn python_is_told_why_our_hook_refuses_it() {
    in_time(async {
        let reason = "Без \"токена\" нельзя 🚪";
        let stage = usual().not_waiting();
        let connector = RmqConnector::load_state(&stage.connector()).expect("it is a state");
        let server = RouteServer::new(connector.clone(), RouteTable::new().route("double", |n: i64| n * 2));
        let server = server.authorize(|client| match client.has_token("open sesame") {
            true => Ok(()),
            false => Err(reason.to_owned()),
        });
        let server = server.start().await.expect("it listens");
        let python = stage.start(Language::Python, Role::Client).await;
        let warning = python.tell("warning", json!({"about": "Connect failed"})).await;
        assert!(warning.as_str().is_some_and(|warning| warning.contains(reason)), "{warning}");
        let ours = RouteClient::builder(connector.client_id("ours")).token("open sesame");
        let ours = ours.connect().await.expect("it is let in");
        assert_eq!(ours.request::<_, i64>("double", &21).await.expect("it is served"), 42);
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_python_server_refuses_our_client() {
    in_time(async {
        let reason = "Сегодня закрыто 🚪";
        let stage = usual().refusing(reason);
        let _server = stage.start(Language::Python, Role::Server).await;
        let connector = RmqConnector::load_state(&stage.connector()).expect("it is a state");
        let refused = RouteClient::connect(connector).await.expect_err("nobody is let in");
        assert!(matches!(&refused, Error::Refused { reason: told, .. } if told == reason), "{refused:?}");
        assert!(refused.to_string().contains(reason), "{refused}");
        assert!(!refused.to_string().contains("guest"), "no password: {refused}");
    })
    .await;
}
