//! A process of `tests/src/bin/runner.rs`, as tests hold it.

use std::collections::VecDeque;
#[cfg(unix)]
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;

use communica::{AnyConnector, LocalConnector, TcpConnector};
use communica_tests::patiently;
use communica_tests::scratch::free_port;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::support::unique;

/// What a process has to do, it does within this time.
fn limit() -> Duration {
    patiently(30)
}

/// Dropping it kills the process.
pub(super) struct Runner {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    /// What came before somebody asked for it.
    notes: VecDeque<i64>,
    listens: bool,
}

pub(super) fn local() -> AnyConnector {
    AnyConnector::new(LocalConnector::new(unique("runner")))
}

pub(super) fn tcp() -> AnyConnector {
    AnyConnector::new(TcpConnector::new("127.0.0.1", free_port()))
}

/// Makes tests of functions that take a connector.
macro_rules! over_both_roads {
    ($($test:ident),* $(,)?) => {
        super::runner::over!(local $($test)*);
        super::runner::over!(tcp $($test)*);
    };
}

macro_rules! over {
    ($road:ident $($test:ident)*) => {
        mod $road {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    crate::support::within(60, super::$test(crate::processes::runner::$road())).await;
                }
            )*
        }
    };
}

pub(super) use {over, over_both_roads};

impl Runner {
    pub(super) fn server(road: &AnyConnector) -> Self {
        Self::start(&[&road.dump_state()])
    }

    pub(super) fn client(road: &AnyConnector, client_id: &str) -> Self {
        Self::start(&[&road.dump_state(), client_id])
    }

    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_runner"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the process starts");
        let stdin = child.stdin.take().expect("stdin was asked for");
        let lines = BufReader::new(child.stdout.take().expect("stdout was asked for")).lines();
        Self { child, stdin, lines, notes: VecDeque::new(), listens: false }
    }

    /// What its handlers were given next.
    pub(super) async fn noted(&mut self) -> i64 {
        loop {
            match self.notes.pop_front() {
                Some(note) => return note,
                None => self.hear().await,
            }
        }
    }

    /// Waits until it does, as a server.
    pub(super) async fn listens(&mut self) {
        while !self.listens {
            self.hear().await;
        }
    }

    async fn hear(&mut self) {
        let line = timeout(limit(), self.lines.next_line()).await.expect("the process says something");
        let line: Value = serde_json::from_str(&line.unwrap().expect("the process runs")).unwrap();
        self.notes.extend(line["note"].as_i64());
        self.listens |= line["listens"] == true;
    }

    /// Asks it to end: `TERM`, `INT`. Before it listens, that would kill it.
    #[cfg(unix)]
    pub(super) async fn ask_to_end(&mut self, name: &str) {
        self.listens().await;
        self.signal(name);
    }

    /// Lets its handlers go on.
    pub(super) async fn open(&mut self) {
        self.stdin.write_all(b"open\n").await.expect("the process runs");
    }

    /// Sends it a signal: `STOP`, `CONT`.
    #[cfg(unix)]
    pub(super) fn signal(&self, name: &str) {
        // Its number is nobody else's before it is waited for.
        let id = self.child.id().expect("the process runs");
        communica_tests::broker::signal(name, &id.to_string());
    }

    pub(super) async fn kill(mut self) {
        self.child.kill().await.expect("it can be killed");
    }

    /// It ends by itself.
    #[cfg(unix)]
    pub(super) async fn end(mut self) -> ExitStatus {
        timeout(limit(), self.child.wait()).await.expect("the process ends").unwrap()
    }
}
