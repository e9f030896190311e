//! What fuzzers found interesting goes in again, as ordinary tests.

use std::path::Path;

/// Feeds each file of a target's corpus to it.
fn feed(target: &str, body: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let files = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}: it comes with the sources", folder.display()));
    let mut fed = 0;
    for file in files {
        let path = file.unwrap().path();
        let input = std::fs::read(&path).unwrap();
        // Its name is what one wants to know, and no corpus makes a body panic on purpose.
        let ended = std::panic::catch_unwind(|| body(&input));
        assert!(ended.is_ok(), "{target} fails with {}", path.display());
        fed += 1;
    }
    assert!(fed >= 10, "only {fed} files are in {}", folder.display());
}

#[test]
fn hello() {
    feed("hello", super::hello);
}

#[test]
fn frames() {
    feed("frames", super::frames);
}

#[test]
fn metadata() {
    feed("metadata", super::metadata);
}

#[test]
fn chunks() {
    feed("chunks", super::chunks);
}

#[test]
fn link() {
    feed("link", super::link);
}

#[test]
fn session() {
    feed("session", super::session);
}
