//! Two sessions and no link: messages are carried by hand, so that every order of events can be tried.

mod answers;
mod anybody;
mod beats;
mod broken;
mod large;
mod nested;
mod next_peer;
mod resume;
mod stored;
mod too_large;

use std::collections::VecDeque;

use bytes::Buf;

use super::*;
use crate::connector::Delivery;
use crate::error::{Error, FaultKind, Reason};
use crate::wire::{Batch, Item, Message};

type Pair = Session<&'static str>;

fn limits() -> Limits {
    Limits::new().chunk_size(1024)
}

fn session(prefix: &str, limits: &Limits) -> Pair {
    let mut session = Session::new(prefix.to_owned(), "w1".into(), limits.clone().into());
    session.link_up(Delivery::Direct, None);
    let _ = session.driver_looks(|_| "driver");
    session
}

fn payload(text: &str) -> Option<Payload> {
    Some(text.as_bytes().to_vec().into())
}

fn request(session: &mut Pair, text: &str) -> CallId {
    session.request(What { route: Some("route"), ..What::default() }, &mut payload(text)).unwrap().call
}

/// Everything that waits, as a link that carries whole messages takes it.
fn carry(session: &mut Pair) -> Vec<Message> {
    let mut messages = Vec::new();
    loop {
        let mut batch = Batch::default();
        session.fill(&mut batch, false);
        let nothing = batch.is_empty();
        while let Some(item) = batch.next_item() {
            if let Item::Message { metadata, payload, .. } = item {
                messages.push(Message::parse(metadata, payload).unwrap());
            }
        }
        session.filled_was_sent();
        if nothing {
            return messages;
        }
    }
}

fn deliver(from: &mut Pair, to: &mut Pair) -> Vec<Event<&'static str>> {
    carry(from).into_iter().map(|mut message| to.receive(&mut message)).collect()
}

/// Starts every job that may start and gives back their messages.
fn start(session: &mut Pair) -> Vec<Message> {
    let (mut mine, mut batch, mut all) = (false, VecDeque::new(), Vec::new());
    loop {
        session.start_jobs(&mut mine, &mut batch);
        if batch.is_empty() {
            return all;
        }
        all.extend(batch.drain(..));
    }
}

fn texts<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Vec<String> {
    messages.into_iter().map(|message| String::from_utf8_lossy(&message.payload).into_owned()).collect()
}

fn end(session: &mut Pair, call: CallId) -> Option<CallEnd> {
    session.poll_call(call, &mut Some("caller"))
}

/// A link that breaks while the first chunk, or the first bytes, are under way.
fn break_link(session: &mut Pair) -> Vec<&'static str> {
    session.link_up(Delivery::Direct, None);
    let mut batch = Batch::default();
    session.fill(&mut batch, true);
    batch.advance(10);
    session.link_lost(batch, "cut", Lost::Cut)
}

#[test]
fn answers_find_their_calls_in_any_order() {
    let (mut client, mut server) = (session("c", &limits()), session("s", &limits()));
    let calls: Vec<_> = ["a", "b", "c"].map(|text| request(&mut client, text)).into();
    assert!(calls.iter().all(|&call| end(&mut client, call).is_none()));
    deliver(&mut client, &mut server);
    for message in start(&mut server).into_iter().rev() {
        server.answer(&message.metadata, Ok(message.payload.to_vec().into()));
        server.jobs_done(1, 0);
    }
    assert_eq!(deliver(&mut server, &mut client), [const { Event::Answered(Some("caller")) }; 3]);
    for (call, text) in calls.into_iter().zip(["a", "b", "c"]) {
        assert!(matches!(end(&mut client, call), Some(CallEnd::Value(value)) if value == text.as_bytes()));
    }
    assert!(client.is_idle() && server.is_idle());
}

#[test]
fn an_answer_to_no_call_of_this_session_is_dropped() {
    let (mut client, mut server) = (session("new", &limits()), session("s", &limits()));
    let call = request(&mut client, "x");
    let message = carry(&mut client).remove(0);
    server.receive(&mut message.clone());
    server.answer(&message.metadata, Ok(Vec::new().into()));
    let mut answer = carry(&mut server).remove(0);
    let mut earlier = session("old", &limits());
    let _ = request(&mut earlier, "y");
    assert!(matches!(earlier.receive(&mut answer.clone()), Event::Dropped(_)));
    assert!(matches!(client.receive(&mut answer.clone()), Event::Answered(_)));
    assert!(matches!(client.receive(&mut answer), Event::Dropped(_)), "a second answer to the same call");
    assert!(matches!(end(&mut client, call), Some(CallEnd::Value(_))));
}

#[test]
fn a_place_that_is_used_again_does_not_take_an_old_answer() {
    let (mut client, mut server) = (session("c", &limits()), session("s", &limits()));
    let given_up = request(&mut client, "old");
    let message = carry(&mut client).remove(0);
    assert!(!client.abandon(given_up).unsent, "it was sent");
    let call = request(&mut client, "new");
    server.answer(&message.metadata, Ok(b"old".to_vec().into()));
    assert!(matches!(deliver(&mut server, &mut client)[..], [Event::Dropped(_)]));
    assert!(end(&mut client, call).is_none());
}

#[test]
fn a_call_given_up_in_time_is_never_sent() {
    let mut client = session("c", &limits());
    let calls: Vec<_> = ["a", "b", "c"].map(|text| request(&mut client, text)).into();
    assert!(client.abandon(calls[1]).unsent);
    assert_eq!(texts(&carry(&mut client)), ["a", "c"]);
    assert!(!client.abandon(calls[2]).unsent);
    let large = request(&mut client, &"x".repeat(5000));
    assert!(client.abandon(large).unsent);
    assert!(carry(&mut client).is_empty());
}

#[test]
fn jobs_start_in_order_one_starter_at_a_time_and_so_many_at_once() {
    let limits = Limits::new().running(2);
    let (mut client, mut server) = (session("c", &limits), session("s", &limits));
    for text in ["a", "b", "c", "d"] {
        let _ = request(&mut client, text);
    }
    deliver(&mut client, &mut server);
    let (mut mine, mut other) = (false, false);
    let (mut first, mut second) = (VecDeque::new(), VecDeque::new());
    server.start_jobs(&mut mine, &mut first);
    server.start_jobs(&mut other, &mut second);
    assert_eq!((texts(&first), second.len()), (vec!["a".to_owned(), "b".to_owned()], 0));
    first.clear();
    server.start_jobs(&mut mine, &mut first);
    assert!(first.is_empty() && !mine, "two are running");
    server.jobs_done(1, 0);
    server.start_jobs(&mut other, &mut second);
    assert_eq!(texts(&second), ["c"]);
}

#[test]
fn what_is_given_back_starts_in_the_order_it_came() {
    for waits in [false, true] {
        let (mut client, mut server) = (session("c", &Limits::new()), session("s", &Limits::new()));
        for text in ["a", "b", "c"] {
            let _ = request(&mut client, text);
        }
        deliver(&mut client, &mut server);
        let (mut mine, mut batch) = (false, VecDeque::new());
        server.start_jobs(&mut mine, &mut batch);
        assert_eq!(texts(batch.pop_front().as_ref()), ["a"]);
        if waits {
            server.wait_for_start(&mut batch);
            assert!(start(&mut server).is_empty(), "the first one did not begin");
            server.has_started();
        } else {
            server.give_back(&mut batch, &mut mine);
        }
        let _ = request(&mut client, "d");
        deliver(&mut client, &mut server);
        assert_eq!(texts(&start(&mut server)), ["b", "c", "d"]);
    }
}

#[test]
fn a_full_queue_says_so_and_a_large_message_never_goes() {
    let limits = Limits::new().queued(2, 1 << 20).message_size(100);
    let mut client = session("c", &limits);
    let refused = client.request(What::default(), &mut payload(&"x".repeat(101))).unwrap_err();
    assert_eq!(refused, Refused::For(Reason::TooLarge { size: 101, limit: 100 }));
    for _ in 0..2 {
        client.throw(What::default(), &mut payload("x")).unwrap();
    }
    let mut kept = payload("x");
    assert_eq!(client.throw(What::default(), &mut kept).unwrap_err(), Refused::Full);
    assert!(kept.is_some(), "what was refused is still the caller's");
    let mut batch = Batch::default();
    assert!(client.fill(&mut batch, true), "there is room again");
    assert!(client.throw(What::default(), &mut kept).is_ok());
}

#[test]
fn reading_stops_at_the_bound_unless_an_answer_may_be_behind_it() {
    let limits = Limits::new().waiting(2, 1 << 20).running(1);
    let (mut client, mut server) = (session("c", &limits), session("s", &limits));
    let throw = |client: &mut Pair| client.throw(What::default(), &mut payload("x")).map(drop).unwrap();
    throw(&mut client);
    deliver(&mut client, &mut server);
    assert_eq!(server.intake(), Intake::Open);
    throw(&mut client);
    deliver(&mut client, &mut server);
    assert_eq!(server.intake(), Intake::Paused);
    let _ = request(&mut server, "callback");
    assert_eq!(server.intake(), Intake::Open);
    for _ in 0..6 {
        throw(&mut client);
    }
    deliver(&mut client, &mut server);
    assert_eq!(server.intake(), Intake::Overrun);
}

#[test]
fn closing_ends_what_waits_and_tells_sent_from_unsent() {
    let mut client = session("c", &limits());
    let sent = request(&mut client, "sent");
    carry(&mut client);
    let unsent = request(&mut client, "unsent");
    assert!(end(&mut client, sent).is_none() && end(&mut client, unsent).is_none());
    assert_eq!(client.close(Reason::Closed), ["caller", "caller"]);
    assert!(matches!(end(&mut client, sent), Some(CallEnd::Lost(Error::MayHaveRun(Reason::Closed)))));
    assert!(matches!(end(&mut client, unsent), Some(CallEnd::Lost(Error::NotSent(Reason::Closed)))));
    assert!(carry(&mut client).is_empty());
    let refused = client.request(What::default(), &mut payload("late")).unwrap_err();
    assert_eq!(refused, Refused::For(Reason::Closed));
}

#[test]
fn a_draining_side_handles_what_came_and_refuses_what_comes() {
    let (mut client, mut server) = (session("c", &limits()), session("s", &limits()));
    let _ = request(&mut client, "in time");
    deliver(&mut client, &mut server);
    server.drain();
    let late = request(&mut client, "late");
    assert!(matches!(deliver(&mut client, &mut server)[..], [Event::Dropped(_)]));
    assert_eq!(texts(&start(&mut server)), ["in time"]);
    deliver(&mut server, &mut client);
    let Some(CallEnd::Lost(Error::NotSent(Reason::NotBegun(why)))) = end(&mut client, late) else { panic!() };
    assert!(why.contains("stopping"), "{why}");
}

#[test]
fn the_driver_is_woken_once_until_it_looks() {
    let mut client = session("c", &limits());
    assert_eq!(client.throw(What::default(), &mut payload("a")).unwrap(), Some("driver"));
    assert_eq!(client.throw(What::default(), &mut payload("b")).unwrap(), None);
    let _ = client.driver_looks(|known| known.unwrap());
    assert_eq!(client.throw(What::default(), &mut payload("c")).unwrap(), Some("driver"));
}

fn said(micros: u64, on: usize) -> Said {
    Said { at: Duration::from_micros(micros), on }
}

/// Who is to be woken for a call, and whether its caller watches over the driver.
fn call_at(client: &mut Pair, said: Option<Said>) -> (Option<&'static str>, bool) {
    let requested = client.request(What { said, ..What::default() }, &mut payload("a")).unwrap();
    (requested.wake, requested.watch)
}

const HERE: usize = 1;
const THERE: usize = 2;

/// Woken for each of them, it would send them in small pieces.
#[test]
fn a_driver_that_lets_others_go_first_is_not_woken_by_them() {
    let mut client = session("c", &limits());
    assert_eq!(call_at(&mut client, None), (None, false), "it is sent at once");
    assert_eq!(call_at(&mut client, Some(said(0, HERE))), (Some("driver"), false));
    let _ = client.driver_looks(|known| known.unwrap());
    client.driver_waits_for_others(said(1000, HERE));
    for now in [1000, 1010, 1020] {
        assert_eq!(call_at(&mut client, Some(said(now, HERE))), (None, false), "{now}");
        assert_eq!(client.call_driver_to_send(said(now, HERE)), None, "{now}");
    }
    assert_eq!(call_at(&mut client, Some(said(1030, HERE))), (Some("driver"), false), "the peer waits");
    assert_eq!(call_at(&mut client, Some(said(1030, HERE))), (None, false), "it was woken");
}

/// Its thread may be kept by one of those that it let go first.
#[test]
fn a_driver_that_waits_on_another_thread_is_watched() {
    let mut client = session("c", &limits());
    let _ = call_at(&mut client, None);
    client.driver_waits_for_others(said(1000, THERE));
    assert_eq!(call_at(&mut client, Some(said(1010, HERE))), (None, true));
    assert_eq!(call_at(&mut client, Some(said(1010, HERE))), (None, false), "by one");
    assert!(!client.driver_has_looked());
    let _ = client.driver_looks(|known| known.unwrap());
    assert!(client.driver_has_looked());
    client.driver_waits_for_others(said(1000, THERE));
    assert!(client.driver_has_looked(), "nobody watches over that yet");
    assert_eq!(client.call_driver_to_send(said(1010, HERE)), Some("driver"), "who does not look once more");
    // Who waited for room knows no time.
    client.driver_waits_for_others(said(1000, HERE));
    assert_eq!(call_at(&mut client, None), (Some("driver"), false));
}

#[test]
fn a_driver_that_lets_others_go_first_ends_its_link_at_once() {
    let mut client = session("c", &limits());
    client.driver_waits_for_others(said(0, HERE));
    assert_eq!(client.end_link(Goodbye { reason: None, at_once: true }), Some("driver"));
}

#[test]
fn a_call_alone_asks_to_be_sent_at_once() {
    let mut client = session("c", &limits());
    let alone = client.request(What::default(), &mut payload("a")).unwrap();
    assert!(alone.alone && alone.wake.is_none());
    let second = client.request(What::default(), &mut payload("b")).unwrap();
    assert!(!second.alone && second.wake == Some("driver"));
}

#[test]
fn the_answer_to_a_throw_is_not_sent() {
    let (mut client, mut server) = (session("c", &limits()), session("s", &limits()));
    client.throw(What { route: Some("route"), ..What::default() }, &mut payload("x")).unwrap();
    deliver(&mut client, &mut server);
    for message in start(&mut server) {
        server.answer(&message.metadata, Err(Fault::new(FaultKind::Req, "no", None)));
    }
    assert!(!server.has_output());
}

#[test]
fn a_result_that_is_too_large_becomes_an_error() {
    let limits = Limits::new().message_size(200);
    let (mut client, mut server) = (session("c", &limits), session("s", &limits));
    let call = request(&mut client, "x");
    deliver(&mut client, &mut server);
    let job = start(&mut server).remove(0);
    server.answer(&job.metadata, Ok(vec![0; 201].into()));
    deliver(&mut server, &mut client);
    let Some(CallEnd::Fault(fault)) = end(&mut client, call) else { panic!("no fault") };
    assert_eq!(fault.kind(), FaultKind::Resp);
    let told =
        "the result has 201 bytes where the responder sends 200: raise `Limits::message_size` on both sides";
    assert_eq!(fault.message(), told);
}

#[test]
fn calls_given_up_while_no_link_is_there_leave_their_room_and_memory() {
    let limits = Limits::new().queued(4, 1 << 20);
    let mut client = session("c", &limits);
    client.link_lost(Batch::default(), "cut", Lost::Cut);
    for _ in 0..1000 {
        let call = request(&mut client, "x");
        assert!(client.abandon(call).unsent);
        assert!(client.is_idle(), "nothing is left to send");
    }
    let kept = request(&mut client, "kept");
    client.link_up(Delivery::Direct, None);
    assert_eq!(texts(&carry(&mut client)), ["kept"]);
    assert!(end(&mut client, kept).is_none());
}

#[test]
fn of_two_connections_the_newer_one_counts() {
    let mut server = session("s", &limits());
    let goodbye = Goodbye { reason: None, at_once: true };
    let (first, wake) = server.take_over(goodbye.clone());
    assert_eq!(wake, Some("driver"), "the link that was there has to end");
    assert!(server.is_newest(first));
    server.link_lost(Batch::default(), "taken over", Lost::Cut);
    let (second, wake) = server.take_over(goodbye);
    assert_eq!(wake, None, "there is no link to end, and none that comes later is meant");
    server.link_up(Delivery::Direct, None);
    assert_eq!(server.driver_looks(|_| "driver"), None);
    assert!(!server.is_newest(first) && server.is_newest(second));
}

#[test]
fn only_what_has_to_wait_is_copied() {
    let (mut client, mut server) = (session("c", &Limits::new()), session("s", &Limits::new().running(2)));
    let sent = carry({
        for _ in 0..3 {
            let _ = request(&mut client, "x");
        }
        &mut client
    });
    let places: Vec<_> = sent.iter().map(|message| message.payload.as_ptr()).collect();
    for mut message in sent.clone() {
        server.receive(&mut message);
    }
    let mut started = start(&mut server);
    server.jobs_done(2, 0);
    started.extend(start(&mut server));
    let shared: Vec<_> =
        started.iter().zip(places).map(|(message, place)| message.payload.as_ptr() == place).collect();
    assert_eq!(shared, [true, true, false]);
}
