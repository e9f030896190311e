//! Who is connected, looked at again and again → who came and who went.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use super::Server;
use crate::exchange::Beginning;

/// What became of a client's connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerEvent {
    /// The client with this id is connected: it came, or is back. [`peer`](crate::RouteServerHandle::peer) gives it at once.
    Connected(String),
    /// The client with this id is not connected any more. It may come back; until then, calls to it wait.
    Disconnected(String),
}

/// Tells which clients of a server come and go, beginning with those that are there. Made by
/// [`watch_peers`](crate::RouteServerHandle::watch_peers).
///
/// It compares who is there with who was there when it looked last, so it never holds more than that, however seldom it is asked. What
/// came and went in between is not told; a link that was cut and is back is told when what went on before does not go on: another
/// process came, or the peer is one that cannot resume, such as Python's.
#[must_use = "it tells nothing until `next` is called"]
pub struct PeerWatch {
    server: Arc<Server>,
    seen: Present,
    untold: VecDeque<PeerEvent>,
}

/// Client ids, and which of their connections that went on from nothing it is.
type Present = BTreeMap<String, Beginning>;

impl PeerWatch {
    pub(crate) fn new(server: Arc<Server>) -> Self {
        Self { server, seen: Present::new(), untold: VecDeque::new() }
    }

    /// Waits for the next client that comes or goes; `None` once the server has ended. Cancel safe.
    ///
    /// ```
    /// # #[cfg(feature = "memory")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), communica::Error> {
    /// # use communica::{MemoryConnector, PeerEvent, RouteClient, RouteServer, RouteTable};
    /// # let connector = MemoryConnector::unique();
    /// let server = RouteServer::new(connector.clone(), RouteTable::new()).start().await?;
    /// let mut watch = server.watch_peers();
    ///
    /// let worker = RouteClient::builder(connector).client_id("w1").connect().await?;
    /// assert_eq!(watch.next().await, Some(PeerEvent::Connected("w1".to_owned())));
    /// worker.close().await;
    /// assert_eq!(watch.next().await, Some(PeerEvent::Disconnected("w1".to_owned())));
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "memory"))]
    /// # fn main() {}
    /// ```
    pub async fn next(&mut self) -> Option<PeerEvent> {
        if self.untold.is_empty() {
            let look = || {
                let present = self.server.present();
                (present != self.seen).then_some(present)
            };
            let present = self.server.come(&look).await.ok()?;
            let seen = std::mem::replace(&mut self.seen, present);
            self.untold.extend(changes(&seen, &self.seen));
        }
        self.untold.pop_front()
    }
}

impl fmt::Debug for PeerWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerWatch").finish_non_exhaustive()
    }
}

/// Those that went, then those that came; one that is another now is both.
fn changes<'a>(before: &'a Present, now: &'a Present) -> impl Iterator<Item = PeerEvent> + 'a {
    let not_in =
        |other: &'a Present| move |(id, link): &(&'a String, &Beginning)| other.get(*id) != Some(*link);
    let gone = before.iter().filter(not_in(now)).map(|(id, _)| PeerEvent::Disconnected(id.clone()));
    let new = now.iter().filter(not_in(before)).map(|(id, _)| PeerEvent::Connected(id.clone()));
    gone.chain(new)
}

impl Server {
    fn present(&self) -> Present {
        let connected = self.connected();
        connected.iter().map(|client| (client.client_id().to_owned(), client.beginning())).collect()
    }
}
