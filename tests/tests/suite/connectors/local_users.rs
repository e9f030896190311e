//! Users of this machine and folders of theirs go in; only those who are meant to meet do.
//!
//! Who acts as another user has to be root: those tests are in `as_root`, which `cargo xtask test` runs when it is root.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use communica::{Context, LocalConnector, RouteClient, RouteServer, RouteTable};
use communica_tests::Scratch;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::{unique, within};

/// A temp dir of one test, which every user may pass through.
struct Place(Scratch);

impl Place {
    fn new() -> Self {
        let place = Self(Scratch::new());
        set_mode(place.temp_dir(), 0o755);
        place
    }

    fn temp_dir(&self) -> &Path {
        self.0.path()
    }

    /// The folder of the sockets.
    fn folder(&self) -> PathBuf {
        self.temp_dir().join("communica")
    }

    fn make_folder(&self, mode: u32) {
        fs::create_dir(self.folder()).unwrap();
        set_mode(&self.folder(), mode);
    }

    fn socket(&self) -> PathBuf {
        self.folder().join("desk.sock")
    }

    /// A process of ours here. `Err` with what it wrote, if it does not come to listen or connect.
    async fn start(&self, role: &str, user: Option<u32>, settings: Value) -> Result<Child, String> {
        let mut config = json!({
            "role": role, "entity": "route", "format": "json", "client_id": "w1", "connect_timeout": 0.5,
            "connector": LocalConnector::new("desk").dump_state(),
        });
        config.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let mut command = Command::new(self.program(user).await);
        command.arg(config.to_string()).env("TMPDIR", self.temp_dir()).env("RUST_BACKTRACE", "0");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        if let Some(user) = user {
            command.uid(user).gid(user);
        }
        let mut child = command.spawn().expect("it can be started");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        match within(30, lines.next_line()).await.unwrap() {
            Some(_) => Ok(child),
            None => {
                let mut said = String::new();
                within(10, child.stderr.take().unwrap().read_to_string(&mut said)).await.unwrap();
                Err(said)
            }
        }
    }

    async fn server(&self, settings: Value) -> Result<Child, String> {
        self.start("server", None, settings).await
    }

    async fn client(&self, settings: Value) -> Result<Child, String> {
        self.start("client", None, settings).await
    }

    /// Where the user may start it, wherever the project is.
    async fn program(&self, user: Option<u32>) -> PathBuf {
        let (ours, theirs) = (Path::new(env!("CARGO_BIN_EXE_peer")), self.temp_dir().join("peer"));
        if user.is_none() {
            return ours.to_owned();
        }
        if !theirs.exists() {
            // Not copied here: a process that another test starts meanwhile would hold it open, and it could not run.
            let copied = Command::new("cp").args([ours, &theirs]).status().await.expect("cp can be started");
            assert!(copied.success(), "{} cannot be copied: {copied}", ours.display());
            set_mode(&theirs, 0o755);
        }
        theirs
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn mode_of(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn says(started: Result<Child, String>, words: &[&str]) {
    let said = started.expect_err("it was let in");
    for word in words {
        assert!(said.contains(word), "{said:?} says nothing of {word:?}");
    }
}

/// Neither side uses the folder.
async fn is_unsafe(place: &Place, words: &[&str]) {
    says(place.server(json!({})).await, words);
    says(place.client(json!({})).await, words);
}

#[tokio::test]
async fn a_folder_that_is_a_link_is_not_used() {
    let place = Place::new();
    let elsewhere = place.temp_dir().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, place.folder()).unwrap();
    is_unsafe(&place, &["communica is a symbolic link", "remove it", "TMPDIR"]).await;
    assert_eq!(fs::read_dir(elsewhere).unwrap().count(), 0);
}

#[tokio::test]
async fn a_folder_that_everybody_can_write_to_is_not_used() {
    let place = Place::new();
    place.make_folder(0o777);
    is_unsafe(&place, &["can be written to by other users (its mode is 777)", "chmod go-w"]).await;
    set_mode(&place.folder(), 0o1777);
    is_unsafe(&place, &["can be written to by other users (its mode is 1777)"]).await;
}

#[tokio::test]
async fn a_folder_that_is_none_is_not_used() {
    let place = Place::new();
    fs::write(place.folder(), "text").unwrap();
    is_unsafe(&place, &["communica is not a folder", "remove it"]).await;
    assert_eq!(fs::read_to_string(place.folder()).unwrap(), "text");
}

/// As Python makes it: with the usual umask, and with that of systems where each user has a group.
#[tokio::test]
async fn a_folder_of_the_user_and_their_group_is_used() {
    for mode in [0o700, 0o755, 0o775] {
        let place = Place::new();
        place.make_folder(mode);
        let _server = place.server(json!({})).await.unwrap();
        let _client = place.client(json!({})).await.unwrap();
        assert_eq!((mode_of(&place.folder()), mode_of(&place.socket())), (mode, 0o600));
    }
}

#[tokio::test]
async fn a_folder_that_is_made_is_the_users_own() {
    let place = Place::new();
    let _server = place.server(json!({})).await.unwrap();
    assert_eq!((mode_of(&place.folder()), mode_of(&place.socket())), (0o700, 0o600));
}

#[tokio::test]
async fn allowing_others_lets_them_get_to_the_socket() {
    let place = Place::new();
    let _server = place.server(json!({"allow_users": [65_533]})).await.unwrap();
    assert_eq!((mode_of(&place.folder()), mode_of(&place.socket())), (0o711, 0o666));
    let _client = place.client(json!({})).await.unwrap();
}

/// Handlers know who calls: the system says so, not the caller.
#[tokio::test]
async fn handlers_are_told_process_user_and_group() {
    let routes = RouteTable::new().route("whoami", |cx: Context, (): ()| {
        let info = cx.peer().info();
        (info.pid, info.uid, info.gid)
    });
    let connector = LocalConnector::new(unique("whoami"));
    let _server = within(10, RouteServer::new(connector.clone(), routes).start()).await.unwrap();
    let client = within(10, RouteClient::connect(connector)).await.unwrap();
    let (pid, uid, gid): (Option<u32>, Option<u32>, Option<u32>) =
        within(10, client.request("whoami", &())).await.unwrap();
    let scratch = Scratch::new();
    let ours = fs::metadata(scratch.path()).unwrap();
    assert_eq!((uid, gid), (Some(ours.uid()), Some(ours.gid())));
    if cfg!(target_os = "linux") {
        assert_eq!(pid, Some(std::process::id()));
    }
}

mod as_root {
    use std::os::unix::fs::chown;

    use super::*;

    /// Nobody on most systems.
    const OTHER: u32 = 65_534;

    fn root_is_needed() {
        let here = Scratch::new();
        let us = fs::metadata(here.path()).unwrap().uid();
        assert_eq!(us, 0, "this test acts as other users, which only root may: run it as root");
    }

    #[ignore = "needs root"]
    #[tokio::test]
    async fn a_folder_of_somebody_else_is_not_used() {
        root_is_needed();
        let place = Place::new();
        place.make_folder(0o755);
        chown(place.folder(), Some(OTHER), Some(OTHER)).unwrap();
        let words = ["belongs to user 65534 and not to root", "TMPDIR"];
        says(place.server(json!({})).await, &words);
        says(place.client(json!({})).await, &[words[0], words[1], "LocalConnector::allow_users"]);
        // Its owner uses it, and root where that is allowed.
        let _server = place.start("server", Some(OTHER), json!({})).await.unwrap();
        let _client = place.client(json!({"allow_users": [OTHER]})).await.unwrap();
    }

    #[ignore = "needs root"]
    #[tokio::test]
    async fn a_folder_that_the_user_may_not_write_to_is_told() {
        root_is_needed();
        let place = Place::new();
        place.make_folder(0o755);
        let words = ["no socket can be made in", "communica (Permission denied", "TMPDIR"];
        says(place.start("server", Some(OTHER), json!({})).await, &words);
        assert_eq!(fs::read_dir(place.folder()).unwrap().count(), 0);
    }

    /// Nobody listens there, but the folder is one in which each may remove what is their own alone.
    #[ignore = "needs root"]
    #[tokio::test]
    async fn what_another_users_server_left_is_told_and_stays() {
        root_is_needed();
        let place = Place::new();
        place.make_folder(0o1777);
        for mode in [0o666, 0o600] {
            drop(std::os::unix::net::UnixListener::bind(place.socket()).unwrap());
            set_mode(&place.socket(), mode);
            let words = ["communica/desk.sock is another user's (", "remove the file"];
            says(place.start("server", Some(OTHER), json!({"allow_users": [OTHER - 1]})).await, &words);
            let left: Vec<_> =
                fs::read_dir(place.folder()).unwrap().map(|file| file.unwrap().path()).collect();
            assert_eq!(left, [place.socket()]);
            // Root may.
            let mut server = place.server(json!({"allow_users": [OTHER]})).await.unwrap();
            server.kill().await.unwrap();
            fs::remove_file(place.socket()).unwrap();
        }
    }

    /// Its owner could have any file of the server's user opened to others.
    #[ignore = "needs root"]
    #[tokio::test]
    async fn a_server_takes_no_folder_of_somebody_whom_it_allows() {
        root_is_needed();
        let place = Place::new();
        place.make_folder(0o1777);
        chown(place.folder(), Some(OTHER), Some(OTHER)).unwrap();
        let words = ["belongs to user 65534 and not to root, whose server this is", "TMPDIR"];
        says(place.server(json!({"allow_users": [OTHER]})).await, &words);
    }

    #[ignore = "needs root"]
    #[tokio::test]
    async fn a_folder_that_another_group_can_write_to_is_not_used() {
        root_is_needed();
        let place = Place::new();
        place.make_folder(0o775);
        chown(place.folder(), None, Some(OTHER)).unwrap();
        is_unsafe(&place, &["can be written to by other users (its mode is 775)"]).await;
    }

    #[ignore = "needs root"]
    #[tokio::test]
    async fn another_user_does_not_get_to_the_socket() {
        root_is_needed();
        let place = Place::new();
        place.make_folder(0o755);
        let _server = place.server(json!({})).await.unwrap();
        says(place.start("client", Some(OTHER), json!({})).await, &["Permission denied"]);
    }

    /// The mode of a socket is one thing, who connects another: somebody may have opened it.
    #[ignore = "needs root"]
    #[tokio::test]
    async fn another_user_is_refused_at_an_open_socket() {
        root_is_needed();
        let place = Place::new();
        place.make_folder(0o755);
        let _server = place.server(json!({})).await.unwrap();
        set_mode(&place.socket(), 0o666);
        let words = ["Refused", "user 65534 may not connect", "LocalConnector::allow_users"];
        says(place.start("client", Some(OTHER), json!({})).await, &words);
        let _client = place.client(json!({})).await.unwrap();
    }

    #[ignore = "needs root"]
    #[tokio::test]
    async fn only_users_who_are_allowed_get_in() {
        root_is_needed();
        let place = Place::new();
        let _server = place.server(json!({"allow_users": [OTHER]})).await.unwrap();
        let _client = place.start("client", Some(OTHER), json!({})).await.unwrap();
        let words = ["Refused", "user 65533 may not connect"];
        says(place.start("client", Some(OTHER - 1), json!({})).await, &words);
    }

    /// An administrator may make one folder for all.
    #[ignore = "needs root"]
    #[tokio::test]
    async fn a_client_knows_who_runs_its_server() {
        root_is_needed();
        let place = Place::new();
        place.make_folder(0o1777);
        let _server =
            place.start("server", Some(OTHER), json!({"allow_users": [0, OTHER - 1]})).await.unwrap();
        let words = ["is run by user 65534 and not by root", "LocalConnector::allow_users"];
        says(place.client(json!({"allow_users": [OTHER - 1]})).await, &words);
        let words = ["is run by user 65534 and not by user 65533 or root"];
        says(place.start("client", Some(OTHER - 1), json!({"allow_users": [1]})).await, &words);
        let _client = place.start("client", Some(OTHER - 1), json!({"allow_users": [OTHER]})).await.unwrap();
    }
}
