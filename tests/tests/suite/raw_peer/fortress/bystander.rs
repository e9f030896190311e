//! A client that behaves well calls the whole time, and notes how it is served.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use communica::{AnyConnector, RouteClient};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

#[derive(Default)]
struct Noted {
    good: AtomicU64,
    failed: AtomicU64,
    slowest_ms: AtomicU64,
}

pub(super) struct Bystander {
    noted: Arc<Noted>,
    calling: JoinHandle<()>,
}

impl Bystander {
    pub(super) async fn at(state: &Value) -> Self {
        let connector = AnyConnector::load_state(&state.to_string()).expect("a connector's state");
        let client = RouteClient::connect(connector).await.expect("the server lets it in");
        let noted = Arc::new(Noted::default());
        let calling = tokio::spawn(call(client, noted.clone()));
        Self { noted, calling }
    }

    pub(super) fn report(&self) -> Value {
        let read = |number: &AtomicU64| number.load(Relaxed);
        let Noted { good, failed, slowest_ms } = &*self.noted;
        json!({"good": read(good), "failed": read(failed), "slowest_ms": read(slowest_ms)})
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        self.calling.abort();
    }
}

async fn call(client: RouteClient, noted: Arc<Noted>) {
    loop {
        let since = Instant::now();
        let well = matches!(client.request::<_, i64>("echo", &5).await, Ok(5));
        if well { &noted.good } else { &noted.failed }.fetch_add(1, Relaxed);
        noted.slowest_ms.fetch_max(since.elapsed().as_millis() as u64, Relaxed);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// It was served the whole time.
pub(super) async fn assert_served(what: &str, mut report: impl AsyncFnMut() -> Value) {
    let good = |now: &Value| now["good"].as_u64().expect("it says so");
    let before = good(&report().await);
    // A call after the attack has to be answered, too.
    let mut now = report().await;
    for _ in 0..2000 {
        if good(&now) > before {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        now = report().await;
    }
    assert!(good(&now) > before, "{what}: a bystander is not served any more: {now}");
    assert_eq!(now["failed"], 0, "{what}: a bystander's call failed: {now}");
    assert!(
        now["slowest_ms"].as_u64().is_some_and(|slowest| slowest < 5000),
        "{what}: a bystander waited: {now}"
    );
}
