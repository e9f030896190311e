//! Our server, attacked by clients over a local socket and over TCP.

use serde_json::{Value, json};

use super::bystander::{Bystander, assert_served};
use super::process::Process;
use crate::raw_peer::peer::RawPeer;
use crate::support::unique;

pub(crate) struct ServerFortress {
    process: Process,
    name: String,
    port: u16,
    bystanders: [Bystander; 2],
}

impl ServerFortress {
    pub(crate) async fn start(limits: Value) -> Self {
        Self::with_files(limits, None).await
    }

    /// `files`: how many the process may have open.
    pub(crate) async fn with_files(limits: Value, files: Option<u32>) -> Self {
        let name = unique("fortress");
        let config = json!({"limits": limits, "server": name});
        let (mut process, ready) = Process::start(&config, files).await;
        let port = u16::try_from(ready["port"].as_u64().expect("it says so")).expect("a port");
        let bystanders = [
            Bystander::at(&json!({"type": "LocalConnector", "name": name})).await,
            Bystander::at(&json!({"type": "TcpConnector", "host": "127.0.0.1", "port": port, "ssl": false}))
                .await,
        ];
        process.measure_from_here();
        Self { process, name, port, bystanders }
    }

    /// A connection over each road.
    pub(crate) async fn attackers(&self) -> [RawPeer; 2] {
        [RawPeer::local(&self.name).await, self.tcp().await]
    }

    pub(crate) async fn tcp(&self) -> RawPeer {
        RawPeer::tcp(self.port).await
    }

    /// The same, after the handshake.
    pub(crate) async fn greeted(&self) -> [RawPeer; 2] {
        let mut attackers = self.attackers().await;
        for attacker in &mut attackers {
            attacker.hello(&unique("attacker")).await;
        }
        attackers
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

    /// Nothing of it was felt by others, and it grew by no more than so many bytes.
    pub(crate) async fn holds(&mut self, what: &str, growth: usize) {
        for bystander in &self.bystanders {
            assert_served(what, async || bystander.report()).await;
        }
        self.process.report().await;
        self.process.holds(what, growth);
    }
}
