//! Calls for any client over a store: who does not begin them says so, and nobody waits for one that went.

use std::sync::{Arc, Mutex};

use super::*;
use crate::wire::hello::About;
use crate::wire::{Kind, Receipt};

const STORE: Delivery = Delivery::stored();

/// What the session says to a peer of ours.
fn linked(prefix: &str, limits: &Limits) -> Pair {
    let mut session = session(prefix, limits);
    session.link_up(STORE, Some(about()));
    session
}

fn about() -> About {
    Pair::new("other".to_owned(), "w1".into(), Limits::new().into()).about(None)
}

fn ask(session: &mut Pair, text: &str, idempotent: bool) -> CallId {
    let what = What { route: Some("route"), idempotent, here: true, ..What::default() };
    session.request(what, &mut payload(text)).unwrap().call
}

/// Whether it was settled.
#[derive(Clone, Default)]
struct Settled(Arc<Mutex<bool>>);

impl Settled {
    fn is(&self) -> bool {
        *self.0.lock().unwrap()
    }

    /// `first`: nobody had the message before.
    fn deliver(&self, message: Message, first: bool, to: &mut Pair) -> Event<&'static str> {
        let settled = self.0.clone();
        let receipt =
            Receipt::new(Some(message.metadata.id().into_owned()), move || *settled.lock().unwrap() = true);
        to.receive(&mut message.with_receipt(if first { receipt.brought_first() } else { receipt }))
    }
}

#[test]
fn one_that_is_stopping_refuses_what_another_may_do() {
    let (mut server, mut client) = (linked("s", &limits()), linked("c", &limits()));
    let call = ask(&mut server, "any", false);
    let message = carry(&mut server).remove(0);
    client.drain();
    let settled = Settled::default();
    assert!(matches!(settled.deliver(message, true, &mut client), Event::Dropped(_)));
    assert!(settled.is(), "the store must not bring it again once the word is out");
    deliver(&mut client, &mut server);
    assert!(matches!(end(&mut server, call), Some(CallEnd::Lost(Error::NotSent(Reason::NotBegun(_))))));
}

#[test]
fn one_that_is_stopping_leaves_to_the_store_what_is_for_its_id_or_another_may_have_begun() {
    let (mut server, mut client) = (linked("s", &limits()), linked("c", &limits()));
    let _ = (request(&mut server, "by id"), ask(&mut server, "any", false));
    let messages = carry(&mut server);
    client.drain();
    for (message, first) in messages.into_iter().zip([true, false]) {
        let settled = Settled::default();
        assert!(matches!(settled.deliver(message, first, &mut client), Event::Dropped(_)));
        assert!(!settled.is());
    }
    assert!(carry(&mut client).is_empty());
}

#[test]
fn one_that_answers_nothing_any_more_takes_nothing_from_the_store() {
    let (mut server, mut client) = (linked("s", &limits()), linked("c", &limits()));
    let _ = ask(&mut server, "any", false);
    let message = carry(&mut server).remove(0);
    client.drain();
    client.close(Reason::Closed);
    let settled = Settled::default();
    assert!(matches!(settled.deliver(message, true, &mut client), Event::Dropped(_)));
    assert!(!settled.is());
}

#[test]
fn a_peer_that_says_nothing_of_itself_is_told_nothing_new() {
    let mut server = session("s", &limits());
    server.link_up(STORE, None);
    let _ = ask(&mut server, "any", false);
    assert_eq!(carry(&mut server)[0].metadata.member::<bool>("any"), None);
}

/// A handler runs whose caller is waited for, and holds so many bytes that nothing more starts.
fn full() -> (Pair, Pair) {
    let (mut server, mut client) = (linked("s", &limits()), linked("c", &Limits::new().waiting(1000, 100)));
    let _ = request(&mut server, &"x".repeat(3000));
    deliver(&mut server, &mut client);
    assert_eq!(start(&mut client).len(), 1);
    let _ = request(&mut client, "back");
    deliver(&mut client, &mut server);
    (server, client)
}

#[test]
fn one_that_has_too_much_to_do_did_not_begin_what_nobody_had_before() {
    for (first, again) in [(true, false), (false, false), (true, true)] {
        let (mut server, mut client) = full();
        let call = request(&mut server, "more");
        let message = carry(&mut server).remove(0);
        if again {
            server.confirmed(u64::MAX);
            server.link_lost(Batch::default(), "cut", Lost::Cut);
            server.link_up(STORE.fresh(true), Some(about()));
            carry(&mut server);
        }
        let settled = Settled::default();
        let event = settled.deliver(message, first, &mut client);
        assert!(matches!(event, Event::Dropped(_)), "{event:?}");
        assert_eq!(settled.is(), first);
        deliver(&mut client, &mut server);
        match (end(&mut server, call), first, again) {
            (Some(CallEnd::Lost(Error::NotSent(Reason::NotBegun(_)))), true, false) => {}
            (Some(CallEnd::Lost(Error::MayHaveRun(Reason::NotBegun(_)))), true, true) => {}
            (Some(CallEnd::Fault(_)), false, _) => {}
            (other, ..) => panic!("{other:?}, first {first}, again {again}"),
        }
    }
}

#[test]
fn what_waited_when_a_link_was_lost_somebody_else_may_have_begun() {
    let (mut server, mut client) = (linked("s", &limits()), linked("c", &Limits::new().running(1)));
    let _ = (request(&mut server, "runs"), request(&mut server, "waits"));
    let settled = Settled::default();
    for message in carry(&mut server) {
        assert_eq!(settled.deliver(message, true, &mut client), Event::Queued);
    }
    client.link_lost(Batch::default(), "cut", Lost::Cut);
    client.link_up(STORE, Some(about()));
    let job = start(&mut client).remove(0);
    assert!(!client.settle_unbegun(&job.metadata));
}

#[test]
fn nobody_waits_for_a_client_that_went_with_what_may_run_twice() {
    let mut server = linked("s", &limits());
    let calls = [true, false].map(|idempotent| ask(&mut server, "any", idempotent));
    let by_id = {
        let what = What { idempotent: true, ..What::default() };
        server.request(what, &mut payload("by id")).unwrap().call
    };
    let sent = carry(&mut server);
    assert_eq!(sent.len(), 3);
    server.confirmed(3);
    server.link_lost(Batch::default(), "cut", Lost::Cut);
    assert!(matches!(
        end(&mut server, calls[0]),
        Some(CallEnd::Lost(Error::MayHaveRun(Reason::Disconnected(_))))
    ));
    assert!(end(&mut server, calls[1]).is_none() && end(&mut server, by_id).is_none());

    server.give_up_sent(&Reason::Disconnected("it did not come back".to_owned()));
    assert!(matches!(
        end(&mut server, calls[1]),
        Some(CallEnd::Lost(Error::MayHaveRun(Reason::Disconnected(_))))
    ));
    assert!(end(&mut server, by_id).is_none(), "what waits at the store is for that client");

    server.link_up(STORE, Some(about()));
    let said = carry(&mut server);
    let cancelled: Vec<_> = said.iter().map(|message| message.metadata.id().into_owned()).collect();
    assert!(said.iter().all(|message| message.metadata.kind() == Kind::Cancel));
    assert_eq!(cancelled, [sent[0].metadata.id(), sent[1].metadata.id()], "they need not run any more");
}

#[test]
fn what_the_store_may_not_have_is_not_sent_again_once_somebody_else_is_asked() {
    let mut server = linked("s", &limits());
    let call = ask(&mut server, "any", true);
    carry(&mut server);
    server.link_lost(Batch::default(), "cut", Lost::Cut);
    assert!(matches!(end(&mut server, call), Some(CallEnd::Lost(Error::MayHaveRun(_)))));
    server.link_up(STORE, Some(about()));
    assert!(carry(&mut server).iter().all(|message| message.metadata.kind() == Kind::Cancel));
}
