//! Settings go in, rounds are run, and tables come out. In each round all lanes of a table take their turn.

mod row;

use crate::call::Load;
use crate::contenders::{self, FLOOR, FLOOR_OF_BYTES, FLOOR_OF_TASKS, OURS, TARPC};
use crate::pair;
use crate::settings::Settings;
use crate::work::Work;

use row::Row;

/// Names of tables: calls in flight, connections `x` calls in flight on each, and others.
pub const ALL: [&str; 7] = ["1", "64", "256", "64x1", "throws", "carry", "aside"];

/// Throws, and the requests that they are compared with.
const CALLERS: Load = Load { connections: 1, in_flight: 64 };
const REQUESTS: &str = "ours, requests";

/// A contender with some work, and what to call that.
struct Lane {
    label: String,
    contender: String,
    work: Work,
}

struct Table {
    title: String,
    lanes: Vec<Lane>,
    /// Few huge messages end in a usual window.
    windows: u32,
    /// Labels of lanes that others are compared with.
    references: Vec<&'static str>,
}

pub fn run(settings: &Settings) {
    for name in &settings.workloads {
        let table = table(name, &settings.contenders);
        let mut rows: Vec<Row> = table.lanes.iter().map(|lane| Row::new(&lane.label)).collect();
        for round in 0..settings.rounds {
            eprintln!("{name}: round {} of {}", round + 1, settings.rounds);
            for turn in 0..rows.len() {
                // Nobody always comes after the same one.
                let index = (turn + round) % rows.len();
                let Lane { contender, work, .. } = &table.lanes[index];
                let outcome = pair::run(
                    contender,
                    settings.road,
                    &settings.runtime,
                    *work,
                    settings.window * table.windows,
                );
                rows[index].add(outcome);
            }
        }
        let runtime = &settings.runtime;
        row::print(
            &format!("{}; {}, {runtime}", table.title, settings.road.name()),
            &rows,
            &table.references,
        );
    }
}

fn table(name: &str, contenders: &[String]) -> Table {
    let lanes = |work, suffix: &str| {
        let able = contenders.iter().filter(move |contender| contenders::can(contender, work));
        able.map(|name| Lane { label: format!("{name}{suffix}"), contender: name.clone(), work }).collect()
    };
    let table =
        |title: &str, lanes, references| Table { title: title.to_owned(), lanes, windows: 1, references };
    match name {
        "throws" => {
            let mut lanes: Vec<Lane> = lanes(Work::Throw(CALLERS), "");
            let (label, contender) = (REQUESTS.to_owned(), OURS.to_owned());
            lanes.push(Lane { label, contender, work: Work::Echo(CALLERS) });
            table("throws, 64 callers", lanes, vec![REQUESTS])
        }
        "carry" => {
            let one = Load { connections: 1, in_flight: 1 };
            table("1 MiB, one at a time", lanes(Work::Carry(one), ""), vec![FLOOR_OF_BYTES])
        }
        "aside" => {
            let mut both: Vec<Lane> = lanes(Work::Aside { huge: false }, ", alone");
            both.extend::<Vec<Lane>>(lanes(Work::Aside { huge: true }, ""));
            Table { windows: 3, ..table("one each millisecond, while 64 MiB pass", both, Vec::new()) }
        }
        _ => {
            let title = match name.split_once('x') {
                Some((connections, each)) => format!("{connections} connections, {each} in flight on each"),
                None => format!("{name} in flight"),
            };
            table(&title, lanes(Work::Echo(Load::named(name)), ""), vec![TARPC, FLOOR, FLOOR_OF_TASKS])
        }
    }
}
