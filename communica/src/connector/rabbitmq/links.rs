//! The links of one server, by the id their queues are named after: for what does not come through a queue of theirs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use lapin::types::ShortString;
use tokio::sync::mpsc;

use super::shared::Shared;
use crate::connector::{MOVED, SUCCEEDED};
use crate::wire::Message;

#[derive(Default)]
pub(super) struct Links(Mutex<Known>);

/// So many earlier clients are remembered.
const FORMER: usize = 65_536;

#[derive(Default)]
struct Known {
    links: HashMap<String, Entry>,
    /// Clients that shook hands at some time; and whether their queues are gone, and there was no other link since.
    former: HashMap<String, bool>,
    /// With so many entries, those of ended links are thrown out.
    clean_at: usize,
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
    /// All servers were told of it.
    pub(super) announced: bool,
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

    /// A client shook hands; the earlier one with its queues is to be told. Its link ends here, unless both are one client
    /// for the session, which ends it itself.
    pub(super) fn shaken(&self, client: &str, entry: Entry) -> Option<Displaced> {
        let Known { links, former, clean_at } = &mut *self.lock();
        clean(links, clean_at);
        if former.len() >= FORMER {
            former.clear();
        }
        former.entry(client.to_owned()).or_default();
        let session_id = entry.shaken.as_ref().map(|shaken| shaken.session_id.clone());
        let earlier = links.insert(client.to_owned(), entry)?.shaken?;
        if Some(&earlier.session_id) != session_id.as_ref() {
            if let Some(shared) = earlier.shared.upgrade() {
                shared.acks.keep_throws();
            }
            return displace(earlier, SUCCEEDED);
        }
        let connect_id = earlier.shared.upgrade()?.connect_id.clone();
        Some(Displaced { own: earlier.own, connect_id })
    }

    /// Neither this server nor another has the client through a later connection than this one.
    pub(super) fn is_latest(&self, client: &str, shared: &Arc<Shared>) -> bool {
        let known = self.lock();
        let latest = known.links.get(client).and_then(|entry| entry.shaken.as_ref());
        latest.is_some_and(|shaken| shaken.shared.as_ptr() == Arc::as_ptr(shared))
    }

    /// This client shook hands before. A false no, once in a while, does no harm.
    pub(super) fn was_here(&self, client: &str) -> bool {
        self.lock().former.contains_key(client)
    }

    /// The queues of a client that was here before are gone.
    pub(super) fn queues_lost(&self, client: &str) {
        self.lock().former.insert(client.to_owned(), true);
    }

    /// The client has a link, and knows.
    pub(super) fn has_queues(&self, client: &str) {
        self.lock().former.insert(client.to_owned(), false);
    }

    /// Whether they were gone when this link came to be.
    pub(super) fn is_fresh(&self, client: &str) -> bool {
        self.lock().former.get(client).is_some_and(|lost| *lost)
    }

    /// News for all servers: somebody, perhaps this one, has this client over the connection with this id. What comes
    /// before the news of our own link is older than that. Among links to this server, the session decides.
    pub(super) fn moved(&self, client: &str, connect_id: &[u8], is_ours: bool) -> Option<Displaced> {
        let links = &mut self.lock().links;
        let shaken = links.get_mut(client)?.shaken.as_mut()?;
        if shaken.shared.upgrade()?.connect_id == connect_id {
            shaken.announced = true;
            return None;
        }
        if is_ours || !shaken.announced {
            return None;
        }
        displace(links.remove(client)?.shaken?, MOVED)
    }

    /// News were missed: any of these clients may be served through another server by now.
    pub(super) fn break_off(&self) {
        let known = self.lock();
        let shaken = known.links.values().filter_map(|entry| entry.shaken.as_ref());
        for shared in shaken.filter_map(|shaken| shaken.shared.upgrade()) {
            shared.break_off("this server did not hear for a moment which clients went to others");
        }
    }

    /// Hands a message to the link of this client; gives it back if there is none.
    pub(super) fn give(&self, client: &str, message: Message) -> Option<Message> {
        match self.lock().links.get(client) {
            Some(entry) => entry.aside.send(message).err().map(|unsent| unsent.0),
            None => Some(message),
        }
    }

    /// This client has or had a link, and what it asks for may still be done here.
    pub(super) fn knows(&self, client: &str) -> bool {
        self.lock().links.contains_key(client)
    }

    /// No client has a link.
    pub(super) fn are_over(&self) -> bool {
        self.lock().links.values().all(|entry| entry.aside.is_closed())
    }

    /// This client has a link, or is about to.
    pub(super) fn has(&self, client: &str) -> bool {
        self.lock().links.get(client).is_some_and(|entry| !entry.aside.is_closed())
    }

    /// A client that never shook hands with this server: what comes for it waits in the returned end.
    /// `None` if it has a link.
    pub(super) fn unshaken(&self, client: &str) -> Option<mpsc::UnboundedReceiver<Message>> {
        let Known { links, clean_at, .. } = &mut *self.lock();
        if links.get(client).is_some_and(|entry| !entry.aside.is_closed()) {
            return None;
        }
        clean(links, clean_at);
        let (aside, waiting) = mpsc::unbounded_channel();
        links.insert(client.to_owned(), Entry { shaken: None, aside });
        Some(waiting)
    }

    /// Forgets the links of clients that never shook hands.
    pub(super) fn forget_unshaken(&self) {
        self.lock().links.retain(|_, entry| entry.shaken.is_some());
    }
}

/// Throws out the entries of links that ended, now and then.
fn clean(links: &mut HashMap<String, Entry>, clean_at: &mut usize) {
    if links.len() >= (*clean_at).max(64) {
        links.retain(|_, entry| !entry.aside.is_closed());
        *clean_at = links.len() * 2;
    }
}

fn displace(earlier: Shaken, why: &str) -> Option<Displaced> {
    let shared: Arc<Shared> = earlier.shared.upgrade()?;
    shared.end(Some(why.to_owned()));
    Some(Displaced { own: earlier.own, connect_id: shared.connect_id.clone() })
}
