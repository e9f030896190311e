//! What a process holds, every few seconds → a table, and whether it is flat.

use std::fmt;
use std::time::Duration;

/// What the server's process held at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// KiB of memory that are in use (RSS).
    pub memory: u64,
    /// Open files and sockets.
    pub handles: u64,
    /// Threads.
    pub threads: u64,
    /// Tasks of its runtime that live.
    pub tasks: u64,
    /// Clients that are connected.
    pub clients: u64,
    /// KiB that it allocated and did not free, at the least within a second: what no call needs that passes by.
    pub allocated: u64,
}

/// All of a run, with the time of each.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<(Duration, Sample)>);

type Column = (&'static str, fn(&Sample) -> u64);

const COLUMNS: [Column; 6] = [
    ("memory, KiB", |sample| sample.memory),
    ("handles", |sample| sample.handles),
    ("threads", |sample| sample.threads),
    ("tasks", |sample| sample.tasks),
    ("clients", |sample| sample.clients),
    ("allocated, KiB", |sample| sample.allocated),
];

impl Samples {
    /// Adds one, taken so long after the start.
    pub fn add(&mut self, at: Duration, sample: Sample) {
        self.0.push((at, sample));
    }

    /// What is not flat. The last quarter of the run is held against the second: the first is for warming up. Memory may
    /// be a quarter and 4 MiB above, since what is free again is not all with the system again at once; handles and tasks, which
    /// come and go with clients, a tenth and 16, threads 2. What is never given back shows for certain at the end of a run.
    ///
    /// # Errors
    /// There are too few to tell.
    pub fn growth(&self) -> Result<Vec<String>, String> {
        if self.0.len() < 16 {
            return Err(format!("{} samples are too few to tell: take more time", self.0.len()));
        }
        let quarter = self.0.len() / 4;
        let (before, after) = (&self.0[quarter..2 * quarter], &self.0[self.0.len() - quarter..]);
        let mut grown = Vec::new();
        for ((name, column), (part, more)) in
            COLUMNS.iter().zip([(4, 4096), (10, 16), (u64::MAX, 2), (10, 16)])
        {
            let (was, is) = (median(before, *column), median(after, *column));
            let allowed = was + was / part + more;
            if is > allowed {
                grown.push(format!(
                    "{name}: {was} in the second quarter, {is} in the last, {allowed} allowed"
                ));
            }
        }
        Ok(grown)
    }

    fn within(&self, from: Duration, to: Duration) -> &[(Duration, Sample)] {
        let start = self.0.partition_point(|(at, _)| *at < from);
        let end = self.0.partition_point(|(at, _)| *at < to);
        &self.0[start..end.max(start)]
    }
}

/// The first minute beside the last, and the quarters that are judged by.
impl fmt::Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MINUTE: Duration = Duration::from_secs(60);
        let Some((end, _)) = self.0.last() else { return writeln!(f, "no samples") };
        let quarter = self.0.len() / 4;
        let parts = [
            ("first minute", self.within(Duration::ZERO, MINUTE)),
            ("2nd quarter", &self.0[quarter..2 * quarter]),
            ("last quarter", &self.0[self.0.len() - quarter..]),
            ("last minute", self.within(end.saturating_sub(MINUTE), Duration::MAX)),
        ];
        writeln!(
            f,
            "{:<15} {:>14} {:>14} {:>14} {:>14} {:>10}",
            "medians", "first minute", "2nd quarter", "last quarter", "last minute", "most"
        )?;
        for (name, column) in COLUMNS {
            write!(f, "{name:<15}")?;
            for (_, part) in parts {
                write!(f, " {:>14}", median(part, column))?;
            }
            let most = self.0.iter().map(|(_, sample)| column(sample)).max().unwrap_or_default();
            writeln!(f, " {most:>10}")?;
        }
        Ok(())
    }
}

/// What is still there when all clients went and were forgotten, and was not before the first one came. A MiB is for what is kept
/// for the next ones, whose number has a bound.
pub fn left(at_first: &Sample, at_rest: &Sample) -> Vec<String> {
    let columns = [(COLUMNS[1], 1), (COLUMNS[3], 0), (COLUMNS[4], 0), (COLUMNS[5], 1024)];
    let mut left = Vec::new();
    for ((name, column), more) in columns {
        let (was, is) = (column(at_first), column(at_rest));
        if is > was + more {
            left.push(format!("{name}: {was} before the first client, {is} after the last one"));
        }
    }
    left
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = COLUMNS.map(|(name, column)| format!("{name}: {}", column(self)));
        f.write_str(&columns.join(", "))
    }
}

fn median(part: &[(Duration, Sample)], column: fn(&Sample) -> u64) -> u64 {
    let mut values: Vec<u64> = part.iter().map(|(_, sample)| column(sample)).collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(count: u64, sample: impl Fn(u64) -> Sample) -> Samples {
        let mut samples = Samples::default();
        (0..count).for_each(|at| samples.add(Duration::from_secs(2 * at), sample(at)));
        samples
    }

    #[test]
    fn what_goes_up_and_down_is_flat() {
        let flat = samples(100, |at| Sample {
            memory: 50_000 + at % 7 * 5_000,
            handles: 20 + at % 5,
            ..Sample::default()
        });
        assert_eq!(flat.growth().unwrap(), [""; 0]);
    }

    #[test]
    fn what_grows_is_told() {
        let leak =
            samples(100, |at| Sample { memory: 50_000 + at * 500, handles: 20 + at, ..Sample::default() });
        let told = leak.growth().unwrap().join("\n");
        assert!(told.contains("memory") && told.contains("handles") && !told.contains("threads"), "{told}");
    }

    #[test]
    fn what_grows_at_the_start_only_is_flat() {
        let warm = samples(100, |at| Sample { memory: 10_000 + at.min(20) * 5_000, ..Sample::default() });
        assert_eq!(warm.growth().unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_left_is_told() {
        let first = Sample { allocated: 500, tasks: 3, ..Sample::default() };
        assert_eq!(left(&first, &Sample { allocated: 1500, ..first }), [""; 0]);
        let told = left(&first, &Sample { allocated: 1600, tasks: 4, ..first }).join("; ");
        assert!(told.contains("allocated, KiB: 500") && told.contains("tasks: 3 before"), "{told}");
    }

    #[test]
    fn too_few_samples_say_nothing() {
        assert!(samples(10, |_| Sample::default()).growth().is_err());
    }
}
