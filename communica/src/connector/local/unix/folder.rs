//! The folder of the sockets: where it is, and whether anybody else could put a socket of theirs into it.

use std::env;
use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::users::{Allowed, Us, name_of};

/// Users who are neither the owner nor of its group, and those of its group.
const OTHERS_WRITE: u32 = 0o002;
const GROUP_WRITES: u32 = 0o020;
/// Whoever may write may still only remove what is their own.
const STICKY: u32 = 0o1000;
/// Everybody may go to a file in it whose name they know.
const ALL_PASS: u32 = 0o111;

/// Who asks: a server opens its socket to others who are allowed, a client opens nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Server,
    Client,
}

/// `<temp dir>/communica`, the temp dir as Python's `tempfile.gettempdir()` finds it.
pub(super) fn path() -> PathBuf {
    let given = ["TMPDIR", "TEMP", "TMP"].into_iter().filter_map(env::var_os).map(PathBuf::from);
    let usual = ["/tmp", "/var/tmp", "/usr/tmp"].into_iter().map(PathBuf::from);
    let temp = given.chain(usual).find(|path| path.is_dir());
    temp.unwrap_or_else(|| PathBuf::from(".")).join("communica")
}

/// Makes the folder if need be, and checks it. If others are allowed, they are let through to the sockets.
pub(super) fn prepare(folder: &Path, us: Us, allowed: &Allowed) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).or_else(|error| match error.kind() {
        // The check says it better.
        io::ErrorKind::AlreadyExists => Ok(()),
        _ => Err(error),
    })?;
    let found = check(folder, us, allowed, Side::Server)?;
    let mode = found.mode() & 0o7777;
    if allowed.others() && mode & ALL_PASS != ALL_PASS {
        fs::set_permissions(folder, Permissions::from_mode(mode | ALL_PASS)).map_err(|error| {
            let what = format!(
                "other users are allowed and cannot get to a socket in {}: \
                 its owner has to `chmod a+x` it ({error})",
                folder.display()
            );
            io::Error::new(error.kind(), what)
        })?;
    }
    Ok(())
}

/// Whoever could change the folder could stand in for a server.
pub(super) fn check(folder: &Path, us: Us, allowed: &Allowed, side: Side) -> io::Result<Metadata> {
    let found = fs::symlink_metadata(folder)?;
    match fault(&found, us, allowed, side) {
        None => Ok(found),
        Some(fault) => {
            let what = format!("the folder of the sockets is not safe: {} {fault}", folder.display());
            Err(io::Error::new(io::ErrorKind::PermissionDenied, what))
        }
    }
}

fn fault(found: &Metadata, us: Us, allowed: &Allowed, side: Side) -> Option<String> {
    if found.is_symlink() {
        return Some(
            "is a symbolic link, and whoever made it says where it leads: remove it, or set TMPDIR to a folder of \
             your own"
                .to_owned(),
        );
    }
    if !found.is_dir() {
        return Some("is not a folder: remove it, or set TMPDIR to a folder of your own".to_owned());
    }
    let (owner, is_ours) = (Some(found.uid()), Allowed::default().includes(us, Some(found.uid())));
    // Its owner can put a link to any file of ours where the socket is, just before that is opened to others. So allowing
    // them is of no help to a server.
    if !is_ours && side == Side::Server {
        return Some(format!(
            "belongs to {} and not to {}, whose server this is: set TMPDIR to a folder of your own on both sides",
            name_of(owner),
            us.and_root()
        ));
    }
    if !is_ours && !allowed.includes(us, owner) {
        return Some(format!(
            "belongs to {} and not to {}: set TMPDIR to a folder of your own on both sides, or allow that user with \
             `LocalConnector::allow_users`",
            name_of(owner),
            us.and_root()
        ));
    }
    let mode = found.mode();
    // Many systems give each user a group of their own, and let it write.
    let by_group = mode & GROUP_WRITES != 0 && found.gid() != us.gid;
    let shared = allowed.others() && mode & STICKY != 0;
    if (by_group || mode & OTHERS_WRITE != 0) && !shared {
        return Some(format!(
            "can be written to by other users (its mode is {:o}): `chmod go-w` it, or set TMPDIR to a folder of your own",
            mode & 0o7777
        ));
    }
    None
}
