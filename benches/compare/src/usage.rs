//! A process id goes in, what the process used so far comes out (Linux: /proc).

use std::fs;
use std::time::Duration;

/// CPU time of all threads that live.
///
/// `stat` would count in hundredths of a second; this counts in nanoseconds.
pub fn cpu(pid: u32) -> Duration {
    let tasks = format!("/proc/{pid}/task");
    let threads = fs::read_dir(&tasks).unwrap_or_else(|error| panic!("cannot read {tasks}: {error}"));
    let spent = threads.filter_map(|thread| {
        // One that ended in between has no file any more.
        let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    let nanoseconds: u64 = spent.sum();
    assert!(nanoseconds > 0, "{tasks}/*/schedstat says nothing: this kernel keeps no CPU times of threads");
    Duration::from_nanos(nanoseconds)
}

/// The most memory that it ever had, in KiB.
pub fn peak_memory(pid: u32) -> u64 {
    status(pid, "VmHWM:")
}

/// The memory that it has now, in KiB. What the kernel keeps for its sockets is not in there.
pub fn memory(pid: u32) -> u64 {
    status(pid, "VmRSS:")
}

fn status(pid: u32, name: &str) -> u64 {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {path}: {error}"));
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or_else(|| panic!("{path} has no {name}"))
}
