//! What is kept until the peer has it: never more than may be, and there is room again when it came.

use super::*;

#[test]
fn acknowledgements_free_the_window_and_wake_who_waits_for_room() {
    let limits = Limits::new().unacknowledged(8, 1 << 20);
    let mut road = Road::new(&limits);
    for _ in 0..8 {
        road.sides[0].throw(What::default(), &mut payload("x")).unwrap();
    }
    road.send_all(0);
    assert_eq!(road.sides[0].throw(What::default(), &mut payload("no")), Err(Refused::Full));
    road.receive(1, usize::MAX);
    // It knows how little the other side keeps.
    assert!(road.sides[1].has_unsent());
    let mut acknowledgement = carry(&mut road.sides[1]).remove(0);
    assert_eq!(road.sides[0].receive(&mut acknowledgement.clone()), Event::Room);
    assert!(road.sides[0].throw(What::default(), &mut payload("yes")).is_ok());
    assert_eq!(road.sides[0].receive(&mut acknowledgement), Event::Noted, "the same again");
}

/// The peer keeps its word to itself, and its answer is word enough.
#[test]
fn an_answer_frees_the_window_of_what_went_out_before_its_request() {
    let mut road = Road::new(&Limits::new().unacknowledged(8, 1 << 20));
    let calls: Vec<CallId> = (0..8)
        .map(|_| {
            let call = request(&mut road.sides[0], "x");
            road.send_all(0);
            call
        })
        .collect();
    assert_eq!(road.sides[0].throw(What::default(), &mut payload("no")), Err(Refused::Full));
    road.receive(1, usize::MAX);
    for job in start(&mut road.sides[1]) {
        road.sides[1].answer(&job.metadata, Ok(Vec::new().into()));
    }
    let mut came = carry(&mut road.sides[1]);
    came.retain(|message| message.metadata.kind() == Kind::Result);
    let mut sixth = came.remove(5);
    assert!(matches!(road.sides[0].receive(&mut sixth), Event::Answered(_)));
    assert!(road.sides[0].take_made_room(), "who waits for room is told");
    assert_eq!(road.sides[0].came(), 6);
    assert!(road.sides[0].throw(What::default(), &mut payload("yes")).is_ok());
    // Cut now, the peer's count and this one's agree on what is missing.
    road.cut([Batch::default(), Batch::default()]);
    road.reconnect();
    road.send_all(0);
    road.receive(1, usize::MAX);
    assert_eq!(texts(&start(&mut road.sides[1])), ["yes"]);
    assert!(end(&mut road.sides[0], calls[5]).is_some());
}

#[test]
fn what_came_of_messages_that_were_queued_together_makes_room() {
    let limits = Limits::new().unacknowledged(8, 1 << 20);
    let mut road = Road::new(&limits);
    road.cut([Batch::default(), Batch::default()]);
    for number in 0..9 {
        road.sides[0].throw(What::default(), &mut payload(&number.to_string())).unwrap();
    }
    road.reconnect();
    road.send_all(0);
    for came in 1..=9 {
        assert_eq!(road.sides[0].outbox.window_is_full(), came < 3, "{came}");
        let mut batch = Batch::default();
        batch.push_acknowledgement(came);
        let Some(Item::Message { metadata, payload, .. }) = batch.next_item() else { panic!() };
        road.sides[0].receive(&mut Message::parse(metadata, payload).unwrap());
    }
    assert!(!road.sides[0].is_unacknowledged());
}

#[test]
fn however_often_a_peer_comes_back_no_more_than_the_window_is_kept_for_it() {
    let mut road = Road::new(&Limits::new().unacknowledged(4, 1 << 20));
    road.cut([Batch::default(), Batch::default()]);
    for number in 0..20 {
        // Too large to share a buffer with others.
        let _ = road.sides[0].throw(What::default(), &mut payload(&format!("{number:020000}")));
    }
    for _ in 0..3 {
        road.reconnect();
        assert_eq!(carry(&mut road.sides[0]).len(), 4);
        road.cut([Batch::default(), Batch::default()]);
    }
}

#[test]
fn handlers_go_on_while_the_queue_is_never_empty() {
    let mut road = Road::new(&Limits::new().unacknowledged(10, usize::MAX).queued(100, usize::MAX));
    let mut answered = 0;
    for round in 0..300 {
        // Somebody fills the queue whenever there is room, with messages that are parts of their own.
        while road.sides[1].throw(What::default(), &mut payload(&"x".repeat(20_000))).is_ok() {}
        let _ = request(&mut road.sides[0], "x");
        road.send_all(0);
        road.receive(1, usize::MAX);
        for job in start(&mut road.sides[1]) {
            road.sides[1].answer(&job.metadata, Ok(Vec::new().into()));
            road.sides[1].jobs_done(1, job.metadata.size());
            answered += 1;
        }
        assert!(answered + 20 > round, "of {round} requests {answered} were answered, and few answers wait");
        road.send(1, usize::MAX);
        road.receive(0, usize::MAX);
        for job in start(&mut road.sides[0]) {
            road.sides[0].answer(&job.metadata, Ok(Vec::new().into()));
            road.sides[0].jobs_done(1, job.metadata.size());
        }
        // What came makes room in the window.
        road.send_all(0);
        road.receive(1, usize::MAX);
        assert!(!road.sides[1].outbox.is_empty());
    }
}
