//! What users read when it does not compile; and that what must compile is tried.

use std::env;
use std::process::{Command, Stdio};

/// What cargo hands to the compiler, in place of what `trybuild` wants: that is one thing for what the tests depend on, another
/// for the tests, and so all of the former would be compiled for each.
const FLAGS: (&str, &str) =
    ("CARGO_ENCODED_RUSTFLAGS", "--cfg\x1ftrybuild\x1f--verbose\x1f-Adead_code\x1f--diagnostic-width=140");

#[test]
fn what_users_read_when_it_does_not_compile() {
    if env::var_os(FLAGS.0).is_some_and(|flags| flags == FLAGS.1) {
        // Nothing that passes is among them: then one cargo tries them all, side by side, instead of one for each, one by one.
        return trybuild::TestCases::new().compile_fail("tests/ui/fail/*.rs");
    }
    // A process cannot change its own surroundings without `unsafe`.
    let mut again = Command::new(env::current_exe().unwrap());
    again.args(["--exact", "what_users_read_when_it_does_not_compile", "--nocapture"]).env(FLAGS.0, FLAGS.1);
    let again = again.stderr(Stdio::inherit()).output().unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    print!("{said}");
    assert!(again.status.success(), "see above");
    // Without any test of that name it is a success, too.
    assert!(said.contains("test result: ok. 1 passed"), "it tried nothing, see above");
}

#[test]
fn what_must_compile_is_in_the_manifest() {
    let manifest = std::fs::read_to_string("Cargo.toml").unwrap();
    let files = std::fs::read_dir("tests/ui/pass").unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let is_tried = |name: &String| {
        let path = format!("path = \"tests/ui/pass/{name}\"");
        // With the harness it is compiled, but its `main` is not run.
        manifest.split("[[test]]").any(|test| {
            [&path, "harness = false"].iter().all(|&wanted| test.lines().any(|line| line == wanted))
        })
    };
    let missing: Vec<_> = names.filter(|name| !is_tried(name)).collect();
    assert!(missing.is_empty(), "no test is made of {missing:?}");
}
