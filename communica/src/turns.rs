//! Who goes on first: a driver, other tasks, or other threads.

use std::cell::Cell;
use std::pin::pin;
use std::task::Context;
use std::thread;
use std::time::{Duration, Instant};

/// A large message may pass for so long before other threads get a turn …
const THREAD_TURN: Duration = Duration::from_micros(400);
/// … and for so long where small ones overtake it.
const SHORT_THREAD_TURN: Duration = Duration::from_micros(30);
/// However long others took: a process that was stopped meanwhile goes on as any other.
const LONGEST_THREAD_TURN: Duration = Duration::from_millis(20);

/// Has the task polled again when those that are ready now had their turn. Waking it would do the same, and would also
/// wake another thread to take it over.
pub(crate) fn let_others_first(cx: &mut Context<'_>) {
    let _ = pin!(tokio::task::yield_now()).poll(cx);
}

thread_local! {
    static HERE: u8 = const { 0 };
}

/// A number that no other thread has while this one lives.
pub(crate) fn this_thread() -> usize {
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

/// When other threads had their turn, and how long it took them.
#[derive(Clone, Copy)]
struct Turn {
    end: Instant,
    took: Duration,
}

thread_local! {
    static HAD_TURN: Cell<Option<Turn>> = const { Cell::new(None) };
}

/// The same while a large message passes, for as long as its peer keeps up: now and then other threads get a turn as well. One of
/// them waits for sockets, and so knows what else came; others are the peer's. Where all processors are busy, the system
/// would let each of them wait for milliseconds. Where other programs compute as well, a turn of theirs takes milliseconds: this thread then has
/// as long for itself, or it would get nowhere. `company`: small messages overtake the large one.
pub(crate) fn let_all_others_first(cx: &mut Context<'_>, company: bool) {
    let now = Instant::now();
    let turn = if company { SHORT_THREAD_TURN } else { THREAD_TURN };
    if HAD_TURN.get().is_none_or(|last| now - last.end > turn.max(last.took.min(LONGEST_THREAD_TURN))) {
        thread::yield_now();
        let end = Instant::now();
        HAD_TURN.set(Some(Turn { end, took: end - now }));
    }
    let_others_first(cx);
}
