//! A client of Python's library comes to a server that asks for a token, which it cannot have.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use communica::{RouteClient, RouteServer, RouteTable, TcpConnector};
use communica_tests::{Entity, Format, Language, Road, Role, Stage, in_time};
use tokio::time::{sleep, timeout};

/// Over sockets it does not show the reason: its library drops what it was told (over a broker it shows it).
#[tokio::test]
async fn python_has_no_token_and_is_not_let_in_where_ours_is() {
    in_time(async {
        let stage = Stage::new(Road::Tcp, Entity::Route, Format::Json).not_waiting();
        let connector = TcpConnector::load_state(&stage.connector()).expect("it is a state");
        let routes = RouteTable::new().route("double", |number: i64| number * 2);
        let turned_away = Arc::new(AtomicUsize::new(0));
        let count = turned_away.clone();
        let server = RouteServer::new(connector.clone(), routes).authorize(move |client| {
            if client.has_token("open sesame") {
                return Ok(());
            }
            count.fetch_add(1, Ordering::SeqCst);
            Err("a token is needed here".to_owned())
        });
        let server = server.start().await.expect("it listens");
        let python = stage.start(Language::Python, Role::Client).await;
        while turned_away.load(Ordering::SeqCst) < 2 {
            sleep(Duration::from_millis(5)).await;
        }
        let ours = RouteClient::builder(connector).token("open sesame").connect().await;
        let ours = ours.expect("it is let in");
        assert_eq!(ours.request::<_, i64>("double", &21).await.expect("it is served"), 42);
        let asked = timeout(Duration::from_secs(1), python.request("double", 21)).await;
        assert!(!matches!(asked, Ok(Ok(_))), "it was served: {asked:?}");
        assert_eq!(server.peers().len(), 1);
    })
    .await;
}
