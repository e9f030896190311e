//! A time and perhaps a target go in; random input goes to the readers of what peers send, and what broke them comes out.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::apt;
use crate::tools::{Outcome, at, cargo, output, root, run, target_dir};

const TOOL: &str = "cargo-fuzz";
const VERSION: &str = "0.13.2";
/// For each target, if nothing else is said.
const SECONDS: u32 = 60;
const MEMORY_MIB: u32 = 2048;
/// No single input may take longer.
const TIMEOUT: u32 = 25;

/// `[--seconds N] [target]`: that target, or each.
pub(crate) fn run_targets(arguments: &[String]) -> Outcome {
    let (seconds, chosen) = parse(arguments)?;
    let all = targets()?;
    let targets: Vec<String> = match chosen {
        Some(target) if all.contains(&target) => vec![target],
        Some(target) => return Err(format!("there is no target {target:?}, only {}", all.join(", "))),
        None => all,
    };
    let tool = tool()?;
    targets.iter().try_for_each(|target| run_one(&tool, target, seconds))
}

fn parse(arguments: &[String]) -> Outcome<(u32, Option<String>)> {
    let (mut seconds, mut target) = (SECONDS, None);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == "--seconds" {
            let number = arguments.next().and_then(|number| number.parse().ok());
            seconds = number.ok_or("--seconds takes a number")?;
        } else if target.replace(argument.clone()).is_some() {
            return Err("takes one target, or none for all of them".to_owned());
        }
    }
    Ok((seconds, target))
}

/// Each is a file.
fn targets() -> Outcome<Vec<String>> {
    let folder = root().join("fuzz/fuzz_targets");
    let files = fs::read_dir(&folder).map_err(at("read", &folder))?;
    let names = files.filter_map(|file| file.ok()?.path().file_stem()?.to_str().map(str::to_owned));
    let mut names: Vec<String> = names.collect();
    names.sort();
    Ok(names)
}

/// The program that builds and runs targets, installed now if it is not there.
fn tool() -> Outcome<PathBuf> {
    if output(Command::new("c++").arg("--version")).is_err() {
        apt::install("a C++ compiler, which libFuzzer is built with", &["g++"])?;
    }
    let home = root().join("target/fuzz-tools");
    let tool = home.join("bin").join(TOOL);
    if !output(Command::new(&tool).arg("--version")).is_ok_and(|text| text.contains(VERSION)) {
        let install = format!("{TOOL}@{VERSION}");
        run(cargo().args(["install", "--locked", "--root"]).arg(&home).arg(install))?;
    }
    Ok(tool)
}

/// What it finds interesting is kept under target/; the corpus that comes with the sources is only read.
fn run_one(tool: &PathBuf, target: &str, seconds: u32) -> Outcome {
    let found = target_dir().join("fuzz-found").join(target);
    fs::create_dir_all(&found).map_err(at("make", &found))?;
    let mut fuzz = Command::new(tool);
    fuzz.current_dir(root()).args(["run", target]).arg(found).arg(root().join("fuzz/corpus").join(target));
    fuzz.arg("--").arg(format!("-max_total_time={seconds}"));
    fuzz.arg(format!("-rss_limit_mb={MEMORY_MIB}")).arg(format!("-timeout={TIMEOUT}"));
    // Its compiler flags would make other builds begin anew. They are for nightly compilers, and work on stable ones.
    fuzz.env("CARGO_TARGET_DIR", target_dir().join("fuzz")).env("RUSTC_BOOTSTRAP", "1");
    run(&mut fuzz).map_err(|error| {
        format!("{error}\nif an input is to blame, it is in fuzz/artifacts/{target}, and goes with its fix to fuzz/corpus/{target}")
    })
}
