//! The roads that the suite runs over, each as a maker of connectors.

use std::time::Duration;

use communica::{
    AnyConnector, Error, LocalConnector, MemoryConnector, RouteClient, RouteServer, RouteServerHandle,
    RouteTable, TcpConnector,
};
use tokio::time::{Instant, sleep};

use super::duplex::DuplexConnector;
use crate::support::unique;

/// One way to reach a peer.
#[derive(Clone, Copy)]
pub(super) struct Road {
    fresh: fn() -> AnyConnector,
    load: fn(&str) -> AnyConnector,
}

pub(super) const LOCAL: Road =
    Road { fresh: || AnyConnector::new(LocalConnector::new(unique("suite"))), load: load_any };
pub(super) const TCP: Road =
    Road { fresh: || AnyConnector::new(TcpConnector::new("127.0.0.1", 0)), load: load_any };
pub(super) const MEMORY: Road =
    Road { fresh: || AnyConnector::new(MemoryConnector::unique()), load: load_any };
/// One that a user of the library wrote.
pub(super) const DUPLEX: Road = Road {
    fresh: || AnyConnector::new(DuplexConnector::new(unique("suite"))),
    load: |state| AnyConnector::new(DuplexConnector::load_state(state)),
};

fn load_any(state: &str) -> AnyConnector {
    AnyConnector::load_state(state).expect("the state of a running server can be loaded")
}

impl Road {
    /// A connector to an address that nobody has.
    pub(super) fn fresh(self) -> AnyConnector {
        (self.fresh)()
    }

    pub(super) async fn serve(self, routes: RouteTable) -> RouteServerHandle {
        RouteServer::new(self.fresh(), routes).start().await.expect("the server starts")
    }

    /// A connector to a running server, by way of its state.
    pub(super) fn to(self, server: &RouteServerHandle) -> AnyConnector {
        (self.load)(&server.dump_state())
    }

    pub(super) fn load(self, state: &str) -> AnyConnector {
        (self.load)(state)
    }

    pub(super) async fn connect(self, server: &RouteServerHandle) -> RouteClient {
        RouteClient::connect(self.to(server)).await.expect("the client connects")
    }

    /// A server at the address of one that was dropped, which may take a moment to be gone.
    pub(super) async fn serve_again(self, state: &str, routes: RouteTable) -> RouteServerHandle {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match RouteServer::new(self.load(state), routes.clone()).start().await {
                Ok(server) => return server,
                Err(Error::Listen { .. }) if Instant::now() < deadline => {
                    sleep(Duration::from_millis(5)).await;
                }
                Err(error) => panic!("the server does not start again: {error}"),
            }
        }
    }
}

/// Makes tests of async functions that take a road: one for each road.
macro_rules! over_every_road {
    ($($test:ident),* $(,)?) => {
        crate::connectors::roads::over!(local LOCAL $($test)*);
        crate::connectors::roads::over!(tcp TCP $($test)*);
        crate::connectors::roads::over!(memory MEMORY $($test)*);
        crate::connectors::roads::over!(duplex DUPLEX $($test)*);
    };
}

/// The same for the roads that are byte streams.
macro_rules! over_every_stream {
    ($($test:ident),* $(,)?) => {
        mod streams {
            use super::*;
            crate::connectors::roads::over!(local LOCAL $($test)*);
            crate::connectors::roads::over!(tcp TCP $($test)*);
            crate::connectors::roads::over!(duplex DUPLEX $($test)*);
        }
    };
}

macro_rules! over {
    ($module:ident $road:ident $($test:ident)*) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    crate::support::within(60, super::$test(crate::connectors::roads::$road)).await;
                }
            )*
        }
    };
}

pub(super) use {over, over_every_road, over_every_stream};
