//! `cx: &Context`: who calls, what was sent along, and the way back.

use std::time::{Duration, Instant};

use communica::{Context, MemoryConnector, RouteClient, RouteServer};

#[communica::service]
trait Office {
    async fn who(&self, cx: &Context) -> String;
    /// Asks the caller back.
    async fn ask(&self, cx: &Context, question: &str, times: u8) -> String;
    fn tenant(&self, cx: &Context, fallback: Option<&str>) -> Option<String>;
    async fn in_time<'a>(&'a self, cx: &'a Context) -> bool;
    async fn route(&self, cx: &Context) -> Option<String> {
        cx.route().map(Into::into)
    }
    async fn unused(&self, _: &Context, number: u8) -> u8 {
        number
    }
}

#[communica::service]
trait Answers {
    async fn answer(&self, question: &str) -> String;
}

struct Host;

impl Office for Host {
    async fn who(&self, cx: &Context) -> String {
        tokio::task::yield_now().await;
        cx.client_id().to_owned()
    }
    async fn ask(&self, cx: &Context, question: &str, times: u8) -> String {
        let caller = AnswersClient::new(cx.peer().clone());
        caller.answer(question).await.unwrap().repeat(times.into())
    }
    fn tenant(&self, cx: &Context, fallback: Option<&str>) -> Option<String> {
        cx.value("tenant").or(fallback.map(str::to_owned))
    }
    async fn in_time<'a>(&'a self, cx: &'a Context) -> bool {
        cx.deadline().is_some_and(|deadline| deadline > Instant::now())
    }
}

impl Answers for Host {
    async fn answer(&self, question: &str) -> String {
        format!("{question}!")
    }
}

async fn with_office<F: Future<Output = ()>>(name: &str, test: impl FnOnce(OfficeClient) -> F) {
    let run = async {
        let connector = MemoryConnector::new(name);
        let server = RouteServer::new(connector.clone(), Office::into_routes(Host)).start().await.unwrap();
        let client = RouteClient::builder(connector).routes(Answers::into_routes(Host)).client_id("w1");
        test(OfficeClient::new(client.connect().await.unwrap())).await;
        server.stop().await;
    };
    tokio::time::timeout(Duration::from_secs(20), run).await.expect("the test should end within 20 seconds");
}

#[tokio::test]
async fn the_context_knows_the_caller_and_the_way_back() {
    with_office("context", |office| async move {
        assert_eq!(office.who().await.unwrap(), "w1");
        assert_eq!(office.ask("why", 2).await.unwrap(), "why!why!");
        assert_eq!(office.route().await.unwrap().as_deref(), Some("route"));
        assert_eq!(office.unused(3).await.unwrap(), 3);
    })
    .await;
}

#[tokio::test]
async fn what_the_stub_was_told_reaches_the_context() {
    with_office("context-options", |office| async move {
        assert_eq!(office.tenant(Some("none")).await.unwrap().as_deref(), Some("none"));
        let told = office.metadata("tenant", "acme").metadata(String::from("other"), [1, 2]);
        assert_eq!(told.tenant(None).await.unwrap().as_deref(), Some("acme"));
        assert_eq!(office.tenant(None).await.unwrap(), None, "the copy was told, not the stub");
        assert!(!office.in_time().await.unwrap());
        assert!(office.timeout(Duration::from_secs(9)).in_time().await.unwrap());
    })
    .await;
}
