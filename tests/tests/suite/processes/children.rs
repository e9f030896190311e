//! A process that has children, as a supervisor's: what it closes is closed, whatever they inherited.

use communica::{LocalConnector, RouteServer, TcpConnector};
use serde_json::Value;

use super::runner::{self, Runner};
use crate::raw_peer::peer::{RawPeer, frame};
use crate::support::{echo, unique, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_does_not_keep_its_parents_connections_open() {
    within(60, async {
        let name = unique("parent");
        let local = RouteServer::new(LocalConnector::new(&name), echo()).start().await.unwrap();
        let tcp = RouteServer::new(TcpConnector::new("127.0.0.1", 0), echo()).start().await.unwrap();
        let state: Value = serde_json::from_str(&tcp.dump_state()).unwrap();
        let port = u16::try_from(state["port"].as_u64().expect("a port")).unwrap();
        let mut peers = [RawPeer::local(&name).await, RawPeer::tcp(port).await];
        for peer in &mut peers {
            peer.hello("nonsense").await;
            peer.expect_served().await;
        }
        let mut child = Runner::server(&runner::local());
        child.listens().await;
        for peer in &mut peers {
            peer.send(&frame(99, b"")).await;
            peer.expect_end().await;
            peer.expect_gone().await;
        }
        child.kill().await;
        drop((local, tcp));
    })
    .await;
}
