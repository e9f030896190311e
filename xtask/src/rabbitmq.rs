//! Nothing goes in; a machine comes out on which tests and examples can start RabbitMQ brokers of their own.

use std::path::Path;
use std::process::Command;

use crate::apt;
#[cfg(not(unix))]
use crate::tools::run;
use crate::tools::{Outcome, cargo, output, say};

/// What a private broker is started with: see tests/src/broker.
const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/// Installs what is missing.
pub(crate) fn ensure() -> Outcome {
    // It makes the certificates of brokers that speak TLS. The package of RabbitMQ calls it too,
    // without asking for it, so it comes first.
    if output(Command::new("openssl").arg("version")).is_err() {
        apt::install("openssl", &["openssl"])?;
    }
    if !Path::new(SERVER).exists() {
        apt::install_quietly("RabbitMQ", &["rabbitmq-server"])?;
        if !Path::new(SERVER).exists() {
            return Err(format!("the package rabbitmq-server brought no {SERVER}"));
        }
    }
    Ok(())
}

/// Becomes a broker that runs until it is told to end.
pub(crate) fn run_one() -> Outcome {
    ensure()?;
    say("starting a private broker, which takes some seconds; Ctrl-C ends it");
    let mut broker = cargo();
    broker.args(["run", "--quiet", "--package", "communica-tests", "--bin", "broker"]);
    become_it(broker)
}

/// In place of this process, so that signals reach it.
#[cfg(unix)]
fn become_it(mut program: Command) -> Outcome {
    let failure = std::os::unix::process::CommandExt::exec(&mut program);
    Err(format!("cannot start cargo: {failure}"))
}

#[cfg(not(unix))]
fn become_it(mut program: Command) -> Outcome {
    run(&mut program)
}
