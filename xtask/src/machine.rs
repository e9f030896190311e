//! A command goes in, the time it took comes out, and how busy other programs kept the machine meanwhile.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::tools::{Outcome, output, say};

/// What is measured while others use more than this part of the machine counts only when there is nothing better.
const DISTURBED: f64 = 0.05;
/// How long the machine may take to come to rest. It costs nothing where nobody else is busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// Both sources count in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a command took. All but the time is known on Linux alone.
#[derive(Clone, Copy)]
pub(crate) struct Timing {
    time: Duration,
    /// Of all its threads and children.
    cpu: Option<Duration>,
    /// The part of the machine that other programs used meanwhile.
    others: Option<f64>,
}

/// Runs a command that must succeed, after what prepares it; again, up to so many times, when other programs were in
/// its way.
pub(crate) fn timed(
    attempts: usize,
    what: &str,
    mut prepare: impl FnMut() -> Outcome,
    command: &mut Command,
) -> Outcome<Timing> {
    let mut best: Option<Timing> = None;
    for _ in 0..attempts {
        prepare()?;
        wait_for_rest();
        let watch = Watch::start();
        output(command)?;
        let timing = watch.stop();
        let share = timing.others.unwrap_or(0.0);
        say(&format!("{what}: {}, others used {:.0} % of the machine", median(&[timing]), share * 100.0));
        if best.is_none_or(|best| share < best.others.unwrap_or(0.0)) {
            best = Some(timing);
        }
        if share <= DISTURBED {
            break;
        }
    }
    best.ok_or_else(|| format!("{what} was not measured"))
}

/// Waits until nobody else is busy, or patience ends.
pub(crate) fn wait_for_rest() {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        let watch = Watch::start();
        thread::sleep(Duration::from_secs(1));
        if watch.stop().others.is_none_or(|share| share <= DISTURBED) {
            return;
        }
    }
}

/// Those that nobody disturbed, or else the one that was disturbed least.
fn counted(timings: &[Timing]) -> Vec<Timing> {
    let share = |timing: &Timing| timing.others.unwrap_or(0.0);
    let calm: Vec<Timing> = timings.iter().copied().filter(|timing| share(timing) <= DISTURBED).collect();
    let least = timings.iter().copied().min_by(|a, b| share(a).total_cmp(&share(b)));
    if calm.is_empty() { least.into_iter().collect() } else { calm }
}

/// The middle one of the times that count, and of their CPU times, for a person to read.
pub(crate) fn median(timings: &[Timing]) -> String {
    let timings = counted(timings);
    let time = seconds(middle(timings.iter().map(|timing| timing.time)));
    match timings.iter().map(|timing| timing.cpu).collect::<Option<Vec<_>>>() {
        Some(cpu) => format!("{time} (CPU {})", seconds(middle(cpu.into_iter()))),
        None => time,
    }
}

/// Of an even number, what is between the two in the middle.
fn middle(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.collect();
    times.sort();
    (times[(times.len() - 1) / 2] + times[times.len() / 2]) / 2
}

fn seconds(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 10.0 { format!("{seconds:.2} s") } else { format!("{seconds:.0} s") }
}

/// The machine in general terms, and how far the times can be trusted.
pub(crate) fn described<'a>(measured: impl Iterator<Item = &'a Vec<Timing>>) -> String {
    let rustc = output(Command::new("rustc").arg("--version")).unwrap_or_default();
    let rustc = rustc.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let others = match measured
        .flat_map(|timings| counted(timings))
        .filter_map(|timing| timing.others)
        .reduce(f64::max)
    {
        Some(share) => format!("other programs used at most {:.0} % of it", share * 100.0),
        None => "what other programs used of it is not known".to_owned(),
    };
    format!("{} cores ({}), {}, {rustc}; {others}.", cores(), model(), std::env::consts::OS)
}

fn model() -> String {
    let linux = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = linux.lines().find(|line| line.starts_with("model name"));
    match line.and_then(|line| line.split_once(": ")) {
        Some((_, model)) => model.to_owned(),
        None => output(Command::new("sysctl").args(["-n", "machdep.cpu.brand_string"]))
            .map_or_else(|_| "an unknown CPU".to_owned(), |model| model.trim().to_owned()),
    }
}

/// Runs while something is measured.
pub(crate) struct Watch {
    started: Instant,
    busy: Option<Busy>,
}

impl Watch {
    pub(crate) fn start() -> Self {
        Self { busy: Busy::now(), started: Instant::now() }
    }

    pub(crate) fn stop(&self) -> Timing {
        let time = self.started.elapsed();
        let busy = self.busy.as_ref().zip(Busy::now());
        let cpu = busy.as_ref().map(|(before, after)| seconds_of(after.ours.saturating_sub(before.ours)));
        let others = busy.zip(cpu).map(|((before, after), cpu)| {
            let machine = seconds_of(after.machine.saturating_sub(before.machine)).saturating_sub(cpu);
            machine.as_secs_f64() / time.as_secs_f64() / cores() as f64
        });
        Timing { time, cpu, others }
    }
}

/// CPU time used so far, in ticks: by everything on the machine, and by what this process has started.
struct Busy {
    machine: u64,
    ours: u64,
}

impl Busy {
    fn now() -> Option<Self> {
        let machine = fs::read_to_string("/proc/stat").ok()?;
        let machine = numbers(machine.lines().next()?.strip_prefix("cpu ")?);
        // user, nice, system, then two kinds of idling, then interrupts, and what the host took.
        let machine = machine.get(..3)?.iter().chain(machine.get(5..8)?).sum();
        let ours = fs::read_to_string("/proc/self/stat").ok()?;
        // After the name in brackets: fields 14 to 17 of proc(5) are our time and that of children that ended.
        let ours = ours.rsplit_once(')')?.1.split_whitespace().skip(11).take(4).collect::<Vec<_>>().join(" ");
        Some(Self { machine, ours: numbers(&ours).iter().sum() })
    }
}

fn seconds_of(ticks: u64) -> Duration {
    Duration::from_secs_f64(ticks as f64 / TICKS_PER_SECOND)
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn numbers(text: &str) -> Vec<u64> {
    text.split_whitespace().map_while(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(seconds: u64, others: f64) -> Timing {
        Timing { time: Duration::from_secs(seconds), cpu: None, others: Some(others) }
    }

    #[test]
    fn what_was_disturbed_counts_only_when_nothing_else_was_measured() {
        assert_eq!(median(&[timing(30, 0.5), timing(12, 0.0), timing(14, 0.05)]), "13 s");
        assert_eq!(median(&[timing(30, 0.5), timing(20, 0.3)]), "20 s");
    }
}
