//! A method that blocks holds nobody up.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use communica::{CallError, Context, Error};

use crate::with_client;

#[communica::service]
trait Gate {
    /// Blocks until `open` is called.
    #[route(blocking)]
    fn wait(&self, cx: &Context, text: &str) -> Result<String, Closed>;
    async fn open(&self);
    #[route(blocking)]
    fn breaks(&self) -> u8 {
        panic!("broken on purpose")
    }
}

#[derive(Debug, thiserror::Error, communica::ServiceError)]
#[error("nobody opened the gate")]
struct Closed;

struct Host {
    opened: Mutex<Receiver<()>>,
    open: Sender<()>,
}

impl Host {
    fn new() -> Self {
        let (open, opened) = channel();
        Self { opened: Mutex::new(opened), open }
    }
}

impl Gate for Host {
    fn wait(&self, cx: &Context, text: &str) -> Result<String, Closed> {
        let opened = self.opened.lock().unwrap();
        opened.recv_timeout(Duration::from_secs(10)).map_err(|_| Closed)?;
        Ok(format!("{text} {}", cx.route().unwrap()))
    }
    async fn open(&self) {
        self.open.send(()).unwrap();
    }
}

/// All of it runs on one thread, so a method that blocks that thread is never let through.
#[tokio::test]
async fn blocking_does_not_hold_up_other_calls() {
    with_client("blocking", Host::new().into_routes(), |client| async {
        let gate = GateClient::new(client);
        let (waited, opened) = tokio::join!(gate.wait("through"), gate.open());
        opened.unwrap();
        assert_eq!(waited.unwrap(), "through wait");
    })
    .await;
}

#[tokio::test]
async fn a_panic_while_blocking_is_that_calls_business() {
    with_client("blocking-panic", Host::new().into_routes(), |client| async {
        let gate = GateClient::new(client);
        match gate.breaks().await {
            Err(CallError::Failed(Error::Unknown(error))) => {
                assert!(error.message().contains("broken on purpose"), "{error}");
            }
            other => panic!("{other:?}"),
        }
        gate.open().await.unwrap();
    })
    .await;
}
