//! Users of this machine: who may be at the other end of a local socket, and what becomes of the others.

use std::collections::BTreeSet;
use std::io;

use bytes::Bytes;
use tokio::net::UnixStream;

use super::super::super::farewell::{self, Patience};
use super::super::super::{BoxFuture, Incoming, Link, LinkError, PeerInfo};

/// Who may be at the other end, beside this process's own user and root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Allowed {
    These(BTreeSet<u32>),
    Any,
}

impl Default for Allowed {
    fn default() -> Self {
        Self::These(BTreeSet::new())
    }
}

impl Allowed {
    /// Somebody else may.
    pub(super) fn others(&self) -> bool {
        !matches!(self, Self::These(users) if users.is_empty())
    }

    pub(super) fn includes(&self, us: Us, uid: Option<u32>) -> bool {
        match (self, uid) {
            (Self::Any, _) => true,
            (Self::These(users), Some(uid)) => uid == us.uid || uid == ROOT || users.contains(&uid),
            // Where the system does not tell, it could be anybody.
            (Self::These(_), None) => false,
        }
    }
}

const ROOT: u32 = 0;

/// As whom this process acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Us {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Us {
    /// The system knows, of both ends of a pair.
    pub(super) fn ask() -> io::Result<Self> {
        let us = UnixStream::pair()?.0.peer_cred()?;
        Ok(Self { uid: us.uid(), gid: us.gid() })
    }

    pub(super) fn and_root(self) -> String {
        match self.uid {
            ROOT => "root".to_owned(),
            uid => format!("user {uid} or root"),
        }
    }
}

/// Process and user at the other end, where the system tells.
pub(super) fn peer_of(stream: &UnixStream, address: String) -> PeerInfo {
    let told = stream.peer_cred().ok();
    PeerInfo {
        pid: told.and_then(|peer| peer.pid()).and_then(|pid| u32::try_from(pid).ok()),
        uid: told.map(|peer| peer.uid()),
        gid: told.map(|peer| peer.gid()),
        ..PeerInfo::from(address)
    }
}

/// Such as `user 1000`.
pub(super) fn name_of(uid: Option<u32>) -> String {
    uid.map_or_else(
        || "somebody of whom the system does not tell who it is".to_owned(),
        |uid| format!("user {uid}"),
    )
}

/// A client that may not come in. It is told so when the server listens to it.
pub(super) struct Stranger {
    stream: UnixStream,
    peer: PeerInfo,
    reason: String,
    patience: Patience,
}

impl Stranger {
    pub(super) fn new(stream: UnixStream, peer: PeerInfo, us: Us, patience: Patience) -> Self {
        let reason = format!(
            "{} may not connect: this server is there for {} (see `LocalConnector::allow_users`)",
            name_of(peer.uid),
            us.and_root()
        );
        Self { stream, peer, reason, patience }
    }
}

impl Incoming for Stranger {
    fn address(&self) -> String {
        self.peer.address.clone()
    }

    fn peer(&self) -> PeerInfo {
        self.peer.clone()
    }

    fn hello(&mut self) -> BoxFuture<'_, Result<Bytes, LinkError>> {
        let kind = io::ErrorKind::PermissionDenied;
        Box::pin(async move {
            Err(farewell::turn_away(&mut self.stream, kind, &self.reason, self.patience).await)
        })
    }

    fn accept<'a>(self: Box<Self>, _: &'a [u8]) -> BoxFuture<'a, Result<Link, LinkError>> {
        Box::pin(async move { Err(io::Error::new(io::ErrorKind::PermissionDenied, self.reason).into()) })
    }

    fn refuse<'a>(self: Box<Self>, _: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: Us = Us { uid: 1000, gid: 1000 };

    fn these(users: &[u32]) -> Allowed {
        Allowed::These(users.iter().copied().collect())
    }

    #[test]
    fn only_the_own_user_and_root_are_let_in_unless_told() {
        let usual = these(&[]);
        assert!(!usual.others());
        assert!(usual.includes(US, Some(1000)) && usual.includes(US, Some(ROOT)));
        assert!(!usual.includes(US, Some(1001)) && !usual.includes(US, None));
        let root = Us { uid: ROOT, gid: ROOT };
        assert!(usual.includes(root, Some(ROOT)) && !usual.includes(root, Some(1000)));
    }

    #[test]
    fn whoever_is_allowed_is_let_in_beside_them() {
        let more = these(&[1001]);
        assert!(more.others());
        assert!(
            more.includes(US, Some(1001)) && more.includes(US, Some(1000)) && more.includes(US, Some(ROOT))
        );
        assert!(!more.includes(US, Some(1002)) && !more.includes(US, None));
        assert!(Allowed::Any.others());
        assert!(Allowed::Any.includes(US, Some(1002)) && Allowed::Any.includes(US, None));
    }

    #[tokio::test]
    async fn the_system_tells_who_this_process_is() {
        let us = Us::ask().unwrap();
        let file = std::env::temp_dir().join(format!("us-{}", crate::random::hex(8)));
        std::fs::write(&file, "").unwrap();
        let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&file).unwrap());
        std::fs::remove_file(&file).unwrap();
        assert_eq!(us.uid, owner);
    }
}
