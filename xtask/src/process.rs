//! A program goes in, its lines come out, in time or not at all; what is left of it is killed.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::tools::{Outcome, output};

/// No example needs more than a few seconds; a busy machine may.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running program in a process group of its own, so that its children end with it.
pub(crate) struct Program {
    name: String,
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    deadline: Instant,
}

impl Program {
    pub(crate) fn start(name: &str, command: &mut Command) -> Outcome<Self> {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("cannot start {name}: {error}"))?;
        let (sender, lines) = mpsc::channel();
        forward(child.stdout.take(), sender.clone());
        forward(child.stderr.take(), sender);
        let deadline = Instant::now() + PATIENCE;
        Ok(Self { name: name.to_owned(), child, lines, seen: Vec::new(), deadline })
    }

    /// Reads until a line contains `text`, and gives that line.
    pub(crate) fn wait_for(&mut self, text: &str) -> Outcome<String> {
        loop {
            if let Some(line) = self.seen.iter().find(|line| line.contains(text)) {
                return Ok(line.clone());
            }
            match self.lines.recv_timeout(self.time_left()) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Timeout) => return Err(self.complaint(&format!("no {text:?} in time"))),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.complaint(&format!("ended without {text:?}")));
                }
            }
        }
    }

    /// Waits for the end, which must be a success and leave no process behind.
    pub(crate) fn finish(mut self) -> Outcome {
        loop {
            // Every writer of the two pipes must be gone, so a child that lives on is noticed.
            match self.lines.recv_timeout(self.time_left()) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => return Err(self.complaint("it did not end in time")),
            }
        }
        let status = self.exit_status()?;
        if !status.success() {
            return Err(self.complaint(&format!("it ended with {status}")));
        }
        if self.group_lives() { Err(self.complaint("it left processes behind")) } else { Ok(()) }
    }

    /// Asks the program to end, as Ctrl-C does. It has some time for it, however long it ran.
    pub(crate) fn interrupt(&mut self) -> Outcome {
        self.deadline = Instant::now() + PATIENCE;
        self.signal("-INT").map(drop)
    }

    fn exit_status(&mut self) -> Outcome<ExitStatus> {
        loop {
            match self.child.try_wait().map_err(|error| error.to_string())? {
                Some(status) => return Ok(status),
                None if self.time_left().is_zero() => return Err(self.complaint("it did not end in time")),
                None => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    fn group_lives(&self) -> bool {
        self.signal("-0").is_ok()
    }

    fn signal(&self, signal: &str) -> Outcome<String> {
        output(Command::new("kill").args([signal, "--", &format!("-{}", self.child.id())]))
    }

    fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    fn complaint(&self, what: &str) -> String {
        format!("{}: {what}; it wrote:\n  {}", self.name, self.seen.join("\n  "))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // The group is empty after a good end, and then there is nobody to signal.
        let _ = self.signal("-KILL");
        let _ = self.child.wait();
    }
}

/// Sends each line on, until the pipe has no writer any more.
fn forward(pipe: Option<impl Read + Send + 'static>, to: mpsc::Sender<String>) {
    let pipe = BufReader::new(pipe.expect("the pipe was asked for"));
    thread::spawn(move || pipe.lines().map_while(Result::ok).try_for_each(|line| to.send(line)));
}
