//! Servers and what servers left go in; who listens at the path in the end is what counts.

use std::sync::{Arc, Barrier};
use std::thread;

use super::*;

/// A folder of its own, gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("binding-{}", crate::random::hex(4)));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn files(&self) -> Vec<PathBuf> {
        fs::read_dir(&self.0).unwrap().map(|file| file.unwrap().path()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// As a process does that dies: the standard library removes nothing.
fn leave_stale(path: &Path) {
    drop(std::os::unix::net::UnixListener::bind(path).unwrap());
}

/// The same as in as many processes: what they share is the folder.
fn race(path: &Path, servers: usize) -> Vec<io::Result<(UnixListener, Inode)>> {
    let start = Arc::new(Barrier::new(servers));
    let racing: Vec<_> = (0..servers)
        .map(|_| {
            let (path, start) = (path.to_owned(), start.clone());
            thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                start.wait();
                let bound = runtime.block_on(bind(&path, 0o600));
                // The socket stays open without it; nobody here awaits a client.
                std::mem::forget(runtime);
                bound
            })
        })
        .collect();
    racing.into_iter().map(|server| server.join().unwrap()).collect()
}

#[test]
fn of_many_that_race_for_a_stale_socket_one_listens_and_is_found() {
    let folder = Folder::new();
    let path = folder.0.join("a.sock");
    for round in 0..200 {
        leave_stale(&path);
        // Every other time a server died in the middle of taking over.
        if round % 2 == 1 {
            leave_stale(&claim::name(&path, Inode::of(&path).unwrap()));
        }
        let (mut won, mut lost) = (Vec::new(), Vec::new());
        for bound in race(&path, 12) {
            match bound {
                Ok(server) => won.push(server),
                Err(error) => lost.push(error),
            }
        }
        assert_eq!(won.len(), 1, "round {round}: so many listen at one path; the others: {lost:?}");
        assert!(lost.iter().all(|error| error.kind() == io::ErrorKind::AddrInUse), "round {round}: {lost:?}");
        let (listener, inode) = won.remove(0);
        assert_eq!(Inode::of(&path).unwrap(), inode, "round {round}: another socket is at the path");
        assert_eq!(folder.files(), [path.as_path()], "round {round}: something is left beside it");
        drop(listener);
        fs::remove_file(&path).unwrap();
    }
}

/// The dead socket at `path` is claimed, and so is that claim, and so on: whoever listens on the last one is alive or not.
fn claimed(path: &Path, times: usize) -> (PathBuf, std::os::unix::net::UnixListener) {
    leave_stale(path);
    let mut claim = claim::name(path, Inode::of(path).unwrap());
    for _ in 1..times {
        leave_stale(&claim);
        claim = claim::name(&claim, Inode::of(&claim).unwrap());
    }
    let owner = std::os::unix::net::UnixListener::bind(&claim).unwrap();
    (claim, owner)
}

#[tokio::test]
async fn what_servers_left_that_died_while_they_took_over_is_taken_over() {
    for times in 1..5 {
        let folder = Folder::new();
        let path = folder.0.join("a.sock");
        let (_, owner) = claimed(&path, times);
        drop(owner);
        let (_listener, inode) = bind(&path, 0o600).await.unwrap();
        assert_eq!(Inode::of(&path).unwrap(), inode);
        assert_eq!(folder.files(), [path], "{times}");
    }
}

#[tokio::test]
async fn what_another_server_is_taking_over_is_left_to_it() {
    for times in [1, 3] {
        let folder = Folder::new();
        let path = folder.0.join("a.sock");
        let (claim, owner) = claimed(&path, times);
        let (dead, claimed_by) = (Inode::of(&path).unwrap(), Inode::of(&claim).unwrap());
        let error = bind(&path, 0o600).await.expect_err("two take it over");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{error}");
        assert_eq!((Inode::of(&path).unwrap(), Inode::of(&claim).unwrap()), (dead, claimed_by));
        assert_eq!(folder.files().len(), times + 1);
        // It changes its mind while others wait.
        let waiting = tokio::spawn(async move { bind(&path, 0o600).await });
        tokio::task::yield_now().await;
        drop(owner);
        let (_listener, inode) = waiting.await.unwrap().unwrap();
        assert_eq!(folder.files().iter().map(|file| Inode::of(file).unwrap()).collect::<Vec<_>>(), [inode]);
    }
}

#[tokio::test]
async fn who_gives_up_leaves_nothing_but_what_was_there() {
    let folder = Folder::new();
    let path = folder.0.join("a.sock");
    let (_, _owner) = claimed(&path, 2);
    let given_up = tokio::time::timeout(std::time::Duration::from_millis(20), bind(&path, 0o600)).await;
    assert!(given_up.is_err(), "it did not wait");
    assert_eq!(folder.files().len(), 3);
}

#[tokio::test]
async fn a_claim_is_no_longer_than_the_shortest_name() {
    let folder = Folder::new();
    let path = folder.0.join("a.sock");
    leave_stale(&path);
    let claim = claim::name(&path, Inode::of(&path).unwrap());
    assert_eq!(claim.parent(), path.parent());
    assert_eq!(claim.as_os_str().len(), path.as_os_str().len());
}
