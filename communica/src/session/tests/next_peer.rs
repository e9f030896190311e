//! Links to one process after the other: what was queued for the one, and what it left, meets the next.

use std::collections::VecDeque;

use super::resume::{fresh, shake};
use super::*;

fn small_limits() -> Limits {
    Limits::new().chunk_size(1024).message_size(2_000)
}

/// A client that was never connected asks for as much as it may itself.
fn queued(sizes: &[usize]) -> (Pair, Vec<CallId>) {
    let mut client = fresh("c", &limits());
    let calls = sizes.iter().map(|&size| request(&mut client, &"x".repeat(size))).collect();
    (client, calls)
}

#[test]
fn what_was_queued_and_is_more_than_the_peer_takes_ends_when_it_says_so() {
    for large in [2_001, 1_000_000] {
        let (mut client, calls) = queued(&[10, large, 20, 2_000]);
        let [up, _] = shake(&mut client, &mut fresh("s", &small_limits()));
        let ended: Vec<_> = calls.iter().map(|&call| end(&mut client, call)).collect();
        let Some(CallEnd::Lost(Error::NotSent(Reason::TooLarge { size, limit }))) = &ended[1] else {
            panic!("{:?}", ended[1].is_some())
        };
        assert_eq!((*size, *limit), (large, 2_000));
        assert!(ended[0].is_none() && ended[2].is_none() && ended[3].is_none());
        assert!(up.wake.is_empty(), "nobody waited yet");
        let sent: Vec<_> = texts(&carry(&mut client)).iter().map(String::len).collect();
        assert_eq!(sent, [10, 20, 2_000]);
        assert!(!client.has_unsent());
    }
}

#[test]
fn small_messages_that_wait_together_are_told_apart_by_what_the_peer_takes() {
    let (mut client, calls) = queued(&[10, 200, 20]);
    shake(&mut client, &mut fresh("s", &Limits::new().message_size(100)));
    let ended: Vec<_> = calls.iter().map(|&call| end(&mut client, call).is_some()).collect();
    assert_eq!(ended, [false, true, false]);
    assert_eq!(texts(&carry(&mut client)).iter().map(String::len).collect::<Vec<_>>(), [10, 20]);
}

#[test]
fn an_answer_that_the_client_does_not_take_any_more_becomes_an_error() {
    let (mut client, mut server) = (fresh("c", &limits()), fresh("s", &limits()));
    shake(&mut client, &mut server);
    request(&mut client, "asked");
    deliver(&mut client, &mut server);
    let job = start(&mut server).remove(0);
    server.link_lost(Batch::default(), "cut", Lost::Cut);
    server.answer(&job.metadata, Ok(vec![b'x'; 5_000].into()));
    let mut again = fresh("c", &small_limits());
    shake(&mut again, &mut server);
    let answers = carry(&mut server);
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].metadata.kind(), crate::wire::Kind::Resp);
}

#[test]
fn a_visit_to_another_server_does_not_have_things_handled_twice() {
    let (mut client, mut first, mut second) =
        (fresh("c", &limits()), fresh("s", &limits()), fresh("s2", &limits()));
    for _ in 0..2 {
        shake(&mut client, &mut first);
        first.throw(What::default(), &mut payload("once")).unwrap();
        deliver(&mut first, &mut client);
        assert_eq!(texts(&start(&mut client)), ["once"]);
        for side in [&mut client, &mut first] {
            side.link_lost(Batch::default(), "cut", Lost::Cut);
        }
        shake(&mut client, &mut second);
        for side in [&mut client, &mut second] {
            side.link_lost(Batch::default(), "cut", Lost::Cut);
        }
    }
}

#[test]
fn a_visit_to_a_server_without_a_session_does_not_have_things_handled_twice() {
    let (mut client, mut server) = (fresh("c", &limits()), fresh("s", &limits()));
    shake(&mut client, &mut server);
    server.throw(What::default(), &mut payload("once")).unwrap();
    deliver(&mut server, &mut client);
    assert_eq!(start(&mut client).len(), 1);
    for side in [&mut client, &mut server] {
        side.link_lost(Batch::default(), "cut", Lost::Cut);
    }
    client.link_up(Delivery::Direct, None);
    client.link_lost(Batch::default(), "cut", Lost::Cut);
    shake(&mut client, &mut server);
    deliver(&mut server, &mut client);
    assert!(start(&mut client).is_empty());
}

/// They were taken to be started, and were not.
#[test]
fn what_another_process_asked_for_is_not_given_back() {
    let (mut client, mut server) = (fresh("c", &limits()), fresh("s", &limits()));
    shake(&mut client, &mut server);
    request(&mut client, "asked");
    client.throw(What { route: Some("route"), ..What::default() }, &mut payload("thrown")).unwrap();
    deliver(&mut client, &mut server);
    let (mut mine, mut batch) = (false, VecDeque::new());
    server.start_jobs(&mut mine, &mut batch);
    assert_eq!(texts(&batch), ["asked", "thrown"]);
    server.link_lost(Batch::default(), "cut", Lost::Cut);
    let mut next = fresh("next", &limits());
    shake(&mut next, &mut server);
    server.give_back(&mut batch, &mut mine);
    assert_eq!(texts(&start(&mut server)), ["thrown"]);
    request(&mut next, "later");
    deliver(&mut next, &mut server);
    assert_eq!(texts(&start(&mut server)), ["later"]);
}
