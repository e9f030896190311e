//! Servers and what servers left go in; who listens at the path in the end is what counts.

use std::sync::{Arc, Barrier};
use std::thread;

use tokio::runtime::Runtime;

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

/// One for each server that takes part; made before any starts, so that all who wait for each other do come.
fn runtimes(servers: usize) -> Vec<Arc<Runtime>> {
    let new = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    (0..servers).map(|_| Arc::new(new())).collect()
}

/// The same as in as many processes: what they share is the folder.
fn race(path: &Path, runtimes: &[Arc<Runtime>]) -> Vec<io::Result<(UnixListener, Inode)>> {
    let start = Arc::new(Barrier::new(runtimes.len()));
    let racing = runtimes.iter().cloned().map(|runtime| {
        let (path, start) = (path.to_owned(), start.clone());
        thread::spawn(move || {
            start.wait();
            runtime.block_on(bind(&path, 0o600))
        })
    });
    let racing: Vec<_> = racing.collect();
    racing.into_iter().map(|server| server.join().unwrap()).collect()
}

#[test]
fn of_many_that_race_for_a_stale_socket_one_listens_and_is_found() {
    let folder = Folder::new();
    let path = folder.0.join("a.sock");
    let runtimes = runtimes(12);
    for round in 0..200 {
        leave_stale(&path);
        // Every other time a server died in the middle of taking over.
        if round % 2 == 1 {
            leave_stale(&claim::name(&path, Inode::of(&path).unwrap()));
        }
        let (mut won, mut lost) = (Vec::new(), Vec::new());
        for bound in race(&path, &runtimes) {
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

// Others than Linux refuse who connects to a server whose queue is full, and this one's is soon: it accepts nobody.
#[cfg(target_os = "linux")]
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

#[tokio::test]
async fn what_another_server_is_making_is_left_to_it() {
    let folder = Folder::new();
    let path = folder.0.join("a.sock");
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let theirs = folder.0.join(".first");
    let _making = UnixListener::bind(&theirs).unwrap();
    let inode = Inode::of(&theirs).unwrap();
    let error = listen_beside(&path, names(&["first", "first"])).err().expect("it is taken").to_string();
    assert!(error.contains("is taken") && !error.contains("TMPDIR"), "{error}");
    assert_eq!(folder.files(), [theirs.as_path()]);
    let (_listener, ours) = listen_beside(&path, names(&["first", "other"])).unwrap();
    assert_eq!(ours.0, folder.0.join(".other"));
    assert_eq!(Inode::of(&theirs).unwrap(), inode);
    drop(ours);
    assert_eq!(folder.files(), [theirs]);
}

#[test]
fn words_are_for_what_they_are_about() {
    const NOT_PERMITTED: i32 = 1;
    let (path, error) = (Path::new("/folder/a.sock"), io::Error::from_raw_os_error);
    let told = claim::not_linked(path, error(NOT_PERMITTED)).to_string();
    assert!(told.contains("/folder (") && told.contains("hard links") && told.contains("TMPDIR"), "{told}");
    let told = claim::not_replaced(path, error(NOT_PERMITTED)).to_string();
    assert!(told.contains("another user's"), "{told}");
    // It failed, the disk is full, the filesystem is to be read only.
    for other in [5, 28, 30] {
        assert_eq!(claim::not_linked(path, error(other)).raw_os_error(), Some(other));
        assert_eq!(claim::not_replaced(path, error(other)).raw_os_error(), Some(other));
    }
}
