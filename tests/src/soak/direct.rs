//! Starts the server and houses of clients, kills a house now and then, samples the server, judges at the end.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use super::samples::{Sample, Samples, left};
use crate::itself::Another;

/// Processes of clients at any time, and clients of each.
const HOUSES: usize = 3;
const GUESTS: u32 = 6;
const EVERY: Duration = Duration::from_secs(2);
/// One of the houses is killed so often, and another comes.
const KILL_EVERY: Duration = Duration::from_secs(10);
/// The server forgets the last clients in this time.
const REST: Duration = Duration::from_secs(30);

/// Runs a soak of this length and prints how it went.
///
/// # Errors
/// A process ended by itself, an answer was wrong or did not come, or the server held ever more.
pub async fn direct(time: Duration, seed: u64) -> Result<(), String> {
    let mut server = Another::start("server", &["server", &seed.to_string()]);
    let state = server.says("ready").await?;
    let id = server.id();
    let mut last = tells(&mut server).await?;
    let at_first = sample(id, &last)?;
    let mut soak = Soak { state, seed, houses: Vec::new(), started: 0, book: BTreeMap::new() };
    (0..HOUSES).for_each(|_| soak.open_house());

    let since = Instant::now();
    let (mut samples, mut killed) = (Samples::default(), since);
    let mut next = EVERY;
    while since.elapsed() < time {
        last = tells(&mut server).await?;
        soak.read_books()?;
        if since.elapsed() >= next {
            samples.add(since.elapsed(), sample(id, &last)?);
            next += EVERY;
        }
        if killed.elapsed() >= KILL_EVERY {
            killed = Instant::now();
            soak.replace_house().await;
        }
    }
    soak.close_houses().await;
    let (alone, mut at_rest) = (Instant::now(), sample(id, &last)?);
    while alone.elapsed() < REST && !left(&at_first, &at_rest).is_empty() {
        last = tells(&mut server).await?;
        at_rest = sample(id, &last)?;
    }
    server.finish().await?;
    server.ends_well(Duration::from_secs(60)).await?;
    let words: Vec<&str> = last.split(' ').collect();
    println!("{samples}");
    println!("before the first client: {at_first}");
    println!("after the last one:      {at_rest}");
    println!("seed {seed}, {} processes of clients were killed", soak.started - HOUSES);
    println!("the server cut {} links and took {} throws", words[2], words[3]);
    soak.book.iter().for_each(|(what, count)| println!("{count:>10} {what}"));
    judge(samples.growth()?, left(&at_first, &at_rest), &soak.book)
}

/// The server tells every second; that it falls silent is a failure, too.
async fn tells(server: &mut Another) -> Result<String, String> {
    let told = tokio::time::timeout(Duration::from_secs(20), server.says("has")).await;
    told.map_err(|_| "the server said nothing for 20 s")?
}

fn judge(grown: Vec<String>, left: Vec<String>, book: &BTreeMap<String, u64>) -> Result<(), String> {
    let mut wrong = [grown, left].concat();
    // Cut links are no excuse: whoever waits for an answer gets it.
    let bad = book.iter().filter(|(what, _)| !["answered", "thrown", "given-up"].contains(&what.as_str()));
    wrong.extend(bad.map(|(what, count)| format!("{count} calls: {what}")));
    if !book.contains_key("answered") {
        wrong.push("no call was answered".to_owned());
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

struct Soak {
    state: String,
    seed: u64,
    houses: Vec<House>,
    started: usize,
    /// What came of all calls; of those of a killed house, as far as it told.
    book: BTreeMap<String, u64>,
}

/// A process of clients. Its lines are read by a task, so that its pipe is never full.
struct House {
    book: BTreeMap<String, u64>,
    lines: mpsc::UnboundedReceiver<String>,
    orders: mpsc::UnboundedSender<Order>,
}

enum Order {
    Finish,
    Kill,
}

impl Soak {
    fn open_house(&mut self) {
        self.started += 1;
        let seed = self.seed + 1000 * self.started as u64;
        let arguments = ["house", &self.state, &seed.to_string(), &GUESTS.to_string()];
        let mut process = Another::start("house", &arguments);
        let (told, lines) = mpsc::unbounded_channel();
        let (orders, mut ordered) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    line = process.says("book") => match line {
                        Ok(line) => _ = told.send(line),
                        Err(_) => return,
                    },
                    order = ordered.recv() => match order {
                        Some(Order::Finish) => _ = process.finish().await,
                        Some(Order::Kill) | None => return process.kill().await,
                    },
                }
            }
        });
        self.houses.push(House { book: BTreeMap::new(), lines, orders });
    }

    fn read_books(&mut self) -> Result<(), String> {
        for house in &mut self.houses {
            loop {
                match house.lines.try_recv() {
                    Ok(line) => house.book = read(&line),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => {
                        return Err("a process of clients ended by itself".to_owned());
                    }
                }
            }
        }
        Ok(())
    }

    async fn replace_house(&mut self) {
        let house = self.houses.remove(0);
        // It is gone when its task is.
        let _ = house.orders.send(Order::Kill);
        self.take_in(house).await;
        self.open_house();
    }

    async fn close_houses(&mut self) {
        for house in std::mem::take(&mut self.houses) {
            let _ = house.orders.send(Order::Finish);
            self.take_in(house).await;
        }
    }

    /// Adds its latest book to the common one, when it is gone.
    async fn take_in(&mut self, mut house: House) {
        while let Some(line) = house.lines.recv().await {
            house.book = read(&line);
        }
        for (what, count) in house.book {
            *self.book.entry(what).or_default() += count;
        }
    }
}

fn read(line: &str) -> BTreeMap<String, u64> {
    let words = line.split(' ').filter_map(|word| word.split_once('='));
    words.filter_map(|(what, count)| Some((what.to_owned(), count.parse().ok()?))).collect()
}

/// What the system and the server itself tell.
fn sample(id: u32, told: &str) -> Result<Sample, String> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).map_err(|error| error.to_string())?;
    let of_status = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_default()
    };
    let handles = fs::read_dir(format!("/proc/{id}/fd")).map_err(|error| error.to_string())?.count() as u64;
    let mut words = told.split(' ').map(|word| word.parse().unwrap_or_default());
    Ok(Sample {
        memory: of_status("VmRSS:"),
        handles,
        threads: of_status("Threads:"),
        tasks: words.next().unwrap_or_default(),
        clients: words.next().unwrap_or_default(),
        allocated: words.nth(2).unwrap_or_default() / 1024,
    })
}
