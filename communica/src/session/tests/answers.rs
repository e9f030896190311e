//! Answers that a peer does not take, or not yet: handlers make no more than has room.

use std::collections::VecDeque;

use super::*;

/// The peer asked for so many; nothing was answered yet.
fn asked(count: usize, limits: &Limits) -> Pair {
    let (mut client, mut server) = (session("c", &Limits::new()), session("s", limits));
    for _ in 0..count {
        let _ = request(&mut client, "x");
    }
    deliver(&mut client, &mut server);
    server
}

/// Lets handlers that are ready at once make as many answers as they may. Returns how many.
fn answer(server: &mut Pair, size: usize) -> usize {
    let (mut mine, mut started, mut count) = (false, VecDeque::new(), 0);
    loop {
        server.start_jobs(&mut mine, &mut started);
        if started.is_empty() {
            return count;
        }
        while let Some(job) = started.pop_front() {
            server.answer(&job.metadata, Ok(vec![b'x'; size].into()));
            server.jobs_done(1, job.metadata.size());
            count += 1;
            if server.give_back_if_full(&mut started, &mut mine) {
                return count;
            }
        }
    }
}

fn send_one_batch(server: &mut Pair) {
    let mut batch = Batch::default();
    server.fill(&mut batch, true);
    server.filled_was_sent();
}

#[test]
fn no_more_large_answers_are_made_than_have_room() {
    // Room for two, beside the one that is under way.
    let mut server = asked(20, &Limits::new().chunk_size(1024).queued(1000, 5_000));
    let (mut made, mut pieces) = (answer(&mut server, 3_000), 0);
    assert_eq!(made, 3);
    while server.has_unsent() {
        send_one_batch(&mut server);
        pieces += 1;
        made += answer(&mut server, 3_000);
        assert!(made - pieces / 3 <= 3, "{made} were made when {pieces} pieces of three each were out");
    }
    assert_eq!((made, pieces), (20, 60));
}

#[test]
fn answers_that_a_broken_link_gives_back_have_no_room_for_others() {
    for size in [100, 20_000, 2 << 20] {
        let mut server = asked(100, &Limits::new().queued(3, usize::MAX));
        let mut made = answer(&mut server, size);
        for _ in 0..2 {
            break_link(&mut server);
            made += answer(&mut server, size);
        }
        // What a link has makes room until it gives that back.
        assert!(made <= 3 + 1, "{made} answers of {size} bytes wait");
        server.link_up(Delivery::Direct, None);
        while server.has_unsent() {
            send_one_batch(&mut server);
            made += answer(&mut server, size);
        }
        assert_eq!(made, 100, "of {size} bytes");
    }
}

#[test]
fn no_error_is_larger_than_the_peer_takes() {
    for (length, whole) in [(500, true), (5_000, false)] {
        let mut server = asked(1, &Limits::new().message_size(1_500));
        let job = start(&mut server).pop().unwrap();
        let fault = Fault::new(FaultKind::Req, format!("<{}>", "x".repeat(length)), Some(7));
        server.answer(&job.metadata, Err(fault.with_variant("Long", &"y".repeat(10))));
        let answer = carry(&mut server).pop().expect("one answer");
        let told = Fault::from_bytes(FaultKind::Req, &answer.payload);
        assert!(answer.payload.len() <= 1_500, "{} bytes", answer.payload.len());
        assert_eq!(told.code(), Some(7));
        assert!(told.message().starts_with("<xxx") && told.message().ends_with("xxx>"));
        assert_eq!((told.message().len() == length + 2, told.variant() == Some("Long")), (whole, whole));
    }
}

#[test]
fn handlers_that_end_together_are_not_held_against_the_peer() {
    let mut server = asked(20, &Limits::new().queued(2, 1 << 20));
    for job in start(&mut server) {
        server.answer(&job.metadata, Ok(vec![b'x'; 1000].into()));
        server.jobs_done(1, 0);
    }
    assert_eq!(server.intake(), Intake::Open);
    let mut client = session("d", &Limits::new());
    let _ = request(&mut client, "x");
    deliver(&mut client, &mut server);
    assert_eq!(server.intake(), Intake::Open);
    assert!(!server.may_start_jobs());
}

#[test]
fn refusals_that_a_peer_does_not_take_end_its_link() {
    let limits = Limits::new().queued(2, 1 << 20);
    let (mut client, mut server) = (session("c", &Limits::new()), session("s", &limits));
    server.drain();
    for number in 0..9 {
        let _ = request(&mut client, "x");
        deliver(&mut client, &mut server);
        let expected = if number < 7 { Intake::Open } else { Intake::Overrun };
        assert_eq!(server.intake(), expected, "after {} refusals", number + 1);
    }
}

#[test]
fn no_handler_starts_while_its_answer_would_have_no_room() {
    let limits = Limits::new().queued(2, 1 << 20);
    let (mut client, mut server) = (session("c", &Limits::new()), session("s", &limits));
    for _ in 0..5 {
        let _ = request(&mut client, "x");
    }
    deliver(&mut client, &mut server);
    for message in start(&mut server) {
        server.answer(&message.metadata, Ok(Vec::new().into()));
        server.jobs_done(1, 0);
    }
    let _ = request(&mut client, "x");
    deliver(&mut client, &mut server);
    assert!(!server.may_start_jobs() && start(&mut server).is_empty());
    carry(&mut server);
    assert!(server.may_start_jobs());
    assert_eq!(start(&mut server).len(), 1);
}

#[test]
fn a_throw_that_is_refused_makes_no_answer() {
    let limits = Limits::new().queued(2, 1 << 20);
    let mut server = asked(20, &limits);
    for job in start(&mut server) {
        server.answer(&job.metadata, Ok(vec![b'x'; 1000].into()));
        server.jobs_done(1, job.metadata.size());
    }
    server.drain();
    let mut client = session("d", &Limits::new());
    client.throw(What::default(), &mut payload("x")).unwrap();
    deliver(&mut client, &mut server);
    assert_eq!(server.intake(), Intake::Open);
}

#[test]
fn handlers_that_wait_for_room_are_told_of_theirs() {
    let limits = Limits::new().queued(1, usize::MAX).waiting(1, usize::MAX).running(1);
    let mut side = session("s", &limits.unacknowledged(1, usize::MAX));
    let from_handler = What { sender: Sender::Handler, ..What::default() };
    let mut count = 0;
    while side.throw(from_handler, &mut payload("x")).is_ok() {
        count += 1;
    }
    assert_eq!(count, 2 + 4 + 1 + 24 * 1024);
    assert!(matches!(side.throw(What::default(), &mut payload("x")), Err(Refused::Full)));
    assert!(side.fill(&mut Batch::default(), true), "all went out");
    assert!(side.throw(from_handler, &mut payload("x")).is_ok());
}

/// The answer would wait for ever, and what came behind it for room.
#[test]
fn what_is_answered_when_there_will_be_no_link_holds_up_nobody() {
    let mut server = asked(1, &Limits::new().queued(1, 1 << 20));
    let mut client = session("d", &Limits::new());
    client.throw(What::default(), &mut payload("x")).unwrap();
    let (mut mine, mut batch) = (false, VecDeque::new());
    server.start_jobs(&mut mine, &mut batch);
    deliver(&mut client, &mut server);
    server.link_lost(Batch::default(), "cut", Lost::Cut);
    server.close(Reason::Forgotten);
    server.answer(&batch[0].metadata, Ok(vec![b'x'; 1000].into()));
    server.jobs_done(1, batch[0].metadata.size());
    batch.clear();
    assert!(!server.has_output());
    server.start_jobs(&mut mine, &mut batch);
    assert_eq!(texts(&batch), ["x"]);
}
