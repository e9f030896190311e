//! Links over Unix sockets, at the path the Python library uses.

mod binding;
mod folder;
mod halves;
mod users;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::net::{UnixListener, UnixStream};

use super::farewell::Patience;
use super::stream::{self, StreamIncoming};
use super::{BoxFuture, Connector, Incoming, Link, LinkError, Listener, StateError, state};
use crate::limits::Limits;
use binding::{Inode, bind};
use halves::halves;
use users::{Allowed, Stranger, Us, peer_of};

const TYPE: &str = "LocalConnector";
/// Bytes of a socket's path at most: 108 on Linux, 104 on the BSDs and macOS, with a zero at the end.
const MAX_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// Reaches a server on this machine by name: a Unix socket `<temp dir>/communica/<name in lower case>.sock`.
///
/// The temp dir is the first folder of `TMPDIR`, `TEMP`, `TMP`, `/tmp`, `/var/tmp`, `/usr/tmp`, so processes that
/// are to meet need the same environment. A socket left behind by a process that died is taken over; that of a live
/// server is not, and what is not a socket is never touched.
///
/// # Who may connect
///
/// A server lets in its own user and root, and a client takes only a server that one of these runs: the socket is for
/// its user alone (mode 600), and the system tells each side who is at the other end. Handlers find process, user and
/// group in [`PeerInfo`](crate::PeerInfo). [`allow_users`](Self::allow_users) and
/// [`allow_any_user`](Self::allow_any_user) let others in; then the mode is 666 and the folder can be passed through,
/// while who connects is still checked. A state string does not hold who is allowed.
///
/// The folder must be a real one, of the same users, that nobody else can write to: whoever could would be able to stand
/// in for a server, or take its name away. The user's own group may write, as it does where each user has a group. Where
/// others are allowed, a folder with the sticky bit (mode 1777, such as an administrator may make for all) will do,
/// too. If the folder is not there, a server makes it, for its user alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalConnector {
    name: String,
    allowed: Allowed,
}

#[derive(Serialize, Deserialize)]
struct State {
    name: String,
}

impl LocalConnector {
    /// A name for the server: any characters but `/`. Upper case counts as lower case.
    #[must_use]
    pub fn new(name: impl AsRef<str>) -> Self {
        Self { name: name.as_ref().to_lowercase(), allowed: Allowed::These(BTreeSet::new()) }
    }

    /// These users (by number) may be at the other end, beside this process's own and root: on a server, they may
    /// connect; on a client, they may run the server. To be set on both sides. In place of what was allowed before.
    #[must_use]
    pub fn allow_users(self, users: impl IntoIterator<Item = u32>) -> Self {
        Self { allowed: Allowed::These(users.into_iter().collect()), ..self }
    }

    /// Anybody on this machine may be at the other end. Who it is can be seen in [`PeerInfo`](crate::PeerInfo).
    #[must_use]
    pub fn allow_any_user(self) -> Self {
        Self { allowed: Allowed::Any, ..self }
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

    fn path(&self) -> io::Result<PathBuf> {
        let wrong = |what: String| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        if self.name.is_empty() || self.name.contains(['/', '\0']) {
            return wrong(format!(
                "{:?} is no name for a socket: it needs a character and no `/`",
                self.name
            ));
        }
        let path = folder::path().join(format!("{}.sock", self.name));
        match path.as_os_str().len() {
            len if len > MAX_PATH => wrong(format!(
                "the path {} has {len} bytes where {MAX_PATH} are allowed: take a shorter name",
                path.display()
            )),
            _ => Ok(path),
        }
    }
}

/// The folder that a socket lies in.
fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

/// A socket that is gone, or that nobody listens on, had its server's process end.
fn nobody_there(error: io::Error) -> LinkError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => LinkError::NobodyThere(error),
        _ => error.into(),
    }
}

impl Connector for LocalConnector {
    fn address(&self) -> String {
        folder::path().join(format!("{}.sock", self.name)).display().to_string()
    }

    fn dump_state(&self) -> String {
        self.dump_state()
    }

    fn connect<'a>(&'a self, hello: &'a [u8], limits: &'a Limits) -> BoxFuture<'a, Result<Link, LinkError>> {
        Box::pin(async move {
            let (path, us) = (self.path()?, Us::ask()?);
            folder::check(folder_of(&path), us, &self.allowed)?;
            let stream = UnixStream::connect(&path).await.map_err(nobody_there)?;
            let peer = peer_of(&stream, self.address());
            if !self.allowed.includes(us, peer.uid) {
                let what = format!(
                    "the server at {} is run by {} and not by {}: \
                     if that is right, allow that user with `LocalConnector::allow_users`",
                    peer.address,
                    users::name_of(peer.uid),
                    us.and_root()
                );
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, what).into());
            }
            let (read, write) = halves(stream)?;
            stream::connect(read, write, hello, limits, peer).await
        })
    }

    fn listen<'a>(&'a self, limits: &'a Limits) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let (path, us) = (self.path()?, Us::ask()?);
            folder::prepare(folder_of(&path), us, &self.allowed)?;
            let mode = if self.allowed.others() { 0o666 } else { 0o600 };
            let (listener, inode) = bind(&path, mode).await?;
            let (connector, limits) = (self.clone(), limits.clone());
            Ok(Box::new(LocalServer { listener, path, inode, us, connector, limits }) as Box<dyn Listener>)
        })
    }
}

struct LocalServer {
    listener: UnixListener,
    path: PathBuf,
    inode: Inode,
    us: Us,
    connector: LocalConnector,
    limits: Limits,
}

impl Listener for LocalServer {
    fn dump_state(&self) -> String {
        self.connector.dump_state()
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<Box<dyn Incoming>>> {
        Box::pin(async {
            let (stream, _) = self.listener.accept().await?;
            let peer = peer_of(&stream, "a local process".to_owned());
            if !self.connector.allowed.includes(self.us, peer.uid) {
                let stranger = Stranger::new(stream, peer, self.us, Patience::within(&self.limits));
                return Ok(Box::new(stranger) as Box<dyn Incoming>);
            }
            let (read, write) = halves(stream)?;
            let incoming = StreamIncoming::new(read, write, self.limits.clone(), peer);
            Ok(Box::new(incoming) as Box<dyn Incoming>)
        })
    }
}

impl Drop for LocalServer {
    fn drop(&mut self) {
        // Another server (the Python library takes names over) may have put its own there.
        if Inode::of(&self.path).is_ok_and(|there| there == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}
