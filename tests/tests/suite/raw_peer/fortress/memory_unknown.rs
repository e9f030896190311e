//! Where a system does not tell others what a process uses, only the rest of an attack is watched: see CONTRIBUTING.

pub(super) fn forget_peak(_: u32) {}

pub(super) fn peak(_: u32) -> usize {
    0
}

pub(super) fn handles(_: u32) -> usize {
    0
}
