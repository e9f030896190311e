//! Outcomes of rounds go in, a table with medians and ratios comes out.

use crate::window::Outcome;

/// What the others are compared with, where it took part.
const REFERENCES: [&str; 3] = ["tarpc-json", "floor-wire", "floor-tasks"];

/// One contender, round by round.
pub struct Row {
    pub name: String,
    rounds: Vec<Outcome>,
}

impl Row {
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), rounds: Vec::new() }
    }

    pub fn add(&mut self, outcome: Outcome) {
        self.rounds.push(outcome);
    }

    fn median(&self, of: impl Fn(&Outcome) -> f64) -> f64 {
        median(self.rounds.iter().map(of).collect())
    }

    /// The median of the ratios of each round: what disturbs a round disturbs both.
    fn ratio(&self, to: &Self, of: impl Fn(&Outcome) -> f64) -> f64 {
        median(self.rounds.iter().zip(&to.rounds).map(|(mine, theirs)| of(mine) / of(theirs)).collect())
    }
}

pub fn print(title: &str, rows: &[Row]) {
    let references = REFERENCES.iter().filter_map(|name| rows.iter().find(|row| row.name == *name));
    let references: Vec<&Row> = references.collect();
    let mut head = format!("| {title} | calls/s | p50, µs | p99, µs | CPU, µs/call | peak, MiB |");
    references.iter().for_each(|it| head += &format!(" calls/s : {0} | CPU : {0} |", it.name));
    println!("{head}\n|---|{}", "---:|".repeat(5 + 2 * references.len()));
    for row in rows {
        let mut line = format!(
            "| {} | {:.0} | {:.1} | {:.1} | {:.2} | {:.1} |",
            row.name,
            row.median(|it| it.calls_per_second),
            row.median(|it| it.p50),
            row.median(|it| it.p99),
            row.median(|it| it.cpu),
            row.median(|it| it.memory),
        );
        for reference in &references {
            let calls = row.ratio(reference, |it| it.calls_per_second);
            let cpu = row.ratio(reference, |it| it.cpu);
            line += &format!(" {calls:.2} | {cpu:.2} |");
        }
        println!("{line}");
    }
    println!();
}

/// Of an even number, what is between the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0
}
