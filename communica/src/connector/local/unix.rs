//! Links over Unix sockets, at the path the Python library uses.

mod binding;
mod folder;
mod users;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

use super::super::farewell::Patience;
use super::super::socket::{self, ReadHalf, WriteHalf};
use super::super::stream::{self, Controls, Depths, StreamIncoming};
use super::super::{BoxFuture, Incoming, Link, LinkError, Listener};
use super::LocalConnector;
use crate::limits::Limits;
use binding::{Inode, bind};
use users::{Stranger, Us, peer_of};

pub(super) use users::Allowed;

/// Bytes of a socket's path at most: 108 on Linux, 104 on the BSDs and macOS, with a zero at the end.
const MAX_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// Who may be at the other end. On Windows this cannot be changed.
impl LocalConnector {
    /// These users (by number) may be at the other end, beside this process's own and root: on a server, they may
    /// connect; on a client, they may run the server. To be set on both sides. In place of what was allowed before.
    ///
    /// Only Unix has it.
    #[must_use]
    pub fn allow_users(self, users: impl IntoIterator<Item = u32>) -> Self {
        Self { allowed: Allowed::These(users.into_iter().collect()), ..self }
    }

    /// Anybody on this machine may be at the other end. Who it is can be seen in [`PeerInfo`](crate::PeerInfo).
    ///
    /// Only Unix has it.
    #[must_use]
    pub fn allow_any_user(self) -> Self {
        Self { allowed: Allowed::Any, ..self }
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

/// Where the socket of this name is.
pub(super) fn address(name: &str) -> String {
    folder::path().join(format!("{name}.sock")).display().to_string()
}

/// Whether there can be a socket of this name.
pub(super) fn check(connector: &LocalConnector) -> io::Result<()> {
    connector.path().map(drop)
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

pub(super) async fn connect(
    connector: &LocalConnector,
    hello: &[u8],
    limits: &Limits,
) -> Result<Link, LinkError> {
    let (path, us) = (connector.path()?, Us::ask()?);
    folder::check(folder_of(&path), us, &connector.allowed, folder::Side::Client)?;
    let stream = UnixStream::connect(&path).await.map_err(nobody_there)?;
    let peer = peer_of(&stream, address(&connector.name));
    if !connector.allowed.includes(us, peer.uid) {
        let what = format!(
            "the server at {} is run by {} and not by {}: \
             if that is right, allow that user with `LocalConnector::allow_users`",
            peer.address,
            users::name_of(peer.uid),
            us.and_root()
        );
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, what).into());
    }
    let (read, write) = socket::split(stream);
    stream::connect_with(read, write, hello, limits, peer, controls()).await
}

/// What a socket may hold of what this side sent (Linux holds twice as many bytes). Shallow, it is so few that the sender goes on when all
/// was read.
static DEPTHS: Depths<WriteHalf<UnixStream>> = Depths {
    set: |write, bytes| {
        let _ = write.set(|socket| socket.set_send_buffer_size(bytes));
    },
    deep: 512 * 1024,
    shallow: 48 * 1024,
    is_all: true,
};

fn controls() -> Controls<ReadHalf<UnixStream>, WriteHalf<UnixStream>> {
    // Elsewhere the system adds what it is told to what is on its way.
    let depths = cfg!(any(target_os = "android", target_os = "linux")).then_some(&DEPTHS);
    Controls { depths, busy_poll: Some(ReadHalf::busy_poll) }
}

pub(super) async fn listen(connector: &LocalConnector, limits: &Limits) -> io::Result<Box<dyn Listener>> {
    let (path, us) = (connector.path()?, Us::ask()?);
    folder::prepare(folder_of(&path), us, &connector.allowed)?;
    let mode = if connector.allowed.others() { 0o666 } else { 0o600 };
    let (listener, inode) = bind(&path, mode).await?;
    let (connector, limits) = (connector.clone(), limits.clone());
    Ok(Box::new(LocalServer { listener, path, inode, us, connector, limits }) as Box<dyn Listener>)
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
            let (read, write) = socket::split(stream);
            let incoming =
                StreamIncoming::new(read, write, self.limits.clone(), peer).with_controls(controls());
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
