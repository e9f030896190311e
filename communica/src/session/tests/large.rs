//! Messages that go out in pieces, or leave little room for others.

use super::*;
use crate::wire::Mix;

#[test]
fn a_large_message_begins_again_on_the_next_link() {
    let limits = Limits::new().chunk_size(1024);
    let (mut client, mut server) = (session("c", &limits), session("s", &limits));
    let _ = request(&mut client, &"x".repeat(3000));
    let mut batch = Batch::default();
    client.fill(&mut batch, true);
    batch.advance(batch.remaining());
    client.filled_was_sent();
    client.link_lost(Batch::default(), "cut", Lost::Cut);
    client.link_up(Delivery::Direct, None);
    assert!(matches!(deliver(&mut client, &mut server)[..], [Event::Queued]));
    assert_eq!(start(&mut server)[0].payload.len(), 3000);
}

#[test]
fn small_messages_go_between_the_chunks_of_a_large_one() {
    let mut client = session("c", &Limits::new().chunk_size(1024));
    let _ = request(&mut client, &"x".repeat(4000));
    let mut sizes = Vec::new();
    for _ in 0..4 {
        let _ = request(&mut client, "small");
        let mut batch = Batch::default();
        client.fill(&mut batch, true);
        sizes.push(batch.remaining());
        client.filled_was_sent();
    }
    assert!(
        sizes.iter().all(|size| (900..1400).contains(size)),
        "each holds a small one and a chunk: {sizes:?}"
    );
    assert!(!client.has_output());
}

#[test]
fn large_payloads_run_a_few_at_a_time_and_one_that_is_larger_than_all_alone() {
    let limits = Limits::new().waiting(1000, 2_050);
    let (mut client, mut server) = (session("c", &Limits::new()), session("s", &limits));
    for size in [1_000, 1_000, 10, 5_000, 10] {
        client.throw(What::default(), &mut payload(&"x".repeat(size))).unwrap();
    }
    deliver(&mut client, &mut server);
    let done = |server: &mut Pair, started: &[Message]| {
        server.jobs_done(started.len(), started.iter().map(|message| message.metadata.size()).sum());
    };
    for count in [2, 1, 1, 1] {
        assert!(server.may_start_jobs());
        let started = start(&mut server);
        assert_eq!(started.len(), count);
        assert!(!server.may_start_jobs());
        done(&mut server, &started);
    }
    assert!(server.is_idle());
}

#[test]
fn small_messages_do_not_wait_for_room_while_a_large_one_is_under_way() {
    let limits = limits().queued(100, 100_000);
    let mut client = session("c", &limits);
    let throw =
        |client: &mut Pair, bytes| client.throw(What::default(), &mut payload(&"x".repeat(bytes))).map(drop);
    throw(&mut client, 200_000).unwrap();
    for _ in 0..3 {
        throw(&mut client, 100).unwrap();
        let mut batch = Batch::default();
        client.fill(&mut batch, true);
        assert!(batch.remaining() < 2 * 1024, "more than the small one and a piece");
        client.filled_was_sent();
    }
    // Another large one waits, and counts.
    throw(&mut client, 200_000).unwrap();
    assert_eq!(throw(&mut client, 100), Err(Refused::Full));
    // Until it is the one that is under way; then whoever waits for room has to be told.
    let mut told = false;
    while throw(&mut client, 100) == Err(Refused::Full) {
        assert!(!told, "there is no room after all");
        let mut batch = Batch::default();
        told |= client.fill(&mut batch, true);
        told |= client.filled_was_sent();
    }
    assert!(told, "there is room, and nobody said so");
}

#[test]
fn a_large_call_given_up_when_a_part_is_out_is_not_sent_on_the_next_link() {
    let mut client = session("c", &limits());
    let call = request(&mut client, &"x".repeat(5_000));
    let _ = request(&mut client, &"y".repeat(5_000));
    let mut batch = Batch::default();
    client.fill(&mut batch, true);
    batch.advance(batch.remaining());
    client.filled_was_sent();
    client.abandon(call);
    client.link_lost(Batch::default(), "cut", Lost::Cut);
    client.link_up(Delivery::Direct, None);
    let again = texts(&carry(&mut client));
    assert_eq!(again, ["y".repeat(5_000)], "nobody has the other, and nobody wants it");
}

#[test]
fn a_large_call_whose_last_chunk_is_with_the_link_may_have_run() {
    let mut client = session("c", &limits());
    let call = request(&mut client, &"x".repeat(1_500));
    client.fill(&mut Batch::default(), true);
    client.filled_was_sent();
    client.fill(&mut Batch::default(), true);
    client.close(Reason::Closed);
    assert!(matches!(end(&mut client, call), Some(CallEnd::Lost(Error::MayHaveRun(_)))));
}

#[test]
fn a_last_chunk_that_went_out_is_not_repeated() {
    let mut client = session("c", &Limits::new().chunk_size(1024));
    let call = request(&mut client, &"x".repeat(1500));
    for last in [false, true] {
        let mut batch = Batch::default();
        client.fill(&mut batch, true);
        batch.advance(batch.remaining());
        if last {
            // The link took it and breaks before it can say so.
            client.link_lost(batch, "cut", Lost::Cut);
        } else {
            client.filled_was_sent();
        }
    }
    assert!(matches!(end(&mut client, call), Some(CallEnd::Lost(Error::MayHaveRun(_)))));
    client.link_up(Delivery::Direct, None);
    assert!(carry(&mut client).is_empty());
}

#[test]
fn a_road_of_whole_messages_keeps_their_order() {
    let mut client = session("c", &Limits::new().chunk_size(1024));
    let sizes = [3000, 1, 20_000, 1, 1, 5000];
    for size in sizes {
        let _ = request(&mut client, &"x".repeat(size));
    }
    assert_eq!(carry(&mut client).iter().map(|message| message.payload.len()).collect::<Vec<_>>(), sizes);
}

/// Small messages may overtake a large one, but not without end.
#[test]
fn a_large_message_goes_on_while_the_queue_is_never_empty() {
    let mut client = session("c", &Limits::new().queued(1_000, 4 << 20));
    let _ = request(&mut client, &"x".repeat(2 << 20));
    let (mut all, mut batches) = (0, 0);
    let throw = |client: &mut Pair| client.throw(What::default(), &mut payload(&"y".repeat(20_000))).is_ok();
    while client.outbox.large_waits() {
        while throw(&mut client) {}
        let mut batch = Batch::default();
        client.fill(&mut batch, true);
        all += batch.remaining();
        batches += 1;
        batch.advance(batch.remaining());
        client.filled_was_sent();
        assert!(batches < 100, "{all} bytes went out, and it waits");
    }
    assert!(all < 12 * (2 << 20), "{all}");
}

#[test]
fn a_large_message_goes_on_while_the_window_is_always_full() {
    let limits = Limits::new().queued(100, 100 << 20).unacknowledged(10, 100 << 20);
    let (mut client, mut server) = (resume::fresh("c", &limits), resume::fresh("s", &limits));
    resume::shake(&mut client, &mut server);
    let _ = request(&mut client, &"x".repeat(3 << 19));
    let (mut decoder, mut rounds) = (crate::wire::Decoder::new(Limits::new().wire()), 0);
    let mut large_came = false;
    while !large_came {
        rounds += 1;
        assert!(rounds < 300, "it never comes");
        while client.throw(What::default(), &mut payload(&"y".repeat(20_000))).is_ok() {}
        let mut batch = Batch::default();
        client.fill(&mut batch, true);
        let mut bytes = bytes::BytesMut::new();
        while batch.has_remaining() {
            bytes.extend_from_slice(batch.chunk());
            let taken = batch.chunk().len();
            batch.advance(taken);
        }
        client.filled_was_sent();
        while let Ok(Some(crate::wire::Received::Message(mut message))) = decoder.next(&mut bytes) {
            large_came |= message.payload.len() > 1 << 20;
            server.receive(&mut message);
        }
        server.jobs_done(0, 0);
        for message in start(&mut server) {
            server.jobs_done(1, message.metadata.size());
        }
        deliver(&mut server, &mut client);
    }
}

/// What is said of what came goes in front of what is filled next, so it waits for no more than that.
#[test]
fn a_batch_has_a_mib_and_a_message_at_most() {
    const MIB: usize = 1 << 20;
    for size in [1_000, 20_000, 1_000_000] {
        let limits = Limits::new().queued(100_000, 64 * MIB);
        let mut client = session("c", &limits);
        for _ in 0..20 * MIB / size {
            client.throw(What::default(), &mut payload(&"x".repeat(size))).unwrap();
        }
        let (mut all, mut batch) = (0, Batch::default());
        while client.has_unsent() {
            client.fill(&mut batch, true);
            let bytes = batch.remaining();
            assert!(bytes < 2 * MIB + 100_000, "{bytes} bytes of {size} each");
            all += bytes;
            batch.advance(bytes);
            client.filled_was_sent();
        }
        assert!(all > 19 * MIB, "{all}");
    }
}

#[test]
fn a_batch_says_what_passes_with_it() {
    let mut client = session("c", &Limits::new().queued(100_000, 1 << 30));
    let throw = |client: &mut Pair, bytes: usize| {
        client.throw(What::default(), &mut payload(&"x".repeat(bytes))).unwrap();
    };
    let mix = |client: &mut Pair| {
        let mut batch = Batch::default();
        client.fill(&mut batch, true);
        batch.advance(batch.remaining());
        client.filled_was_sent();
        batch.mix()
    };
    for _ in 0..5_000 {
        throw(&mut client, 100);
    }
    assert_eq!(mix(&mut client), Mix::Small, "many are no large one");
    // Not in pieces, and still a lot.
    throw(&mut client, 300_000);
    assert_eq!(mix(&mut client), Mix::Large);
    throw(&mut client, 100);
    throw(&mut client, 40 << 20);
    assert_eq!(mix(&mut client), Mix::Large, "the small one was first");
    throw(&mut client, 100);
    assert_eq!(mix(&mut client), Mix::Both);
    let pieces_with_company = (0..).take_while(|_| mix(&mut client) == Mix::Both).count();
    assert!((500..=512).contains(&pieces_with_company), "16 MiB: {pieces_with_company}");
    while client.has_unsent() {
        assert_eq!(mix(&mut client), Mix::Large);
    }
    throw(&mut client, 100);
    assert_eq!(mix(&mut client), Mix::Small);
}
