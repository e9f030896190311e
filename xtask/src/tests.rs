//! What the tests need is made, and all of them run; those that wait for a broker beside one that compiles.

use std::process::{Command, Stdio};

use crate::tools::{Outcome, cargo_for_tests, is_root, run, say, shown};
use crate::{python, rabbitmq};

/// What the names of all tests over a broker begin with: they wait for most of their time.
const OVER_A_BROKER: &str = "over_rabbitmq::";
/// It runs compilers for most of its time.
const COMPILES: &str = "what_compiles_and_what_users_read_when_it_does_not";

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
    if !arguments.is_empty() {
        return run(cargo().args(arguments));
    }
    run(cargo().args(["--", "--skip", OVER_A_BROKER, "--skip", COMPILES]))?;
    // One target chosen by its name would be built of other features than all of them together, and so anew.
    let some = |choice: &[&str]| {
        let mut some = cargo();
        some.args(["--tests", "--"]).args(choice);
        some
    };
    beside(some(&["--exact", COMPILES]), || run(&mut some(&[OVER_A_BROKER])))?;
    if is_root() {
        return run(&mut some(&["--ignored", "as_root"]));
    }
    say("not root: the tests in `as_root` did not run; as root, `cargo xtask test` runs them too");
    Ok(())
}

/// Runs a command while something else is done, and shows what it said when it has ended.
fn beside(mut command: Command, something: impl FnOnce() -> Outcome) -> Outcome {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.map_err(|error| format!("cannot start cargo: {error}"))?;
    let waiting = std::thread::spawn(move || child.wait_with_output());
    let done = something();
    let output = waiting.join().map_err(|_| "nobody waits for cargo any more".to_owned())?;
    let output = output.map_err(|error| format!("cannot wait for cargo: {error}"))?;
    say(&format!("`{}` ran beside it:", shown(&command)));
    eprint!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    done?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("`{}` failed: {}", shown(&command), output.status))
    }
}
