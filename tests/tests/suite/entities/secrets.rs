//! A token goes in, or a secret beside a call; it comes out in no log, no error and no debug text.

use communica::{
    AnyConnector, Applicant, Bytes, CallOptions, Context, Error, LocalConnector, MemoryConnector, Message,
    RouteClient, RouteServer, SimpleClient, TcpConnector,
};

use super::log::Log;
use crate::support::{echo, eventually, quick, unique, within};

const TOKEN: &str = "hush-4711";
const WRONG: &str = "hush-0815";

fn check(log: &Log, client: &Applicant<'_>) -> Result<(), String> {
    log.add(client);
    match client.client_id() {
        "panics" => panic!("this hook has a bug"),
        _ if client.has_token(TOKEN) => Ok(()),
        _ => Err("no".to_owned()),
    }
}

async fn come_and_go(log: &Log, road: AnyConnector) {
    let hook = log.clone();
    let routes = echo().route("bug", |_: i64| -> i64 { panic!("this handler has one") });
    let server = RouteServer::new(road.clone(), routes).authorize(move |client| check(&hook, client));
    log.add(&server);
    let server = server.start().await.unwrap();
    log.add(&server);
    let road = AnyConnector::load_state(&server.dump_state()).unwrap();
    for (id, token) in [("w1", WRONG), ("panics", TOKEN)] {
        let builder = quick(RouteClient::builder(road.clone())).token(token).client_id(id);
        log.add(&builder);
        let refused = builder.connect().await.unwrap_err();
        assert!(matches!(refused, Error::Refused { .. }), "{refused:?}");
        log.add(format!("{refused} {refused:?}"));
    }
    let simple = SimpleClient::builder(road.clone()).token(TOKEN);
    log.add(&simple);
    let older =
        quick(RouteClient::builder(road.clone())).token(TOKEN).client_id("w1").connect().await.unwrap();
    log.add(&older);
    assert_eq!(older.request::<_, i64>("echo", &1).await.unwrap(), 1);
    assert!(matches!(older.request::<_, i64>("bug", &1).await, Err(Error::Unknown(_))));
    let newer = quick(RouteClient::builder(road)).token(TOKEN).client_id("w1").connect().await.unwrap();
    within(10, older.closed()).await;
    log.add(older.request::<_, i64>("echo", &1).await.unwrap_err());
    log.add((server.peers(), newer.inflight()));
    server.stop().await;
    eventually("the client sees the server go", || !newer.is_connected()).await;
    // It tries to come back, which fails.
    newer.close().await;
}

/// On one thread, so that all of it is heard.
#[tokio::test]
async fn a_token_is_seen_by_the_hook_alone() {
    within(60, async {
        let log = Log::default();
        let _heard = log.hears();
        for road in [
            AnyConnector::new(MemoryConnector::unique()),
            AnyConnector::new(LocalConnector::new(unique("secrets"))),
            AnyConnector::new(TcpConnector::new("127.0.0.1", 0)),
        ] {
            come_and_go(&log, road).await;
        }
        let text = log.text();
        // That which was written down is really there.
        for part in [
            "has_token: true",
            "refused a connection",
            "the authorize hook panicked",
            "RouteServer",
            "a handler panicked",
            r#"("route", "\"bug\"")"#,
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        for line in text.lines() {
            assert!(!line.contains("hush") && !line.contains("4711"), "a token shows: {line}");
        }
    })
    .await;
}

#[communica::service]
trait Desk {
    async fn describe(&self, cx: &Context) -> String;
}

struct Clerk;

impl Desk for Clerk {
    async fn describe(&self, cx: &Context) -> String {
        assert_eq!(cx.value::<String>("pass").as_deref(), Some(TOKEN));
        format!("{cx:?} {:?}", cx.metadata())
    }
}

#[tokio::test]
async fn what_is_sent_along_is_told_by_its_key_alone() {
    within(20, async {
        let road = MemoryConnector::unique();
        let _server = RouteServer::new(road.clone(), Clerk.into_routes()).start().await.unwrap();
        let client = RouteClient::connect(road).await.unwrap();
        let desk = DeskClient::new(client).metadata("pass", TOKEN);
        let metadata = format!(r#"{{"id":"4","type":1,"route":"describe","metadata":{{"pass":"{TOKEN}"}}}}"#);
        let message = Message::parse(metadata.into(), Bytes::new()).unwrap();
        let options = CallOptions::new().metadata("pass", TOKEN);
        for (text, part) in [
            (format!("{options:?}"), "pass"),
            (format!("{desk:?}"), "pass"),
            (desk.describe().await.unwrap(), "describe"),
            (format!("{message:?}"), "describe"),
        ] {
            assert!(text.contains(part) && !text.contains(TOKEN), "{text}");
        }
    })
    .await;
}
