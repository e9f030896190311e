//! Flags go in, frameworks and loops by hand are compared, and tables come out, for docs/BENCHMARKS.md if that is wanted.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::machine::{self, Watch};
use crate::process::Program;
use crate::python;
use crate::rabbitmq;
use crate::tools::{Outcome, at, cargo, root, run, say};

/// What is measured is written between these two lines.
const BEGIN: &str = "<!-- measured by cargo xtask bench: begin -->";
const END: &str = "<!-- measured by cargo xtask bench: end -->";
const WRITE: &str = "--write";

pub(crate) fn compare(arguments: &[String]) -> Outcome {
    let flags: Vec<&str> = arguments.iter().map(String::as_str).filter(|flag| *flag != WRITE).collect();
    let writes = flags.len() < arguments.len();
    if writes && selects(&flags) {
        return Err(format!("{WRITE} needs everything: leave --only, --road and --workload out"));
    }
    run(&mut comparison("build", &[]))?;
    let python = python::environment()?;
    let broker = if selects(&flags) && !flags.contains(&"rabbitmq") { None } else { Some(start_broker()?) };

    machine::wait_for_rest();
    let watch = Watch::start();
    let mut command = comparison("run", &flags);
    command.env("COMMUNICA_PYTHON", python);
    if let Some((_, url)) = &broker {
        command.env("COMMUNICA_BROKER", url);
    }
    let tables = shown_and_kept(&mut command)?;
    if let Some((mut broker, _)) = broker {
        broker.interrupt()?;
        broker.finish()?;
    }
    let machine = machine::described([vec![watch.stop()]].iter());
    println!("{machine}");
    if writes { write(&format!("{machine}\n\n{}", tables.trim_end())) } else { Ok(()) }
}

/// Not everything is to be compared.
fn selects(flags: &[&str]) -> bool {
    ["--only", "--road", "--workload"].iter().any(|flag| flags.contains(flag))
}

fn comparison(task: &str, flags: &[&str]) -> Command {
    let mut command = cargo();
    command.args([task, "--release", "--quiet", "--manifest-path", "benches/compare/Cargo.toml"]);
    if task == "run" {
        command.arg("--").args(flags);
    }
    command
}

/// One that nobody else talks to, and its URL.
fn start_broker() -> Outcome<(Program, String)> {
    rabbitmq::ensure()?;
    let broker = ["--quiet", "--package", "communica-tests", "--bin", "broker"];
    run(cargo().arg("build").args(broker))?;
    say("starting a private broker");
    let mut broker = Program::start("broker", cargo().arg("run").args(broker))?;
    let url = broker.wait_for("amqp://")?;
    Ok((broker, url))
}

/// Runs a command in the open, and gives what it wrote to stdout as well.
fn shown_and_kept(command: &mut Command) -> Outcome<String> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("the comparison does not start: {error}"))?;
    let mut text = String::new();
    let lines = BufReader::new(child.stdout.take().expect("the pipe was asked for")).lines();
    for line in lines {
        let line = line.map_err(|error| format!("the comparison cannot be read: {error}"))?;
        println!("{line}");
        text += &line;
        text.push('\n');
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() { Ok(text) } else { Err(format!("the comparison failed: {status}")) }
}

fn write(text: &str) -> Outcome {
    let path = root().join("docs/BENCHMARKS.md");
    let page = fs::read_to_string(&path).map_err(at("read", &path))?;
    let page = between_markers(&page, text).ok_or_else(|| {
        format!("{} has no lines `{BEGIN}` and `{END}`, between which this goes", path.display())
    })?;
    fs::write(&path, page).map_err(at("write", &path))
}

/// The page with another text between its markers.
fn between_markers(page: &str, text: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{text}\n\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_takes_the_place_of_what_was_there() {
        let page = format!("# Title\n{BEGIN}\nold\n{END}\nmore\n");
        let new = format!("# Title\n{BEGIN}\n\nnew\n\n{END}\nmore\n");
        assert_eq!(between_markers(&page, "new"), Some(new));
        assert_eq!(between_markers("# Title\n", "new"), None);
    }

    #[test]
    fn the_page_has_its_markers() {
        let page = include_str!("../../docs/BENCHMARKS.md");
        assert!(between_markers(page, "new").is_some());
    }
}
