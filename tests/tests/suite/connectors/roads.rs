//! The roads that the suite runs over, each as a maker of connectors.

#[cfg(unix)]
use std::io;
use std::net::TcpListener;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use communica::{
    AnyConnector, Error, FaultConnector, Faults, LocalConnector, MemoryConnector, RouteClient, RouteServer,
    RouteServerHandle, RouteTable, TcpConnector, Tls,
};
#[cfg(unix)]
use communica::{BoxFuture, Connector, Limits, Link, LinkError, Listener, RmqConnector};
use tokio::time::{Instant, sleep};

use super::duplex::DuplexConnector;
use crate::certificates::Authority;
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
    Road { fresh: || AnyConnector::new(TcpConnector::new("127.0.0.1", port())), load: load_any };
/// Both sides prove who they are.
pub(super) const TLS: Road = Road {
    fresh: || AnyConnector::new(TcpConnector::new("127.0.0.1", port()).tls(tls())),
    load: |state| {
        let connector = TcpConnector::load_state_with_tls(state, tls());
        AnyConnector::new(connector.expect("it is the state of a connector with TLS"))
    },
};
pub(super) const MEMORY: Road =
    Road { fresh: || AnyConnector::new(MemoryConnector::unique()), load: load_any };
/// One that a user of the library wrote.
pub(super) const DUPLEX: Road = Road {
    fresh: || AnyConnector::new(DuplexConnector::new(unique("suite"))),
    load: |state| AnyConnector::new(DuplexConnector::load_state(state)),
};

/// One whose streams take little at a time.
pub(super) const SHAKY: Road = Road {
    fresh: || shaky(AnyConnector::new(TcpConnector::new("127.0.0.1", port()))),
    load: |state| shaky(load_any(state)),
};

/// A port that no other test of this process is given, nor the system gives to anybody: one test's server must not turn up
/// where another's is about to come back.
fn port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 10_000 + (std::process::id() % 20) as u16 * 300;
    let port = || first + NEXT.fetch_add(1, Ordering::Relaxed) % 6_000;
    let free =
        std::iter::repeat_with(port).take(6_000).find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok());
    free.expect("a port below those that the system gives away is free")
}

fn shaky(road: AnyConnector) -> AnyConnector {
    AnyConnector::new(FaultConnector::new(road, Faults::seeded(1).short_writes(1..=100_000)))
}

/// Through a broker that the tests start. Its clients need ids; those that have none get one.
#[cfg(unix)]
pub(super) const RABBITMQ: Road = Road {
    fresh: || {
        let url = communica_tests::broker::shared().url();
        Named::any(RmqConnector::new(url, unique("suite")))
    },
    load: |state| Named::any(RmqConnector::load_state(state).expect("it is the state of a broker's")),
};

#[cfg(unix)]
#[derive(Clone, Debug)]
struct Named(RmqConnector);

#[cfg(unix)]
impl Named {
    /// It finds out quickly who is gone.
    fn any(connector: RmqConnector) -> AnyConnector {
        let (listening, check) = (Duration::from_millis(1000), Duration::from_millis(200));
        AnyConnector::new(Self(connector.listening_period(listening).check_period(check)))
    }
}

#[cfg(unix)]
impl Connector for Named {
    fn address(&self) -> String {
        self.0.address()
    }

    fn dump_state(&self) -> String {
        Connector::dump_state(&self.0)
    }

    fn client_id(&self, chosen: Option<&str>) -> Result<Option<String>, String> {
        Connector::client_id(&self.0, Some(chosen.unwrap_or(&unique("client"))))
    }

    fn connect<'a>(&'a self, hello: &'a [u8], limits: &'a Limits) -> BoxFuture<'a, Result<Link, LinkError>> {
        self.0.connect(hello, limits)
    }

    fn listen<'a>(&'a self, limits: &'a Limits) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        self.0.listen(limits)
    }
}

/// The same in all tests, as with everybody's files.
fn tls() -> Tls {
    static TLS: OnceLock<Tls> = OnceLock::new();
    TLS.get_or_init(|| {
        let authority = Authority::new();
        authority.certify(&["127.0.0.1"]).of(authority.trusted()).demand_client_certificates()
    })
    .clone()
}

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
        crate::connectors::roads::over!(tls TLS $($test)*);
        crate::connectors::roads::over!(memory MEMORY $($test)*);
        crate::connectors::roads::over!(duplex DUPLEX $($test)*);
        crate::connectors::roads::over!(shaky SHAKY $($test)*);
        #[cfg(unix)]
        crate::connectors::roads::over!(rabbitmq RABBITMQ $($test)*);
    };
}

/// The same for the roads on which a call ends with its link, and which only one server can listen at.
macro_rules! over_every_direct_road {
    ($($test:ident),* $(,)?) => {
        mod direct {
            use super::*;
            crate::connectors::roads::over!(local LOCAL $($test)*);
            crate::connectors::roads::over!(tcp TCP $($test)*);
            crate::connectors::roads::over!(tls TLS $($test)*);
            crate::connectors::roads::over!(memory MEMORY $($test)*);
            crate::connectors::roads::over!(duplex DUPLEX $($test)*);
            crate::connectors::roads::over!(shaky SHAKY $($test)*);
        }
    };
}

/// The same for the roads that are byte streams.
macro_rules! over_every_stream {
    ($($test:ident),* $(,)?) => {
        mod streams {
            use super::*;
            crate::connectors::roads::over!(local LOCAL $($test)*);
            crate::connectors::roads::over!(tcp TCP $($test)*);
            crate::connectors::roads::over!(tls TLS $($test)*);
            crate::connectors::roads::over!(duplex DUPLEX $($test)*);
            crate::connectors::roads::over!(shaky SHAKY $($test)*);
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

pub(super) use {over, over_every_direct_road, over_every_road, over_every_stream};
