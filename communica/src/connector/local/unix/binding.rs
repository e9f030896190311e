//! A path goes in, a socket that listens there comes out; a live server is never pushed aside.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};

/// Listens at `path` without ever pushing a live server aside.
///
/// The socket is made under another name and linked to its place when it already listens: whoever finds it there
/// can connect, and of two servers that start at once one fails.
pub(super) async fn bind(path: &Path, mode: u32) -> io::Result<(UnixListener, Inode)> {
    let making = Making(beside(path));
    let listener = UnixListener::bind(&making.0)?;
    fs::set_permissions(&making.0, fs::Permissions::from_mode(mode))?;
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
pub(super) struct Inode {
    device: u64,
    number: u64,
}

impl Inode {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
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
