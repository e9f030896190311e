//! What was measured goes in, what is wanted comes out beside it: a report, which no build depends on.

use super::Measured;
use super::lanes::{ALONE_HERE, FEW_CLIENTS, IDLE, MANY_CLIENTS, MANY_ROUTES, ONE_ROUTE, REQUESTS};
use super::row::Row;
use crate::contenders::{
    FLOOR, FLOOR_OF_BYTES, FLOOR_OF_EACH, FLOOR_OF_TASKS, LAPIN, LAPIN_SAFE, OURS, TARPC,
};
use crate::road::Road;

const BYTES: &str = "ours-bytes";
const BINCODE: &str = "tarpc-bincode";

#[derive(Clone, Copy)]
enum Wanted {
    /// Calls per second, as a multiple of the reference's.
    Calls(f64),
    /// CPU time per call, as a part of the reference's.
    Cpu(f64),
    /// The 99th percentile of the time of a call, as a multiple of the reference's.
    P99(f64),
}
use Wanted::{Calls, Cpu, P99};

/// Name of a table, a lane of ours there, what is wanted, and the lane that it is compared with.
type Target = (&'static str, &'static str, Wanted, &'static str);

/// On local sockets and on TCP.
const DIRECT: [Target; 19] = [
    ("64", OURS, Calls(0.9), FLOOR_OF_EACH),
    ("64", OURS, Calls(0.9), FLOOR),
    ("64", OURS, Calls(0.9), FLOOR_OF_TASKS),
    ("64", OURS, Calls(0.9 * 2.9), TARPC),
    ("64", OURS, Cpu(0.45), TARPC),
    ("64", "ours-postcard", Calls(2.0), BINCODE),
    ("256", OURS, Calls(0.9), FLOOR_OF_EACH),
    ("256", OURS, Calls(0.9), FLOOR),
    ("256", OURS, Calls(0.9), FLOOR_OF_TASKS),
    ("256", OURS, Calls(0.9 * 2.9), TARPC),
    ("1", OURS, Calls(1.0), FLOOR),
    ("1", OURS, Calls(1.3), TARPC),
    ("64-one-thread", OURS, Calls(0.9), FLOOR),
    ("256-one-thread", OURS, Calls(0.9), FLOOR),
    ("1-one-thread", OURS, Calls(1.0), FLOOR),
    ("throws", OURS, Calls(3.0), REQUESTS),
    ("carry", BYTES, Calls(0.9), FLOOR_OF_BYTES),
    ("carry", BYTES, Calls(7.0), BINCODE),
    ("carry", BYTES, Calls(2.7), "tonic"),
];

const BESIDE_LARGE: [Target; 2] = [
    ("aside", BYTES, P99(3.0), "ours-bytes, alone"),
    ("aside", BYTES, P99(3.0), "ours-bytes, alone, processors awake"),
];

/// What a call costs is the same, but for a tenth.
const SCALE: [Target; 3] = [
    ("scale", IDLE, Cpu(FLAT), ALONE_HERE),
    ("scale", MANY_ROUTES, Cpu(FLAT), ONE_ROUTE),
    ("scale", MANY_CLIENTS, Cpu(FLAT), FEW_CLIENTS),
];
const FLAT: f64 = 1.1;

const BY_BROKER: [Target; 2] = [("64", OURS, Calls(0.9), LAPIN), ("64", OURS, Calls(0.9), LAPIN_SAFE)];

/// KiB of a server for each idle connection.
const IDLE_MEMORY: f64 = 8.0;

pub fn print(measured: &Measured) {
    let mut lines = Vec::new();
    for road in [Road::Local, Road::Tcp] {
        lines.extend(DIRECT.iter().filter_map(|target| line(measured, road, *target)));
    }
    lines.extend(BESIDE_LARGE.iter().filter_map(|target| line(measured, Road::Local, *target)));
    lines.extend(SCALE.iter().filter_map(|target| line(measured, Road::Local, *target)));
    lines.extend(BY_BROKER.iter().filter_map(|target| line(measured, Road::RabbitMq, *target)));
    lines.extend(idle(measured));
    if !lines.is_empty() {
        println!(
            "| wanted of | road | | of | measured | |\n|---|---|---:|---|---:|---|\n{}\n",
            lines.join("\n")
        );
    }
}

/// Nothing, if it was not measured.
fn line(measured: &Measured, road: Road, (name, ours, wanted, reference): Target) -> Option<String> {
    let (ours_row, reference_row) =
        (find(measured, road, name, ours)?, find(measured, road, name, reference)?);
    let (text, ratio, held) = match wanted {
        Calls(least) => {
            let ratio = ours_row.ratio(reference_row, |it| it.calls_per_second);
            (format!("≥ {least:.2} × calls/s"), ratio, ratio >= least)
        }
        Cpu(most) => {
            let ratio = ours_row.ratio(reference_row, |it| it.cpu);
            (format!("≤ {most:.2} × CPU"), ratio, ratio <= most)
        }
        P99(most) => {
            let ratio = ours_row.ratio(reference_row, |it| it.p99);
            (format!("≤ {most:.2} × p99"), ratio, ratio <= most)
        }
    };
    let road = road.name();
    Some(format!("| {ours}, {name} | {road} | {text} | {reference} | {ratio:.2} | {} |", verdict(held)))
}

fn idle(measured: &Measured) -> Option<String> {
    let memory = find(measured, Road::Local, "scale", IDLE)?.median(|it| it.idle_memory);
    let held = verdict(memory <= IDLE_MEMORY);
    Some(format!("| an idle connection | local | ≤ {IDLE_MEMORY} KiB | | {memory:.1} KiB | {held} |"))
}

fn find<'a>(measured: &'a Measured, road: Road, name: &str, label: &str) -> Option<&'a Row> {
    let (.., rows) = measured.iter().find(|(its_road, its_name, _)| *its_road == road && its_name == name)?;
    rows.iter().find(|row| row.label == label)
}

fn verdict(held: bool) -> &'static str {
    if held { "held" } else { "**not held**" }
}
