//! Outcomes of rounds go in, lines of a table with medians and ratios come out.

use crate::window::Outcome;

/// A column for those tables in which it is not empty.
type Extra = (&'static str, fn(&Outcome) -> f64);
const EXTRA: [Extra; 2] =
    [("passed, MiB/s", |it| it.passed), ("server, KiB per idle connection", |it| it.idle_memory)];

/// One lane, round by round.
pub struct Row {
    pub label: String,
    rounds: Vec<Outcome>,
}

impl Row {
    pub fn new(label: &str) -> Self {
        Self { label: label.to_owned(), rounds: Vec::new() }
    }

    pub fn add(&mut self, outcome: Outcome) {
        self.rounds.push(outcome);
    }

    pub fn median(&self, of: impl Fn(&Outcome) -> f64) -> f64 {
        median(self.rounds.iter().map(of).collect())
    }

    /// The median of the ratios of each round: what disturbs a round disturbs both.
    pub fn ratio(&self, to: &Self, of: impl Fn(&Outcome) -> f64) -> f64 {
        median(self.rounds.iter().zip(&to.rounds).map(|(mine, theirs)| of(mine) / of(theirs)).collect())
    }
}

pub fn print(title: &str, rows: &[Row], references: &[&str]) {
    let references = references.iter().filter_map(|label| rows.iter().find(|row| row.label == *label));
    let references: Vec<&Row> = references.collect();
    let extra: Vec<&Extra> =
        EXTRA.iter().filter(|(_, of)| rows.iter().any(|row| row.median(of) > 0.0)).collect();
    let mut head = format!("| {title} | calls/s | p50, µs | p99, µs | CPU, µs/call | peak, MiB |");
    references.iter().for_each(|it| head += &format!(" : {} |", it.label));
    if let Some(first) = references.first() {
        head += &format!(" CPU : {} |", first.label);
    }
    extra.iter().for_each(|(name, _)| head += &format!(" {name} |"));
    let columns = head.matches('|').count() - 2;
    println!("{head}\n|---|{}", "---:|".repeat(columns));
    for row in rows {
        let mut line = format!(
            "| {} | {:.0} | {:.1} | {:.1} | {:.2} | {:.1} |",
            row.label,
            row.median(|it| it.calls_per_second),
            row.median(|it| it.p50),
            row.median(|it| it.p99),
            row.median(|it| it.cpu),
            row.median(|it| it.memory),
        );
        for reference in &references {
            line += &format!(" {} |", shown(row.ratio(reference, |it| it.calls_per_second)));
        }
        if let Some(first) = references.first() {
            line += &format!(" {} |", shown(row.ratio(first, |it| it.cpu)));
        }
        extra.iter().for_each(|(_, of)| line += &format!(" {:.1} |", row.median(of)));
        println!("{line}");
    }
    println!();
}

/// Two digits that say something.
fn shown(ratio: f64) -> String {
    if ratio < 0.1 { format!("{ratio:.3}") } else { format!("{ratio:.2}") }
}

/// Of an even number, what is between the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0
}
