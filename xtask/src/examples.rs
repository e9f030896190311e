//! Every example goes in; each must end well and say what it promises.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::mix;
use crate::process::Program;
use crate::python;
use crate::rabbitmq;
use crate::tools::{Outcome, at, cargo, root, run, say, target_dir};

/// Examples that need no partner, with the texts that they must print.
pub(crate) const ALONE: [(&str, &[&str]); 3] = [
    (
        "quickstart",
        &[
            "add(2, 3) = 5",
            "divide(1, 0): division by zero",
            "threw log(\"no answer wanted\")",
            "the server calls show(",
            "client | goodbye",
        ],
    ),
    ("parent_child", &["child: the parent says that the sum is 42", "parent: the child ended"]),
    (
        "workers",
        &[
            "6 squared is 36",
            "3 workers are connected",
            "worker-1 is killed; its call: MayHaveRun",
            "7 squared is 49",
            "2 workers are connected",
            "worker-1 is back",
            "goodbye",
        ],
    ),
];

pub(crate) fn run_all() -> Outcome {
    let stage = Stage { python: python::environment()?, binaries: target_dir().join("debug") };
    // The same choice of features as for the tests, so that nothing is built twice.
    run(cargo().args(["build", "--workspace", "--all-features", "--examples", "--bin", "broker"]))?;
    for (name, promises) in ALONE {
        let scratch = Scratch::new(name)?;
        say(&format!("example {name}"));
        keeps_its_promises(name, &mut stage.rust(name, &scratch), promises)?;
        scratch.holds_no_sockets()?;
    }
    mix::run_all(&stage)?;
    if cfg!(unix) { over_a_broker(&stage) } else { Ok(()) }
}

/// It ends well and said all of this.
pub(crate) fn keeps_its_promises(name: &str, command: &mut Command, promises: &[&str]) -> Outcome {
    let mut program = Program::start(name, command)?;
    for promise in promises {
        program.wait_for(promise)?;
    }
    program.finish()
}

/// A private broker lives as long as the examples that need one.
fn over_a_broker(stage: &Stage) -> Outcome {
    rabbitmq::ensure()?;
    let scratch = Scratch::new("broker")?;
    say("examples over a RabbitMQ broker");
    let mut broker = Program::start("the broker", &mut stage.binary("broker", &scratch))?;
    let url = broker.wait_for("amqp://")?;
    let example = |name: &str, arguments: &[&str]| {
        Program::start(name, stage.rust(name, &scratch).args(arguments).env("AMQP_URL", &url))
    };

    let mut server = example("rabbitmq", &["serve"])?;
    let mut client = example("rabbitmq", &["greet", "Ada"])?;
    client.wait_for("Hello Ada!")?;
    client.finish()?;
    server.interrupt()?;
    server.finish()?;

    let mut work = example("work_queue", &[])?;
    work.wait_for("is killed in the middle of its work")?;
    work.wait_for("all 600 requests are answered")?;
    work.finish()?;

    broker.interrupt()?;
    broker.finish()
}

/// Where the programs are.
pub(crate) struct Stage {
    python: PathBuf,
    binaries: PathBuf,
}

impl Stage {
    pub(crate) fn rust(&self, name: &str, scratch: &Scratch) -> Command {
        self.binary(&format!("examples/{name}"), scratch)
    }

    fn binary(&self, path: &str, scratch: &Scratch) -> Command {
        let mut command = Command::new(self.binaries.join(path));
        command.env("TMPDIR", &scratch.0);
        command
    }

    pub(crate) fn python(&self, name: &str, scratch: &Scratch) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(root().join("examples/python").join(name).with_extension("py"));
        command.env("TMPDIR", &scratch.0).env("PYTHONUNBUFFERED", "1");
        command
    }
}

/// A folder for one example's sockets, gone afterwards. Its path is short, as socket paths must be.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Outcome<Self> {
        let path = std::env::temp_dir().join(format!("cx{}-{name}", std::process::id()));
        fs::create_dir_all(&path).map_err(at("make", &path))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A program that ended well takes its sockets with it.
    fn holds_no_sockets(&self) -> Outcome {
        let folder = self.0.join("communica");
        let mut entries = fs::read_dir(&folder).map_err(at("list", &folder))?;
        match entries.next() {
            None => Ok(()),
            Some(entry) => {
                Err(format!("it left {} behind", entry.map_err(at("list", &folder))?.path().display()))
            }
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
