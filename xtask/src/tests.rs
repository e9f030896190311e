//! What the tests need is made, and all of them run.

use crate::tools::{Outcome, cargo_for_tests, each_selects, is_root, run, say};
use crate::{python, rabbitmq};

/// Everything, doc-tests included; or what these arguments for `cargo test` select.
pub(crate) fn run_all(arguments: &[String]) -> Outcome {
    let python = python::environment()?;
    rabbitmq::ensure()?;
    say(&format!("the tests use {}", python.display()));
    let cargo = || {
        let mut cargo = cargo_for_tests();
        cargo.args(["test", "--workspace", "--all-features"]).env("COMMUNICA_PYTHON", &python);
        cargo
    };
    run(cargo().args(arguments))?;
    if !arguments.is_empty() {
        return Ok(());
    }
    if is_root() {
        // Of all targets: one chosen by its name would be built of other features than all of them together, and so anew.
        let selected = ["--tests", "--", "--ignored", "as_root"];
        each_selects(cargo().args(selected), &["as_root"])?;
        return run(cargo().args(selected));
    }
    say("not root: the tests in `as_root` did not run; as root, `cargo xtask test` runs them too");
    Ok(())
}
