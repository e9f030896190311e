//! The whole project goes in, built for Windows; it must do there, under wine, what it does here.

mod wine;

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use crate::apt;
use crate::examples::{self, Scratch};
use crate::process::Program;
use crate::python;
use crate::tools::{Outcome, cargo, cargo_for_tests, each_selects, output, run, say, target_dir};
use wine::Wine;

const TARGET: &str = "x86_64-pc-windows-gnu";
/// The C compiler of mingw: `ring` has C in it.
const MINGW: &str = "x86_64-w64-mingw32-gcc";
/// What wine 8 does not do as Windows does, and why. CONTRIBUTING tells of it.
const NOT_UNDER_WINE: [(&str, &str); 2] = [
    ("direct::local::an_address_in_use_is_named", "wine lets a second server listen at a pipe's name"),
    ("processes::restarts::tcp::", "wine may leave the sockets of a process that was killed open"),
];

/// Roads on which tests run that no system has a part in: on Linux they did already.
const THE_SAME_EVERYWHERE: [&str; 3] = ["::memory::", "::duplex::", "::shaky::"];

/// What needs no broker and no Python. The UI tests of the macro call cargo, which is not there.
const TESTS: [&str; 8] = ["--lib", "--bins", "--test", "suite", "--test", "service", "--test", "hygiene"];

pub(crate) fn check() -> Outcome {
    ensure()?;
    let wine = Wine::start(&target_dir().join("wine"))?;
    timed("clippy", lints)?;
    timed("building", build)?;
    timed("the tests", || tests(&wine))?;
    timed("the examples", || examples(&wine))?;
    timed("Python over TCP", || with_python(&wine))
}

/// Installs what is missing.
fn ensure() -> Outcome {
    crate::tools::ensure_target(TARGET)?;
    if output(Command::new(MINGW).arg("--version")).is_err() {
        apt::install("C compiler for Windows", &["gcc-mingw-w64-x86-64"])?;
    }
    if !wine::is_there() {
        apt::install("wine", &["wine64"])?;
    }
    if wine::is_there() { Ok(()) } else { Err("the package wine64 brought no wine".to_owned()) }
}

/// Says how long it took.
fn timed(what: &str, part: impl FnOnce() -> Outcome) -> Outcome {
    let started = Instant::now();
    part()?;
    say(&format!("Windows: {what} took {} s", started.elapsed().as_secs()));
    Ok(())
}

/// Nothing here is for a debugger, and mingw's linker takes long over what is. Warnings are errors.
fn cargo_for_windows(task: &str) -> Command {
    let mut cargo = cargo_for_tests();
    cargo
        .args([task, "--workspace", "--all-features", "--target", TARGET])
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUSTFLAGS", "-D warnings");
    cargo
}

/// Of what is for Windows alone, almost all is the named pipes and what ends a process. Clippy of everything would need
/// every dependency once more.
fn lints() -> Outcome {
    let mut clippy = cargo();
    clippy.args(["clippy", "--package", "communica", "--no-default-features", "--features", "local"]);
    run(clippy.args(["--target", TARGET, "--", "-D", "warnings"]))
}

fn build() -> Outcome {
    run(cargo_for_windows("test").arg("--no-run").args(TESTS))?;
    run(cargo_for_windows("build").arg("--examples"))
}

fn tests(wine: &Wine) -> Outcome {
    let mut tests = cargo_for_windows("test");
    tests.args(TESTS).arg("--");
    for (test, why) in NOT_UNDER_WINE {
        say(&format!("not under wine: {test}, because {why}"));
        tests.args(["--skip", test]);
    }
    for road in THE_SAME_EVERYWHERE {
        tests.args(["--skip", road]);
    }
    run(wine.runs_what_cargo_builds(&mut tests, TARGET))
}

fn examples(wine: &Wine) -> Outcome {
    for (name, promises) in examples::ALONE {
        say(&format!("example {name} on Windows"));
        let scratch = Scratch::new(name)?;
        let program = binaries().join("examples").join(name);
        examples::keeps_its_promises(name, &mut wine.program(&program, scratch.path()), promises)?;
    }
    ends_with_ctrl_c(wine)
}

/// A server that runs until somebody wants it to end, which on Windows is said with Ctrl-C.
fn ends_with_ctrl_c(wine: &Wine) -> Outcome {
    say("example simple_server on Windows ends with Ctrl-C");
    let scratch = Scratch::new("ctrl-c")?;
    let state = format!(
        r#"{{"type": "TcpConnector", "host": "127.0.0.1", "port": {}, "ssl": false}}"#,
        crate::mix::free_port()?
    );
    let examples = binaries().join("examples");
    let mut command = wine.program(&wine.console(), scratch.path());
    let mut server =
        Program::start("simple_server", command.arg(examples.join("simple_server.exe")).arg(&state))?;
    let mut client = Program::start(
        "simple_client",
        wine.program(&examples.join("simple_client"), scratch.path()).arg(&state),
    )?;
    client.wait_for(r#"Server responded with "Thanks for your 'hello'!""#)?;
    client.finish()?;
    server.wait_for("console: Ctrl-C was pressed")?;
    server.wait_for("console: it ended with 0")?;
    server.finish()
}

/// Python here, Windows there, and TCP between them: the tests of the two languages, with another system's peer.
fn with_python(wine: &Wine) -> Outcome {
    let python = python::environment()?;
    let peer = binaries().join("peer.exe");
    say("Python on Linux and the library on Windows, over TCP");
    let listening = ["matrix::rust_server_python_client::tcp", "matrix::python_server_rust_client::tcp"];
    let selected = || {
        let mut tests = cargo();
        tests.args(["test", "--workspace", "--all-features", "--test", "python", "--"]).args(listening);
        tests
    };
    each_selects(&mut selected(), &listening)?;
    let mut tests = selected();
    tests.env("COMMUNICA_PYTHON", &python).env("COMMUNICA_PEER", wine.words(&peer));
    run(wine.environment(&mut tests))
}

fn binaries() -> PathBuf {
    target_dir().join(TARGET).join("debug")
}
