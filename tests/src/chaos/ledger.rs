//! What came and what was answered → complaints about whatever should have been otherwise.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::parcel::{Direction, Parcel};
use super::plan::Plan;

/// So many complaints say enough.
const ENOUGH: usize = 12;

/// What was wrong: the first few in words, and how many in all.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Complaints {
    /// The first ones.
    pub said: Vec<String>,
    /// All of them.
    pub count: usize,
}

impl Extend<String> for Complaints {
    fn extend<I: IntoIterator<Item = String>>(&mut self, complaints: I) {
        complaints.into_iter().for_each(|complaint| self.add(complaint));
    }
}

impl Complaints {
    fn add(&mut self, complaint: String) {
        self.count += 1;
        if self.said.len() < ENOUGH {
            self.said.push(complaint);
        }
    }
}

/// The books of one side.
pub(super) struct Ledger {
    plan: Plan,
    /// Who sends what is noted here.
    from: Direction,
    books: Mutex<Books>,
    /// Messages that came and answers that came back.
    progress: watch::Sender<u32>,
}

struct Books {
    lanes: Vec<Lane>,
    came: u32,
    /// That still have to come. Those whose senders may give them up need not.
    missing: u32,
    /// Calls of this side that did not end.
    open: u32,
    complaints: Complaints,
}

struct Lane {
    seen: Vec<bool>,
    /// The number that no small message may be below any more.
    next_small: u32,
}

impl Ledger {
    pub(super) fn new(plan: &Plan, from: Direction) -> Self {
        let lanes = (0..plan.lanes)
            .map(|lane| Lane { seen: vec![false; plan.of_lane(lane) as usize], next_small: 0 })
            .collect();
        let all = (0..plan.lanes).flat_map(|lane| (0..plan.of_lane(lane)).map(move |number| (lane, number)));
        let due =
            all.filter(|(lane, number)| Parcel::new(plan.seed, from, *lane, *number).patience().is_none());
        let books =
            Books { lanes, came: 0, missing: due.count() as u32, open: 0, complaints: Complaints::default() };
        Self { plan: plan.clone(), from, books: Mutex::new(books), progress: watch::Sender::new(0) }
    }

    /// A handler was started with this.
    pub(super) fn note(&self, parcel: &Parcel, as_request: bool) {
        self.books().note(self, parcel, as_request);
        self.progress.send_modify(|count| *count += 1);
    }

    /// A call of this side begins.
    pub(super) fn begins(&self) {
        self.books().open += 1;
    }

    /// A call of this side ended.
    pub(super) fn ended(&self, complaint: Option<String>) {
        self.books().open -= 1;
        complaint.into_iter().for_each(|complaint| self.complain(complaint));
        self.progress.send_modify(|count| *count += 1);
    }

    pub(super) fn complain(&self, complaint: String) {
        self.books().complaints.add(complaint);
    }

    /// Waits until every message came.
    pub(super) async fn all_came(&self) {
        let mut progress = self.progress.subscribe();
        progress.wait_for(|_| self.books().missing == 0).await.expect("the ledger is there");
    }

    /// Waits until nothing came for so long.
    pub(super) async fn silence(&self, time: Duration) {
        let mut progress = self.progress.subscribe();
        while timeout(time, progress.changed()).await.is_ok() {}
    }

    /// How many came, and what was wrong, with a word on the lanes that lack something.
    pub(super) fn close(&self) -> (u32, Complaints) {
        let mut books = self.books();
        for lane in 0..self.plan.lanes {
            let lacking = self.lacking(&books, lane);
            books.complaints.extend(lacking);
        }
        if books.open > 0 {
            let open = books.open;
            books.complaints.add(format!("{open} calls of this side did not end"));
        }
        (books.came, books.complaints.clone())
    }

    fn lacking(&self, books: &Books, lane: u32) -> Option<String> {
        let seen = books.lanes[lane as usize].seen.iter().enumerate();
        let unseen = seen.filter(|(_, seen)| !**seen).map(|(number, _)| self.due(lane, number as u32));
        let lacking: Vec<Parcel> = unseen.filter(|parcel| parcel.patience().is_none()).collect();
        let first = lacking.first()?;
        let kind = if first.is_request() { "request" } else { "throw" };
        let size = if first.is_small() { "small" } else { "large" };
        let (count, number) = (lacking.len(), first.number);
        Some(format!("lane {lane}: {count} never came, first the {size} {kind} {number}"))
    }

    /// What must come under this number.
    fn due(&self, lane: u32, number: u32) -> Parcel {
        Parcel::new(self.plan.seed, self.from, lane, number)
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn note(&mut self, ledger: &Ledger, parcel: &Parcel, as_request: bool) {
        let Parcel { lane, number, .. } = *parcel;
        let what = format!("lane {lane}, number {number}");
        let book = self.lanes.get_mut(lane as usize);
        let Some((book, seen)) = book.and_then(|book| {
            let seen = *book.seen.get(number as usize)?;
            Some((book, seen))
        }) else {
            return self.complaints.add(format!("{what}: nobody sent this"));
        };
        if seen {
            return self.complaints.add(format!("{what}: came twice"));
        }
        book.seen[number as usize] = true;
        self.came += 1;
        let whole = ledger.due(lane, number);
        self.missing -= u32::from(whole.patience().is_none());
        if *parcel != whole || as_request != whole.is_request() {
            self.complaints.add(format!("{what}: is not what was sent"));
        }
        if whole.is_small() {
            if number < book.next_small {
                let later = book.next_small - 1;
                self.complaints.add(format!("{what}: came after number {later}"));
            }
            book.next_small = book.next_small.max(number + 1);
        }
    }
}
