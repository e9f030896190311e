//! Four libraries go in, what each weighs comes out: a table for docs/WEIGHT.md, from builds and runs made here.

mod fifty;
mod lines;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::machine::{self, Timing, timed};
use crate::process::Program;
use crate::tools::{Outcome, at, cargo, output, root, run, target_dir};

use fifty::Fifty;

/// Each has its hello world in the folder of its name.
const LIBRARIES: [&str; 4] = ["communica", "tarpc", "tonic", "jsonrpsee"];
const GREETING: &str = "Hello Ada! Hello Ada!";
/// They take long: on a busy machine their CPU time must do.
const COLD_BUILDS: usize = 2;
/// Each short enough to be measured again when it was disturbed.
const CHECKS: usize = 5;
const ATTEMPTS_PER_CHECK: usize = 4;

/// What one library costs.
struct Weight {
    library: &'static str,
    version: String,
    linked: usize,
    with_macros: usize,
    with_build_scripts: usize,
    lines: usize,
    dependency_lines: usize,
    check: Vec<Timing>,
    debug: Vec<Timing>,
    release: Vec<Timing>,
}

pub(crate) fn measure() -> Outcome {
    run(hello("fmt").args(["--package", "protoc", "--check"]).args(packages("--package")))?;
    // Nothing is downloaded while a clock runs.
    run(&mut hello("fetch"))?;
    let protoc = protoc()?;
    // What is quick comes first, and with it most mistakes.
    let mut weights = Vec::new();
    for library in LIBRARIES {
        weights.push(weigh(library, &protoc)?);
    }
    // Round after round, so that what disturbs the machine for a while disturbs all.
    for _ in 0..COLD_BUILDS {
        for weight in &mut weights {
            weight.debug.push(cold_build(weight.library, "dev", &protoc)?);
            weight.release.push(cold_build(weight.library, "release", &protoc)?);
        }
    }
    print!("{}", table(&weights)?);
    Ok(())
}

fn weigh(library: &'static str, protoc: &str) -> Outcome<Weight> {
    let linked = tree(library, "normal,no-proc-macro")?;
    let start = format!("{library} v");
    let version = linked.iter().find_map(|line| line.strip_prefix(&start));
    let folder = folder().join(library);
    Ok(Weight {
        library,
        version: version.ok_or(format!("hello-{library} does not depend on {library}"))?.to_owned(),
        linked: linked.len(),
        with_macros: tree(library, "normal")?.len(),
        with_build_scripts: tree(library, "normal,build")?.len(),
        lines: lines::of_code(&folder)?,
        dependency_lines: lines::of_dependencies(&folder)?,
        check: check_after_changes(library, protoc)?,
        debug: Vec::new(),
        release: Vec::new(),
    })
}

/// The crates that a hello world needs by such edges, each as name and version.
fn tree(library: &str, edges: &str) -> Outcome<BTreeSet<String>> {
    let mut tree = hello("tree");
    tree.args(["--offline", "--prefix", "none", "--edges", edges, "--package", &name(library)]);
    let listed = output(&mut tree)?;
    let crates = listed.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "));
    Ok(crates.filter(|line| !line.is_empty() && !line.starts_with("hello-")).collect())
}

/// Builds a hello world from nothing, and sees it greet.
fn cold_build(library: &str, profile: &str, protoc: &str) -> Outcome<Timing> {
    let target = target(library, profile);
    let mut build = hello("build");
    build.args(["--offline", "--quiet", "--package", &name(library), "--profile", profile]);
    build.arg("--target-dir").arg(&target).env("PROTOC", protoc);
    let timing = timed(
        1,
        &format!("{library}, {profile}"),
        || {
            if target.exists() {
                fs::remove_dir_all(&target).map_err(at("remove", &target))?;
            }
            Ok(())
        },
        &mut build,
    )?;
    let mut greeter = Program::start(&name(library), &mut Command::new(program(library, profile)))?;
    greeter.wait_for(GREETING)?;
    greeter.finish()?;
    Ok(timing)
}

/// The time to check a service of fifty methods again, after the body of one of them was changed.
fn check_after_changes(library: &str, protoc: &str) -> Outcome<Vec<Timing>> {
    let fifty = Fifty::write(folder().join("fifty").join(library), target(library, "fifty"))?;
    // The same versions as in the hello worlds.
    let lock = fifty.package.join("Cargo.lock");
    fs::copy(folder().join("Cargo.lock"), &lock).map_err(at("write", &lock))?;
    let mut check = cargo();
    check.current_dir(&fifty.package).args(["check", "--offline", "--quiet", "--target-dir", "target"]);
    check.env("PROTOC", protoc);
    run(&mut check)?;
    let mut timings = Vec::new();
    for round in 1..=CHECKS {
        let change = || fifty.change(round);
        timings.push(timed(ATTEMPTS_PER_CHECK, &format!("{library}, check"), change, &mut check)?);
    }
    // A check that notices nothing would be quick as well.
    fifty.spoil()?;
    match output(&mut check) {
        Ok(_) => Err(format!("the check of {} does not see its changes", fifty.package.display())),
        Err(_) => Ok(timings),
    }
}

/// Where a protoc is: building tonic's hello world takes one.
fn protoc() -> Outcome<String> {
    let target = target_dir().join("weight/protoc");
    let mut protoc = hello("run");
    protoc.args(["--offline", "--quiet", "--package", "protoc", "--target-dir"]).arg(target);
    Ok(output(&mut protoc)?.trim().to_owned())
}

fn folder() -> PathBuf {
    root().join("benches/weight")
}

fn hello(task: &str) -> Command {
    let mut command = cargo();
    command.current_dir(folder()).arg(task);
    command
}

fn name(library: &str) -> String {
    format!("hello-{library}")
}

fn packages(option: &str) -> Vec<String> {
    LIBRARIES.iter().flat_map(|library| [option.to_owned(), name(library)]).collect()
}

fn target(library: &str, profile: &str) -> PathBuf {
    target_dir().join("weight").join(format!("{library}-{profile}"))
}

fn program(library: &str, profile: &str) -> PathBuf {
    let inside = Path::new(if profile == "dev" { "debug" } else { profile });
    target(library, profile).join(inside).join(name(library)).with_extension(std::env::consts::EXE_EXTENSION)
}

fn table(weights: &[Weight]) -> Outcome<String> {
    let row = |what: &str, cell: &dyn Fn(&Weight) -> String| {
        let cells: Vec<String> = weights.iter().map(cell).collect();
        format!("| {what} | {} |\n", cells.join(" | "))
    };
    let sizes = weights.iter().map(|weight| size(weight.library)).collect::<Outcome<Vec<_>>>()?;
    let timings = weights.iter().flat_map(|weight| [&weight.check, &weight.debug, &weight.release]);
    Ok([
        format!("{}\n\n", machine::described(timings)),
        row("", &|weight| format!("{} {}", weight.library, weight.version)),
        format!("|---|{}\n", "---:|".repeat(weights.len())),
        row("crates in the program", &|weight| weight.linked.to_string()),
        row("… with those of macros", &|weight| weight.with_macros.to_string()),
        row("… and of build scripts", &|weight| weight.with_build_scripts.to_string()),
        row("lines of a hello world", &|weight| weight.lines.to_string()),
        row("lines of its dependencies", &|weight| weight.dependency_lines.to_string()),
        row("cold build, debug", &|weight| machine::median(&weight.debug)),
        row("cold build, release", &|weight| machine::median(&weight.release)),
        format!("| program, release, stripped | {} |\n", sizes.join(" | ")),
        row("check after a change, 50 methods", &|weight| machine::median(&weight.check)),
    ]
    .concat())
}

fn size(library: &str) -> Outcome<String> {
    let binary = program(library, "release");
    let bytes = fs::metadata(&binary).map_err(at("read", &binary))?.len();
    Ok(format!("{:.1} MB", bytes as f64 / 1e6))
}
