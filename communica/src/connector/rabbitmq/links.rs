//! The links of one server, by the id their queues are named after: for what does not come through a queue of theirs.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use lapin::types::ShortString;
use tokio::sync::mpsc;

use super::shared::Shared;
use crate::connector::MOVED;
use crate::wire::Message;

#[derive(Default)]
pub(super) struct Links(Mutex<Known>);

/// So many earlier clients are remembered.
const FORMER: usize = 65_536;

#[derive(Default)]
struct Known {
    links: HashMap<String, Entry>,
    /// Clients that shook hands at some time.
    former: HashSet<String>,
}

/// One client's link, or what may become one.
pub(super) struct Entry {
    /// Of a link that came to be by a handshake.
    pub(super) shaken: Option<Shaken>,
    pub(super) aside: mpsc::UnboundedSender<Message>,
}

pub(super) struct Shaken {
    pub(super) shared: Weak<Shared>,
    /// Which client it is for the session.
    pub(super) session_id: String,
    /// The client's own queue.
    pub(super) own: ShortString,
}

/// A link that is over because its client is served through another.
pub(super) struct Displaced {
    pub(super) own: ShortString,
    pub(super) connect_id: Vec<u8>,
}

impl Links {
    fn lock(&self) -> MutexGuard<'_, Known> {
        // Changed in single steps: a panic elsewhere leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client shook hands. A link of an earlier client with the same queues ends; one of the same client is ended
    /// by the session that both belong to.
    pub(super) fn shaken(&self, client: &str, entry: Entry) -> Option<Displaced> {
        let Known { links, former } = &mut *self.lock();
        if links.len() >= 64 && links.len().is_power_of_two() {
            links.retain(|_, entry| !entry.aside.is_closed());
        }
        if former.len() >= FORMER {
            former.clear();
        }
        former.insert(client.to_owned());
        let session_id = entry.shaken.as_ref().map(|shaken| shaken.session_id.clone());
        let earlier = links.insert(client.to_owned(), entry)?.shaken?;
        if Some(&earlier.session_id) == session_id.as_ref() { None } else { displace(earlier) }
    }

    /// This client shook hands before. A false no, once in a while, does no harm.
    pub(super) fn was_here(&self, client: &str) -> bool {
        self.lock().former.contains(client)
    }

    /// Another server has this client now, over the connection with this id.
    pub(super) fn moved(&self, client: &str, connect_id: &[u8]) -> Option<Displaced> {
        let links = &mut self.lock().links;
        let shared = links.get(client)?.shaken.as_ref()?.shared.upgrade()?;
        if shared.connect_id == connect_id {
            return None;
        }
        displace(links.remove(client)?.shaken?)
    }

    /// Hands a message to the link of this client; gives it back if there is none.
    pub(super) fn give(&self, client: &str, message: Message) -> Result<(), Message> {
        match self.lock().links.get(client) {
            Some(entry) => entry.aside.send(message).map_err(|unsent| unsent.0),
            None => Err(message),
        }
    }

    /// A client that never shook hands with this server: what comes for it waits in the returned end.
    pub(super) fn unshaken(&self, client: &str) -> mpsc::UnboundedReceiver<Message> {
        let (aside, waiting) = mpsc::unbounded_channel();
        self.lock().links.insert(client.to_owned(), Entry { shaken: None, aside });
        waiting
    }

    /// Forgets clients that never shook hands.
    pub(super) fn forget_unshaken(&self) {
        self.lock().links.retain(|_, entry| entry.shaken.is_some());
    }
}

fn displace(earlier: Shaken) -> Option<Displaced> {
    let shared: Arc<Shared> = earlier.shared.upgrade()?;
    shared.end(Some(MOVED.to_owned()));
    Some(Displaced { own: earlier.own, connect_id: shared.connect_id.clone() })
}
