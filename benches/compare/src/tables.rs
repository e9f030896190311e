//! Settings go in, rounds are run, and tables come out. In each round all lanes of a table take their turn.

mod lanes;
mod row;
mod targets;

use crate::distance::Distance;
use crate::pair;
use crate::road::Road;
use crate::settings::Settings;

use lanes::{Lane, Table};
use row::Row;

pub use lanes::on;

/// What was measured, by road and name of the table.
pub type Measured = Vec<(Road, String, Vec<Row>)>;

pub fn run(settings: &Settings) {
    let (mut measured, mut distance) = (Measured::new(), Distance::new());
    for (road, name) in &settings.tables {
        let table = Table::named(name, *road, &settings.contenders);
        if table.lanes.is_empty() {
            continue;
        }
        let rows = measure(&table, *road, name, settings, &mut distance);
        row::print(&format!("{}; {}", table.title, road.name()), &rows, &table.references);
        measured.push((*road, name.clone(), rows));
    }
    targets::print(&measured);
    println!("{distance}\n");
}

fn measure(table: &Table, road: Road, name: &str, settings: &Settings, distance: &mut Distance) -> Vec<Row> {
    let mut rows: Vec<Row> = table.lanes.iter().map(|lane| Row::new(&lane.label)).collect();
    let window = settings.window * table.windows;
    let runtime = table.runtime.unwrap_or(&settings.runtime);
    for round in 0..settings.rounds {
        eprintln!("{name}, {}: round {} of {}", road.name(), round + 1, settings.rounds);
        for turn in 0..rows.len() {
            // Nobody always comes after the same one.
            let index = (turn + round) % rows.len();
            let Lane { contender, work, .. } = &table.lanes[index];
            let outcome = distance.measure(|| pair::run(contender, road, runtime, *work, window));
            rows[index].add(outcome);
        }
    }
    rows
}
