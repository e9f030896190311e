//! Commands go in, their success or a readable reason comes out.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a task ends with: nothing, or the reason it failed, for a person to read.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// The top folder of the project.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("xtask lies in the project").to_owned()
}

/// Where cargo builds, also when CARGO_TARGET_DIR says otherwise.
pub(crate) fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// The cargo that runs us, started at the top of the project.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// The same, for running tests. Most of them wait for something: with one for each core half of the time nobody works.
pub(crate) fn cargo_for_tests() -> Command {
    let mut command = cargo();
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        command.env("RUST_TEST_THREADS", (2 * cores + 1).to_string());
    }
    command
}

/// Tells what happens next.
pub(crate) fn say(line: &str) {
    eprintln!("xtask: {line}");
}

/// Runs a command in the open, and says which.
pub(crate) fn run(command: &mut Command) -> Outcome {
    say(&shown(command));
    let status = command.status().map_err(|error| format!("cannot start `{}`: {error}", shown(command)))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed: {status}", shown(command))) }
}

/// Runs a command in silence; what it wrote to stdout. A failure carries what it wrote to stderr.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot start `{}`: {error}", shown(command)))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`{}` failed: {}\n{}", shown(command), output.status, complaint.trim_end()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// That all tests pass says nothing where a name selects none: so each of these must be part of the name of one.
/// `tests`: the command that runs what they select.
pub(crate) fn each_selects(tests: &mut Command, names: &[&str]) -> Outcome {
    let listed = output(tests.arg("--list"))?;
    let selects = |name: &str| listed.lines().any(|line| line.ends_with(": test") && line.contains(name));
    match names.iter().find(|name| !selects(name)) {
        Some(name) => Err(format!("no test has {name:?} in its name: {}", shown(tests))),
        None => Ok(()),
    }
}

/// Makes sure that there is a standard library for this target.
pub(crate) fn ensure_target(target: &str) -> Outcome {
    let ask = |line: &[&str]| output(Command::new("rustc").current_dir(root()).args(line));
    let library = ask(&["--print", "target-libdir", "--target", target])?;
    if Path::new(library.trim()).exists() {
        return Ok(());
    }
    say(&format!("there is no Rust for {target} here: installing it"));
    run(Command::new("rustup").current_dir(root()).args(["target", "add", target])).map_err(|reason| {
        format!("{reason}; `rustup target add {target}` mends it, where Rust came with rustup")
    })
}

/// Whether this process may install packages.
pub(crate) fn is_root() -> bool {
    output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// An IO error with what was being done to which path.
pub(crate) fn at(doing: &str, path: &Path) -> impl Fn(std::io::Error) -> String {
    move |error| format!("cannot {doing} {}: {error}", path.display())
}
