//! One of the two processes of a pair: a contender's server, or its client with a workload. And how a pair is run.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::contenders::{self, PYTHON};
use crate::road::Road;
use crate::window::{Outcome, Plan};
use crate::work::{Beside, Work};

/// Before each window.
const WARM_UP: Duration = Duration::from_millis(300);
/// For everything but the window.
const PATIENCE: Duration = Duration::from_secs(60);

/// What both processes of a pair have in common.
pub struct Side {
    contender: String,
    road: Road,
    /// `multi`: what `#[tokio::main]` makes, and every README has; `current`: one thread.
    runtime: String,
}

impl Side {
    pub fn new(contender: &str, road: &str, runtime: &str) -> Self {
        Self { contender: contender.to_owned(), road: Road::named(road), runtime: runtime.to_owned() }
    }

    /// Until stdin ends, and with it whoever started this.
    pub fn serve(&self) {
        thread::spawn(|| {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            std::process::exit(0);
        });
        self.tokio().block_on(contenders::serve(&self.contender, self.road));
    }

    pub fn measure(&self, address: &str, work: &str, length: Duration, server: u32) -> Outcome {
        let limit = PATIENCE + length;
        thread::spawn(move || {
            thread::sleep(limit);
            eprintln!("the client did not end within {limit:?}");
            std::process::exit(1);
        });
        let plan = Plan { warm_up: WARM_UP, length, server };
        self.tokio().block_on(contenders::measure(
            &self.contender,
            self.road,
            address,
            Work::named(work),
            plan,
        ))
    }

    fn tokio(&self) -> Runtime {
        let mut builder = match self.runtime.as_str() {
            "multi" => Builder::new_multi_thread(),
            "current" => Builder::new_current_thread(),
            other => panic!("{other:?} is no runtime: take multi or current"),
        };
        builder.enable_all().build().expect("the system has threads")
    }
}

/// Both processes are new, in a temporary folder of their own.
pub fn run(contender: &str, road: Road, runtime: &str, work: Work, window: Duration) -> Outcome {
    let folder = Folder::new();
    let start = |arguments: &[&str]| {
        let mut command = with_files(work.connections(), program(contender));
        command.args(arguments).env("TMPDIR", &folder.0);
        command
    };
    let mut server = Server::start(start(&["server", contender, road.name(), runtime]));
    let (address, pid) = (server.address(), server.child.id().to_string());
    let (name, window) = (work.to_string(), window.as_millis().to_string());
    let arguments = ["client", contender, road.name(), runtime, &address, &name, &window, &pid];
    let loops =
        if work == Work::Aside(Beside::Awake) { Loops::on_all_processors() } else { Loops(Vec::new()) };
    let client = start(&arguments).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let client = client.expect("this program starts");
    drop(loops);
    assert!(client.status.success(), "{contender}, {name}: the client ended with {}", client.status);
    serde_json::from_slice(&client.stdout).expect("a client prints what it measured")
}

/// This one, or the Python one, which takes the same arguments.
fn program(contender: &str) -> Command {
    if contender != PYTHON {
        return Command::new(std::env::current_exe().expect("this program has a path"));
    }
    let python = std::env::var_os("COMMUNICA_PYTHON").expect(
        "COMMUNICA_PYTHON must name a Python that has communica: `cargo xtask bench` sees to it, \
         or leave python out with `--only`",
    );
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/python/pair.py"));
    command
}

/// Open files of a process, beside connections.
const FILES: usize = 100;

/// The same program, allowed to have so many connections. Where the system's limit for users is too low, it does not
/// start, and the shell says so.
fn with_files(connections: usize, program: Command) -> Command {
    let mut command = Command::new("sh");
    let files = connections + FILES;
    let script = format!(
        "[ \"$(ulimit -n)\" != unlimited ] && [ \"$(ulimit -n)\" -lt {files} ] && {{ ulimit -n {files} || {{ echo \
         'a process must be allowed {files} open files: raise its hard limit (`ulimit -Hn`, as root)' >&2; exit 1; \
         }}; }}; exec \"$0\" \"$@\""
    );
    command.args(["-c", &script]).arg(program.get_program()).args(program.get_args());
    command
}

/// Ends when it is dropped.
struct Server {
    child: Child,
}

impl Server {
    fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        Self { child: command.spawn().expect("this program starts") }
    }

    /// Waits until it listens.
    fn address(&mut self) -> String {
        let stdout = self.child.stdout.as_mut().expect("it is piped");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("it is text");
        let address = line.trim_end().strip_prefix("ready ");
        address.expect("a server says where it listens").to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processes that take what time is left, and give it back at once to whoever wants it. They end when this is dropped.
struct Loops(Vec<Child>);

impl Loops {
    fn on_all_processors() -> Self {
        let count = thread::available_parallelism().expect("the system knows its processors").get();
        let start = |_| {
            let mut command = Command::new("chrt");
            command.args(["--idle", "0", "sh", "-c", "while :; do :; done"]);
            command
                .spawn()
                .unwrap_or_else(|error| panic!("chrt (package util-linux) does not start: {error}"))
        };
        Self((0..count).map(start).collect())
    }
}

impl Drop for Loops {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Goes with what is in it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("compare-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the temporary folder is writable");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The URL of the broker, for those who go through one.
pub fn broker() -> String {
    std::env::var("COMMUNICA_BROKER").expect(
        "COMMUNICA_BROKER must be the URL of a RabbitMQ broker: `cargo xtask bench` sees to it, \
         and `cargo xtask broker` starts one",
    )
}

/// Tells whoever started this server where it listens.
pub fn ready(address: &str) {
    println!("ready {address}");
}
