//! Links come and go: hellos, beats and what a lost link did not take in; whose calls ended, and goodbyes, out.

use std::collections::HashMap;
use std::time::Duration;

use super::calls::{CallEnd, CallId};
use super::other::{BEATS, Beat};
use super::outbox::TooLarge;
use super::{Goodbye, LinkUp, Lost, NextLook, Session};
use crate::connector::Delivery;
use crate::error::{Error, Reason};
use crate::limits::{MIN_SILENCE_TIME, Quota};
use crate::wire::hello::{About, Heard as HeardOf};
use crate::wire::{Batch, Feature};

impl<W: Clone> Session<W> {
    /// Keeps the driver of the current link, which looks at everything from here on. Returns how it should end the
    /// link, if it should.
    pub(crate) fn driver_looks(&mut self, driver: impl FnOnce(Option<W>) -> W) -> Option<Goodbye> {
        self.driver = Some(driver(self.driver.take()));
        self.next_look = NextLook::WhenCalled;
        self.goodbye.clone()
    }

    /// What this side says of itself to the peer, who is this one as far as it is known already.
    pub(crate) fn about(&self, peer: Option<&About>) -> About {
        let known = self.other.instance().filter(|&known| peer.is_none_or(|peer| peer.instance == known));
        // What an end for good took from one side, the other must not take for repeated. Another peer lost nothing by it.
        let over = self.over && known.is_some();
        let known = known.filter(|_| !over);
        let lost = self.lost_count.as_deref();
        let lost_count = over || peer.map_or(lost.is_some(), |peer| lost == Some(peer.instance.as_str()));
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let Quota { messages, bytes } = self.limits.unacknowledged;
        let heard = match (known, peer) {
            (Some(known), _) => Some(HeardOf { instance: known.to_owned(), messages: self.heard.count() }),
            // It may have sent something after a handshake that came to its end on its side only.
            (None, Some(peer)) if !lost_count => {
                Some(HeardOf { instance: peer.instance.clone(), messages: 0 })
            }
            // It may remember this session, which does not remember what it had from it.
            (None, None) if lost_count => Some(HeardOf { instance: String::new(), messages: 0 }),
            _ => None,
        };
        About {
            instance: self.instance.clone(),
            features: Feature::ALL.iter().map(|feature| feature.name().to_owned()).collect(),
            silence_ms: Some(millis(self.limits.silence_time)),
            message_size: Some(self.limits.message_size as u64),
            unacknowledged: Some((messages as u64, bytes as u64)),
            heard,
            token: None,
        }
    }

    /// There is a link from now on; its driver will look for the first time soon. `about`: what the peer said.
    pub(crate) fn link_up(&mut self, delivery: Delivery, about: Option<About>) -> LinkUp<W> {
        self.linked = true;
        self.brought = false;
        self.stored = matches!(delivery, Delivery::Stored { .. });
        let hands_over = if let Delivery::Stored { hands_over, .. } = delivery { hands_over } else { 0 };
        let handed_over = std::mem::replace(&mut self.hands_over, hands_over);
        let is_same =
            about.as_ref().is_some_and(|about| self.other.instance() == Some(about.instance.as_str()));
        // Of two that both say nothing of themselves nobody knows: Python's clients come back like that.
        let is_another = !is_same && (self.other.instance().is_some() || about.is_some());
        let can = about.as_ref().is_some_and(|about| about.supports(Feature::Resume));
        self.resumes = can && !self.stored;
        self.outbox.link_up(delivery, self.resumes);
        let heard = about.as_ref().and_then(|about| about.heard.as_ref());
        // The peer counts on from what it heard of this session; else from nothing.
        let came = heard.filter(|heard| heard.instance == self.instance).map(|heard| heard.messages);
        if !is_same || self.over {
            self.heard.restart();
        }
        self.over &= is_same;
        if let (true, None, Some(known)) = (is_another, &about, self.other.instance()) {
            self.lost_count = Some(known.to_owned());
        }
        self.heard.link_up(about.as_ref().and_then(|about| about.unacknowledged));
        self.other.greet(about.as_ref());
        if self.stored {
            self.beginnings += u64::from(!is_same);
            // That it is the same peer says little: between the links another one may have had the queue.
            self.outbox.repeat_unanswered(handed_over);
            return LinkUp { wake: self.drop_too_large(), is_another: false };
        }
        // Who says that nothing goes on is told nothing of before, either.
        let goes_on = self.resumes && is_same && !self.over;
        let resumed = goes_on && came.is_some_and(|came| self.outbox.resume(came));
        self.beginnings += u64::from(!resumed);
        let mut wake =
            if resumed { Vec::new() } else { self.start_over(came.unwrap_or(0), &Reason::Restarted) };
        wake.extend(self.drop_too_large());
        for (seq, call) in std::mem::take(&mut self.given_up) {
            if resumed {
                self.tell_given_up(seq, call);
            }
        }
        if is_another {
            self.jobs.forget_requests();
        }
        LinkUp { wake, is_another }
    }

    /// What waits and is more than this peer takes ends here. Wake the returned.
    fn drop_too_large(&mut self) -> Vec<W> {
        let limit = self.size_limit();
        let dropped = self.outbox.drop_above(limit);
        if dropped.is_empty() {
            return Vec::new();
        }
        let sizes: HashMap<u64, usize> = dropped.iter().map(|TooLarge { seq, size }| (*seq, *size)).collect();
        self.calls.end_each(|seq| {
            let reason = Reason::TooLarge { size: *sizes.get(&seq)?, limit };
            let was_sent = self.outbox.was_repeated(seq);
            Some(CallEnd::Lost(if was_sent { Error::MayHaveRun(reason) } else { Error::NotSent(reason) }))
        })
    }

    /// The peer's process is gone, and with it what it had of this session. Wake the returned.
    pub(crate) fn peer_is_gone(&mut self, reason: &Reason) -> Vec<W> {
        // It may have been something in between that is gone. Then the peer must not wait for what was stopped here.
        self.over |= self.resumes;
        if self.stored { self.end_sent(reason) } else { self.start_over(0, reason) }
    }

    /// What was sent is not repeated: its calls end.
    fn start_over(&mut self, came: u64, reason: &Reason) -> Vec<W> {
        self.throws_lost += self.outbox.sent_throws();
        self.outbox.start_over(came);
        self.given_up.clear();
        self.end_sent(reason)
    }

    /// The peer announced this on the latest link.
    pub(crate) fn supports(&self, feature: Feature) -> bool {
        self.other.supports(feature)
    }

    /// The time between two beats of the link that is there, if the peer beats too.
    pub(crate) fn beat_time(&self) -> Option<Duration> {
        let theirs = self.other.silence_time().filter(|_| !self.stored)?;
        Some(self.limits.silence_time.min(theirs.max(MIN_SILENCE_TIME)) / BEATS)
    }

    /// A beat's time is over. `came`: the link brought something since the last, if only a part of a message.
    pub(crate) fn beat(&mut self, came: bool) -> Beat {
        if came || self.paused {
            self.other.heard();
        }
        self.tell_of_stall();
        let beat = self.other.beat();
        if beat == Beat::Say {
            self.heard.tell();
        }
        beat
    }

    /// What waits for handlers to end may wait without end, but not in silence.
    fn tell_of_stall(&mut self) {
        let (waiting, ended) = self.jobs.held_back(self.calls.waiting());
        if self.stall.is_news(waiting, ended) {
            tracing::warn!(
                client_id = &*self.client_id,
                waiting,
                running = self.jobs.running(),
                "messages wait for handlers of the same peer to end, and none does: see `Limits::running`"
            );
        }
    }

    pub(crate) fn is_linked(&self) -> bool {
        self.linked
    }

    /// Which of the links with which nothing of earlier ones went on is the latest.
    pub(crate) fn beginning(&self) -> u64 {
        self.beginnings
    }

    /// The latest link has a store.
    pub(crate) fn is_stored(&self) -> bool {
        self.stored
    }

    /// What the latest link took is repeated on the next.
    pub(crate) fn resumes(&self) -> bool {
        self.resumes
    }

    /// What this link took is repeated, should it be cut.
    pub(crate) fn is_resumable(&self) -> bool {
        self.linked && self.resumes
    }

    /// A newer connection of this peer came: the link that is there should end. Returns the connection's number, and
    /// the driver to wake.
    pub(crate) fn take_over(&mut self, goodbye: Goodbye) -> (u64, Option<W>) {
        self.newest_link += 1;
        (self.newest_link, self.end_link(goodbye))
    }

    /// No newer connection came than the one with this number.
    pub(crate) fn is_newest(&self, number: u64) -> bool {
        self.newest_link == number
    }

    /// Asks the driver to end the link, if there is one. Wake the returned.
    pub(crate) fn end_link(&mut self, goodbye: Goodbye) -> Option<W> {
        if !self.linked {
            return None;
        }
        self.goodbye = Some(goodbye);
        self.call_driver()
    }

    /// The link is gone; `batch` is what it did not take. Unsent messages wait for the next link. Calls that were sent
    /// end, unless the peer may come back and go on. Wake the returned.
    pub(crate) fn link_lost(&mut self, batch: Batch, why: &str, lost: Lost) -> Vec<W> {
        self.linked = false;
        self.driver = None;
        self.next_look = NextLook::WhenCalled;
        self.paused = false;
        self.goodbye = None;
        if self.stored {
            if let Some(arrivals) = self.arrivals.get_mut() {
                arrivals.link_lost();
            }
            // What the store has, it hands over; what it may not have, the next link takes again.
            let given_up = self.outbox.stored_link_lost(lost == Lost::Refused);
            // Most likely it is the one that was refused. It may also be one that the store took and did not confirm.
            let lost = || CallEnd::Lost(Error::MayHaveRun(Reason::Disconnected(why.to_owned())));
            let mut wake = self.calls.end_where(|seq| given_up == Some(seq), lost);
            wake.extend(self.end_unsent_of_this_link(why));
            // Somebody else may be asked at once. What may run once only waits for a while: the peer may be back soon.
            let reason = Reason::Disconnected(why.to_owned());
            wake.extend(self.end_stored(self.calls.idempotent_of_this_link(), &reason));
            return wake;
        }
        let given_up = self.outbox.link_lost(batch);
        let reason = self.closed.clone().unwrap_or_else(|| match lost {
            Lost::Replaced => Reason::Replaced,
            _ => Reason::Disconnected(why.to_owned()),
        });
        let may_have_run = given_up.is_some_and(|seq| self.outbox.was_repeated(seq));
        let error = if may_have_run { Error::MayHaveRun } else { Error::NotSent };
        let given_up = |seq| given_up == Some(seq);
        let mut wake = self.calls.end_where(given_up, || CallEnd::Lost(error(reason.clone())));
        let for_good = matches!(lost, Lost::Over | Lost::Replaced);
        self.over |= self.resumes && for_good;
        if !self.resumes || for_good {
            wake.extend(self.start_over(0, &reason));
        }
        wake.extend(self.end_unsent_of_this_link(why));
        if self.ended {
            // There is no other link for what this one did not take.
            let left = self.outbox.throws();
            // What may have to be repeated was counted when the session ended.
            self.throws_lost += if self.resumes { 0 } else { left };
            self.outbox.clear();
        }
        wake
    }

    /// These were for the link that is lost, and its store has them or may have them. Should the peer come back, what of them it has not
    /// done by then is not to run.
    pub(super) fn end_stored(&mut self, calls: Vec<(CallId, u64, usize)>, reason: &Reason) -> Vec<W> {
        let mut wake = Vec::new();
        for (call, seq, size) in calls {
            self.outbox.withdraw(seq, size);
            self.outbox.never_repeat(seq);
            self.tell_given_up(seq, call);
            wake.extend(self.calls.end(call, CallEnd::Lost(Error::MayHaveRun(reason.clone()))));
        }
        wake
    }

    /// Calls that were for the link that is lost, and that it did not take: somebody else may be asked.
    fn end_unsent_of_this_link(&mut self, why: &str) -> Vec<W> {
        let calls = self.calls.of_this_link();
        if calls.is_empty() {
            return Vec::new();
        }
        let unsent = self.outbox.never_sent();
        let unsent = calls.into_iter().filter(|(_, seq, _)| unsent.contains(seq));
        let ended = unsent.filter_map(|(call, seq, size)| {
            let error = if self.outbox.withdraw(seq, size) { Error::NotSent } else { Error::MayHaveRun };
            self.calls.end(call, CallEnd::Lost(error(Reason::Disconnected(why.to_owned()))))
        });
        ended.collect()
    }
}
