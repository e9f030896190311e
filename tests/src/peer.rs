//! One process of a test: commands go in as lines of JSON, answers come out.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::oneshot;

use crate::{Language, Role, python};

/// A call that a peer made and that failed, as that peer's library told it.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Failure {
    /// The exception's class, or the variant of `communica::Error`.
    pub kind: String,
    /// What it says.
    pub message: String,
    /// For the kinds that have one.
    pub code: Option<i64>,
}

/// A running peer. Dropping it kills it.
#[derive(Debug)]
pub struct Peer {
    /// What it is written in.
    pub language: Language,
    name: String,
    child: Child,
    // Its end ends the process.
    stdin: tokio::sync::Mutex<ChildStdin>,
    next: AtomicU64,
    waiting: Waiting,
}

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Answer>>>>;

#[derive(Debug, Deserialize)]
struct Answer {
    n: u64,
    #[serde(default)]
    ok: Value,
    error: Option<Failure>,
}

impl Peer {
    pub(crate) async fn start(language: Language, role: Role, config: &Value, scratch: &Path) -> Self {
        let name = format!("{language:?} {role:?}");
        let log = File::options().create(true).append(true).open(scratch.join(format!("{name}.log")));
        let mut child = program(language)
            .arg(config.to_string())
            .env("TMPDIR", scratch)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.expect("the log can be written"))
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start the {name}: {error}"));
        let stdin = child.stdin.take().expect("stdin was asked for");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout was asked for")).lines();
        let ready = next_line(&mut lines).await;
        assert_eq!(ready, Some(json!({"ready": true})), "the {name} did not start");

        let waiting = Waiting::default();
        tokio::spawn(hand_out(lines, waiting.clone()));
        Self { language, name, child, stdin: stdin.into(), next: AtomicU64::new(0), waiting }
    }

    /// Its library's `request`.
    pub async fn request(&self, name: &str, data: impl Into<Value>) -> Result<Value, Failure> {
        self.ask("request", json!({"name": name, "data": data.into()})).await
    }

    /// Its library's `throw`.
    pub async fn throw(&self, name: &str, data: impl Into<Value>) {
        self.tell("throw", json!({"name": name, "data": data.into()})).await;
    }

    /// The next thing that its handlers `note` and `hang` were given.
    pub async fn next_note(&self) -> Value {
        self.tell("next_note", json!({})).await
    }

    /// A command that cannot fail.
    ///
    /// # Panics
    /// It fails.
    pub async fn tell(&self, command: &str, arguments: Value) -> Value {
        let answer = self.ask(command, arguments).await;
        answer.unwrap_or_else(|failure| panic!("{command} of the {} failed: {failure:?}", self.name))
    }

    /// Any command. Commands may be given side by side.
    ///
    /// # Panics
    /// The peer ends before it answers.
    pub async fn ask(&self, command: &str, mut arguments: Value) -> Result<Value, Failure> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        arguments["n"] = number.into();
        arguments["do"] = command.into();
        let (sender, answer) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(number, sender);

        let line = format!("{arguments}\n");
        let written = self.stdin.lock().await.write_all(line.as_bytes()).await;
        written.unwrap_or_else(|error| panic!("the {} takes no {command}: {error}", self.name));
        let answer =
            answer.await.unwrap_or_else(|_| panic!("the {} ended without an answer to {command}", self.name));
        answer.error.map_or(Ok(answer.ok), Err)
    }

    /// Closes its entity, then the process, which must end well.
    pub async fn close(mut self) {
        self.tell("close", json!({})).await;
        drop(self.stdin);
        let status = self.child.wait().await.expect("it can be waited for");
        assert!(status.success(), "the {} ended with {status}", self.name);
    }

    /// Ends the process in the middle of whatever it does.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it can be killed");
    }

    /// Stops the process in its tracks: its sockets stay open.
    #[cfg(unix)]
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets a frozen one go on.
    #[cfg(unix)]
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    #[cfg(unix)]
    fn signal(&self, name: &str) {
        // Nobody else gets its number before it is waited for.
        let id = self.child.id().unwrap_or_else(|| panic!("the {} runs", self.name));
        crate::broker::signal(name, &id.to_string());
    }
}

fn program(language: Language) -> Command {
    match language {
        Language::Rust => rust_peer(),
        Language::Python => {
            let mut command = Command::new(python::interpreter());
            command.arg(python::script("peer.py"));
            command
        }
    }
}

/// `COMMUNICA_PEER`, a program and its first arguments, a line each: how `cargo xtask windows` has another system's peer
/// in place of ours. Else the one that cargo builds with every test of this crate, above the folder of the test that runs.
fn rust_peer() -> Command {
    let given = std::env::var("COMMUNICA_PEER").ok();
    let mut words = given.iter().flat_map(|words| words.lines());
    let mut command = words.next().map_or_else(|| Command::new(our_peer()), Command::new);
    command.args(words);
    command
}

fn our_peer() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let debug = test.ancestors().nth(2).expect("tests lie in target/debug/deps");
    debug.join("peer").with_extension(std::env::consts::EXE_EXTENSION)
}

/// Gives each answer to who waits for it. At the end nobody waits any more.
async fn hand_out(mut lines: Lines<BufReader<ChildStdout>>, waiting: Waiting) {
    while let Some(line) = next_line(&mut lines).await {
        let answer: Answer = serde_json::from_value(line).expect("an answer has this shape");
        let waiter = waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&answer.n);
        // Who asked may be gone, with its timeout.
        let _ = waiter.expect("an answer has a question").send(answer);
    }
    waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

async fn next_line(lines: &mut Lines<BufReader<ChildStdout>>) -> Option<Value> {
    let line = lines.next_line().await.expect("stdout can be read")?;
    Some(serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?} is not JSON: {error}")))
}
