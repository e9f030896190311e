//! Outgoing calls: an id out, an answer in, and who waits for it.

use std::time::Duration;

use bytes::Bytes;

use super::What;
use crate::error::{Error, Fault};

/// A place in the table and the serial number of the call that has it, so that a place can be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CallId {
    place: u32,
    serial: u64,
}

/// How a call ended.
#[derive(Debug)]
pub(crate) enum CallEnd {
    Value(Bytes),
    Fault(Fault),
    Lost(Error),
}

/// Calls that were made and not yet given up or fetched.
pub(crate) struct Calls<W> {
    /// Unlike that of any other session, so that an answer to an earlier process is never taken for one of ours.
    prefix: String,
    places: Vec<Place<W>>,
    free: Vec<u32>,
    next_serial: u64,
    waiting: usize,
}

struct Place<W> {
    serial: u64,
    state: State<W>,
    /// Kept when the place is free: the next call writes its own into the same memory.
    route: String,
    has_route: bool,
    /// It does not wait for another link.
    here: bool,
    /// Handling it twice does no harm.
    idempotent: bool,
    /// When the call was made, by the caller's clock.
    since: Duration,
}

/// A call that waits for its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) route: Option<String>,
    pub(crate) since: Duration,
    /// Its message left.
    pub(crate) is_sent: bool,
}

enum State<W> {
    Free,
    /// `seq`, `size`: number of its message in the outbox, and its bytes there.
    Waiting {
        seq: u64,
        size: usize,
        waiter: Option<W>,
    },
    Ended(CallEnd),
}

impl<W> Place<W> {
    fn new() -> Self {
        Self {
            serial: 0,
            state: State::Free,
            route: String::new(),
            has_route: false,
            here: false,
            idempotent: false,
            since: Duration::ZERO,
        }
    }
}

impl<W> Calls<W> {
    pub(super) fn new(prefix: String) -> Self {
        Self { prefix, places: Vec::new(), free: Vec::new(), next_serial: 0, waiting: 0 }
    }

    /// A new call whose request is message `seq`.
    pub(super) fn open(&mut self, seq: u64, what: What<'_>) -> CallId {
        let What { route, here, idempotent, now, .. } = what;
        let serial = self.next_serial;
        self.next_serial += 1;
        self.waiting += 1;
        let number = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::new());
            // A message per call would fill memory long before.
            u32::try_from(self.places.len() - 1).expect("fewer than 2^32 calls at once")
        });
        let place = &mut self.places[number as usize];
        place.serial = serial;
        place.state = State::Waiting { seq, size: 0, waiter: None };
        place.since = now;
        place.route.clear();
        place.route.push_str(route.unwrap_or_default());
        place.has_route = route.is_some();
        (place.here, place.idempotent) = (here, idempotent);
        CallId { place: number, serial }
    }

    /// The calls that wait; `is_sent` tells by the number of the message.
    pub(super) fn list(&self, is_sent: impl Fn(u64) -> bool) -> Vec<Waiting> {
        let waiting = self.places.iter().filter_map(|place| match place.state {
            State::Waiting { seq, .. } => Some(Waiting {
                route: place.has_route.then(|| place.route.clone()),
                since: place.since,
                is_sent: is_sent(seq),
            }),
            _ => None,
        });
        waiting.collect()
    }

    /// Those that wait and whose message numbers fit, each with that.
    pub(super) fn messages(&self, fits: impl Fn(u64) -> bool) -> Vec<(u64, CallId)> {
        let waiting = self.places.iter().zip(0..).filter_map(|(place, number)| match place.state {
            State::Waiting { seq, .. } => Some((seq, CallId { place: number, serial: place.serial })),
            _ => None,
        });
        waiting.filter(|(seq, _)| fits(*seq)).collect()
    }

    /// Those that wait for no other link, each with the number of its message and its bytes.
    pub(super) fn of_this_link(&self) -> Vec<(CallId, u64, usize)> {
        self.here(|_| true)
    }

    /// Those of them that may be handled twice.
    pub(super) fn idempotent_of_this_link(&self) -> Vec<(CallId, u64, usize)> {
        self.here(|place| place.idempotent)
    }

    fn here(&self, fits: impl Fn(&Place<W>) -> bool) -> Vec<(CallId, u64, usize)> {
        let waiting = self.places.iter().zip(0..).filter(|(place, _)| place.here && fits(place));
        let waiting = waiting.filter_map(|(place, number)| match place.state {
            State::Waiting { seq, size, .. } => {
                Some((CallId { place: number, serial: place.serial }, seq, size))
            }
            _ => None,
        });
        waiting.collect()
    }

    /// How many bytes its message takes.
    pub(super) fn set_size(&mut self, call: CallId, bytes: usize) {
        if let State::Waiting { size, .. } = &mut self.places[call.place as usize].state {
            *size = bytes;
        }
    }

    /// The id as it goes over the wire: prefix, place, serial.
    pub(super) fn write_id(&self, call: CallId, text: &mut String) {
        text.push_str(&self.prefix);
        push_hex(u64::from(call.place), text);
        text.push('-');
        push_hex(call.serial, text);
    }

    /// The waiting call that an id belongs to.
    pub(super) fn find(&self, id: &str) -> Option<CallId> {
        let (place, serial) = id.strip_prefix(self.prefix.as_str())?.split_once('-')?;
        let call = CallId {
            place: u32::from_str_radix(place, 16).ok()?,
            serial: u64::from_str_radix(serial, 16).ok()?,
        };
        let found = self.places.get(call.place as usize)?;
        (found.serial == call.serial && matches!(found.state, State::Waiting { .. })).then_some(call)
    }

    /// The number of its message and its bytes, while it waits.
    pub(super) fn message(&self, call: CallId) -> Option<(u64, usize)> {
        match self.places.get(call.place as usize)?.state {
            State::Waiting { seq, size, .. } => Some((seq, size)),
            _ => None,
        }
    }

    /// The call ended; returns who waits for it.
    pub(super) fn end(&mut self, call: CallId, end: CallEnd) -> Option<W> {
        let place = self.places.get_mut(call.place as usize)?;
        if place.serial != call.serial || !matches!(place.state, State::Waiting { .. }) {
            return None;
        }
        self.waiting -= 1;
        match std::mem::replace(&mut place.state, State::Ended(end)) {
            State::Waiting { waiter, .. } => waiter,
            _ => None,
        }
    }

    /// Ends every waiting call whose message number fits.
    pub(super) fn end_where(&mut self, fits: impl Fn(u64) -> bool, end: impl Fn() -> CallEnd) -> Vec<W> {
        self.end_each(|seq| fits(seq).then(&end))
    }

    /// Ends every waiting call for whose message number there is an end.
    pub(super) fn end_each(&mut self, end: impl Fn(u64) -> Option<CallEnd>) -> Vec<W> {
        let mut wake = Vec::new();
        for place in &mut self.places {
            let State::Waiting { seq, waiter, .. } = &mut place.state else { continue };
            if let Some(end) = end(*seq) {
                wake.extend(waiter.take());
                place.state = State::Ended(end);
                self.waiting -= 1;
            }
        }
        wake
    }

    /// How the call ended, if it did; that frees its place.
    pub(super) fn take_end(&mut self, call: CallId) -> Option<CallEnd> {
        let place = self.places.get_mut(call.place as usize).filter(|place| place.serial == call.serial)?;
        match std::mem::replace(&mut place.state, State::Free) {
            State::Ended(end) => {
                self.free.push(call.place);
                Some(end)
            }
            other => {
                place.state = other;
                None
            }
        }
    }

    /// The same; until then it keeps `waiter`, and puts the one that was kept there.
    pub(super) fn poll(&mut self, call: CallId, waiter: &mut Option<W>) -> Option<CallEnd> {
        let place = self.places.get_mut(call.place as usize).filter(|place| place.serial == call.serial)?;
        if let State::Waiting { waiter: kept, .. } = &mut place.state {
            std::mem::swap(kept, waiter);
            return None;
        }
        self.take_end(call)
    }

    /// Nobody waits any more. Returns number and bytes of its message, and who waited, if no answer came.
    pub(super) fn forget(&mut self, call: CallId) -> Option<(u64, usize, Option<W>)> {
        let place = self.places.get_mut(call.place as usize)?;
        if place.serial != call.serial {
            return None;
        }
        match std::mem::replace(&mut place.state, State::Free) {
            State::Free => None,
            State::Ended(_) => {
                self.free.push(call.place);
                None
            }
            State::Waiting { seq, size, waiter } => {
                self.free.push(call.place);
                self.waiting -= 1;
                Some((seq, size, waiter))
            }
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }
}

fn push_hex(number: u64, out: &mut String) {
    let mut digits = [0u8; 16];
    let (mut at, mut rest) = (digits.len(), number);
    loop {
        at -= 1;
        digits[at] = b"0123456789abcdef"[(rest & 15) as usize];
        rest >>= 4;
        if rest == 0 {
            break;
        }
    }
    // Digits are ASCII.
    out.push_str(std::str::from_utf8(&digits[at..]).unwrap_or_default());
}
