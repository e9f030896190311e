//! Settings go in, a folder with a broker's files comes out, and what runs there.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::group::Group;
use super::{Builder, certificates};
use crate::Scratch;
use crate::scratch::free_port;

/// Where the programs themselves are. Those of the same names elsewhere change the user and the environment.
const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";

/// # Panics
/// There is no RabbitMQ.
pub(super) fn check() {
    let there = Path::new(PROGRAMS).join("rabbitmq-server").exists();
    assert!(there, "{PROGRAMS}/rabbitmq-server does not exist: run `cargo xtask test`");
}

#[derive(Debug)]
pub(super) struct Ports {
    pub(super) amqp: u16,
    pub(super) tls: u16,
    pub(super) epmd: u16,
    /// For other nodes, and for `rabbitmqctl`, which is one.
    distribution: u16,
}

/// A broker's folder and ports. They outlast its processes.
#[derive(Debug)]
pub(super) struct Place {
    scratch: Scratch,
    pub(super) ports: Ports,
    /// The port for TLS is used.
    pub(super) has_tls: bool,
}

impl Place {
    pub(super) fn new(settings: &Builder) -> Self {
        let ports =
            Ports { amqp: free_port(), tls: free_port(), epmd: free_port(), distribution: free_port() };
        let place = Self { scratch: Scratch::new(), ports, has_tls: settings.tls };
        for folder in ["home", "tmp"] {
            fs::create_dir(place.folder().join(folder)).expect("a folder can be made");
        }
        place.write("enabled_plugins", "[].");
        let mut lines: Vec<String> =
            settings.settings.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        if settings.tls {
            certificates::make(place.folder());
            lines.push(certificates::settings(place.folder(), place.ports.tls));
        }
        place.write("rabbitmq.conf", &(lines.join("\n") + "\n"));
        place
    }

    pub(super) fn folder(&self) -> &Path {
        self.scratch.path()
    }

    pub(super) fn start_epmd(&self, group: &Group) -> Child {
        self.start(group, self.command("epmd").args(["-port", &self.ports.epmd.to_string()]))
    }

    pub(super) fn start_server(&self, group: &Group) -> Child {
        self.start(group, &mut self.command(&format!("{PROGRAMS}/rabbitmq-server")))
    }

    pub(super) fn ctl(&self, group: &Group, arguments: &[&str]) -> String {
        let mut command = self.command("timeout");
        command.args(["--foreground", "--signal", "KILL", "60"]);
        command.arg(format!("{PROGRAMS}/rabbitmqctl")).arg("--silent").args(arguments);
        let child = group.spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
        let output = child.and_then(Child::wait_with_output).expect("rabbitmqctl can be started");
        let [told, complaint] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
        let status = output.status;
        assert!(status.success(), "rabbitmqctl {arguments:?}: {status}; it wrote:\n{told}{complaint}");
        told.into_owned()
    }

    pub(super) fn log_tail(&self) -> String {
        let log = self.log();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// Everything that was written.
    pub(super) fn log(&self) -> Vec<u8> {
        fs::read(self.log_file()).unwrap_or_default()
    }

    /// All in one file.
    fn log_file(&self) -> PathBuf {
        self.folder().join("output")
    }

    fn start(&self, group: &Group, command: &mut Command) -> Child {
        let log =
            File::options().create(true).append(true).open(self.log_file()).expect("the log can be written");
        command.stderr(log.try_clone().expect("the log can be shared")).stdout(log);
        group.spawn(command).unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"))
    }

    /// A program that finds the broker's files, and no others, through its environment.
    fn command(&self, program: &str) -> Command {
        let folder = self.folder();
        let mut command = Command::new(program);
        command
            .current_dir(folder)
            .env("LC_ALL", "C.UTF-8")
            .env("HOME", folder.join("home"))
            .env("ERL_CRASH_DUMP", "/dev/null")
            .env("ERL_EPMD_PORT", self.ports.epmd.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            // Or it starts one that nobody ends, when ours is gone.
            .env("ERL_FLAGS", "-start_epmd false")
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_NODENAME", "n@localhost")
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.ports.amqp.to_string())
            .env("RABBITMQ_DIST_PORT", self.ports.distribution.to_string())
            .env("RABBITMQ_MNESIA_BASE", folder.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", folder.join("log"))
            .env("RABBITMQ_LOGS", "-")
            .env("RABBITMQ_PID_FILE", folder.join("pid"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("enabled_plugins"))
            .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", folder.join("advanced.config"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", folder.join("tmp"))
            // With these two the process we start is the broker, and no shell in front of it: signals hit it.
            .env("RABBITMQ_ALLOW_INPUT", "1")
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-noinput -kernel inet_dist_use_interface {127,0,0,1}",
            );
        command
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder().join(name), text).expect("a file can be written");
    }
}
