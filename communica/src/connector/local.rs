//! A server's name goes in, links to it on this machine come out: Unix sockets here, named pipes there. What a system does
//! its own way is in `local/unix.rs` and `local/windows.rs`, behind the same few names.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::io;

use serde::{Deserialize, Serialize};
#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

use super::{BoxFuture, Connector, Link, LinkError, Listener, StateError, state};
use crate::limits::Limits;

const TYPE: &str = "LocalConnector";

/// Reaches a server on this machine by name, at the place where the Python library looks for it: on Unix a socket, on
/// Windows a named pipe. States and names are the same on both.
///
/// # On Unix
///
/// The socket is `<temp dir>/communica/<name in lower case>.sock`. The temp dir is the first folder of `TMPDIR`, `TEMP`,
/// `TMP`, `/tmp`, `/var/tmp`, `/usr/tmp`, so processes that are to meet need the same environment. A socket left behind by
/// a process that died is taken over, by one server if many start at once; that of a live server is not, and what is not a
/// socket is never touched.
///
/// A server lets in its own user and root, and a client takes only a server that one of these runs: the socket is for
/// its user alone (mode 600), and the system tells each side who is at the other end. Handlers find process, user and
/// group in [`PeerInfo`](crate::PeerInfo). `allow_users` and `allow_any_user`, which only Unix has, let others in; then
/// the mode is 666 and the folder can be passed through, while who connects is still checked. A state string does not
/// hold who is allowed.
///
/// The folder must be a real one, of the same users, that nobody else can write to: whoever could would be able to stand
/// in for a server, or take its name away. The user's own group may write, as it does where each user has a group. Where
/// others are allowed, a folder with the sticky bit (mode 1777, such as an administrator may make for all) will do,
/// too; a server's belongs to its own user or root all the same. If the folder is not there, a server makes it, for its user alone.
///
/// # On Windows
///
/// The pipe is `\\.\pipe\communica.<name in lower case>`, of bytes, for any number of clients at once. It goes with the
/// server's process, so nothing stale stays, and no second server can listen at the name of a live one.
///
/// A server lets in its own user, the administrators and the system itself, as the pipe's access list says, and nobody
/// from another machine. A client takes only a server of these: it looks who owns the pipe. Others cannot be allowed:
/// `allow_users` and `allow_any_user` are not there. A process that runs with an administrator's rights cannot be reached
/// from one of the same user that runs without. Servers find the client's process in [`PeerInfo`](crate::PeerInfo).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalConnector {
    name: String,
    allowed: system::Allowed,
}

#[derive(Serialize, Deserialize)]
struct State {
    name: String,
}

impl LocalConnector {
    /// A name for the server: any characters but `/` and, on Windows, `\`; there it must not end in a dot or a space
    /// either. Upper case counts as lower case. With a name that the system cannot have, servers and clients do not start.
    #[must_use]
    pub fn new(name: impl AsRef<str>) -> Self {
        Self { name: name.as_ref().to_lowercase(), allowed: Default::default() }
    }

    /// An ASCII string from which another process makes the same connector.
    #[must_use]
    pub fn dump_state(&self) -> String {
        state::dump(TYPE, &State { name: self.name.clone() })
    }

    /// The connector that a state string describes.
    ///
    /// # Errors
    /// It is no state of a local connector.
    pub fn load_state(state: &str) -> Result<Self, StateError> {
        state::load(TYPE, state).map(|State { name }| Self::new(name))
    }
}

impl Connector for LocalConnector {
    fn address(&self) -> String {
        system::address(&self.name)
    }

    fn dump_state(&self) -> String {
        self.dump_state()
    }

    fn client_id(&self, chosen: Option<&str>) -> Result<Option<String>, String> {
        system::check(self).map_err(|error| error.to_string())?;
        Ok(chosen.map(str::to_owned))
    }

    fn connect<'a>(&'a self, hello: &'a [u8], limits: &'a Limits) -> BoxFuture<'a, Result<Link, LinkError>> {
        Box::pin(system::connect(self, hello, limits))
    }

    fn listen<'a>(&'a self, limits: &'a Limits) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(system::listen(self, limits))
    }
}
