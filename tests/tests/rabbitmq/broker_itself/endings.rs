//! Each way in which a test process may end goes in; nothing of its broker is left.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use communica_tests::broker::{self, Broker};
use communica_tests::{Scratch, patiently};

/// In a process that one of these tests started, they play it instead.
const ROLE: &str = "COMMUNICA_TEST_ENDING";

/// Statics are not dropped.
#[test]
fn a_shared_broker_ends_when_its_process_returns() {
    let Some(process) = Process::start("a_shared_broker_ends_when_its_process_returns") else {
        broker::shared();
        return tell_and_wait();
    };
    process.go_on();
}

#[test]
fn a_broker_ends_when_its_test_panics() {
    let Some(process) = Process::start("a_broker_ends_when_its_test_panics") else {
        let _broker = Broker::start();
        tell_and_wait();
        panic!("as a test that fails");
    };
    process.go_on();
}

#[test]
fn a_shared_broker_ends_when_its_process_aborts() {
    let Some(process) = Process::start("a_shared_broker_ends_when_its_process_aborts") else {
        broker::shared();
        tell_and_wait();
        std::process::abort();
    };
    process.go_on();
}

#[test]
fn a_frozen_broker_ends_when_its_process_is_killed() {
    let Some(process) = Process::start("a_frozen_broker_ends_when_its_process_is_killed") else {
        let broker = Broker::start();
        broker.freeze();
        return tell_and_wait();
    };
    process.kill();
}

#[test]
fn a_broker_that_has_not_started_ends_when_its_process_is_killed() {
    let Some(process) = Process::start("a_broker_that_has_not_started_ends_when_its_process_is_killed")
    else {
        println!("{READY}");
        let _broker = Broker::start();
        return;
    };
    process.kill();
}

const READY: &str = "ready to end";

fn tell_and_wait() {
    println!("{READY}");
    let _ = std::io::stdin().read(&mut [0]);
}

/// A process that plays the test that started it.
struct Process {
    child: Child,
    // Its broker's folder is in there, and what it complains of, which is shown when the test fails.
    scratch: Scratch,
}

impl Process {
    /// One with a broker. Nothing when this is that process.
    fn start(test: &str) -> Option<Self> {
        if std::env::var_os(ROLE).is_some() {
            return None;
        }
        let scratch = Scratch::new();
        let log = File::create(scratch.path().join("process.log")).expect("the log can be written");
        let mut child = Command::new(std::env::current_exe().expect("a test knows where it is"))
            .args(["--exact", "--nocapture", &format!("over_rabbitmq::broker_itself::endings::{test}")])
            .env(ROLE, "")
            .env("TMPDIR", scratch.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("a test can be started");
        let stdout = BufReader::new(child.stdout.take().expect("stdout was asked for"));
        let process = Self { child, scratch };
        let (told, ready) = mpsc::channel();
        // It may write until it ends.
        thread::spawn(move || {
            let lines = stdout.lines().map_while(Result::ok);
            lines.filter(|line| line.contains(READY)).for_each(|_| told.send(()).unwrap_or_default());
        });
        // It may have to start a broker first.
        ready.recv_timeout(patiently(120)).expect("it says that it is ready");
        process.wait_until(|left| ["beam.smp", "erl_child_setup", "epmd"].iter().all(|name| has(left, name)));
        Some(process)
    }

    fn go_on(mut self) {
        drop(self.child.stdin.take());
        self.leaves_nothing();
    }

    fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.leaves_nothing();
    }

    fn leaves_nothing(mut self) {
        let deadline = Instant::now() + patiently(60);
        while self.child.try_wait().expect("it can be waited for").is_none() {
            assert!(Instant::now() < deadline, "it does not end");
            thread::sleep(Duration::from_millis(20));
        }
        self.wait_until(|left| left.is_empty());
        let folders = || fs::read_dir(self.scratch.path()).expect("it is there").flatten();
        self.wait_until(|_| folders().all(|entry| entry.path().is_file()));
    }

    /// # Panics
    /// It takes too long, with the processes that are there.
    fn wait_until(&self, holds: impl Fn(&[String]) -> bool) {
        let deadline = Instant::now() + patiently(60);
        loop {
            let processes = processes_of(self.scratch.path());
            if holds(&processes) {
                return;
            }
            assert!(Instant::now() < deadline, "still there: {processes:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    /// One that did not end by itself must not go on when its test is over.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn has(processes: &[String], name: &str) -> bool {
    processes.iter().any(|process| process.contains(name))
}

/// The command lines of all that got the folder in its environment, as children of children do. The dead
/// that nobody has waited for have none any more.
fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.as_os_str().as_bytes();
    let processes = fs::read_dir("/proc").expect("there is a list of processes");
    let of_folder = processes.flatten().filter(|process| {
        // Those of others, and those that ended in the meantime, cannot be read.
        let environment = fs::read(process.path().join("environ")).unwrap_or_default();
        environment.windows(folder.len()).any(|part| part == folder)
    });
    let command_line = |process: fs::DirEntry| fs::read(process.path().join("cmdline")).unwrap_or_default();
    of_folder.map(command_line).map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).collect()
}
