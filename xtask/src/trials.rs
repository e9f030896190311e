//! A long trial and its flags go in; a program of the tests runs it, and its verdict comes out.

use crate::tools::{Outcome, cargo, run};

/// `chaos` or `soak`, see tests/src/bin.
pub(crate) fn run_one(name: &str, flags: &[String]) -> Outcome {
    run(cargo().args(["run", "--quiet", "--package", "communica-tests", "--bin", name, "--"]).args(flags))
}
