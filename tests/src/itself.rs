//! Words go in, this very program comes out as another process, which says lines and is told lines.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines, stdin};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// This program once more. Dropping it kills it.
#[derive(Debug)]
pub struct Another {
    name: &'static str,
    child: Child,
    /// Its end tells the process that nobody needs it any more.
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Another {
    /// Starts this program with these arguments. What it writes to stderr is shown.
    ///
    /// # Panics
    /// It does not start.
    #[must_use]
    pub fn start(name: &'static str, arguments: &[&str]) -> Self {
        let program = std::env::current_exe().expect("a program knows where it is");
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start the {name}: {error}"));
        let stdin = child.stdin.take().expect("stdin was asked for");
        let lines = BufReader::new(child.stdout.take().expect("stdout was asked for")).lines();
        Self { name, child, stdin, lines }
    }

    /// Its number in the system.
    ///
    /// # Panics
    /// It was waited for.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id().unwrap_or_else(|| panic!("the {} runs", self.name))
    }

    /// Its next line.
    ///
    /// # Errors
    /// It ended.
    pub async fn next(&mut self) -> Result<String, String> {
        match self.lines.next_line().await {
            Ok(Some(line)) => Ok(line),
            Ok(None) => Err(format!("the {} ended before it was told to", self.name)),
            Err(error) => Err(format!("the {} cannot be read: {error}", self.name)),
        }
    }

    /// What its next line says behind this word, with which it must begin.
    ///
    /// # Errors
    /// It ended, or said something else.
    pub async fn says(&mut self, word: &str) -> Result<String, String> {
        let line = self.next().await?;
        match line.strip_prefix(word) {
            Some(rest) => Ok(rest.trim_start().to_owned()),
            None => Err(format!("the {} said {line:?} where {word:?} was expected", self.name)),
        }
    }

    /// Tells it that it should come to an end.
    ///
    /// # Errors
    /// It ended already.
    pub async fn finish(&mut self) -> Result<(), String> {
        let told = self.stdin.write_all(b"end\n").await;
        told.map_err(|error| format!("the {} cannot be told to end: {error}", self.name))
    }

    /// Waits until it ended, for so long.
    ///
    /// # Errors
    /// It did not, or badly.
    pub async fn ends_well(&mut self, limit: Duration) -> Result<(), String> {
        match timeout(limit, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(format!("the {} ended with {status}", self.name)),
            Ok(Err(error)) => Err(format!("the {} cannot be waited for: {error}", self.name)),
            Err(_) => Err(format!("the {} did not end within {limit:?}", self.name)),
        }
    }

    /// Ends it on the spot.
    ///
    /// # Panics
    /// The system does not do so.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap_or_else(|error| panic!("the {} is not killed: {error}", self.name));
    }
}

/// On the other side: waits until this process is told to end, or who started it is gone.
pub async fn told_to_end() {
    let mut line = String::new();
    // Whatever it is, it is the end.
    let _ = BufReader::new(stdin()).read_line(&mut line).await;
}
