//! Minutes come in, a table goes out: what a server holds while clients come, go, are cut off and killed. `cargo xtask
//! soak` runs it. With `server` or `house` first it is one of the processes.

use std::process::ExitCode;

use communica_tests::flags::{Flags, fresh_seed};
use communica_tests::soak::process;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u64>().expect("it is a number");
    match words[..] {
        ["server", seed] => process::server(number(seed), || ALLOCATED.current_usage()).await,
        ["house", state, seed, guests] => {
            process::house(state, number(seed), number(guests) as u32).await;
        }
        _ => match run(Flags::given()).await {
            Ok(()) => println!("memory and handles are flat, no answer was wrong"),
            Err(reason) => {
                eprintln!("soak: {reason}");
                return ExitCode::FAILURE;
            }
        },
    }
    ExitCode::SUCCESS
}

#[cfg(target_os = "linux")]
async fn run(mut flags: Flags) -> Result<(), String> {
    use std::time::Duration;

    let minutes = flags.value::<f64>("--minutes")?.unwrap_or(10.0);
    let seed = flags.value("--seed")?.unwrap_or_else(fresh_seed);
    flags.end()?;
    let time = Duration::try_from_secs_f64(minutes * 60.0).map_err(|error| format!("--minutes: {error}"))?;
    println!("a soak of {minutes} minutes, seed {seed}");
    let run = communica_tests::soak::direct(time, seed);
    // Dropping it kills its processes.
    let ended = tokio::time::timeout(time + Duration::from_secs(120), run).await;
    ended.unwrap_or_else(|_| Err("it did not end in time".to_owned()))
}

#[cfg(not(target_os = "linux"))]
async fn run(_: Flags) -> Result<(), String> {
    let _ = fresh_seed;
    Err("what a process holds is read from /proc, which only Linux has".to_owned())
}
