//! A socket that listens goes in, with the path it is for; it is there afterwards, in place of nothing or of what a dead
//! server left, or somebody else serves there.
//!
//! To look who listens and to take a path are two steps, and between them another server may have done both. So who finds
//! a dead socket first claims it: under a name that follows from which file it is, there can be one link to a socket.
//! Only who has that may put something in place of the dead one, by giving the claim its name, in one step. A claim is a
//! socket that listens, too: one whose owner died is a dead socket, and is taken over like any other.

use std::fs;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixStream;

use super::{Beside, Inode, beside};

/// How often a path is looked at that is changing hands, and how long it is left alone between: half a second together.
const ROUNDS: usize = 250;
const PAUSE: Duration = Duration::from_millis(2);
/// Claims on claims on claims: each is there because a process died between two of its lines.
const DEPTH: usize = 8;

/// Links the socket `own` to `path`, unless somebody listens there.
pub(super) async fn place(own: &Path, path: &Path) -> io::Result<()> {
    for _ in 0..ROUNDS {
        if attempt(own, path, DEPTH).await? {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(in_use(path))
}

/// `false` if the path is just changing hands, and is to be looked at again.
async fn attempt(own: &Path, path: &Path, depth: usize) -> io::Result<bool> {
    match fs::hard_link(own, path) {
        Ok(()) => return Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(not_linked(path, error)),
    }
    let Some(dead) = nobody_listens(path).await? else { return Ok(false) };
    let Some(claim) = claim(own, path, dead, depth).await? else { return Ok(false) };
    // What was there may have been replaced before it was ours to replace, even by a file that got the dead one's number.
    // To ask who listens takes time, in which somebody may remove the file and a server that claimed nothing take the path: it
    // is looked at once more, with nothing between that and the renaming.
    if nobody_listens(path).await? != Some(dead) || Inode::of_socket(path)? != Some(dead) {
        return Ok(false);
    }
    fs::rename(&claim.0, path).map_err(|error| not_replaced(path, error))?;
    // That name may be somebody else's by now.
    mem::forget(claim);
    Ok(true)
}

/// Makes the socket `own` the one that may replace what is at `path`. `None` if another one is.
async fn claim(own: &Path, path: &Path, dead: Inode, depth: usize) -> io::Result<Option<Beside>> {
    let Some(depth) = depth.checked_sub(1) else { return Ok(None) };
    let name = name(path, dead);
    match Box::pin(attempt(own, &name, depth)).await {
        Ok(true) => Ok(Some(Beside(name))),
        Ok(false) => Ok(None),
        // Whoever has it is about to listen, or to leave it.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(None),
        Err(error) => Err(error),
    }
}

/// The same for all who find this file there, whatever compiled them. That others have it by chance does no harm: they
/// take turns.
pub(super) fn name(path: &Path, dead: Inode) -> PathBuf {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let file = path.file_name().unwrap_or_default().as_encoded_bytes();
    let of_inode = dead.device.to_le_bytes().into_iter().chain(dead.number.to_le_bytes());
    // FNV-1a, whose upper bits are the better ones.
    let hash = file.iter().copied().chain(of_inode).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let letter = |place: u32| char::from(LETTERS[(hash >> (32 + 5 * place)) as usize % LETTERS.len()]);
    beside(path, &(0..5).map(letter).collect::<String>())
}

/// The socket at a path, if nobody listens on it; an error if somebody does. `None` if that cannot be told right now.
async fn nobody_listens(path: &Path) -> io::Result<Option<Inode>> {
    let Some(found) = Inode::of_socket(path)? else { return Ok(None) };
    match UnixStream::connect(path).await {
        // A full queue of connections is a server too; Linux says so, others refuse it as if nobody listened.
        Ok(_) => Err(in_use(path)),
        Err(error) => match error.kind() {
            io::ErrorKind::WouldBlock => Err(in_use(path)),
            io::ErrorKind::ConnectionRefused => Ok(Some(found)),
            // It closes at this moment, or has.
            io::ErrorKind::ConnectionReset | io::ErrorKind::NotFound => Ok(None),
            io::ErrorKind::PermissionDenied => Err(not_ours(path, &error)),
            _ => Err(error),
        },
    }
}

fn in_use(path: &Path) -> io::Error {
    let what = format!("address in use: a server already listens at {}", path.display());
    io::Error::new(io::ErrorKind::AddrInUse, what)
}

/// What a filesystem without hard links says is not that.
pub(super) fn not_linked(path: &Path, error: io::Error) -> io::Error {
    // We may write to the folder: our socket was just made there.
    if !matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported) {
        return error;
    }
    let what = format!(
        "no socket can be put in its place in {} ({error}): most likely its filesystem has no hard links; set TMPDIR to a \
         folder of your own on another one, on both sides",
        super::super::folder_of(path).display()
    );
    io::Error::new(error.kind(), what)
}

/// A full disk and the like have nothing to do with whose it is.
pub(super) fn not_replaced(path: &Path, error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::PermissionDenied { not_ours(path, &error) } else { error }
}

fn not_ours(path: &Path, error: &io::Error) -> io::Error {
    let what = format!(
        "the socket {} is another user's ({error}): end their server, remove the file if there is none, or take \
         another name",
        path.display()
    );
    io::Error::new(error.kind(), what)
}
