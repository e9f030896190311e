//! A path goes in, a socket that listens there comes out; a live server is never pushed aside.

mod claim;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// Names that are tried, of a million: that so many are taken is no chance.
const NAMES: usize = 16;

/// Listens at `path` without ever pushing a live server aside.
///
/// The socket is made under another name and linked to its place when it already listens: whoever finds it there
/// can connect, and of servers that start at once all but one fail, whatever one that died has left (see `claim`).
pub(super) async fn bind(path: &Path, mode: u32) -> io::Result<(UnixListener, Inode)> {
    let names = std::iter::repeat_with(|| crate::random::hex(3)[..5].to_owned());
    let (listener, making) = listen_beside(path, names.take(NAMES))?;
    fs::set_permissions(&making.0, fs::Permissions::from_mode(mode))?;
    let inode = Inode::of(&making.0)?;
    claim::place(&making.0, path).await?;
    Ok((listener, inode))
}

/// Listens under the first of these names that nobody has. What has one may be what another server is about to link to its
/// place, and is none of our business.
fn listen_beside(path: &Path, names: impl IntoIterator<Item = String>) -> io::Result<(UnixListener, Beside)> {
    for five in names {
        let name = beside(path, &five);
        match UnixListener::bind(&name) {
            Ok(listener) => return Ok((listener, Beside(name))),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => {
                // It may be there, and not be listened at.
                let _ = fs::remove_file(&name);
                return Err(no_place(path, &error));
            }
        }
    }
    let what = format!("every name tried for a new socket in {} is taken", super::folder_of(path).display());
    Err(io::Error::new(io::ErrorKind::AlreadyExists, what))
}

/// Another name of a socket of ours; gone when it is not needed, or when nobody waits for it any more.
struct Beside(PathBuf);

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A name in the same folder, shorter than any socket's there, so that it fits where theirs does: a socket's name has one
/// character at least, and `.sock` behind it, which is six bytes. `five` is what makes it another one.
fn beside(path: &Path, five: &str) -> PathBuf {
    path.with_file_name(format!(".{five}"))
}

fn no_place(path: &Path, error: &io::Error) -> io::Error {
    let folder = super::folder_of(path).display();
    let what = format!(
        "no socket can be made in {folder} ({error}): let this process's user write there, or set TMPDIR to a folder \
         of your own on both sides"
    );
    io::Error::new(error.kind(), what)
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
