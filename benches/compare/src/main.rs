//! Contenders and workloads go in; each runs as a pair of processes, server and client, and a table comes out.
//!
//! ```sh
//! cargo run --release --manifest-path benches/compare/Cargo.toml -- --only ours,floor-wire --workload 64 --rounds 3
//! ```
//!
//! The two processes can also be started by hand, to look at one with a profiler:
//!
//! ```sh
//! communica-compare server ours local multi                    # prints `ready ADDRESS`
//! communica-compare client ours local multi ADDRESS 64 10000 PID-OF-SERVER
//! ```
//!
//! Linux only: /proc says what a process used.

mod call;
mod contenders;
mod distance;
mod floor;
mod histogram;
mod jsonrpsee;
mod lapin;
mod ours;
mod pair;
mod payload;
mod record;
mod road;
mod settings;
mod tables;
mod tarpc;
mod tonic;
mod usage;
mod window;
mod work;

use std::time::Duration;

use pair::Side;
use settings::Settings;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["server", contender, road, runtime] => Side::new(contender, road, runtime).serve(),
        ["client", contender, road, runtime, address, work, milliseconds, server] => {
            let window = Duration::from_millis(milliseconds.parse().expect("the window's milliseconds"));
            let server = server.parse().expect("the server's process id");
            let outcome = Side::new(contender, road, runtime).measure(address, work, window, server);
            println!("{}", serde_json::to_string(&outcome).expect("numbers"));
        }
        _ => match Settings::read(&words) {
            Ok(settings) => tables::run(&settings),
            Err(what) => {
                eprintln!("{what}");
                std::process::exit(2);
            }
        },
    }
}
