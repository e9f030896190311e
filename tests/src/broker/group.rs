//! Commands go in, processes come out that end with this one, also when it is killed.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// What a guard does. Its stdin ends with this process, since nobody else has the other end. It is the leader of the
/// group, so it steps out of it before it kills it. A signal for the group is not for the guard: a frozen process in
/// a group that nobody is left to look after gets SIGHUP, and so would the guard.
const GUARD: &str = r#"
trap '' HUP INT QUIT TERM
read -r _
exec setsid sh -c '
    kill -s KILL -- "-$1"
    for _ in 1 2 3 4 5 6 7 8 9; do rm -rf -- "$2" && exit; sleep 0.2; done
' sh "$$" "$1"
"#;

/// A process group with a guard.
#[derive(Debug)]
pub(super) struct Group {
    guard: Child,
}

impl Group {
    /// A guard that removes the folder, too.
    pub(super) fn new(folder: &Path) -> Self {
        let guard = Command::new("sh")
            .args(["-c", GUARD, "sh"])
            .arg(folder)
            .stdin(Stdio::piped())
            // Whoever reads our output waits for all who could write to it.
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        Self { guard: guard.unwrap_or_else(|error| panic!("cannot start sh: {error}")) }
    }

    /// Starts a process in the group: there is no moment in which it has no guard.
    pub(super) fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        let id = i32::try_from(self.guard.id()).expect("a pid is small");
        command.process_group(id).stdin(Stdio::null()).spawn()
    }

    /// Kills all of it, frozen or not.
    pub(super) fn kill(&mut self) {
        // Until the guard is waited for, no other group gets its number.
        if matches!(self.guard.try_wait(), Ok(None)) {
            signal("KILL", &format!("-{}", self.guard.id()));
            let _ = self.guard.wait();
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal to a process, or to a group whose number has a minus. It may be gone.
///
/// # Panics
/// There is no shell.
pub fn signal(name: &str, target: &str) {
    let status = Command::new("sh")
        .args(["-c", r#"kill -s "$1" -- "$2""#, "sh", name, target])
        .stderr(Stdio::null())
        .status();
    status.unwrap_or_else(|error| panic!("cannot start sh: {error}"));
}
