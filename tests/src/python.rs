//! The Python environment that `cargo xtask test` makes.

use std::path::{Path, PathBuf};

/// The interpreter that has the library: `COMMUNICA_PYTHON`, else the one under `target`.
///
/// # Panics
/// There is none.
#[must_use]
pub fn interpreter() -> PathBuf {
    let python = match std::env::var_os("COMMUNICA_PYTHON") {
        Some(python) => python.into(),
        None => project().join("target/python/bin/python"),
    };
    assert!(python.exists(), "{} does not exist: run `cargo xtask test`", python.display());
    python
}

/// A script of `tests/python`.
#[must_use]
pub fn script(name: &str) -> PathBuf {
    project().join("tests/python").join(name)
}

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the project")
}
