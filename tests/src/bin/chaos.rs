//! Flags come in, a verdict goes out: whether every numbered message was handled once and in order over links that
//! were cut. `cargo xtask chaos` runs it. With `server` or `client` first it is one of the two sides.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use communica_tests::chaos::{Plan, Report, Road, processes, run_here};
use communica_tests::flags::{Flags, fresh_seed};

#[tokio::main]
async fn main() -> ExitCode {
    let mut flags = Flags::given();
    if let Some(role) = flags.word() {
        let arguments: Vec<String> = std::env::args().skip(2).collect();
        processes::act(&role, &arguments).await;
        return ExitCode::SUCCESS;
    }
    match run(flags).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("chaos: {reason}");
            ExitCode::FAILURE
        }
    }
}

async fn run(mut flags: Flags) -> Result<(), String> {
    let roads = match flags.value::<Road>("--road")? {
        Some(road) => vec![road],
        None => vec![Road::Local, Road::Tcp],
    };
    let seed = flags.value("--seed")?.unwrap_or_else(fresh_seed);
    let messages = flags.value("--messages")?.unwrap_or(100_000);
    let cuts = flags.value("--cuts")?.unwrap_or(2_000);
    flags.end()?;
    let mut failed = 0;
    for road in roads {
        let plan = Plan::new(road, seed, messages, cuts);
        println!("{plan}");
        let since = Instant::now();
        // Generous: a busy machine, every message repeated a few times.
        let patience = Duration::from_secs(300) + Duration::from_millis(50) * plan.cuts as u32;
        let reports = match road {
            // It does not lead to another process.
            Road::Memory => {
                tokio::time::timeout(patience, run_here(&plan)).await.map_err(|e| e.to_string())?
            }
            Road::Local | Road::Tcp => processes::run(&plan, patience).await?,
        };
        failed += usize::from(!tell(&plan, &reports, since.elapsed()));
    }
    if failed == 0 { Ok(()) } else { Err(format!("{failed} runs went wrong; the seed was {seed}")) }
}

/// Prints how it went; whether it went well.
fn tell(plan: &Plan, [server, client]: &[Report; 2], took: Duration) -> bool {
    let (cuts, links) = (server.cuts + client.cuts, client.links);
    let came = server.came + client.came;
    println!("  {came} of {} messages came, {cuts} cuts, {links} links, {took:.1?}", 2 * plan.messages);
    let mut well = true;
    for (name, report) in [("server", server), ("client", client)] {
        if report.complaints.count > 0 {
            well = false;
            println!("  the {name} has {} complaints:", report.complaints.count);
            report.complaints.said.iter().for_each(|complaint| println!("    {complaint}"));
        }
    }
    if cuts < plan.cuts {
        well = false;
        println!("  only {cuts} of {} cuts happened: send more messages, or cut less", plan.cuts);
    }
    well
}
