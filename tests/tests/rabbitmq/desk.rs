//! Servers and clients in processes of their own, to be killed: `tests/src/bin/desk.rs`.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use communica::RmqConnector;
use communica_tests::{Scratch, patiently};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// A desk says what it has to say within this time.
fn limit() -> Duration {
    patiently(30)
}

/// How a desk is started.
pub(crate) struct Builder {
    config: Value,
}

/// A running process. Dropping it kills it.
pub(crate) struct Desk {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    /// What it said before it was ready.
    early: VecDeque<Value>,
    scratch: Scratch,
}

impl Builder {
    /// A server, which looks twice a second whether its clients are there.
    pub(crate) fn server(connector: &RmqConnector, name: &str) -> Self {
        Self {
            config: json!({"state": connector.dump_state(), "name": name, "listening": 500, "check": 200}),
        }
    }

    /// A client, which looks five times a second whether its server is there.
    pub(crate) fn client(connector: &RmqConnector, client_id: &str) -> Self {
        Self::server(connector, client_id).with("client_id", client_id)
    }

    /// With a further setting of the configuration.
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.config[key] = value.into();
        self
    }

    /// Starts it, and waits until it listens or is connected.
    pub(crate) async fn start(self) -> Desk {
        let scratch = Scratch::new();
        let log = File::create(scratch.path().join("desk.log")).expect("the log can be written");
        let mut child = Command::new(program())
            .arg(self.config.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("a desk can be started");
        let stdin = child.stdin.take().expect("stdin was asked for");
        let lines = BufReader::new(child.stdout.take().expect("stdout was asked for")).lines();
        let mut desk = Desk { child, stdin, lines, early: VecDeque::new(), scratch };
        // What waited for it may have come before.
        let mut early = VecDeque::new();
        loop {
            let line = desk.next().await;
            if line == json!({"ready": true}) {
                return Desk { early, ..desk };
            }
            early.push_back(line);
        }
    }
}

impl Desk {
    /// Gives it a command.
    pub(crate) async fn command(&mut self, command: &str) {
        let line = format!("{command}\n");
        self.stdin.write_all(line.as_bytes()).await.expect("the desk takes commands");
    }

    /// The next thing it says.
    pub(crate) async fn next(&mut self) -> Value {
        if let Some(line) = self.early.pop_front() {
            return line;
        }
        let next = timeout(limit(), self.lines.next_line()).await;
        let next = next.unwrap_or_else(|_| panic!("a desk said nothing; it logged:\n{}", self.log()));
        let line = next.expect("stdout can be read");
        let line = line.unwrap_or_else(|| panic!("a desk ended; it logged:\n{}", self.log()));
        serde_json::from_str(&line).expect("a desk speaks JSON")
    }

    /// The next so many things of this kind (`note`, `answer`, `failed`, `thrown`), by number. Others are skipped.
    pub(crate) async fn take(&mut self, kind: &str, count: usize) -> Vec<i64> {
        let mut numbers = Vec::new();
        while numbers.len() < count {
            let line = self.next().await;
            assert!(kind == "failed" || line.get("failed").is_none(), "a call failed: {line}");
            numbers.extend(line.get(kind).and_then(Value::as_i64));
        }
        numbers
    }

    /// What it says until it is silent for so long.
    pub(crate) async fn rest(&mut self, silence: Duration) -> Vec<Value> {
        let mut said: Vec<Value> = self.early.drain(..).collect();
        while let Ok(Ok(Some(line))) = timeout(silence, self.lines.next_line()).await {
            said.push(serde_json::from_str(&line).expect("a desk speaks JSON"));
        }
        said
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.scratch.path().join("desk.log")).unwrap_or_default()
    }

    /// Ends it in the middle of whatever it does (SIGKILL), and returns what it had said.
    pub(crate) async fn kill(mut self) -> Vec<Value> {
        self.child.kill().await.expect("it can be killed");
        self.rest(limit()).await
    }
}

/// Cargo builds it with every test of this crate, above the folder of the test that runs.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    test.ancestors().nth(2).expect("tests lie in target/debug/deps").join("desk")
}
