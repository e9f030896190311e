//! A Python on this machine goes in, an environment with the Python library comes out (target/python).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::apt;
use crate::tools::{Outcome, at, output, root, run, say};

/// What the tests talk to.
const REQUIREMENT: &str = "communica[orjson,adaptix,msgpack,rabbitmq]==0.4.3";
const NAMES: [&str; 8] =
    ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python3.9", "python"];
/// Debian's python3 brings `venv` without `ensurepip`, which it needs.
const PROBE: &str = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 9))";

/// The interpreter of a complete environment, made now if there is none.
pub(crate) fn environment() -> Outcome<PathBuf> {
    let home = root().join("target/python");
    let python = home.join("bin/python");
    if is_complete(&home) {
        return Ok(python);
    }
    if home.exists() {
        say("the Python environment is not complete: it is made again");
        fs::remove_dir_all(&home).map_err(at("remove", &home))?;
    }
    make(&home, &python)?;
    Ok(python)
}

/// The stamp is written last, so a half-made environment has none; a moved or removed Python
/// breaks the interpreter inside.
fn is_complete(home: &Path) -> bool {
    fs::read_to_string(stamp(home)).is_ok_and(|made_for| made_for == REQUIREMENT)
        && output(Command::new(home.join("bin/python")).args(["-c", "import communica"])).is_ok()
}

fn stamp(home: &Path) -> PathBuf {
    home.join("complete")
}

fn make(home: &Path, python: &Path) -> Outcome {
    run(Command::new(interpreter()?).args(["-m", "venv"]).arg(home))?;
    run(Command::new(python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .arg(REQUIREMENT))?;
    let stamp = stamp(home);
    fs::write(&stamp, REQUIREMENT).map_err(at("write", &stamp))
}

/// The first Python that is new enough and can make environments.
fn interpreter() -> Outcome<&'static str> {
    if let Some(name) = usable() {
        return Ok(name);
    }
    apt::install("Python 3.9 or newer with its `venv` module", &["python3", "python3-venv"])?;
    usable().ok_or_else(|| "the packages python3 and python3-venv brought no Python 3.9 or newer".to_owned())
}

fn usable() -> Option<&'static str> {
    NAMES.into_iter().find(|name| output(Command::new(name).args(["-c", PROBE])).is_ok())
}
