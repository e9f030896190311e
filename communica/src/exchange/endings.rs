//! What ends: lost links, newer ones, peers that are gone and reasons to close in; woken callers out.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use super::{Exchange, lock, wake};
use crate::clock::timeout;
use crate::error::Reason;
use crate::excerpt::beginning;
use crate::session::{Goodbye, Lost};

impl Exchange {
    /// What the link did not take waits for the next; what it took is repeated there, if the peer can go on.
    pub(crate) fn link_lost(self: &Arc<Self>, why: &str, lost: Lost) {
        let (tx, batch) = self.detach();
        self.note_no_link(format!("the last one ended: {why}"));
        let mut session = self.session();
        let wakers = session.link_lost(batch, why, lost);
        // What a store has is answered whenever the peer is there, unless anybody's answer would do.
        let waits = session.has_calls() && (session.resumes() || session.is_stored());
        // The peer's calls ended, too. One that speaks 0.4 may come back and wait on.
        let nobody_waits = session.resumes() && matches!(lost, Lost::Over | Lost::Replaced);
        drop(session);
        if nobody_waits {
            self.stop_requests();
        }
        wake(wakers);
        self.room.notify_waiters();
        self.changed.notify_waiters();
        if waits {
            self.give_up_later(why);
        }
        // The driver may have ended when it was asked to do that.
        self.start_others();
        // A user's own code: whatever it does, the link is gone by now.
        drop(tx);
        self.tell_of_lost_throws();
    }

    /// Whose time ends before there is a link is told why there was none.
    pub(crate) fn note_no_link(&self, why: String) {
        /// Of what a peer may have said: each client that is gone keeps it.
        const CHARACTERS: usize = 300;
        *lock(&self.no_link) = Some(beginning(&why, CHARACTERS).into_owned());
    }

    pub(super) fn why_no_link(&self) -> Option<String> {
        lock(&self.no_link).clone()
    }

    /// Callers learn what became of their calls; of throws the log tells.
    pub(super) fn tell_of_lost_throws(&self) {
        let lost = self.session().take_lost_throws();
        self.tell_of_throws(lost);
    }

    fn tell_of_throws(&self, throws: usize) {
        if throws > 0 {
            let client_id = self.client_id();
            tracing::warn!(
                client_id,
                throws,
                "throws were accepted, and it is not known whether the peer has them"
            );
        }
    }

    /// Calls that were sent do not wait for ever for the link to come back.
    fn give_up_later(self: &Arc<Self>, why: &str) {
        let (exchange, time) = (Arc::downgrade(self), self.limits.resume_time);
        let reason = format!("{why}; there was no new connection within {time:?}");
        self.running.give_up_after(time, move || {
            if let Some(exchange) = exchange.upgrade() {
                exchange.give_up_sent(&Reason::Disconnected(reason));
            }
        });
    }

    /// The peer did not come back in time: calls that were sent to it end.
    fn give_up_sent(&self, reason: &Reason) {
        let mut session = self.session();
        let wakers = if session.is_linked() { Vec::new() } else { session.give_up_sent(reason) };
        drop(session);
        wake(wakers);
        self.changed.notify_waiters();
    }

    /// The peer's process is gone: what was sent to it is not repeated, calls that were end, and nobody waits for what it asked.
    pub(crate) fn peer_is_gone(&self, reason: &Reason) {
        let mut session = self.session();
        if session.is_linked() {
            return;
        }
        let wakers = session.peer_is_gone(reason);
        let nobody_waits = !session.is_stored();
        drop(session);
        if nobody_waits {
            self.stop_requests();
        }
        wake(wakers);
        self.room.notify_waiters();
        self.changed.notify_waiters();
        self.tell_of_lost_throws();
    }

    /// The peer is served by somebody else: calls to it end. `keeps_throws`: those that came are still handled here.
    pub(crate) fn moved(self: &Arc<Self>, why: &str, keeps_throws: bool) {
        let wakers = self.session().moved(why, keeps_throws);
        // They begin anew there.
        self.running.stop_requests();
        wake(wakers);
        self.room.notify_waiters();
        self.changed.notify_waiters();
        // Throws that waited for answers to go out.
        self.start_others();
        self.tell_of_lost_throws();
    }

    /// Asks the driver to end the link.
    pub(crate) fn end_link(&self, goodbye: Goodbye) {
        let driver = self.session().end_link(goodbye);
        wake(driver);
    }

    /// A newer connection came, with this number. Returns that.
    pub(crate) fn tell_of_takeover(&self, (number, driver): (u64, Option<Waker>)) -> u64 {
        wake(driver);
        // Those that wait for their turn have lost it.
        self.changed.notify_waiters();
        number
    }

    /// The peer does not come back: nobody waits here for what it asked. It may wait elsewhere: where servers share their work, a
    /// store keeps that until it is answered.
    pub(crate) fn forget(self: &Arc<Self>) {
        // First, or those that are stopped would seem to be done with.
        self.session().give_back_requests();
        self.no_more_links(Reason::Forgotten);
    }

    /// The last link is gone: calls end, and nobody waits for answers. Throws that came are handled.
    pub(crate) fn no_more_links(self: &Arc<Self>, reason: Reason) {
        self.stop_requests();
        self.close(reason);
        // Throws that waited for answers to go out.
        self.start_others();
    }

    /// Nobody waits for the answers of handlers that run; those of throws run on.
    pub(crate) fn stop_requests(&self) {
        // First, or they would start in the places of those that are stopped.
        self.session().forget_requests();
        self.running.stop_requests();
    }

    /// The time for handlers to end is over: they are stopped here where their callers would not learn that otherwise.
    pub(crate) async fn answer_for_stopped(&self) {
        /// Those that do not block are gone at once, where the machine is not busy. Half of what a goodbye may take.
        const MOMENT: Duration = Duration::from_millis(500);
        if self.session().answer_for_stopped() {
            self.running.stop_requests();
            let _ = timeout(MOMENT, &self.runtime, self.wait_until(|session| session.no_jobs())).await;
        }
    }

    /// Ends every call and accepts no more.
    pub(crate) fn close(&self, reason: Reason) {
        let (throws, wakers) = {
            let mut session = self.session();
            (session.throws_without_word(), session.close(reason))
        };
        self.tell_of_throws(throws);
        wake(wakers);
        self.room.notify_waiters();
        self.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::atomic::{AtomicBool, Ordering};

    use bytes::Bytes;
    use tokio::runtime::Handle;

    use super::*;
    use crate::connector::Delivery;
    use crate::exchange::handlers::Job;
    use crate::limits::Limits;
    use crate::route::Handlers;
    use crate::wire::{Message, Receipt};

    /// A message that a store brought and whose handler runs, and whether it was settled.
    fn running(exchange: &Arc<Exchange>, metadata: &'static str) -> (Job, Arc<AtomicBool>) {
        let settled = Arc::new(AtomicBool::new(false));
        let settle = settled.clone();
        let receipt = Receipt::new(Some(metadata.to_owned()), move || settle.store(true, Ordering::Relaxed));
        let mut message = Message::parse(Bytes::from(metadata), Bytes::new()).unwrap().with_receipt(receipt);
        let (mut mine, mut started) = (false, VecDeque::new());
        let mut session = exchange.session();
        session.receive(&mut message);
        session.start_jobs(&mut mine, &mut started);
        session.start_jobs(&mut mine, &mut VecDeque::new());
        drop(session);
        (Job::new(exchange.clone(), None, started.remove(0).unwrap().metadata), settled)
    }

    #[tokio::test]
    async fn of_a_long_goodbye_little_is_kept() {
        let (handlers, limits) = (Arc::new(Handlers::Simple(None)), Limits::default());
        let exchange = Exchange::new("w1".to_owned(), Arc::downgrade(&handlers), limits, Handle::current());
        exchange.link_lost(&"ü".repeat(30_000), Lost::Over);
        let kept = exchange.why_no_link().expect("it is known");
        assert!(kept.starts_with("the last one ended: ü") && kept.len() < 1000, "{} bytes", kept.len());
    }

    /// Nobody waits for its answer.
    #[tokio::test]
    async fn what_a_process_asked_for_ends_with_it() {
        let running = Arc::new(());
        let runs = running.clone();
        let handler = move |(): ()| {
            let runs = runs.clone();
            async move {
                let _runs = runs;
                std::future::pending::<()>().await
            }
        };
        let table = crate::RouteTable::new().route("ask", handler);
        let handlers = Arc::new(Handlers::Table(table));
        let exchange =
            Exchange::new("w1".to_owned(), Arc::downgrade(&handlers), Limits::default(), Handle::current());
        let metadata = Bytes::from(r#"{"id":"a","type":1,"route":"ask"}"#);
        exchange.session().receive(&mut Message::parse(metadata, Bytes::from("null")).unwrap());
        exchange.start_jobs(&mut VecDeque::new());
        assert_eq!(Arc::strong_count(&running), 3, "it runs");
        exchange.peer_is_gone(&Reason::Disconnected("it was killed".to_owned()));
        let ended = exchange.wait_until(|session| session.no_jobs());
        tokio::time::timeout(Duration::from_secs(20), ended).await.expect("it is stopped");
        assert_eq!(Arc::strong_count(&running), 2);
    }

    #[tokio::test]
    async fn what_a_forgotten_peer_asked_for_is_left_to_the_store() {
        let handlers = Arc::new(Handlers::Simple(None));
        let exchange =
            Exchange::new("w1".to_owned(), Arc::downgrade(&handlers), Limits::default(), Handle::current());
        exchange.session().link_up(Delivery::Stored { fresh: false, hands_over: 0 }, None);
        let (request, is_answered) = running(&exchange, r#"{"id":"a","type":1,"route":"r"}"#);
        let (throw, is_handled) = running(&exchange, r#"{"id":"b","type":2,"route":"r"}"#);
        exchange.forget();
        // They are stopped, or end by themselves.
        drop(request);
        drop(throw);
        assert!(!is_answered.load(Ordering::Relaxed), "the store forgot what has no answer");
        assert!(is_handled.load(Ordering::Relaxed));
    }

    /// They waited for answers to go out, of which there will be none.
    #[tokio::test]
    async fn what_a_forgotten_peer_threw_is_handled_though_it_took_no_answers() {
        let ran = Arc::new(AtomicBool::new(false));
        let runs = ran.clone();
        let table = crate::RouteTable::new()
            .route("ask", |(): ()| "x".repeat(4096))
            .route("tell", move |(): ()| runs.store(true, Ordering::Relaxed));
        let handlers = Arc::new(Handlers::Table(table));
        let limits = Limits::default().queued(1, 1024);
        let exchange = Exchange::new("w1".to_owned(), Arc::downgrade(&handlers), limits, Handle::current());
        for metadata in [r#"{"id":"a","type":1,"route":"ask"}"#, r#"{"id":"b","type":2,"route":"tell"}"#] {
            let mut message = Message::parse(Bytes::from(metadata), Bytes::from("null")).unwrap();
            exchange.session().receive(&mut message);
            exchange.start_jobs(&mut VecDeque::new());
        }
        assert!(!ran.load(Ordering::Relaxed), "there was room for more answers");
        exchange.forget();
        let handled = exchange.wait_until(|session| session.no_jobs());
        tokio::time::timeout(Duration::from_secs(20), handled).await.expect("it starts");
        assert!(ran.load(Ordering::Relaxed));
    }
}
