//! The features of `communica` go in; each must build alone, and none, and all, without a warning.

use std::fs;

use crate::tools::{Outcome, at, cargo, root, run, say};

pub(crate) fn check_each() -> Outcome {
    let names = names()?;
    say(&format!("features: {}", names.join(", ")));
    let each = names.iter().map(|name| vec!["--no-default-features", "--features", name]);
    let selections = [vec!["--no-default-features"], vec!["--all-features"]].into_iter().chain(each);
    // All of them, so that one run tells of every mistake.
    let failures: Vec<String> = selections.filter_map(|selection| check(&selection).err()).collect();
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

/// Clippy rather than `check`, because only its `-D warnings` leaves the dependencies alone:
/// flags for all of them would build them all once more.
fn check(selection: &[&str]) -> Outcome {
    let mut clippy = cargo();
    clippy.args(["clippy", "--quiet", "--package", "communica"]).args(selection);
    run(clippy.args(["--", "-D", "warnings"]))
}

/// The keys of the `[features]` table.
pub(crate) fn names() -> Outcome<Vec<String>> {
    let manifest = root().join("communica/Cargo.toml");
    let text = fs::read_to_string(&manifest).map_err(at("read", &manifest))?;
    let lines = text.lines().skip_while(|line| line.trim() != "[features]").skip(1);
    let names: Vec<String> = lines
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name.trim())
        .filter(|name| !name.starts_with('#'))
        .map(str::to_owned)
        .collect();
    if names.is_empty() {
        Err(format!("no features were found in {}", manifest.display()))
    } else {
        Ok(names)
    }
}
