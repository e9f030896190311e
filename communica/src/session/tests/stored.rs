//! Links with a store: what they took is repeated until it is confirmed, and what came is settled when it is done.

use std::sync::{Arc, Mutex};

use super::*;
use crate::wire::{Kind, Receipt};

const STORE: Delivery = Delivery::stored();
const EMPTY_STORE: Delivery = Delivery::stored().fresh(true);
const SHORT_MEMORY: Delivery = Delivery::stored().hands_over(300);

/// Messages with their stamps, as a store takes them.
fn publish(session: &mut Pair) -> Vec<(Message, String)> {
    let mut batch = Batch::default();
    session.fill(&mut batch, false);
    let items = std::iter::from_fn(|| batch.next_item()).filter_map(|item| match item {
        Item::Message { metadata, payload, stamp } => {
            Some((Message::parse(metadata, payload).unwrap(), stamp.to_string()))
        }
        Item::Close { .. } => None,
    });
    let items = items.collect();
    session.filled_was_sent();
    items
}

fn lose_link(session: &mut Pair) {
    assert_eq!(session.link_lost(Batch::default(), "cut", Lost::Cut), Vec::<&str>::new(), "no call ends");
}

/// Remembers which messages were settled.
#[derive(Clone, Default)]
struct Settled(Arc<Mutex<Vec<String>>>);

impl Settled {
    fn deliver(&self, message: &Message, key: &str, to: &mut Pair) -> Event<&'static str> {
        let (settled, key) = (self.0.clone(), key.to_owned());
        let receipt = Receipt::new(Some(key.clone()), move || settled.lock().unwrap().push(key));
        to.receive(&mut message.clone().with_receipt(receipt))
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[test]
fn a_message_that_the_store_refuses_is_given_up_and_the_others_go_on() {
    let mut client = linked("c");
    let calls = ["refused", "good"].map(|text| request(&mut client, text));
    for _ in 0..2 {
        assert_eq!(publish(&mut client).len(), 2);
        assert!(client.link_lost(Batch::default(), "too large", Lost::Refused).is_empty());
        client.link_up(STORE, None);
    }
    publish(&mut client);
    client.link_lost(Batch::default(), "too large", Lost::Refused);
    assert!(matches!(client.poll_call(calls[0], &mut Some("w")), Some(CallEnd::Lost(Error::MayHaveRun(_)))));
    client.link_up(STORE, None);
    assert_eq!(publish(&mut client).len(), 1);
    assert!(client.poll_call(calls[1], &mut Some("w")).is_none());
}

#[test]
fn an_answer_that_the_store_refuses_keeps_no_other_request_from_being_settled() {
    let (mut client, mut server, settled) = (linked("c"), linked("s"), Settled::default());
    request(&mut client, "a");
    request(&mut client, "b");
    for (message, stamp) in publish(&mut client) {
        settled.deliver(&message, &stamp, &mut server);
    }
    answer_all(&mut server);
    for _ in 0..3 {
        publish(&mut server);
        server.link_lost(Batch::default(), "too large", Lost::Refused);
        server.link_up(STORE, None);
    }
    let left = publish(&mut server);
    let [_, told] = &left[..] else { panic!("{left:?}") };
    assert_eq!(told.0.metadata.kind(), Kind::Resp, "who asked is told");
    server.confirmed(2);
    assert_eq!(settled.take().len(), 2);
}

fn linked(name: &str) -> Pair {
    let mut session = session(name, &Limits::new());
    session.link_up(STORE, None);
    session
}

#[test]
fn what_was_not_confirmed_is_repeated_under_its_stamp_and_in_order() {
    let mut client = linked("c");
    for text in ["a", "b", "c"] {
        request(&mut client, text);
    }
    let first = publish(&mut client);
    client.confirmed(1);
    request(&mut client, "d");
    lose_link(&mut client);
    client.link_up(STORE, None);
    let again = publish(&mut client);
    let texts_of = |all: &[(Message, String)]| texts(&all.iter().map(|it| it.0.clone()).collect::<Vec<_>>());
    assert_eq!(texts_of(&again), ["b", "c", "d"]);
    assert_eq!((&again[0].1, &again[1].1), (&first[1].1, &first[2].1));
    client.confirmed(3);
    lose_link(&mut client);
    client.link_up(STORE, None);
    assert!(publish(&mut client).is_empty());
}

#[test]
fn requests_are_repeated_under_new_stamps_when_the_store_lost_them() {
    let mut client = linked("c");
    let calls = ["a", "b", "c", "d"].map(|text| request(&mut client, text));
    let _ = client.throw(What { route: Some("route"), ..What::default() }, &mut payload("thrown")).unwrap();
    let first = publish(&mut client);
    client.confirmed(5);
    // One has its answer, one is not waited for, one throw is nobody's to repeat.
    let mut server = session("s", &Limits::new());
    server.receive(&mut first[0].0.clone());
    answer_all(&mut server);
    deliver(&mut server, &mut client);
    assert!(matches!(client.poll_call(calls[0], &mut Some("a")), Some(CallEnd::Value(_))));
    client.abandon(calls[1]);
    lose_link(&mut client);
    client.link_up(EMPTY_STORE, None);
    let again = publish(&mut client);
    let [c, d] = &again[..] else { panic!("{again:?}") };
    assert_eq!((&c.0.payload[..], &d.0.payload[..]), (&b"c"[..], &b"d"[..]));
    assert!(first.iter().all(|(_, stamp)| *stamp != c.1 && *stamp != d.1));
    // The ids are the same, so that an answer finds its call.
    assert_eq!(c.0.metadata.id(), first[2].0.metadata.id());
}

#[test]
fn small_requests_are_repeated_under_their_stamps_when_the_store_may_have_forgotten_them() {
    let mut client = linked("c");
    client.link_up(SHORT_MEMORY, None);
    let large = "x".repeat(300);
    let calls = ["a", "b", &large, "c"].map(|text| request(&mut client, text));
    let _ = client.throw(What { route: Some("route"), ..What::default() }, &mut payload("thrown")).unwrap();
    let first = publish(&mut client);
    client.confirmed(5);
    client.abandon(calls[1]);
    // The word that nobody waits.
    let words = publish(&mut client).len() as u64;
    client.confirmed(5 + words);
    lose_link(&mut client);
    client.link_up(STORE, None);
    let again = publish(&mut client);
    let [a, c] = &again[..] else { panic!("{again:?}") };
    assert_eq!((&a.0.payload[..], &a.1), (&b"a"[..], &first[0].1));
    assert_eq!((&c.0.payload[..], &c.1), (&b"c"[..], &first[3].1));
    client.confirmed(2);
    lose_link(&mut client);
    // That store kept them.
    client.link_up(SHORT_MEMORY, None);
    assert!(publish(&mut client).is_empty());
}

/// Two small requests and a large one between them, on a link whose store may forget the small ones.
fn with_a_large_one() -> (Pair, [CallId; 3], Vec<(Message, String)>) {
    let mut client = linked("c");
    client.link_up(SHORT_MEMORY, None);
    let large = "x".repeat(300);
    let calls = ["a", &large, "c"].map(|text| request(&mut client, text));
    let first = publish(&mut client);
    client.confirmed(3);
    lose_link(&mut client);
    (client, calls, first)
}

#[test]
fn a_request_that_the_store_keeps_was_sent_though_others_are_queued_again() {
    let (mut client, calls, _) = with_a_large_one();
    client.link_up(SHORT_MEMORY, None);
    assert_eq!(publish(&mut client).len(), 2);
    lose_link(&mut client);
    assert!(!client.abandon(calls[1]).unsent);
}

#[test]
fn a_request_that_was_answered_is_never_repeated_though_others_were_queued_again() {
    let (mut client, calls, first) = with_a_large_one();
    client.link_up(SHORT_MEMORY, None);
    let mut server = session("s", &Limits::new());
    server.receive(&mut first[1].0.clone());
    answer_all(&mut server);
    deliver(&mut server, &mut client);
    assert!(matches!(client.poll_call(calls[1], &mut Some("a")), Some(CallEnd::Value(_))));
    lose_link(&mut client);
    client.link_up(EMPTY_STORE, None);
    let again = publish(&mut client);
    let [a, c] = &again[..] else { panic!("{again:?}") };
    assert_eq!((&a.0.payload[..], &c.0.payload[..]), (&b"a"[..], &b"c"[..]));
}

#[test]
fn what_the_store_lost_stands_between_what_was_queued_again() {
    let (mut client, _, first) = with_a_large_one();
    client.link_up(SHORT_MEMORY, None);
    assert_eq!(publish(&mut client).len(), 2);
    lose_link(&mut client);
    client.link_up(EMPTY_STORE, None);
    let again = publish(&mut client);
    let ids = |all: &[(Message, String)]| -> Vec<String> {
        all.iter().map(|(message, _)| message.metadata.id().into_owned()).collect()
    };
    assert_eq!(ids(&again), ids(&first));
    client.confirmed(3);
    lose_link(&mut client);
    client.link_up(STORE, None);
    assert!(publish(&mut client).is_empty());
}

/// However often its sender repeats it: nothing is waited for.
#[test]
fn copies_of_what_a_store_forgot_take_no_memory() {
    let (mut client, mut server, settled) = (linked("c"), linked("s"), Settled::default());
    request(&mut client, "asked");
    let sent = publish(&mut client);
    let (message, stamp) = &sent[0];
    let forgotten = || message.clone().with_receipt(Receipt::forgotten(Some(stamp.clone())));
    assert!(matches!(server.receive(&mut forgotten()), Event::Queued));
    for _ in 0..100 {
        assert!(matches!(server.receive(&mut forgotten()), Event::Dropped(_)));
    }
    // One that the store keeps waits for its end.
    assert!(matches!(settled.deliver(message, stamp, &mut server), Event::Dropped(_)));
    assert_eq!(server.arrivals.get().unwrap().receipts(), 2);
    answer_all(&mut server);
    publish(&mut server);
    server.confirmed(1);
    assert_eq!((settled.take().len(), server.arrivals.get().unwrap().receipts()), (1, 0));
}

fn answer_all(server: &mut Pair) {
    for message in start(server) {
        server.jobs_done(1, 0);
        server.answer(&message.metadata, Ok(b"done".to_vec().into()));
    }
}

#[test]
fn a_request_is_settled_when_its_answer_is_confirmed_and_a_throw_when_it_is_done() {
    let (mut client, mut server, settled) = (linked("c"), linked("s"), Settled::default());
    request(&mut client, "asked");
    let _ = client.throw(What { route: Some("route"), ..What::default() }, &mut payload("thrown")).unwrap();
    for (message, stamp) in publish(&mut client) {
        settled.deliver(&message, &stamp, &mut server);
    }
    let jobs = start(&mut server);
    assert_eq!(settled.take().len(), 0);
    server.answer(&jobs[1].metadata, Ok(b"".to_vec().into()));
    assert_eq!(settled.take().len(), 1);
    server.answer(&jobs[0].metadata, Ok(b"done".to_vec().into()));
    assert_eq!(publish(&mut server).len(), 1);
    assert_eq!(settled.take().len(), 0);
    server.confirmed(1);
    assert_eq!(settled.take().len(), 1);
}

#[test]
fn a_copy_is_not_handled_again_and_is_settled_with_the_first() {
    let (mut client, mut server, settled) = (linked("c"), linked("s"), Settled::default());
    request(&mut client, "asked");
    let sent = publish(&mut client);
    let (message, stamp) = &sent[0];
    assert!(matches!(settled.deliver(message, stamp, &mut server), Event::Queued));
    let jobs = start(&mut server);
    assert!(matches!(settled.deliver(message, stamp, &mut server), Event::Dropped(_)));
    server.answer(&jobs[0].metadata, Ok(b"done".to_vec().into()));
    publish(&mut server);
    assert!(settled.take().is_empty());
    server.confirmed(1);
    assert_eq!(settled.take().len(), 2, "the store has both, and forgets both");
    assert!(matches!(settled.deliver(message, stamp, &mut server), Event::Dropped(_)));
    assert_eq!(settled.take().len(), 1, "a late copy is settled at once");
}

#[test]
fn only_so_many_settled_messages_are_remembered() {
    let mut server = session("s", &Limits::new().remembered(2));
    let (mut client, settled) = (linked("c"), Settled::default());
    let throw = |client: &mut Pair| {
        let _ =
            client.throw(What { route: Some("route"), ..What::default() }, &mut payload("thrown")).unwrap();
        publish(client).remove(0)
    };
    let thrown = [throw(&mut client), throw(&mut client), throw(&mut client)];
    let mut handled = |index: usize| {
        let (message, stamp) = &thrown[index];
        let queued = matches!(settled.deliver(message, stamp, &mut server), Event::Queued);
        answer_all(&mut server);
        queued
    };
    assert_eq!([0, 1, 2, 2, 1, 0].map(&mut handled), [true, true, true, false, false, true]);
}

#[test]
fn throws_push_no_request_out_of_what_is_remembered() {
    let mut server = session("s", &Limits::new().remembered(4));
    server.link_up(STORE, None);
    let (mut client, settled) = (linked("c"), Settled::default());
    request(&mut client, "asked");
    let (asked, stamp) = publish(&mut client).remove(0);
    settled.deliver(&asked, &stamp, &mut server);
    answer_all(&mut server);
    publish(&mut server);
    server.confirmed(1);
    for _ in 0..10 {
        let _ =
            client.throw(What { route: Some("route"), ..What::default() }, &mut payload("thrown")).unwrap();
        let (thrown, stamp) = publish(&mut client).remove(0);
        settled.deliver(&thrown, &stamp, &mut server);
        answer_all(&mut server);
    }
    assert_eq!(settled.take().len(), 11);
    assert!(matches!(settled.deliver(&asked, &stamp, &mut server), Event::Dropped(_)), "it is handled again");
}

#[test]
fn unconfirmed_messages_fill_the_queue_until_they_are_confirmed() {
    let mut client = session("c", &Limits::new().queued(2, usize::MAX));
    client.link_up(STORE, None);
    request(&mut client, "a");
    request(&mut client, "b");
    publish(&mut client);
    let third = |client: &mut Pair| {
        client.throw(What { route: Some("route"), ..What::default() }, &mut payload("c")).map(|_| ())
    };
    assert_eq!(third(&mut client), Err(Refused::Full));
    assert!(client.has_output() && !client.has_unsent());
    assert!(client.confirmed(1), "there is room again");
    assert_eq!(third(&mut client), Ok(()));
}

#[test]
fn a_draining_side_leaves_messages_to_the_store() {
    let (mut client, mut server, settled) = (linked("c"), linked("s"), Settled::default());
    request(&mut client, "asked");
    let (message, stamp) = publish(&mut client).remove(0);
    server.drain();
    assert!(matches!(settled.deliver(&message, &stamp, &mut server), Event::Dropped(_)));
    assert!(settled.take().is_empty() && publish(&mut server).is_empty());
}

#[test]
fn a_draining_side_knows_copies_of_what_it_handles() {
    let (mut client, mut server, settled) = (linked("c"), linked("s"), Settled::default());
    client.throw(What { route: Some("route"), ..What::default() }, &mut payload("thrown")).unwrap();
    let (message, stamp) = publish(&mut client).remove(0);
    settled.deliver(&message, &stamp, &mut server);
    let jobs = start(&mut server);
    server.drain();
    assert!(matches!(settled.deliver(&message, &stamp, &mut server), Event::Dropped(_)));
    server.answer(&jobs[0].metadata, Ok(Vec::new().into()));
    assert_eq!(settled.take().len(), 2);
}

#[test]
fn calls_to_a_peer_that_moved_end() {
    let mut server = linked("s");
    let sent = request(&mut server, "sent");
    publish(&mut server);
    server.confirmed(1);
    let queued = request(&mut server, "queued");
    server.moved("it is elsewhere", false);
    assert!(matches!(
        server.poll_call(sent, &mut Some("w")),
        Some(CallEnd::Lost(Error::MayHaveRun(Reason::Disconnected(_))))
    ));
    assert!(matches!(
        server.poll_call(queued, &mut Some("w")),
        Some(CallEnd::Lost(Error::NotSent(Reason::Disconnected(_))))
    ));
    assert!(publish(&mut server).is_empty());
}

#[test]
fn an_answer_to_what_is_about_to_be_published_again_takes_it_back_and_makes_room() {
    let (mut client, mut server) = (session("c", &Limits::new().queued(1, usize::MAX)), linked("s"));
    client.link_up(STORE, None);
    let call = request(&mut client, "a");
    for (mut message, _) in publish(&mut client) {
        server.receive(&mut message);
    }
    answer_all(&mut server);
    lose_link(&mut client);
    client.link_up(STORE, None);
    let next = |client: &mut Pair| client.throw(What::default(), &mut payload("b")).map(|_| ());
    assert_eq!(next(&mut client), Err(Refused::Full));
    for mut message in carry(&mut server) {
        client.receive(&mut message);
    }
    assert!(matches!(end(&mut client, call), Some(CallEnd::Value(_))));
    assert!(client.take_made_room() && !client.take_made_room(), "who waits for room is told, once");
    next(&mut client).unwrap();
    let published: Vec<_> = publish(&mut client).into_iter().map(|(message, _)| message).collect();
    assert_eq!(texts(&published), ["b"]);
}

#[test]
fn what_a_store_may_have_may_have_run() {
    let mut client = linked("c");
    let (published, queued) = (request(&mut client, "published"), publish(&mut client).len());
    assert_eq!(queued, 1);
    lose_link(&mut client);
    assert!(!client.abandon(published).unsent);
    let new = request(&mut client, "new");
    assert!(client.abandon(new).unsent);
}
