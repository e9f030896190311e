//! Links over Unix sockets, at the path the Python library uses.

use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::{UnixListener, UnixStream};

use super::stream::{self, StreamIncoming};
use super::{BoxFuture, Connector, Incoming, Link, LinkError, Listener, PeerInfo, StateError, state};
use crate::limits::Limits;

const TYPE: &str = "LocalConnector";
/// Bytes of a socket's path at most: 108 on Linux, 104 on the BSDs and macOS, with a zero at the end.
const MAX_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// Reaches a server on this machine by name: a Unix socket `<temp dir>/communica/<name in lower case>.sock`.
///
/// The temp dir is the first folder of `TMPDIR`, `TEMP`, `TMP`, `/tmp`, `/var/tmp`, `/usr/tmp`, so processes that
/// are to meet need the same environment. Only the same user may connect. A socket left behind by a process that
/// died is taken over; that of a live server is not, and what is not a socket is never touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalConnector {
    name: String,
}

#[derive(Serialize, Deserialize)]
struct State {
    name: String,
}

impl LocalConnector {
    /// A name for the server: any characters but `/`. Upper case counts as lower case.
    #[must_use]
    pub fn new(name: impl AsRef<str>) -> Self {
        Self { name: name.as_ref().to_lowercase() }
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
        let path = folder().join(format!("{}.sock", self.name));
        match path.as_os_str().len() {
            len if len > MAX_PATH => wrong(format!(
                "the path {} has {len} bytes where {MAX_PATH} are allowed: take a shorter name",
                path.display()
            )),
            _ => Ok(path),
        }
    }
}

/// A socket that is gone, or that nobody listens on, had its server's process end.
fn nobody_there(error: io::Error) -> LinkError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => LinkError::NobodyThere(error),
        _ => error.into(),
    }
}

/// `<temp dir>/communica`, the temp dir as Python's `tempfile.gettempdir()` finds it.
fn folder() -> PathBuf {
    let given = ["TMPDIR", "TEMP", "TMP"].into_iter().filter_map(env::var_os).map(PathBuf::from);
    let usual = ["/tmp", "/var/tmp", "/usr/tmp"].into_iter().map(PathBuf::from);
    let temp = given.chain(usual).find(|path| path.is_dir());
    temp.unwrap_or_else(|| PathBuf::from(".")).join("communica")
}

impl Connector for LocalConnector {
    fn address(&self) -> String {
        folder().join(format!("{}.sock", self.name)).display().to_string()
    }

    fn dump_state(&self) -> String {
        self.dump_state()
    }

    fn connect<'a>(&'a self, hello: &'a [u8], limits: &'a Limits) -> BoxFuture<'a, Result<Link, LinkError>> {
        Box::pin(async move {
            let stream = UnixStream::connect(self.path()?).await.map_err(nobody_there)?;
            let peer = PeerInfo { address: self.address(), ..peer_of(&stream) };
            let (read, write) = stream.into_split();
            stream::connect(read, write, hello, limits, peer).await
        })
    }

    fn listen<'a>(&'a self, limits: &'a Limits) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let path = self.path()?;
            if let Some(folder) = path.parent() {
                fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            }
            let (listener, inode) = bind(&path).await?;
            let server =
                LocalServer { listener, path, inode, connector: self.clone(), limits: limits.clone() };
            Ok(Box::new(server) as Box<dyn Listener>)
        })
    }
}

/// Process and user at the other end, where the system tells.
fn peer_of(stream: &UnixStream) -> PeerInfo {
    let told = stream.peer_cred().ok();
    PeerInfo {
        pid: told.and_then(|peer| peer.pid()).and_then(|pid| u32::try_from(pid).ok()),
        uid: told.map(|peer| peer.uid()),
        ..PeerInfo::default()
    }
}

/// Listens at `path` without ever pushing a live server aside.
///
/// The socket is made under another name and linked to its place when it already listens: whoever finds it there
/// can connect, and of two servers that start at once one fails.
async fn bind(path: &Path) -> io::Result<(UnixListener, Inode)> {
    let making = Making(beside(path));
    let listener = UnixListener::bind(&making.0)?;
    fs::set_permissions(&making.0, fs::Permissions::from_mode(0o600))?;
    let inode = Inode::of(&making.0)?;
    place(&making.0, path).await?;
    Ok((listener, inode))
}

/// The other name of a socket that is being placed; gone when it is, or when nobody waits for it any more.
struct Making(PathBuf);

impl Drop for Making {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

async fn place(making: &Path, path: &Path) -> io::Result<()> {
    // Each round ends in success, an error, or something stale removed; a crowd of starting servers ends it too.
    for _ in 0..16 {
        match fs::hard_link(making, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other,
        }
        let Some(found) = Inode::of_socket(path)? else { continue };
        match UnixStream::connect(path).await {
            Ok(_) => return Err(in_use(path)),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => remove_stale(path, found)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // It closes at this moment.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            // A full queue of connections is a server too.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(in_use(path)),
            Err(error) => return Err(error),
        }
    }
    Err(in_use(path))
}

/// Removes the socket that nobody listens on any more, and nothing that took its place meanwhile.
fn remove_stale(path: &Path, stale: Inode) -> io::Result<()> {
    let aside = beside(path);
    match fs::rename(path, &aside) {
        // Somebody else removed it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    }
    let taken = Inode::of(&aside)?;
    if taken != stale {
        fs::hard_link(&aside, path)?;
    }
    fs::remove_file(&aside)
}

fn in_use(path: &Path) -> io::Error {
    let what = format!("address in use: a server already listens at {}", path.display());
    io::Error::new(io::ErrorKind::AddrInUse, what)
}

/// A name of its own in the same folder, shorter than any socket's there.
fn beside(path: &Path) -> PathBuf {
    // A name has one character at least, and `.sock` behind it: six bytes.
    path.with_file_name(format!(".{}", &crate::random::hex(3)[..5]))
}

/// Which file a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Inode {
    device: u64,
    number: u64,
}

impl Inode {
    fn of(path: &Path) -> io::Result<Self> {
        let found = fs::symlink_metadata(path)?;
        Ok(Self { device: found.dev(), number: found.ino() })
    }

    /// `None` if nothing is there; an error if it is something else than a socket.
    fn of_socket(path: &Path) -> io::Result<Option<Self>> {
        match fs::symlink_metadata(path) {
            Ok(found) if found.file_type().is_socket() => {
                Ok(Some(Self { device: found.dev(), number: found.ino() }))
            }
            Ok(_) => {
                let what = format!("{} is there and is not a socket; it was left alone", path.display());
                Err(io::Error::new(io::ErrorKind::AlreadyExists, what))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

struct LocalServer {
    listener: UnixListener,
    path: PathBuf,
    inode: Inode,
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
            let peer = PeerInfo { address: "a local process".to_owned(), ..peer_of(&stream) };
            let (read, write) = stream.into_split();
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
