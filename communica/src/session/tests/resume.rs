//! Links that are cut: between two sessions that live, every message is handled once and in order.

mod cancels;
mod over;
mod window;

use std::collections::HashMap;

use bytes::BytesMut;

use super::*;
use crate::wire::hello::{About, Heard as HeardOf};
use crate::wire::{Decoder, Feature, Kind, Received, WireLimits};

/// Two sessions and the bytes between them.
struct Road {
    sides: [Pair; 2],
    pipes: [Pipe; 2],
}

/// One direction.
struct Pipe {
    bytes: BytesMut,
    decoder: Decoder,
}

impl Pipe {
    fn new() -> Self {
        let limits = WireLimits { message: 1 << 24, metadata: 1 << 16, left_out: 1 << 30 };
        Self { bytes: BytesMut::new(), decoder: Decoder::new(limits) }
    }
}

pub(super) fn fresh(prefix: &str, limits: &Limits) -> Pair {
    Session::new(prefix.to_owned(), "w1".into(), limits.clone().into())
}

/// The handshake: the client speaks first, the server knows it then.
pub(super) fn shake(client: &mut Pair, server: &mut Pair) -> [LinkUp<&'static str>; 2] {
    let mut from_client = client.about(None);
    let from_server = server.about(Some(&from_client));
    from_client.complete_heard(&server.about(None).instance);
    let ups = [
        client.link_up(Delivery::Direct, Some(from_server)),
        server.link_up(Delivery::Direct, Some(from_client)),
    ];
    for side in [client, server] {
        let _ = side.driver_looks(|_| "driver");
    }
    ups
}

impl Road {
    fn new(limits: &Limits) -> Self {
        let mut road =
            Self { sides: [fresh("c", limits), fresh("s", limits)], pipes: [Pipe::new(), Pipe::new()] };
        road.reconnect();
        road
    }

    fn reconnect(&mut self) -> [LinkUp<&'static str>; 2] {
        self.pipes = [Pipe::new(), Pipe::new()];
        let [client, server] = &mut self.sides;
        shake(client, server)
    }

    /// One batch of one side, of which the link takes so many bytes. What is left is there when the link is cut.
    fn send(&mut self, from: usize, take: usize) -> Batch {
        let mut batch = Batch::default();
        self.sides[from].fill(&mut batch, true);
        let mut left = take;
        while left > 0 && batch.has_remaining() {
            let piece = batch.chunk();
            let piece = &piece[..piece.len().min(left)];
            self.pipes[from].bytes.extend_from_slice(piece);
            left -= piece.len();
            let sent = piece.len();
            batch.advance(sent);
        }
        if !batch.has_remaining() {
            self.sides[from].filled_was_sent();
        }
        batch
    }

    fn send_all(&mut self, from: usize) {
        loop {
            let left = self.send(from, usize::MAX);
            assert!(!left.has_remaining());
            if !self.sides[from].has_unsent() || self.sides[from].is_held_back() {
                return;
            }
        }
    }

    /// What has come of the first `bytes` bytes that are under way.
    fn receive(&mut self, to: usize, bytes: usize) {
        let pipe = &mut self.pipes[1 - to];
        let mut input = pipe.bytes.split_to(bytes.min(pipe.bytes.len()));
        while let Ok(Some(received)) = pipe.decoder.next(&mut input) {
            let Received::Message(mut message) = received else { panic!("nobody said goodbye") };
            self.sides[to].receive(&mut message);
        }
        // What is left of it is the beginning of a frame.
        input.unsplit(pipe.bytes.split());
        pipe.bytes = input;
    }

    fn cut(&mut self, left: [Batch; 2]) {
        for (side, batch) in self.sides.iter_mut().zip(left) {
            assert!(side.link_lost(batch, "cut", Lost::Cut).is_empty());
        }
    }
}

/// Small numbers by chance, the same ones for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// What one side did and what it saw.
#[derive(Default)]
struct Log {
    thrown: usize,
    asked: HashMap<usize, CallId>,
    seen: Vec<usize>,
    answered: usize,
}

/// Messages of both kinds, numbered; even ones are requests.
fn say(side: &mut Pair, log: &mut Log, size: usize) {
    let number = log.thrown;
    log.thrown += 1;
    let mut text = Some(format!("{number:06}{}", "x".repeat(size)).into_bytes().into());
    if number % 2 == 0 {
        let Ok(requested) = side.request(What::default(), &mut text) else {
            log.thrown -= 1;
            return;
        };
        log.asked.insert(number, requested.call);
    } else if side.throw(What::default(), &mut text).is_err() {
        log.thrown -= 1;
    }
}

fn work(side: &mut Pair, log: &mut Log) {
    for message in start(side) {
        let text = String::from_utf8_lossy(&message.payload).into_owned();
        log.seen.push(text[..6].parse().unwrap());
        side.jobs_done(1, 0);
        side.answer(&message.metadata, Ok(message.payload.to_vec().into()));
    }
    log.asked.retain(|number, call| match end(side, *call) {
        None => true,
        Some(CallEnd::Value(value)) => {
            assert_eq!(&value[..6], format!("{number:06}").as_bytes());
            log.answered += 1;
            false
        }
        Some(other) => panic!("{number}: {other:?}"),
    });
}

/// `large`: bytes of the largest message.
fn cut_at_random(seed: u64, limits: &Limits, large: usize, in_order: bool) {
    let (mut road, mut dice) = (Road::new(limits), Dice(seed));
    let mut logs = [Log::default(), Log::default()];
    for _ in 0..400 {
        let side = dice.below(2);
        match dice.below(6) {
            0 | 1 => {
                for _ in 0..dice.below(4) {
                    let size = dice.below(large);
                    say(&mut road.sides[side], &mut logs[side], size);
                }
            }
            2 => road.send_all(side),
            3 => {
                let bytes = dice.below(20_000);
                road.receive(side, bytes);
            }
            4 => work(&mut road.sides[side], &mut logs[side]),
            _ => {
                let takes = [dice.below(3_000), dice.below(3_000)];
                let left = [road.send(0, takes[0]), road.send(1, takes[1])];
                let bytes = [dice.below(6_000), dice.below(6_000)];
                road.receive(0, bytes[0]);
                road.receive(1, bytes[1]);
                road.cut(left);
                road.reconnect();
            }
        }
    }
    for _ in 0..2_000 {
        for side in 0..2 {
            road.send_all(side);
            road.receive(1 - side, usize::MAX);
            work(&mut road.sides[1 - side], &mut logs[1 - side]);
        }
        if road.sides.iter().all(|side| side.is_idle() && !side.has_calls() && !side.has_unsent()) {
            break;
        }
    }
    for side in 0..2 {
        let (mine, theirs) = (&logs[side], &logs[1 - side]);
        let mut seen = theirs.seen.clone();
        if !in_order {
            seen.sort_unstable();
        }
        assert_eq!(seen, (0..mine.thrown).collect::<Vec<_>>(), "seed {seed}");
        assert!(mine.asked.is_empty(), "seed {seed}: calls without an answer");
        assert_eq!(mine.answered, mine.thrown.div_ceil(2), "seed {seed}");
    }
}

#[test]
fn whatever_is_cut_each_message_is_handled_once_and_in_order() {
    for seed in 0..150 {
        cut_at_random(seed, &Limits::new(), 300, true);
    }
}

#[test]
fn a_small_window_only_makes_it_slower() {
    for seed in 0..50 {
        cut_at_random(seed, &Limits::new().unacknowledged(2, 1 << 20), 300, true);
        cut_at_random(seed, &Limits::new().unacknowledged(100, 1), 300, true);
    }
}

#[test]
fn large_messages_are_repeated_too_and_once() {
    for seed in 0..50 {
        cut_at_random(seed, &Limits::new().chunk_size(1024), 5_000, false);
    }
    for seed in 0..20 {
        cut_at_random(seed, &Limits::new(), 40_000, true);
    }
}

#[test]
fn calls_to_a_process_that_is_another_now_end_and_unsent_ones_go_to_it() {
    let mut road = Road::new(&limits());
    let sent = request(&mut road.sides[0], "sent");
    road.send_all(0);
    let idempotent = {
        let what = What { idempotent: true, ..What::default() };
        road.sides[0].request(what, &mut payload("again")).unwrap().call
    };
    road.send_all(0);
    road.sides[0].throw(What::default(), &mut payload("lost")).unwrap();
    road.send_all(0);
    road.cut([Batch::default(), Batch::default()]);
    let unsent = request(&mut road.sides[0], "unsent");
    assert!(end(&mut road.sides[0], sent).is_none(), "the peer may come back");
    road.sides[1] = fresh("s2", &limits());
    let [up, _] = road.reconnect();
    assert_eq!(up.wake, ["caller"]);
    assert!(up.is_another);
    let ended = end(&mut road.sides[0], sent);
    assert!(matches!(ended, Some(CallEnd::Lost(Error::MayHaveRun(Reason::Restarted)))), "{ended:?}");
    road.send_all(0);
    road.receive(1, usize::MAX);
    let jobs = start(&mut road.sides[1]);
    assert_eq!(texts(&jobs), ["again", "unsent"]);
    // It may have run in the other process: nobody may say that it was never sent.
    assert!(!road.sides[0].abandon(idempotent).unsent);
    assert!(end(&mut road.sides[0], unsent).is_none());
}

#[test]
fn a_client_that_was_started_anew_gets_nothing_that_the_earlier_one_asked_for() {
    let mut road = Road::new(&limits());
    request(&mut road.sides[0], "old");
    road.sides[0].throw(What::default(), &mut payload("thrown")).unwrap();
    road.send_all(0);
    road.receive(1, usize::MAX);
    road.cut([Batch::default(), Batch::default()]);
    road.sides[0] = fresh("c2", &limits());
    let [_, up] = road.reconnect();
    assert!(up.is_another);
    assert_eq!(texts(&start(&mut road.sides[1])), ["thrown"], "nobody waits for the other");
}

#[test]
fn what_the_server_said_before_the_client_had_its_hello_is_repeated() {
    let (mut client, mut server) = (fresh("c", &limits()), fresh("s", &limits()));
    let mut hello = client.about(None);
    hello.heard = Some(HeardOf { instance: server.about(None).instance, messages: 0 });
    server.link_up(Delivery::Direct, Some(hello));
    server.throw(What::default(), &mut payload("early")).unwrap();
    assert_eq!(carry(&mut server).len(), 1);
    server.link_lost(Batch::default(), "cut", Lost::Cut);
    shake(&mut client, &mut server);
    assert!(matches!(deliver(&mut server, &mut client)[..], [Event::Queued]));
    assert_eq!(texts(&start(&mut client)), ["early"]);
}

#[test]
fn a_goodbye_ends_what_was_sent() {
    let mut road = Road::new(&limits());
    let sent = request(&mut road.sides[0], "sent");
    road.send_all(0);
    let unsent = request(&mut road.sides[0], "unsent");
    assert!(end(&mut road.sides[0], sent).is_none());
    assert_eq!(road.sides[0].link_lost(Batch::default(), "it stopped", Lost::Over), ["caller"]);
    assert!(matches!(end(&mut road.sides[0], sent), Some(CallEnd::Lost(Error::MayHaveRun(_)))));
    // Should it be the same one that comes back, both count on from the same number.
    road.sides[1].link_lost(Batch::default(), "it said goodbye", Lost::Over);
    road.reconnect();
    road.send_all(0);
    road.receive(1, usize::MAX);
    assert_eq!(texts(&start(&mut road.sides[1])), ["unsent"]);
    assert!(end(&mut road.sides[0], unsent).is_none());
    cut_and_check(&mut road);
}

/// One more message, after one more cut.
fn cut_and_check(road: &mut Road) {
    road.cut([Batch::default(), Batch::default()]);
    road.reconnect();
    road.sides[0].throw(What::default(), &mut payload("more")).unwrap();
    road.send_all(0);
    road.receive(1, usize::MAX);
    assert_eq!(texts(&start(&mut road.sides[1])), ["more"]);
}

#[test]
fn a_peer_that_says_nonsense_of_what_it_heard_is_taken_for_another() {
    for messages in [2, u64::MAX] {
        let mut road = Road::new(&limits());
        let call = request(&mut road.sides[0], "x");
        road.send_all(0);
        road.sides[0].link_lost(Batch::default(), "cut", Lost::Cut);
        let mut about = road.sides[1].about(None);
        about.heard = Some(HeardOf { instance: "c".to_owned(), messages });
        road.sides[0].link_up(Delivery::Direct, Some(about));
        assert!(matches!(end(&mut road.sides[0], call), Some(CallEnd::Lost(Error::MayHaveRun(_)))));
    }
}

#[test]
fn what_the_client_said_before_the_server_had_its_link_is_repeated() {
    let (mut client, mut server) = (fresh("c", &limits()), fresh("s", &limits()));
    let answer = server.about(Some(&client.about(None)));
    client.link_up(Delivery::Direct, Some(answer));
    client.throw(What::default(), &mut payload("early")).unwrap();
    assert_eq!(carry(&mut client).len(), 1);
    client.link_lost(Batch::default(), "cut", Lost::Cut);
    shake(&mut client, &mut server);
    assert!(matches!(deliver(&mut client, &mut server)[..], [Event::Queued]));
    assert_eq!(texts(&start(&mut server)), ["early"]);
}

#[test]
fn nothing_beyond_the_old_wire_goes_to_a_peer_that_announced_nothing() {
    let mut client = session("c", &limits());
    let call = request(&mut client, "x");
    assert_eq!(carry(&mut client).len(), 1);
    assert!(!client.abandon(call).unsent);
    assert!(client.beat_time().is_none());
    assert!(carry(&mut client).is_empty(), "it would take a cancel for an answer");
    let plain: About = serde_json::from_str(r#"{"instance":"p"}"#).unwrap();
    client.link_up(Delivery::Direct, Some(plain));
    assert!(Feature::ALL.iter().all(|&feature| !client.supports(feature)));
}

#[test]
fn a_silent_peer_is_gone_after_three_beats_and_at_each_this_side_says_that_it_lives() {
    let mut road = Road::new(&limits());
    assert_eq!(road.sides[0].beat_time(), Some(Duration::from_millis(7_500)));
    assert_eq!(road.sides[0].beat(false), Beat::Say);
    assert_eq!(carry(&mut road.sides[0]).len(), 1);
    assert_eq!(road.sides[0].beat(false), Beat::Say);
    assert_eq!(road.sides[0].beat(true), Beat::Say, "a part of a message is a sign of life too");
    for _ in 0..2 {
        assert_eq!(road.sides[0].beat(false), Beat::Say);
        assert_eq!(carry(&mut road.sides[0]).len(), 1);
    }
    assert_eq!(road.sides[0].beat(false), Beat::Gone);
}

#[test]
fn a_message_that_the_peer_does_not_accept_is_not_sent() {
    let (mut client, mut server) = (fresh("c", &Limits::new()), fresh("s", &Limits::new().message_size(100)));
    shake(&mut client, &mut server);
    let refused = client.request(What::default(), &mut payload(&"x".repeat(101))).unwrap_err();
    assert_eq!(refused, Refused::For(Reason::TooLarge { size: 101, limit: 100 }));
}

#[test]
fn a_result_that_is_too_large_says_whose_limit_it_met() {
    for (callers, responders, whose) in [
        (1_000, 2_000, "the caller takes 1000"),
        (2_000, 1_000, "the responder sends 1000"),
        (1_000, 1_000, "the responder sends and the caller takes 1000"),
    ] {
        let limits = |size| Limits::new().message_size(size);
        let (mut client, mut server) = (fresh("c", &limits(callers)), fresh("s", &limits(responders)));
        shake(&mut client, &mut server);
        let call = request(&mut client, "x");
        deliver(&mut client, &mut server);
        let job = start(&mut server).remove(0);
        server.answer(&job.metadata, Ok(vec![0; 1_001].into()));
        deliver(&mut server, &mut client);
        let Some(CallEnd::Fault(fault)) = end(&mut client, call) else { panic!("no fault") };
        let told =
            format!("the result has 1001 bytes where {whose}: raise `Limits::message_size` on both sides");
        assert_eq!(fault.message(), told);
    }
}
