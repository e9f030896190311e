//! A task's name comes in, commands go out: what the project does to itself, behind `cargo xtask`.

mod apt;
mod bench;
mod examples;
mod features;
mod fuzz;
mod machine;
mod mix;
mod msrv;
mod process;
mod python;
mod rabbitmq;
mod targets;
mod tests;
mod tools;
mod trials;
mod weight;
mod windows;

use std::process::{Command, ExitCode};

use tools::{Outcome, root, run};

const HELP: &str = "\
cargo xtask <task>

  test [ARGS]  install what the tests need, then run them all; ARGS go to `cargo test`
  examples     run every example, in every mix of languages
  features     check that each feature of `communica` builds alone, and none, and all
  msrv         check the stated minimum Rust version with that compiler
  windows      build for Windows, and run there, under wine, what needs neither a broker nor Python; talk to Linux Python
               over TCP. Installs Rust's target, mingw and wine
  targets      check that everything compiles for musl and for 64-bit ARM, and the library for macOS; installs Rust's targets
               and C compilers
  chaos [--cuts 2000] [--messages 100000] [--seed N] [--road local|tcp|memory]
               cut links again and again while numbered messages go both ways between two processes; each must be
               handled once and in order
  soak [--minutes 10] [--seed N]
               clients come, go, are cut off and killed; what the server's process holds must stay flat (Linux)
  fuzz [--seconds 60] [TARGET]
               send random input to what reads a peer's bytes, see `fuzz/`; installs cargo-fuzz under target/
  broker       start a private RabbitMQ broker and print its URL; Ctrl-C ends it
  bench [--write] [--only CONTENDER,…] [--road local|tcp|rabbitmq] [--workload NAME,…] [--rounds 5] [--seconds 1.0]
               compare how fast calls are with other frameworks and with loops by hand; all of it takes half an hour;
               --write puts the tables into docs/BENCHMARKS.md (Linux)
  weight       build the same hello world with four libraries, and print what each weighs (docs/WEIGHT.md)
  record       record the wire of the Python library again (communica/src/wire/recordings)
  ci           everything that a change must pass (.ci/run)
  help         this text
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let task = arguments.next().unwrap_or_else(|| "help".to_owned());
    match perform(&task, &arguments.collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("cargo xtask {task}: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: &str, arguments: &[String]) -> Outcome {
    if !["test", "chaos", "soak", "fuzz", "bench"].contains(&task) && !arguments.is_empty() {
        return Err(format!("takes no arguments, got {arguments:?}\n\n{HELP}"));
    }
    match task {
        "test" => tests::run_all(arguments),
        "examples" => examples::run_all(),
        "features" => features::check_each(),
        "msrv" => msrv::check(),
        "targets" => targets::check_each(),
        "windows" => windows::check(),
        "chaos" | "soak" => trials::run_one(task, arguments),
        "fuzz" => fuzz::run_targets(arguments),
        "broker" => rabbitmq::run_one(),
        "bench" => bench::compare(arguments),
        "weight" => weight::measure(),
        "record" => record(),
        "ci" => run(&mut Command::new(root().join(".ci/run"))),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        _ => Err(format!("there is no such task\n\n{HELP}")),
    }
}

fn record() -> Outcome {
    let python = python::environment()?;
    run(Command::new(python).arg(root().join("tests/python/record.py")))
}
