//! A server runs until the system wants its end, or it is over before that.

use std::io;

use communica::{
    BoxFuture, Connector, Error, Incoming, Limits, Link, LinkError, Listener, RouteClient, RouteServer,
};

use crate::support::{echo, eventually, memory_server, within};

#[tokio::test]
async fn run_of_a_server_returns_when_it_was_stopped_by_another_handle() {
    within(30, async {
        let (server, road) = memory_server(echo()).await;
        let client = RouteClient::connect(road).await.unwrap();
        let another = server.clone();
        let (ran, ()) = tokio::join!(server.run(), another.stop());
        ran.unwrap();
        eventually("the client sees it", || !client.is_connected()).await;
        server.run().await.expect("it is over already");
    })
    .await;
}

/// A road of somebody's own, with a mistake in it.
#[derive(Debug)]
struct Faulty;

impl Connector for Faulty {
    fn address(&self) -> String {
        "nowhere".to_owned()
    }

    fn dump_state(&self) -> String {
        String::new()
    }

    fn connect<'a>(&'a self, _: &'a [u8], _: &'a Limits) -> BoxFuture<'a, Result<Link, LinkError>> {
        panic!("nobody connects to nowhere")
    }

    fn listen<'a>(&'a self, _: &'a Limits) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async { Ok(Box::new(Self) as Box<dyn Listener>) })
    }
}

impl Listener for Faulty {
    fn dump_state(&self) -> String {
        String::new()
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<Box<dyn Incoming>>> {
        Box::pin(async { panic!("this is on purpose") })
    }
}

#[tokio::test]
async fn run_of_a_client_whose_connector_panics_fails() {
    within(30, async {
        let client = RouteClient::builder(Faulty).start().unwrap();
        let ran = client.run().await;
        let Err(Error::Connect { address, reason, .. }) = &ran else { panic!("{ran:?}") };
        assert!(address == "nowhere" && reason.contains("panic"), "{ran:?}");
        let connected = RouteClient::builder(Faulty).connect().await;
        assert!(matches!(&connected, Err(Error::Connect { .. })), "{connected:?}");
    })
    .await;
}

#[tokio::test]
async fn run_of_a_server_that_cannot_accept_any_more_fails() {
    within(30, async {
        let ran = RouteServer::new(Faulty, echo()).run().await;
        assert!(matches!(&ran, Err(Error::Listen { address, .. }) if address == "nowhere"), "{ran:?}");
        let server = RouteServer::new(Faulty, echo()).start().await.unwrap();
        let ran = server.run().await;
        assert!(matches!(&ran, Err(Error::Listen { .. })), "{ran:?}");
    })
    .await;
}
