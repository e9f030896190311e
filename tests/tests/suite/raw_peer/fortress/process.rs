//! A `victim` process: lines in and out, its memory, its log.

use std::collections::VecDeque;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use communica_tests::patience;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, sleep};

use super::{MIB, memory};
use crate::raw_peer::peer::limit;

/// Lines that are kept of a log that an attack makes long.
const KEPT: usize = 10_000;
const TRANSLATED: usize = 32 * MIB;

pub(super) struct Process {
    child: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
    log: Arc<Mutex<Log>>,
    /// KiB that it used when the attack began.
    before: usize,
    /// Files and sockets that it had open then.
    handles: usize,
}

#[derive(Default)]
struct Log {
    lines: VecDeque<String>,
    bytes: usize,
    panicked: Option<String>,
}

impl Process {
    /// `files`: how many it may have open, if not as many as usual.
    pub(super) async fn start(config: &Value, files: Option<u32>) -> (Self, Value) {
        let victim = env!("CARGO_BIN_EXE_victim");
        let mut command = match files {
            None => Command::new(victim),
            Some(files) => {
                let mut command = Command::new("sh");
                command.arg("-c").arg(format!("ulimit -n {files}; exec \"$0\" \"$1\"")).arg(victim);
                command
            }
        };
        command.arg(config.to_string()).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the victim starts");
        let stdin = child.stdin.take().expect("it was asked for");
        let stdout = BufReader::new(child.stdout.take().expect("it was asked for")).lines();
        let log = Arc::default();
        tokio::spawn(keep(child.stderr.take().expect("it was asked for"), Arc::clone(&log)));
        let mut process = Self { child, stdin, stdout, log, before: 0, handles: 0 };
        let ready = process.line().await;
        (process, ready)
    }

    async fn line(&mut self) -> Value {
        let line = self.stdout.next_line().await.expect("stdout can be read").expect("the victim is alive");
        serde_json::from_str(&line).expect("a line is JSON")
    }

    /// What it says about itself.
    pub(super) async fn report(&mut self) -> Value {
        self.stdin.write_all(b"report\n").await.expect("the victim is alive");
        self.line().await
    }

    /// What it uses now is what it needs when nothing happens; the most it ever used is measured anew.
    pub(super) fn measure_from_here(&mut self) {
        memory::forget_peak(self.id());
        self.before = memory::peak(self.id());
        self.handles = memory::handles(self.id());
    }

    /// Bytes beyond that, at the most.
    pub(super) fn growth(&self) -> usize {
        memory::peak(self.id()).saturating_sub(self.before) * 1024
    }

    /// It closes what it opened for those that are gone. One that connects, or is about to, comes and goes.
    pub(super) async fn lets_go(&self, what: &str) {
        const PASSING: usize = 8;
        let (deadline, most) = (Instant::now() + limit(), self.handles + PASSING);
        while memory::handles(self.id()) > most {
            let open = memory::handles(self.id());
            assert!(Instant::now() < deadline, "{what}: {open} handles are open, at first {}", self.handles);
            sleep(Duration::from_millis(20)).await;
        }
    }

    fn id(&self) -> u32 {
        self.child.id().expect("the victim is alive")
    }

    /// Waits for a line with this text.
    pub(super) async fn logs(&self, text: &str) {
        let deadline = Instant::now() + limit();
        while !self.log().lines.iter().any(|line| line.contains(text)) {
            let last: Vec<_> = self.log().lines.iter().rev().take(5).cloned().collect();
            assert!(Instant::now() < deadline, "the log does not say {text:?} but, latest first, {last:#?}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is alive, has not panicked, did not grow by more, and logged no more than somebody can read.
    pub(super) fn holds(&mut self, what: &str, growth: usize) {
        assert!(self.child.try_wait().is_ok_and(|ended| ended.is_none()), "{what}: the victim is dead");
        // What imitates a processor has memory of its own in the same process, for the code it translated.
        let growth = if patience() > 1 { growth + TRANSLATED } else { growth };
        let grown = self.growth();
        assert!(grown <= growth, "{what}: it grew by {} KiB, {} are allowed", grown >> 10, growth >> 10);
        let log = self.log();
        assert_eq!(log.panicked, None, "{what}: it panicked");
        assert!(log.bytes <= 4 * MIB, "{what}: it wrote {} KiB of logs", log.bytes >> 10);
    }
}

async fn keep(stderr: ChildStderr, log: Arc<Mutex<Log>>) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        if line.contains("panicked") {
            log.panicked.get_or_insert_with(|| line.clone());
        }
        log.bytes += line.len();
        log.lines.push_back(line);
        if log.lines.len() > KEPT {
            log.lines.pop_front();
        }
    }
}
