//! What one side ended for good, and what ran out of time: the other side does not wait, and nothing runs late.

use super::*;

/// One side met nonsense, closed, and its last words never came: to the other one the link was cut.
#[test]
fn calls_end_though_only_the_responder_knows_that_the_link_was_over() {
    let mut road = Road::new(&limits());
    let call = request(&mut road.sides[0], "x");
    assert!(end(&mut road.sides[0], call).is_none());
    road.send_all(0);
    road.receive(1, usize::MAX);
    let mut logs = [Log::default(), Log::default()];
    let message = start(&mut road.sides[1]).remove(0);
    road.sides[1].jobs_done(1, message.metadata.size());
    road.sides[1].answer(&message.metadata, Ok(b"y".to_vec().into()));
    road.send_all(1);
    road.sides[1].link_lost(Batch::default(), "nonsense", Lost::Over);
    road.sides[0].link_lost(Batch::default(), "cut", Lost::Cut);
    let [client, _] = road.reconnect();
    assert_eq!(client.wake, ["caller"]);
    assert!(matches!(end(&mut road.sides[0], call), Some(CallEnd::Lost(Error::MayHaveRun(_)))));
    for number in 0..20 {
        say(&mut road.sides[number % 2], &mut logs[number % 2], 10);
    }
    for _ in 0..3 {
        for side in 0..2 {
            road.send_all(side);
            road.receive(1 - side, usize::MAX);
            work(&mut road.sides[1 - side], &mut logs[1 - side]);
        }
    }
    assert_eq!(logs.map(|log| (log.thrown, log.seen.len(), log.asked.len())), [(10, 10, 0); 2]);
    // And it is as any other session after that.
    road.cut([Batch::default(), Batch::default()]);
    let later = request(&mut road.sides[0], "z");
    let [client, server] = road.reconnect();
    assert!(client.wake.is_empty() && server.wake.is_empty());
    road.send_all(0);
    road.receive(1, usize::MAX);
    assert_eq!(texts(&start(&mut road.sides[1])), ["z"]);
    assert!(end(&mut road.sides[0], later).is_none());
}

/// What was seen to be gone stood between the two, as a forwarder of sockets does, and both are there.
#[test]
fn calls_end_whose_responder_stopped_what_they_asked_for() {
    let mut road = Road::new(&limits());
    let call = request(&mut road.sides[0], "x");
    assert!(end(&mut road.sides[0], call).is_none());
    road.send_all(0);
    road.receive(1, usize::MAX);
    assert_eq!(start(&mut road.sides[1]).len(), 1);
    road.cut([Batch::default(), Batch::default()]);
    road.sides[1].peer_is_gone(&Reason::Disconnected("it ended".to_owned()));
    let [client, _] = road.reconnect();
    assert_eq!(client.wake, ["caller"]);
    assert!(matches!(end(&mut road.sides[0], call), Some(CallEnd::Lost(Error::MayHaveRun(_)))));
    let later = request(&mut road.sides[0], "z");
    road.send_all(0);
    road.receive(1, usize::MAX);
    assert_eq!(texts(&start(&mut road.sides[1])), ["z"]);
    assert!(end(&mut road.sides[0], later).is_none());
}

/// The same, and it was the caller that ended it.
#[test]
fn nothing_is_taken_for_repeated_when_only_the_caller_knows_that_the_link_was_over() {
    let mut road = Road::new(&limits());
    let call = request(&mut road.sides[1], "back");
    road.send_all(1);
    road.receive(0, usize::MAX);
    let message = start(&mut road.sides[0]).remove(0);
    road.sides[0].jobs_done(1, message.metadata.size());
    road.sides[0].answer(&message.metadata, Ok(b"y".to_vec().into()));
    road.send_all(0);
    road.sides[0].link_lost(Batch::default(), "nonsense", Lost::Over);
    road.sides[1].link_lost(Batch::default(), "cut", Lost::Cut);
    road.reconnect();
    assert!(matches!(end(&mut road.sides[1], call), Some(CallEnd::Lost(Error::MayHaveRun(_)))));
}

#[test]
fn a_call_that_ran_out_of_time_for_a_new_link_does_not_run_after_that() {
    let mut road = Road::new(&limits());
    let calls = ["a", "b"].map(|text| request(&mut road.sides[0], text));
    let _ = road.send(0, usize::MAX);
    // Nothing of it comes.
    road.cut([Batch::default(), Batch::default()]);
    road.sides[0].give_up_sent(&Reason::Disconnected("too long".to_owned()));
    for call in calls {
        assert!(matches!(end(&mut road.sides[0], call), Some(CallEnd::Lost(Error::MayHaveRun(_)))));
    }
    road.reconnect();
    let messages = carry(&mut road.sides[0]);
    let kinds: Vec<_> = messages.iter().map(|message| message.metadata.kind()).collect();
    assert_eq!(kinds, [Kind::Request, Kind::Request, Kind::Cancel, Kind::Cancel]);
    for (request, cancel) in messages.iter().zip(&messages[2..]) {
        assert_eq!(request.metadata.id(), cancel.metadata.id());
    }
}

/// The one that comes next announced nothing, or is another process: it knows nothing of those calls.
#[test]
fn who_knows_nothing_of_calls_that_were_given_up_is_told_nothing() {
    let mut road = Road::new(&limits());
    let given_up = request(&mut road.sides[0], "a");
    let _ = request(&mut road.sides[0], "b");
    let _ = road.send(0, usize::MAX);
    road.cut([Batch::default(), Batch::default()]);
    assert!(!road.sides[0].abandon(given_up).unsent);
    road.sides[0].give_up_sent(&Reason::Disconnected("too long".to_owned()));
    road.sides[0].link_up(Delivery::Direct, None);
    assert!(carry(&mut road.sides[0]).is_empty());
    road.sides[0].link_lost(Batch::default(), "cut", Lost::Cut);
    let _ = road.reconnect();
    assert!(carry(&mut road.sides[0]).is_empty());
}

#[test]
fn calls_that_were_given_up_leave_nothing_to_say_when_the_peer_is_gone() {
    let mut road = Road::new(&limits());
    let _ = request(&mut road.sides[0], "a");
    let _ = road.send(0, usize::MAX);
    road.cut([Batch::default(), Batch::default()]);
    road.sides[0].give_up_sent(&Reason::Disconnected("too long".to_owned()));
    road.sides[0].peer_is_gone(&Reason::Restarted);
    assert!(!road.sides[0].has_output());
    let _ = road.reconnect();
    assert!(carry(&mut road.sides[0]).is_empty());
}

/// Its hello came, ours did not: the peer goes on from what it knew.
#[test]
fn half_a_handshake_does_not_make_up_for_a_link_that_was_over() {
    for side in [0, 1] {
        let mut road = Road::new(&limits());
        let call = request(&mut road.sides[1 - side], "x");
        road.send_all(1 - side);
        road.receive(side, usize::MAX);
        assert_eq!(start(&mut road.sides[side]).len(), 1);
        road.sides[side].link_lost(Batch::default(), "nonsense", Lost::Over);
        road.sides[1 - side].link_lost(Batch::default(), "cut", Lost::Cut);
        let theirs = road.sides[1 - side].about(None);
        let _ = road.sides[side].about(Some(&theirs));
        road.sides[side].link_up(Delivery::Direct, Some(theirs));
        road.sides[side].link_lost(Batch::default(), "cut", Lost::Cut);
        road.reconnect();
        road.send_all(1 - side);
        road.receive(side, usize::MAX);
        assert!(start(&mut road.sides[side]).is_empty(), "it ran again");
        assert!(matches!(end(&mut road.sides[1 - side], call), Some(CallEnd::Lost(Error::MayHaveRun(_)))));
    }
}

/// That a link was over is between the two who had it: whoever comes next under the same name resumes from the first cut on.
#[test]
fn a_link_that_was_over_costs_the_next_peer_nothing() {
    for both_shook_hands in [true, false] {
        let mut road = Road::new(&limits());
        road.send_all(0);
        road.sides[1].link_lost(Batch::default(), "it said goodbye", Lost::Over);
        road.sides[0] = fresh("next", &limits());
        if both_shook_hands {
            road.reconnect();
        } else {
            // The server gave the link up before its turn came.
            let from_client = road.sides[0].about(None);
            let from_server = road.sides[1].about(Some(&from_client));
            road.sides[0].link_up(Delivery::Direct, Some(from_server));
        }
        let call = request(&mut road.sides[0], "x");
        road.pipes = [Pipe::new(), Pipe::new()];
        road.send_all(0);
        // Nothing of it comes.
        road.sides[0].link_lost(Batch::default(), "cut", Lost::Cut);
        road.sides[1].link_lost(Batch::default(), "cut", Lost::Cut);
        let [client, _] = road.reconnect();
        assert!(client.wake.is_empty() && end(&mut road.sides[0], call).is_none());
        road.send_all(0);
        road.receive(1, usize::MAX);
        assert_eq!(texts(&start(&mut road.sides[1])), ["x"]);
    }
}

/// One that speaks 0.4 came between; whoever comes later under the same name lost no count by that.
#[test]
fn a_count_that_was_lost_is_that_of_one_peer() {
    let mut road = Road::new(&limits());
    road.cut([Batch::default(), Batch::default()]);
    road.sides[1].link_up(Delivery::Direct, None);
    road.sides[1].link_lost(Batch::default(), "cut", Lost::Cut);
    let known = road.sides[0].about(None);
    assert!(road.sides[1].about(Some(&known)).heard.is_none());
    road.sides[0] = fresh("next", &limits());
    let from_client = road.sides[0].about(None);
    let from_server = road.sides[1].about(Some(&from_client));
    // The server gave the link up before its turn came.
    road.sides[0].link_up(Delivery::Direct, Some(from_server));
    let call = request(&mut road.sides[0], "x");
    road.send_all(0);
    road.sides[0].link_lost(Batch::default(), "cut", Lost::Cut);
    road.reconnect();
    assert!(end(&mut road.sides[0], call).is_none());
    road.send_all(0);
    road.receive(1, usize::MAX);
    assert_eq!(texts(&start(&mut road.sides[1])), ["x"]);
}

/// The one that had it first may have begun it.
#[test]
fn what_was_repeated_and_is_refused_may_have_run() {
    let mut road = Road::new(&limits());
    let what = What { route: Some("route"), idempotent: true, ..What::default() };
    let call = road.sides[0].request(what, &mut payload("x")).unwrap().call;
    road.send_all(0);
    road.receive(1, usize::MAX);
    assert_eq!(start(&mut road.sides[1]).len(), 1);
    road.cut([Batch::default(), Batch::default()]);
    road.sides[1] = fresh("next", &limits());
    road.sides[1].drain();
    road.reconnect();
    road.send_all(0);
    road.receive(1, usize::MAX);
    road.send_all(1);
    road.receive(0, usize::MAX);
    let ended = end(&mut road.sides[0], call);
    assert!(matches!(ended, Some(CallEnd::Lost(Error::MayHaveRun(Reason::NotBegun(_))))));
}

/// Nobody but the log tells of throws.
#[test]
fn throws_that_are_not_known_to_have_come_are_counted_when_a_session_is_closed() {
    for lost in [Lost::Cut, Lost::Over] {
        let mut road = Road::new(&limits());
        let client = &mut road.sides[0];
        for text in ["a", "b", &"c".repeat(5000)] {
            client.throw(What::default(), &mut payload(text)).unwrap();
        }
        request(client, "a caller is told");
        road.send_all(0);
        let client = &mut road.sides[0];
        client.throw(What::default(), &mut payload("unsent")).unwrap();
        client.refuse_calls(Reason::Closed);
        client.link_lost(Batch::default(), "it ended", lost);
        assert_eq!(client.throws_without_word(), 4, "{lost:?}");
        client.close(Reason::Closed);
        assert_eq!(client.throws_without_word(), 0, "{lost:?}");
    }
}

/// However its link ended, and whoever came after it.
#[test]
fn throws_that_an_earlier_link_took_are_counted_until_they_are_told_of() {
    for case in ["over", "replaced", "restarted", "gone"] {
        let mut road = Road::new(&limits());
        for number in 0..3 {
            let mut text = payload(&number.to_string());
            road.sides[0].throw(What::default(), &mut text).unwrap();
        }
        road.send_all(0);
        let client = &mut road.sides[0];
        let lost = match case {
            "over" => Lost::Over,
            "replaced" => Lost::Replaced,
            _ => Lost::Cut,
        };
        client.link_lost(Batch::default(), "it ended", lost);
        match case {
            "restarted" => {
                shake(client, &mut fresh("next", &limits()));
            }
            "gone" => {
                client.peer_is_gone(&Reason::Disconnected("nobody is there".to_owned()));
            }
            _ => {}
        }
        assert_eq!(client.throws_without_word(), 3, "{case}");
        client.close(Reason::Closed);
        assert_eq!(client.throws_without_word(), 0, "{case}");
    }
}

/// A link may outlive its session by a moment, and then give back what it did not take.
#[test]
fn throws_that_a_link_has_when_its_session_ends_are_counted_once() {
    for resumes in [true, false] {
        let mut road = Road::new(&limits());
        let client = &mut road.sides[0];
        if !resumes {
            let _ = client.link_lost(Batch::default(), "it was cut", Lost::Cut);
            let _ = client.link_up(Delivery::Direct, None);
        }
        for number in 0..3 {
            client.throw(What::default(), &mut payload(&number.to_string())).unwrap();
        }
        let mut batch = Batch::default();
        client.fill(&mut batch, true);
        client.throw(What::default(), &mut payload("3")).unwrap();
        let at_its_end = client.throws_without_word();
        let _ = client.close(Reason::Closed);
        let _ = client.link_lost(batch, "it was broken off", Lost::Cut);
        assert_eq!(at_its_end + client.throws_without_word(), 4, "{resumes}");
        let _ = client.close(Reason::Closed);
        assert_eq!(client.throws_without_word(), 0, "{resumes}");
    }
}

/// It tells no more than that what stood before it came.
#[test]
fn throws_before_an_answered_request_are_known_to_have_come() {
    let mut road = Road::new(&limits());
    let throw = |road: &mut Road| road.sides[0].throw(What::default(), &mut payload("x")).unwrap();
    throw(&mut road);
    let call = request(&mut road.sides[0], "y");
    throw(&mut road);
    road.send_all(0);
    road.receive(1, usize::MAX);
    for message in start(&mut road.sides[1]) {
        road.sides[1].answer(&message.metadata, Ok(Vec::new().into()));
    }
    road.send_all(1);
    road.receive(0, usize::MAX);
    assert!(end(&mut road.sides[0], call).is_some());
    assert_eq!(road.sides[0].throws_without_word(), 1);
}

/// Who ends a link says what came over it.
#[test]
fn a_goodbye_says_what_came() {
    let mut road = Road::new(&limits());
    road.sides[0].throw(What::default(), &mut payload("x")).unwrap();
    road.send_all(0);
    road.receive(1, usize::MAX);
    road.sides[1].push_close(Some("it stops"));
    let kinds: Vec<_> = carry(&mut road.sides[1]).iter().map(|message| message.metadata.kind()).collect();
    assert_eq!(kinds, [Kind::Acknowledge]);
}

/// The link that had the first one ended for good, and the answer to that comes over the next.
#[test]
fn an_answer_to_the_first_of_two_says_nothing_of_the_second() {
    let mut road = Road::new(&limits());
    let repeatable = What { idempotent: true, ..What::default() };
    let call = road.sides[0].request(repeatable, &mut payload("x")).unwrap().call;
    road.send_all(0);
    road.receive(1, usize::MAX);
    let message = start(&mut road.sides[1]).remove(0);
    road.sides[1].jobs_done(1, message.metadata.size());
    road.sides[1].answer(&message.metadata, Ok(b"y".to_vec().into()));
    road.sides[1].link_lost(Batch::default(), "nonsense", Lost::Over);
    road.sides[0].link_lost(Batch::default(), "cut", Lost::Cut);
    road.reconnect();
    road.sides[0].throw(What::default(), &mut payload("behind it")).unwrap();
    // A sign of life goes first. Of the rest nothing comes before the link is cut.
    let _ = road.sides[0].beat(true);
    let mut sign = Batch::default();
    sign.push_acknowledgement(0);
    road.send_all(0);
    road.receive(1, sign.remaining());
    road.send_all(1);
    road.receive(0, usize::MAX);
    assert!(matches!(end(&mut road.sides[0], call), Some(CallEnd::Value(_))));
    assert_eq!(road.sides[0].came(), 0, "nothing came over this link");
    road.cut([Batch::default(), Batch::default()]);
    road.reconnect();
    road.send_all(0);
    road.receive(1, usize::MAX);
    assert_eq!(texts(&start(&mut road.sides[1])), ["x", "behind it"]);
}
