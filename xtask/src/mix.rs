//! Pairs of examples go in; each pair runs in every mix of Rust and Python.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use crate::examples::{Scratch, Stage};
use crate::process::Program;
use crate::tools::{Outcome, at, say};

#[derive(Clone, Copy, Debug)]
enum Language {
    Rust,
    Python,
}

use Language::{Python, Rust};

pub(crate) fn run_all(stage: &Stage) -> Outcome {
    for server in [Rust, Python] {
        for client in [Rust, Python] {
            simple(stage, server, client)?;
            route(stage, server, client)?;
        }
    }
    Ok(())
}

/// The server runs until it is interrupted; the client asks once.
fn simple(stage: &Stage, server: Language, client: Language) -> Outcome {
    let pair = Pair::new(stage, "simple", server, client)?;
    let state =
        format!(r#"{{"type": "TcpConnector", "host": "127.0.0.1", "port": {}, "ssl": false}}"#, free_port()?);
    let mut server = pair.server(&state)?;
    let mut client = pair.client(&state)?;
    client.wait_for(r#"Server responded with "Thanks for your 'hello'!""#)?;
    client.finish()?;
    server.wait_for("Received 'hello' from client")?;
    server.interrupt()?;
    server.finish()
}

/// Both end by themselves.
fn route(stage: &Stage, server: Language, client: Language) -> Outcome {
    let pair = Pair::new(stage, "route", server, client)?;
    let state = r#"{"type": "LocalConnector", "name": "office"}"#;
    let mut server = pair.server(state)?;
    let mut client = pair.client(state)?;
    server.wait_for("The worker answered: a cake needs 3 eggs, so 2 cakes need 6")?;
    client.wait_for("Dismissed, goodbye")?;
    client.finish()?;
    server.finish()
}

struct Pair<'s> {
    stage: &'s Stage,
    scratch: Scratch,
    name: &'static str,
    server: Language,
    client: Language,
}

impl<'s> Pair<'s> {
    fn new(stage: &'s Stage, name: &'static str, server: Language, client: Language) -> Outcome<Self> {
        say(&format!("examples {name}_server in {server:?} and {name}_client in {client:?}"));
        let scratch = Scratch::new(&format!("{name}-{server:?}-{client:?}"))?;
        // Of two processes of the Python library that begin at once, one fails if both make it.
        let sockets = scratch.path().join("communica");
        fs::create_dir(&sockets).map_err(at("make", &sockets))?;
        Ok(Self { stage, scratch, name, server, client })
    }

    fn server(&self, state: &str) -> Outcome<Program> {
        self.start("server", self.server, state)
    }

    fn client(&self, state: &str) -> Outcome<Program> {
        self.start("client", self.client, state)
    }

    fn start(&self, role: &str, language: Language, state: &str) -> Outcome<Program> {
        let name = format!("{}_{role}", self.name);
        let mut command: Command = match language {
            Rust => self.stage.rust(&name, &self.scratch),
            Python => self.stage.python(&name, &self.scratch),
        };
        Program::start(&format!("{name} in {language:?}"), command.arg(state))
    }
}

/// A port nobody listens on. It is below those that systems give to outgoing connections, so
/// nobody is given it in the meantime.
pub(crate) fn free_port() -> Outcome<u16> {
    let first = 16_200 + (std::process::id() % 10_000) as u16;
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (first..first + 500).find(free).ok_or_else(|| format!("no free port from {first} on"))
}
