//! One process of a test: commands come in as lines of JSON, what our library made of them goes out.
//!
//! Started as `peer <config>`. Writes `{"ready": true}` once it listens or is connected, then for each command
//! `{"n": 1, "do": "request", …}` one line `{"n": 1, "ok": …}` or
//! `{"n": 1, "error": {"kind": …, "message": …, "code": …}}`. Commands run side by side. The end of stdin ends the
//! process. tests/python/peer.py is its twin in Python.

mod behaviours;
mod commands;
mod config;
mod corpus;
mod format;
mod library;
mod office;
mod registry;
mod side;
mod trade;

use std::sync::Arc;

use behaviours::Behaviours;
use commands::Commands;
use config::Config;
use serde::Deserialize;
use serde_json::{Value, json};
use side::Side;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

#[derive(Deserialize)]
struct Line {
    n: u64,
    #[serde(flatten)]
    command: commands::Command,
}

#[tokio::main]
async fn main() {
    let config = std::env::args().nth(1).expect("the configuration is the first argument");
    let config: Config = serde_json::from_str(&config).expect("the configuration can be read");
    let (behaviours, notes) = Behaviours::new();
    let side = Arc::new(Side::start(&config, &behaviours).await);
    behaviours.serve_for(side.clone());
    tell(&json!({"ready": true}));

    let commands = Arc::new(Commands::new(side, notes));
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await.expect("stdin can be read") {
        let line: Line = serde_json::from_str(&line).expect("a command can be read");
        let commands = commands.clone();
        tokio::spawn(async move {
            match commands.perform(line.command).await {
                Ok(value) => tell(&json!({"n": line.n, "ok": value})),
                Err(error) => tell(&json!({"n": line.n, "error": commands::failure(&error)})),
            }
        });
    }
}

/// One line, whole: `println!` holds the lock of stdout meanwhile.
fn tell(line: &Value) {
    println!("{line}");
}
