//! A task's name comes in, commands go out: what the project does to itself, behind `cargo xtask`.

mod apt;
mod examples;
mod features;
mod mix;
mod msrv;
mod process;
mod python;
mod rabbitmq;
mod tools;
mod trials;
mod weight;

use std::process::{Command, ExitCode};

use tools::{Outcome, cargo, root, run, say};

const HELP: &str = "\
cargo xtask <task>

  test [ARGS]  install what the tests need, then run them all; ARGS go to `cargo test`
  examples     run every example, in every mix of languages
  features     check that each feature of `communica` builds alone, and none, and all
  msrv         check the stated minimum Rust version with that compiler
  chaos [--cuts 2000] [--messages 100000] [--seed N] [--road local|tcp]
               cut links again and again while numbered messages go both ways between two processes; each must be
               handled once and in order
  soak [--minutes 10] [--seed N]
               clients come, go, are cut off and killed; what the server's process holds must stay flat (Linux)
  broker       start a private RabbitMQ broker and print its URL; Ctrl-C ends it
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
    if !["test", "chaos", "soak"].contains(&task) && !arguments.is_empty() {
        return Err(format!("takes no arguments, got {arguments:?}\n\n{HELP}"));
    }
    match task {
        "test" => test(arguments),
        "examples" => examples::run_all(),
        "features" => features::check_each(),
        "msrv" => msrv::check(),
        "chaos" | "soak" => trials::run_one(task, arguments),
        "broker" => rabbitmq::run_one(),
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

/// Doc-tests included: `cargo test` without a list of targets runs them too.
fn test(arguments: &[String]) -> Outcome {
    let python = python::environment()?;
    rabbitmq::ensure()?;
    say(&format!("the tests use {}", python.display()));
    run(cargo()
        .args(["test", "--workspace", "--all-features"])
        .args(arguments)
        .env("COMMUNICA_PYTHON", &python))
}

fn record() -> Outcome {
    let python = python::environment()?;
    run(Command::new(python).arg(root().join("tests/python/record.py")))
}
