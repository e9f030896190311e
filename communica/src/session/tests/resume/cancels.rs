//! Calls that are given up, and the word of it.

use super::*;

#[test]
fn a_repeatable_request_that_is_given_up_is_not_sent_again_and_may_have_run() {
    let mut client = fresh("c", &limits());
    client.link_up(Delivery::Direct, None);
    let what = What { idempotent: true, ..What::default() };
    let call = client.request(what, &mut payload(&"x".repeat(500))).unwrap().call;
    assert_eq!(carry(&mut client).len(), 1);
    client.link_lost(Batch::default(), "cut", Lost::Cut);
    for _ in 0..3 {
        assert!(end(&mut client, call).is_none());
        break_link(&mut client);
    }
    assert!(matches!(end(&mut client, call), Some(CallEnd::Lost(Error::MayHaveRun(_)))));
    client.link_up(Delivery::Direct, None);
    assert!(carry(&mut client).is_empty());
}

#[test]
fn the_word_that_nobody_waits_does_not_overtake_a_large_request() {
    let mut road = Road::new(&limits());
    let call = request(&mut road.sides[0], &"x".repeat(5000));
    let left = road.send(0, usize::MAX);
    assert!(!left.has_remaining());
    assert!(!road.sides[0].abandon(call).unsent);
    road.send_all(0);
    assert!(matches!(deliver_bytes(&mut road)[..], [Event::Queued, Event::Cancelled(_)]));
}

#[test]
fn a_call_that_is_given_up_stops_before_it_starts_and_while_it_runs() {
    let mut road = Road::new(&limits());
    let waiting = request(&mut road.sides[0], "waiting");
    let running = request(&mut road.sides[0], "running");
    let throw = |road: &mut Road| road.sides[0].throw(What::default(), &mut payload("throw")).unwrap();
    throw(&mut road);
    road.send_all(0);
    assert!(!road.sides[0].abandon(waiting).unsent);
    road.send_all(0);
    let events = deliver_bytes(&mut road);
    let [Event::Queued, Event::Queued, Event::Queued, Event::Cancelled(id)] = &events[..] else {
        panic!("{events:?}")
    };
    road.sides[1].cancel_job(id.clone());
    assert_eq!(texts(&start(&mut road.sides[1])), ["running", "throw"]);
    assert!(!road.sides[0].abandon(running).unsent);
    road.send_all(0);
    assert!(matches!(deliver_bytes(&mut road)[..], [Event::Cancelled(_)]));
}

fn deliver_bytes(road: &mut Road) -> Vec<Event<&'static str>> {
    let mut events = Vec::new();
    let Pipe { bytes, decoder } = &mut road.pipes[0];
    while let Ok(Some(Received::Message(mut message))) = decoder.next(bytes) {
        events.push(road.sides[1].receive(&mut message));
    }
    events
}

#[test]
fn cancels_of_what_was_never_asked_do_not_pile_up() {
    let mut server = session("s", &limits().running(1));
    let mut client = session("c", &limits());
    for _ in 0..3 {
        request(&mut client, "x");
    }
    deliver(&mut client, &mut server);
    for number in 0..100_000 {
        server.cancel_job(format!("{number}"));
    }
    server.cancel_job("x".repeat(10_000));
    assert!(server.jobs.cancelled_count() < 100);
}

#[test]
fn cancels_of_what_is_over_leave_room_for_those_of_what_waits() {
    let (mut server, mut client) = (session("s", &limits().running(1)), session("c", &limits()));
    let calls: Vec<_> = (0..3).map(|_| request(&mut client, "x")).collect();
    let sent = carry(&mut client);
    let ids: Vec<_> = sent.iter().map(|message| message.metadata.id().into_owned()).collect();
    sent.into_iter().for_each(|mut message| drop(server.receive(&mut message)));
    assert_eq!(start(&mut server).len(), 1);
    for number in 0..1000 {
        server.cancel_job(ids[1].clone());
        server.cancel_job(format!("{number}"));
    }
    server.jobs_done(1, 0);
    assert_eq!(start(&mut server)[0].metadata.id(), ids[2], "of {} calls", calls.len());
}

#[test]
fn the_word_that_nobody_waits_does_not_overtake_a_large_request_that_is_repeated() {
    let mut road = Road::new(&limits());
    let call = request(&mut road.sides[0], &"x".repeat(10_000));
    road.send_all(0);
    road.pipes[0] = Pipe::new();
    assert!(!road.sides[0].abandon(call).unsent, "the link took all of it");
    road.cut([Batch::default(), Batch::default()]);
    road.reconnect();
    road.send_all(0);
    let (mut decoder, mut bytes) = (Pipe::new().decoder, std::mem::take(&mut road.pipes[0].bytes));
    let mut kinds = Vec::new();
    while let Ok(Some(Received::Message(message))) = decoder.next(&mut bytes) {
        kinds.push(message.metadata.kind());
    }
    assert_eq!(kinds, [Kind::Request, Kind::Cancel]);
}
