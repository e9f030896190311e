//! Queue names and message types, as the Python library has them; and the few that are ours.

use std::io;

use lapin::types::ShortString;

use crate::excerpt::excerpt;

pub(super) const EXCHANGE: &str = "communica";

/// Characters of address and client id together, as in Python.
const MAX_CHARACTERS: usize = 224;
/// Bytes of a queue's name (AMQP 0-9-1, short strings).
const MAX_BYTES: usize = 255;

// Handshake, in this order.
pub(super) const CONNECT: &str = "communica_client_connect";
pub(super) const CONNECT_OK: &str = "communica_client_connect_ok";
pub(super) const NEXT: &str = "communica_handshake_next";
pub(super) const FAIL: &str = "communica_handshake_fail";
pub(super) const DONE: &str = "communica_handshake_done";
// A running link.
pub(super) const MESSAGE: &str = "message";
pub(super) const CLOSE: &str = "close";
pub(super) const LISTENING: &str = "listening";
/// Ours, to a peer that knows it: several messages.
pub(super) const BUNDLE: &str = "communica_bundle";
/// Ours, between servers of one address: this client is mine now.
pub(super) const MINE: &str = "communica_mine";

/// Ours, to a server in Python: the client's earlier link is over.
pub(super) const BACK: &str = "communica_client_came_back";

/// The `app_id` of our server's first answer: it ends a client's earlier link by itself.
pub(super) const OURS: &str = "communica-rust";
/// Ours, in a close's headers: why.
pub(super) const REASON: &str = "reason";
/// Ours, in the headers of what goes to servers in common: the queue id of the client it is from.
pub(super) const CLIENT: &str = "client";

/// A client's id as it may stand in a line of a log: a knock may bring any.
pub(super) fn readable(client: &str) -> String {
    excerpt(client.replace(char::is_control, " "))
}

/// Queues of one address. Each is bound to the exchange by its own name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    address: String,
}

impl Names {
    pub(super) fn new(address: String) -> Self {
        Self { address }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Where clients knock.
    pub(super) fn connect(&self) -> ShortString {
        self.queue("connect.server")
    }

    /// What all servers of the address hear, each on a queue of its own.
    pub(super) fn servers(&self) -> ShortString {
        self.queue("servers")
    }

    /// Requests for whichever server is free.
    pub(super) fn work(&self) -> ShortString {
        self.queue("work")
    }

    pub(super) fn to_client(&self, client: &str) -> ShortString {
        self.queue(&format!("toClient.{client}"))
    }

    pub(super) fn to_server(&self, client: &str) -> ShortString {
        self.queue(&format!("toServer.{client}"))
    }

    fn queue(&self, what: &str) -> ShortString {
        format!("communica.{}.{what}", self.address).into()
    }

    /// Answers to what this server asked of clients while it did work from the shared queue.
    pub(super) fn answers(&self, server: &str) -> io::Result<ShortString> {
        let name = format!("communica.{}.answers.{server}", self.address);
        if name.len() <= MAX_BYTES {
            return Ok(name.into());
        }
        let what = format!(
            "the address has {} bytes, where a server with a work queue has room for {}: shorten it",
            self.address.len(),
            self.address.len() + MAX_BYTES - name.len()
        );
        Err(io::Error::new(io::ErrorKind::InvalidInput, what))
    }

    /// Whether Python's library can use the queues for this client: its client for AMQP (pamqp) takes names of these characters only.
    pub(super) fn suit_python(&self, client: &str) -> bool {
        let suits = |character: char| character.is_ascii_alphanumeric() || "-_.:@#,/+ ".contains(character);
        self.address.chars().chain(client.chars()).all(suits)
    }

    /// Whether queues for this client can have names.
    pub(super) fn check(&self, client: &str) -> io::Result<()> {
        let characters = self.address.chars().count() + client.chars().count();
        let longest = self.address.len() + client.len() + "communica..toClient.".len();
        let longest = longest.max(self.address.len() + "communica..connect.server".len());
        if characters > MAX_CHARACTERS || longest > MAX_BYTES {
            let who = if client.is_empty() {
                "the address has"
            } else {
                "the address and the client id together have"
            };
            let (size, room) = match characters > MAX_CHARACTERS {
                true => (format!("{characters} characters"), MAX_CHARACTERS),
                false => {
                    let bytes = self.address.len() + client.len();
                    (format!("{bytes} bytes"), bytes + MAX_BYTES - longest)
                }
            };
            let what =
                format!("{who} {size}, where a broker's queue names leave room for {room}: shorten it");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_takes_few_characters_in_names() {
        let names = Names::new("orders/eu-1".to_owned());
        assert!(names.suit_python("till 8_a.b:c@d#e,f+g"));
        for client in ["a(1)", "user~x", "клиент", "a%b"] {
            assert!(!names.suit_python(client), "{client}");
        }
        assert!(!Names::new("a*".to_owned()).suit_python("b"));
    }
}
