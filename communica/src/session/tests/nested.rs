//! Handlers that call their caller back, and what waits behind them.

use super::*;

/// What each holds leaves no room for what it waits for: more than 32,000 bytes never run beside each other.
fn tight() -> Limits {
    Limits::new().waiting(1000, 2_000)
}

/// A handler that calls back waits for a request that came while another one ran, and for which there is no room.
struct HeldUp {
    client: Pair,
    server: Pair,
    nested: CallId,
    id: String,
    another: Message,
}

fn held_up() -> HeldUp {
    let (mut client, mut server) = (session("c", &Limits::new()), session("s", &tight()));
    let _ = request(&mut client, &"x".repeat(30_000));
    deliver(&mut client, &mut server);
    assert_eq!(start(&mut server).len(), 1);
    let _ = request(&mut server, "back");
    let _ = request(&mut client, &"y".repeat(1_500));
    deliver(&mut client, &mut server);
    let another = start(&mut server).remove(0);
    // The handler of "back" asks this, and waits.
    let nested = request(&mut client, &"z".repeat(2_100));
    let mut message = carry(&mut client).remove(0);
    let id = message.metadata.id().into_owned();
    assert_eq!(server.receive(&mut message), Event::Queued);
    assert!(start(&mut server).is_empty());
    HeldUp { client, server, nested, id, another }
}

fn assert_refused(client: &mut Pair, server: &mut Pair, call: CallId) {
    assert!(server.may_start_jobs(), "nobody would look");
    assert!(start(server).is_empty());
    deliver(server, client);
    let Some(CallEnd::Lost(Error::NotSent(Reason::NotBegun(why)))) = end(client, call) else {
        panic!("it waits for ever")
    };
    assert!(why.contains("Limits::running"), "{why}");
    assert!(!server.may_start_jobs());
}

#[test]
fn what_waits_is_refused_once_all_that_run_may_wait_for_it_since_another_is_done() {
    let HeldUp { mut client, mut server, nested, another, .. } = held_up();
    server.jobs_done(1, another.metadata.size());
    assert_refused(&mut client, &mut server, nested);
}

#[test]
fn what_waits_is_refused_once_all_that_run_may_wait_for_it_since_another_calls_back_too() {
    let HeldUp { mut client, mut server, nested, .. } = held_up();
    assert_eq!(deliver(&mut server, &mut client).len(), 1);
    let _ = server.driver_looks(|_| "driver");
    let requested = server.request(What::default(), &mut payload("back, too")).unwrap();
    assert_eq!(requested.wake, Some("driver"), "nobody would look");
    assert_refused(&mut client, &mut server, nested);
}

#[test]
fn what_waits_and_was_given_up_is_not_refused_but_forgotten() {
    let HeldUp { mut client, mut server, id, another, .. } = held_up();
    server.cancel_job(id);
    server.jobs_done(1, another.metadata.size());
    assert!(start(&mut server).is_empty());
    assert!(!server.may_start_jobs());
    assert_eq!(deliver(&mut server, &mut client).len(), 1, "the call back, and no answer");
}

#[test]
fn what_waited_before_any_call_is_not_what_a_handler_waits_for() {
    let (mut client, mut server) = (session("c", &Limits::new()), session("s", &tight()));
    let _ = request(&mut client, &"x".repeat(40_000));
    deliver(&mut client, &mut server);
    let running = start(&mut server).remove(0);
    let early = request(&mut client, "early");
    deliver(&mut client, &mut server);
    let _ = request(&mut server, "back");
    assert!(!server.may_start_jobs());
    assert!(start(&mut server).is_empty());
    deliver(&mut server, &mut client);
    assert!(end(&mut client, early).is_none(), "it only has to wait");
    server.jobs_done(1, running.metadata.size());
    assert_eq!(texts(&start(&mut server)), ["early"]);
}

#[test]
fn throws_are_never_refused_and_what_stands_behind_them_is() {
    let (mut client, mut server) = (session("c", &Limits::new()), session("s", &tight()));
    let _ = request(&mut client, &"x".repeat(30_000));
    deliver(&mut client, &mut server);
    assert_eq!(start(&mut server).len(), 1);
    let _ = request(&mut server, "back");
    let _ = request(&mut client, "small");
    deliver(&mut client, &mut server);
    let small = start(&mut server).remove(0);
    client.throw(What::default(), &mut payload(&"y".repeat(5_000))).unwrap();
    let nested = request(&mut client, "nested");
    deliver(&mut client, &mut server);
    server.jobs_done(1, small.metadata.size());
    assert_refused(&mut client, &mut server, nested);
    assert!(!server.no_jobs());
    server.jobs_done(1, 30_000);
    assert_eq!(start(&mut server).len(), 1, "the throw");
}

#[test]
fn handlers_that_call_back_make_room_for_others_up_to_a_bound() {
    let limits = Limits::new().running(2);
    let (mut client, mut server) = (session("c", &limits), session("s", &limits));
    let mut running = 0;
    loop {
        let call = request(&mut client, "nested");
        deliver(&mut client, &mut server);
        let started = start(&mut server).len();
        if started == 0 {
            deliver(&mut server, &mut client);
            let Some(CallEnd::Lost(Error::NotSent(Reason::NotBegun(why)))) = end(&mut client, call) else {
                panic!("neither started nor refused")
            };
            assert!(why.contains("Limits::running"), "{why}");
            break;
        }
        running += started;
        // Each handler calls the client and waits.
        let _ = request(&mut server, "back");
    }
    assert_eq!(running, 2 * 16);
}

#[test]
fn handlers_that_call_back_do_not_wait_for_room_that_they_hold() {
    // What each holds leaves no room for what it waits for.
    let limits = Limits::new().waiting(1000, 2_000);
    let (mut client, mut server) = (session("c", &Limits::new()), session("s", &limits));
    for size in [40_000, 10] {
        let call = request(&mut client, &"x".repeat(size));
        deliver(&mut client, &mut server);
        if start(&mut server).len() == 1 {
            let _ = request(&mut server, "back");
            continue;
        }
        deliver(&mut server, &mut client);
        let Some(CallEnd::Lost(Error::NotSent(Reason::NotBegun(why)))) = end(&mut client, call) else {
            panic!("neither started nor refused")
        };
        assert!(why.contains("Limits::running"), "{why}");
        return;
    }
    panic!("both run");
}

#[test]
fn what_an_earlier_link_left_does_not_keep_answers_from_being_read_for_ever() {
    let limits = Limits::new().waiting(2, 2_000);
    let (mut client, mut server) = (session("c", &Limits::new()), session("s", &limits));
    let _ = request(&mut client, &"x".repeat(40_000));
    deliver(&mut client, &mut server);
    assert_eq!(start(&mut server).len(), 1);
    for _ in 0..8 {
        let _ = request(&mut client, "left");
    }
    deliver(&mut client, &mut server);
    server.link_lost(Batch::default(), "cut", Lost::Cut);
    server.link_up(Delivery::Direct, None);
    let _ = server.driver_looks(|_| "driver");
    assert_eq!(server.intake(), Intake::Paused);
    assert!(!server.may_start_jobs(), "the handler that runs may be done soon");
    let requested = server.request(What::default(), &mut payload("back")).unwrap();
    assert_eq!(requested.wake, Some("driver"), "nobody would look");
    assert!(server.may_start_jobs(), "nobody would look");
    assert!(start(&mut server).is_empty());
    assert_eq!(server.intake(), Intake::Open, "the answer is not read");
    assert_eq!(carry(&mut server).len(), 1 + 8, "the call, and that the others are refused");
}

#[test]
fn of_what_an_earlier_link_left_no_more_is_refused_once_answers_are_read() {
    let limits = Limits::new().waiting(2, 2_000).queued(3, 1 << 20);
    let (mut client, mut server) = (session("c", &Limits::new()), session("s", &limits));
    let running = request(&mut client, &"x".repeat(40_000));
    deliver(&mut client, &mut server);
    let running = (running, start(&mut server).remove(0));
    for number in 0..8 {
        let _ = request(&mut client, &number.to_string());
    }
    deliver(&mut client, &mut server);
    server.link_lost(Batch::default(), "cut", Lost::Cut);
    server.link_up(Delivery::Direct, None);
    let _ = request(&mut server, "back");
    assert!(start(&mut server).is_empty());
    assert_eq!(carry(&mut server).len(), 1 + 3, "the call, and as many refusals as there is room for");
    // The others came before all calls, and only have to wait.
    assert!(!server.may_start_jobs());
    assert!(start(&mut server).is_empty());
    assert!(carry(&mut server).is_empty(), "what came before all calls is refused");
    server.jobs_done(1, running.1.metadata.size());
    assert_eq!(texts(&start(&mut server)), ["3", "4", "5", "6", "7"]);
}

#[test]
fn no_more_is_refused_at_once_than_there_is_room_for_by_bytes() {
    let limits = tight().queued(1000, 4_000);
    let (mut client, mut server) = (session("c", &Limits::new()), session("s", &limits));
    let _ = request(&mut client, &"x".repeat(30_000));
    deliver(&mut client, &mut server);
    assert_eq!(start(&mut server).len(), 1);
    let _ = request(&mut server, "back");
    let _ = request(&mut client, "small");
    deliver(&mut client, &mut server);
    let small = start(&mut server).remove(0);
    client.throw(What::default(), &mut payload(&"y".repeat(5_000))).unwrap();
    // A refusal says again what the request said, beside its payload.
    let route = "r".repeat(1_500);
    for _ in 0..8 {
        client.request(What { route: Some(&route), ..What::default() }, &mut payload("nested")).unwrap();
        client.throw(What::default(), &mut payload("between")).unwrap();
    }
    deliver(&mut client, &mut server);
    assert_eq!(carry(&mut server).len(), 1, "the call");
    server.jobs_done(1, small.metadata.size());
    for refused in [3, 3, 2] {
        assert!(server.may_start_jobs(), "nobody would go on");
        assert!(start(&mut server).is_empty());
        assert_eq!(carry(&mut server).len(), refused);
    }
    assert!(!server.may_start_jobs());
    server.jobs_done(1, 30_000);
    assert_eq!(start(&mut server).len(), 1 + 8, "the throws");
}
