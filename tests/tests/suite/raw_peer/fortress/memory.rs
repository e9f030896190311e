//! A process's number goes in, what it used at the most and what it holds comes out.

use std::fs;

/// From now on, only what it uses then counts.
pub(super) fn forget_peak(id: u32) {
    fs::write(format!("/proc/{id}/clear_refs"), "5").expect("its peak can be reset");
}

/// In KiB.
pub(super) fn peak(id: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{id}/status")).expect("the process is alive");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells");
    line.trim().trim_end_matches(" kB").parse().expect("a number of KiB")
}

/// Files and sockets that it has open.
pub(super) fn handles(id: u32) -> usize {
    fs::read_dir(format!("/proc/{id}/fd")).expect("the process is alive").count()
}
