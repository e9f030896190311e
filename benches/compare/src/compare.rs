//! Settings go in, rounds are run, and tables come out. In each round all contenders take their turn.

use crate::pair;
use crate::settings::Settings;
use crate::table::{Row, print};

pub fn run(settings: &Settings) {
    for workload in &settings.workloads {
        let mut rows: Vec<Row> = settings.contenders.iter().map(|name| Row::new(name)).collect();
        for round in 0..settings.rounds {
            eprint!("\r{workload}: round {} of {} ", round + 1, settings.rounds);
            for turn in 0..rows.len() {
                // Nobody always comes after the same one.
                let index = (turn + round) % rows.len();
                let row = &mut rows[index];
                row.add(pair::run(&row.name, settings.road, &settings.runtime, workload, settings.window));
            }
        }
        eprintln!();
        print(&format!("{workload}, {}, {}", settings.road.name(), settings.runtime), &rows);
    }
}
