//! Links that break in the middle of something, to a peer without resume.

use super::*;

/// What a link was given and did not take stands in the queue again.
#[test]
fn what_waits_does_not_grow_with_each_link_that_breaks() {
    let mut client = session("c", &Limits::new().queued(4, 4096));
    for _ in 0..10 {
        while client.throw(What::default(), &mut payload("x")).is_ok() {}
        let mut batch = Batch::default();
        client.fill(&mut batch, true);
        while client.throw(What::default(), &mut payload("x")).is_ok() {}
        client.link_lost(batch, "cut", Lost::Cut);
        assert!(client.throws_without_word() <= 8);
        client.link_up(Delivery::Direct, None);
    }
}

#[test]
fn what_a_broken_link_did_not_take_is_sent_on_the_next_and_the_rest_ends() {
    // Sizes on both sides of what is copied, handed over and cut into chunks.
    let sizes = [10, 20_000, 10, 3_000_000, 10];
    let limits = Limits::new().chunk_size(1 << 20);
    let mut taken = 0;
    loop {
        let mut client = session("c", &limits);
        let calls: Vec<_> = sizes.iter().map(|&size| request(&mut client, &"x".repeat(size))).collect();
        let mut batch = Batch::default();
        client.fill(&mut batch, true);
        let all = batch.remaining();
        batch.advance(taken.min(all));
        assert!(client.link_lost(batch, "cut", Lost::Cut).is_empty(), "nobody polled, so nobody is woken");
        let ended = |client: &mut Pair, call| match end(client, call) {
            Some(CallEnd::Lost(Error::MayHaveRun(Reason::Disconnected(why)))) => why == "cut",
            None => false,
            other => panic!("{other:?}"),
        };
        let ended: Vec<bool> = calls.iter().map(|&call| ended(&mut client, call)).collect();
        let again = carry(&mut client).len();
        assert_eq!(again + ended.iter().filter(|&&ended| ended).count(), sizes.len(), "after {taken} bytes");
        assert!(!ended[3], "a message of which a chunk is missing was not sent");
        if taken >= all {
            assert_eq!(again, 1);
            break;
        }
        taken += 97 * 131;
    }
}

#[test]
fn a_message_over_which_links_keep_breaking_is_given_up() {
    for size in [100, 20_000, 5_000_000] {
        let mut client = session("c", &Limits::new());
        let poison = request(&mut client, &"x".repeat(size));
        let next = request(&mut client, "next");
        for _ in 0..2 {
            break_link(&mut client);
            assert!(end(&mut client, poison).is_none());
        }
        break_link(&mut client);
        assert!(matches!(end(&mut client, poison), Some(CallEnd::Lost(Error::NotSent(_)))), "{size} bytes");
        assert!(end(&mut client, next).is_none());
        client.link_up(Delivery::Direct, None);
        assert_eq!(texts(&carry(&mut client)), ["next"]);
    }
}

#[test]
fn a_message_that_is_given_up_leaves_its_room() {
    for size in [20_000, 5_000_000] {
        let mut client = session("c", &Limits::new().queued(4, 10_000));
        let poison = request(&mut client, &"x".repeat(size));
        for _ in 0..3 {
            break_link(&mut client);
        }
        assert!(matches!(end(&mut client, poison), Some(CallEnd::Lost(Error::NotSent(_)))), "{size} bytes");
        client.link_up(Delivery::Direct, None);
        client.throw(What::default(), &mut payload("next")).expect("nothing is queued");
    }
}

#[test]
fn an_answer_over_which_links_keep_breaking_becomes_an_error() {
    let (mut client, mut server) = (session("c", &Limits::new()), session("s", &Limits::new()));
    let call = request(&mut client, "x");
    deliver(&mut client, &mut server);
    let job = start(&mut server).remove(0);
    server.answer(&job.metadata, Ok(vec![b'x'; 3 << 20].into()));
    for _ in 0..3 {
        break_link(&mut server);
    }
    server.link_up(Delivery::Direct, None);
    deliver(&mut server, &mut client);
    let Some(CallEnd::Fault(fault)) = end(&mut client, call) else { panic!("no fault") };
    assert!(fault.message().contains("links broke"), "{fault:?}");
}

#[test]
fn a_call_given_up_too_late_is_not_sent_a_second_time() {
    let mut client = session("c", &limits());
    let call = request(&mut client, "given up");
    let _ = request(&mut client, "kept");
    let mut batch = Batch::default();
    client.fill(&mut batch, true);
    assert!(!client.abandon(call).unsent, "the link has it, and may have sent it");
    client.link_lost(batch, "cut", Lost::Cut);
    client.link_up(Delivery::Direct, None);
    assert_eq!(texts(&carry(&mut client)), ["kept"]);
}
