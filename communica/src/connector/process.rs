//! The process at the other end of a link → whether it is still there.
//!
//! A link that is cut says nothing of the process behind it. On Linux `/proc/<pid>/stat` does (proc_pid_stat(5)): its state, and
//! when it was started, so that a later process with the same number is not taken for it. Where nobody tells, nothing is known.

use std::{fs, io};

/// A process that was there when this was made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pid: u32,
    /// In ticks since the system was started.
    started: u64,
}

impl Process {
    /// `None` when the system does not tell of it: it is in another container, say, or belongs to somebody else.
    pub(crate) fn seen(pid: u32) -> Option<Self> {
        let (_, started) = state(&stat(pid).ok()?)?;
        Some(Self { pid, started })
    }

    /// It ended, whether its parent knows or not.
    pub(crate) fn is_gone(&self) -> bool {
        match stat(self.pid) {
            Ok(stat) => match state(&stat) {
                Some(('Z' | 'X', _)) => true,
                Some((_, started)) => started != self.started,
                None => false,
            },
            // This side may be out of file handles, which says nothing of the other.
            Err(error) => {
                error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(NO_SUCH_PROCESS)
            }
        }
    }
}

/// What it was when it ended between the opening of its file and the reading (ESRCH).
const NO_SUCH_PROCESS: i32 = 3;

fn stat(pid: u32) -> io::Result<Vec<u8>> {
    if !cfg!(target_os = "linux") {
        return Err(io::ErrorKind::Unsupported.into());
    }
    fs::read(format!("/proc/{pid}/stat"))
}

/// What a process does, as one letter, and when it was started.
fn state(stat: &[u8]) -> Option<(char, u64)> {
    // The second field is its name in parentheses, in which there may be anything. State is the third, the start the 22nd.
    let behind_name = stat.rsplit(|byte| *byte == b')').next()?;
    let mut fields = std::str::from_utf8(behind_name).ok()?.split_ascii_whitespace();
    let letter = fields.next()?.chars().next()?;
    Some((letter, fields.nth(18)?.parse().ok()?))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::{Child, Command, Stdio};
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;

    /// One that waits for what never comes.
    fn idle() -> Child {
        Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
    }

    #[test]
    fn a_process_is_gone_once_it_ended_whether_it_is_waited_for_or_not() {
        let mut child = idle();
        let process = Process::seen(child.id()).expect("it runs");
        assert!(!process.is_gone());
        child.kill().unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while !process.is_gone() {
            assert!(Instant::now() < deadline, "nobody sees that it ended");
            thread::sleep(Duration::from_millis(1));
        }
        child.wait().unwrap();
        assert!(process.is_gone());
        assert_eq!(Process::seen(0), None);
    }

    #[test]
    fn a_later_process_with_the_same_number_is_another_one() {
        let us = Process::seen(std::process::id()).unwrap();
        assert!(!us.is_gone());
        assert!(Process { started: us.started - 1, ..us }.is_gone());
    }
}
