//! Our client, which calls a hostile server again and again, and a good one beside it.

use communica::{RouteServer, RouteServerHandle, TcpConnector};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::bystander::assert_served;
use super::process::Process;
use crate::raw_peer::peer::{RawPeer, limit};
use crate::support::echo;

pub(crate) struct ClientFortress {
    process: Process,
    listener: TcpListener,
    _good: RouteServerHandle,
}

impl ClientFortress {
    pub(crate) async fn start(limits: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let hostile = json!({"type": "TcpConnector", "host": "127.0.0.1", "port": port, "ssl": false});
        let good =
            RouteServer::new(TcpConnector::new("127.0.0.1", 0), echo()).start().await.expect("it listens");
        let config = json!({"limits": limits, "client": [hostile.to_string(), good.dump_state()]});
        let (mut process, _) = Process::start(&config, None).await;
        process.measure_from_here();
        Self { process, listener, _good: good }
    }

    /// The client connects once more.
    pub(crate) async fn accept(&self) -> RawPeer {
        let accepted = timeout(limit(), self.listener.accept()).await.expect("the client comes back");
        RawPeer::of_tcp(accepted.expect("it can be accepted").0)
    }

    /// The same, after the handshake.
    pub(crate) async fn greeted(&self) -> RawPeer {
        let mut peer = self.accept().await;
        peer.read_hello().await;
        peer.send(b"{\"hello\": \"hello\"}\0").await;
        peer
    }

    pub(crate) async fn logs(&self, text: &str) {
        self.process.logs(text).await;
    }

    /// Throws that were handled so far.
    pub(crate) async fn noted(&mut self) -> u64 {
        self.process.report().await["noted"].as_u64().expect("a number")
    }

    /// The same, and no connection is left of those whose peers are gone.
    pub(crate) async fn holds_nothing(&mut self, what: &str, growth: usize) {
        self.holds(what, growth).await;
        self.process.lets_go(what).await;
    }

    /// Its calls to the hostile server end, nothing was felt by others, and it grew by no more than so many bytes.
    pub(crate) async fn holds(&mut self, what: &str, growth: usize) {
        let process = &mut self.process;
        let count = |now: Value| now["ended"].as_u64().expect("it says so");
        let ended = count(process.report().await);
        timeout(limit(), async {
            while count(process.report().await) <= ended {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        })
        .await
        .unwrap_or_else(|_| panic!("{what}: a call to the hostile server does not end"));
        assert_served(what, async || process.report().await).await;
        process.holds(what, growth);
    }
}
