//! Files stand where a local server wants to listen: only a socket that nobody serves gives way.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use communica::{Connector, Error, LocalConnector, RouteClient, RouteServer, RouteServerHandle};
use communica_tests::Scratch;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::sync::Barrier;

use crate::support::{echo, eventually, unique, within};

/// A name that nobody has, and the path of its socket, whose folder is there.
fn place() -> (String, PathBuf) {
    let name = unique("local");
    let folder = std::env::temp_dir().join("communica");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{name}.sock"));
    (name, path)
}

async fn listen(name: &str) -> Result<RouteServerHandle, Error> {
    RouteServer::new(LocalConnector::new(name), echo()).start().await
}

fn leave_stale(path: &Path) {
    // The standard library leaves the file behind.
    drop(UnixListener::bind(path).unwrap());
    assert!(path.exists());
}

async fn assert_served(name: &str) {
    let client = RouteClient::connect(LocalConnector::new(name)).await.unwrap();
    assert_eq!(client.request::<_, i64>("echo", &1).await.unwrap(), 1);
}

fn source(error: &Error) -> &std::io::Error {
    match error {
        Error::Listen { source, .. } => source,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_socket_is_where_python_looks_for_it_and_for_this_user_alone() {
    let (name, path) = place();
    let connector = LocalConnector::new(name.to_uppercase());
    assert_eq!(connector.address(), path.display().to_string());
    let _server = within(10, RouteServer::new(connector, echo()).start()).await.unwrap();
    let found = fs::symlink_metadata(&path).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn tmpdir_decides_where_the_socket_is() {
    let scratch = Scratch::new();
    let _peer = rust_server(scratch.path(), "Desk").await;
    let socket = scratch.path().join("communica/desk.sock");
    assert!(fs::symlink_metadata(&socket).unwrap().file_type().is_socket());
}

#[tokio::test]
async fn the_longest_path_that_a_socket_may_have_can_be_used() {
    let scratch = Scratch::new();
    // What stands before and behind the padding is `<scratch>/` and `/communica/a.sock`.
    let room = if cfg!(target_os = "linux") { 107 } else { 103 };
    let padding = room - scratch.path().as_os_str().len() - "/".len() - "/communica/a.sock".len();
    let folder = scratch.path().join("x".repeat(padding));
    fs::create_dir(&folder).unwrap();
    let _peer = rust_server(&folder, "a").await;
    assert!(folder.join("communica/a.sock").exists());
}

/// A server of ours in another process, whose temp dir this is.
async fn rust_server(temp_dir: &Path, name: &str) -> tokio::process::Child {
    let config = json!({
        "role": "server", "entity": "route", "format": "json", "client_id": "w1",
        "connector": LocalConnectorState(name).to_string(), "chunk_size": null,
    });
    let mut child = Command::new(env!("CARGO_BIN_EXE_peer"))
        .arg(config.to_string())
        .env("TMPDIR", temp_dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = within(20, lines.next_line()).await.unwrap();
    assert_eq!(ready.as_deref(), Some(r#"{"ready":true}"#), "the server did not start");
    child
}

struct LocalConnectorState<'a>(&'a str);

impl std::fmt::Display for LocalConnectorState<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, r#"{{"type": "LocalConnector", "name": "{}"}}"#, self.0)
    }
}

#[tokio::test]
async fn a_stale_socket_is_taken_over() {
    let (name, path) = place();
    leave_stale(&path);
    let _server = within(10, listen(&name)).await.unwrap();
    within(10, assert_served(&name)).await;
    let mode = fs::symlink_metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_live_servers_socket_is_not_taken_over() {
    let (name, path) = place();
    let _server = within(10, listen(&name)).await.unwrap();
    let error = within(10, listen(&name)).await.expect_err("two servers listen at one path");
    assert_eq!(source(&error).kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    within(10, assert_served(&name)).await;
}

#[tokio::test]
async fn a_live_server_of_another_library_is_not_taken_over() {
    let (name, path) = place();
    let foreign = UnixListener::bind(&path).unwrap();
    let error = within(10, listen(&name)).await.expect_err("two servers listen at one path");
    assert_eq!(source(&error).kind(), ErrorKind::AddrInUse);
    drop(foreign);
    fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn a_file_at_the_path_is_left_alone() {
    let (name, path) = place();
    fs::write(&path, "precious").unwrap();
    let error = within(10, listen(&name)).await.expect_err("it listens on a file");
    assert_left_alone(&error, &path);
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn a_folder_at_the_path_is_left_alone() {
    let (name, path) = place();
    fs::create_dir(&path).unwrap();
    let error = within(10, listen(&name)).await.expect_err("it listens on a folder");
    assert_left_alone(&error, &path);
    fs::remove_dir(path).expect("the folder is still there");
}

#[tokio::test]
async fn a_symlink_at_the_path_is_left_alone_with_what_it_leads_to() {
    let (name, path) = place();
    let target = path.with_extension("target");
    for stale in [false, true] {
        if stale {
            leave_stale(&target);
        }
        symlink(&target, &path).unwrap();
        let error = within(10, listen(&name)).await.expect_err("it listens on a symlink");
        assert_left_alone(&error, &path);
        assert_eq!(fs::read_link(&path).unwrap(), target);
        assert_eq!(target.exists(), stale);
        fs::remove_file(&path).unwrap();
    }
    fs::remove_file(target).unwrap();
}

fn assert_left_alone(error: &Error, path: &Path) {
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()) && text.contains("not a socket"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_servers_that_race_for_a_stale_name_exactly_one_wins() {
    const SERVERS: usize = 6;
    for round in 0..60 {
        let (name, path) = place();
        leave_stale(&path);
        let start = Arc::new(Barrier::new(SERVERS));
        let racing: Vec<_> = (0..SERVERS)
            .map(|_| {
                let (name, start) = (name.clone(), start.clone());
                tokio::spawn(async move {
                    start.wait().await;
                    listen(&name).await
                })
            })
            .collect();
        let mut won = Vec::new();
        for server in racing {
            match within(10, server).await.unwrap() {
                Ok(server) => won.push(server),
                Err(error) => assert_eq!(source(&error).kind(), ErrorKind::AddrInUse, "{error}"),
            }
        }
        assert_eq!(won.len(), 1, "round {round}: so many servers listen under one name");
        within(10, assert_served(&name)).await;
    }
}

#[tokio::test]
async fn a_name_that_is_no_file_name_is_refused() {
    let too_long = "x".repeat(200);
    for name in ["", "a/b", "../a", "a\0b", &too_long] {
        let error = within(10, listen(name)).await.expect_err("it listens");
        assert_eq!(source(&error).kind(), ErrorKind::InvalidInput, "{name:?}: {error}");
        // At once, as the server.
        let told =
            RouteClient::builder(LocalConnector::new(name)).start().expect_err("it starts").to_string();
        let why = if name == too_long { " bytes where " } else { "is no name for a socket" };
        assert!(told.contains(why), "{name:?}: {told}");
    }
}

#[tokio::test]
async fn the_socket_is_gone_when_stop_returns() {
    let (name, path) = place();
    let server = within(10, listen(&name)).await.unwrap();
    within(10, server.stop()).await;
    assert!(!path.exists());
}

#[tokio::test]
async fn the_socket_is_gone_after_the_server_was_dropped() {
    let (name, path) = place();
    drop(within(10, listen(&name)).await.unwrap());
    eventually("the socket is gone", || !path.exists()).await;
}

#[tokio::test]
async fn somebody_elses_socket_outlives_a_stop() {
    let (name, path) = place();
    let server = within(10, listen(&name)).await.unwrap();
    // As the Python library takes a name over.
    fs::remove_file(&path).unwrap();
    let foreign = UnixListener::bind(&path).unwrap();
    within(10, server.stop()).await;
    drop(server);
    // The listener goes with its task, at the latest when the runtime has nothing else to do.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(path.exists(), "another server's socket was removed");
    drop(foreign);
    fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn nothing_is_left_beside_the_socket() {
    let (name, path) = place();
    leave_stale(&path);
    let before = hidden(&path);
    let server = within(10, listen(&name)).await.unwrap();
    assert!(within(10, listen(&name)).await.is_err());
    within(10, server.stop()).await;
    drop(server);
    // Other tests start servers at the same time, whose files come and go.
    eventually("no new hidden file stays", || hidden(&path).iter().all(|file| before.contains(file))).await;
}

fn hidden(path: &Path) -> Vec<std::ffi::OsString> {
    let files = fs::read_dir(path.parent().unwrap()).unwrap().flatten().map(|file| file.file_name());
    files.filter(|name| name.as_encoded_bytes().starts_with(b".")).collect()
}
