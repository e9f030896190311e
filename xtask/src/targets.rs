//! Systems go in that few have at hand; that the library and what the tests are made of compile for each is what comes out.

use std::process::Command;

use crate::apt;
use crate::tools::{Outcome, cargo, ensure_target, output, run};

/// A target, its C compiler (`ring` has C in it), and the packages of that.
const TARGETS: [(&str, &str, &[&str]); 2] = [
    ("x86_64-unknown-linux-musl", "musl-gcc", &["musl-tools"]),
    (
        "aarch64-unknown-linux-gnu",
        "aarch64-linux-gnu-gcc",
        &["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"],
    ),
];

/// Its C compiler is Apple's alone, so what has C in it is left out, and what is the same everywhere.
const MACOS: &str = "aarch64-apple-darwin";
const FOR_MACOS: &str = "macros,json,local,tcp,memory,faults";

pub(crate) fn check_each() -> Outcome {
    let mut check = cargo();
    check.args(["check", "--all-features", "--package", "communica", "--package", "communica-tests"]);
    for (target, compiler, packages) in TARGETS {
        ensure_target(target)?;
        if output(Command::new(compiler).arg("--version")).is_err() {
            apt::install(&format!("C compiler for {target}"), packages)?;
        }
        check.args(["--target", target]);
    }
    run(&mut check)?;
    check_for_macos()
}

/// The library alone: the tests are made of all features.
fn check_for_macos() -> Outcome {
    ensure_target(MACOS)?;
    let mut check = cargo();
    check.args(["check", "--package", "communica", "--target", MACOS, "--no-default-features"]);
    run(check.args(["--features", FOR_MACOS]))
}
