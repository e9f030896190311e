//! Two sessions, and links that are cut at any byte → every message is handled as often as it may be, every call ends once.

mod side;

use std::collections::BTreeMap;

use super::script::Script;
use crate::session::Lost;
use side::{End, Side};

/// Things that one input may do.
const ACTIONS: usize = 400;
/// Rounds after which everything has come to rest.
const ROUNDS: usize = 5000;
/// Rounds that a side waits for an acknowledgement.
const PATIENCE: usize = 100;

/// Target `session`: whether both sides resume, then what happens.
pub fn session(input: &[u8]) {
    let mut script = Script::new(input);
    let mut world = World::new(script.byte() % 4 != 0);
    for _ in 0..ACTIONS {
        if script.is_over() {
            break;
        }
        world.act(&mut script);
    }
    world.settle();
    world.check();
}

struct World {
    sides: [Side; 2],
    /// Sides that are gone: processes that ended.
    ended: Vec<Side>,
    /// Both announce it.
    resumes: bool,
    linked: bool,
    /// Something happened after which messages may be lost.
    lossy: bool,
    instances: usize,
}

impl World {
    fn new(resumes: bool) -> Self {
        let sides = [Side::new(0, 0), Side::new(1, 1)];
        Self { sides, ended: Vec::new(), resumes, linked: false, lossy: !resumes, instances: 2 }
    }

    fn act(&mut self, script: &mut Script<'_>) {
        let what = script.byte();
        let who = usize::from(what / 128);
        let [a, b] = &mut self.sides;
        let (side, other) = if who == 0 { (a, b) } else { (b, a) };
        match what % 16 {
            0 => side.call(script, false),
            1 => side.throw(script),
            2 => side.call(script, true),
            3 => side.write(script.byte().into()),
            4 => side.write(usize::MAX),
            5 => self.read(who, script.byte().into()),
            6 => self.read(who, usize::MAX),
            7 => side.finish(script.byte().into()),
            8 => side.look_at_calls(),
            9 => side.give_up(script.byte().into()),
            10 => side.beat(),
            11 => self.cut(Lost::Cut),
            12 => self.cut_and_lose(who, script),
            13 => self.restart(who),
            14 => {
                side.write(usize::MAX);
                other.write(usize::MAX);
                self.read(0, usize::MAX);
                self.read(1, usize::MAX);
            }
            _ => self.link(),
        }
    }

    /// This side reads up to so many bytes of what the other wrote.
    fn read(&mut self, who: usize, count: usize) {
        let came = self.sides[1 - who].take_written(count);
        if !self.sides[who].read(&came) {
            // It sent more than may wait.
            self.cut(Lost::Over);
        }
    }

    fn link(&mut self) {
        if std::mem::replace(&mut self.linked, true) {
            return;
        }
        let [client, server] = &mut self.sides;
        if self.resumes {
            let asks = client.about(None);
            let answers = server.about(Some(&asks));
            client.link_up(Some(answers));
            server.link_up(Some(asks));
        } else {
            client.link_up(None);
            server.link_up(None);
        }
    }

    fn cut(&mut self, how: Lost) {
        if std::mem::take(&mut self.linked) {
            self.lossy |= how != Lost::Cut;
            self.sides.iter_mut().for_each(|side| side.link_lost(how));
        }
    }

    /// Some of what is under way comes before the link is cut.
    fn cut_and_lose(&mut self, who: usize, script: &mut Script<'_>) {
        self.sides[1 - who].write(script.byte().into());
        self.read(who, script.byte().into());
        self.cut(Lost::Cut);
    }

    /// A process ends, and another takes its place.
    fn restart(&mut self, who: usize) {
        self.cut(Lost::Cut);
        self.lossy = true;
        let fresh = Side::new(who, self.instances);
        self.instances += 1;
        self.ended.push(std::mem::replace(&mut self.sides[who], fresh));
    }

    /// Whatever waits goes out, comes in, is handled and answered.
    fn settle(&mut self) {
        for round in 1..=ROUNDS {
            if round % PATIENCE == 0 && self.sides.iter().any(Side::is_held_back) {
                // As the driver does when nothing goes on for too long.
                self.cut(Lost::Cut);
            }
            self.link();
            for who in [0, 1] {
                self.sides[who].write(usize::MAX);
                // A side that is quick enough is never sent more than may wait.
                loop {
                    self.read(1 - who, 512);
                    self.sides[1 - who].finish_all();
                    self.sides[1 - who].write(usize::MAX);
                    if !self.sides[who].has_written() {
                        break;
                    }
                }
            }
            let mut rest = self.linked;
            for side in &mut self.sides {
                side.finish_all();
                rest &= side.is_at_rest();
            }
            if rest {
                return;
            }
        }
        panic!("the two sides do not come to rest: {:?}", self.sides.each_ref().map(Side::shown));
    }

    fn check(&mut self) {
        for who in [0, 1] {
            self.sides[who].look_at_calls();
            let instances = self.sides.iter().chain(&self.ended);
            let mut handled: BTreeMap<u64, usize> = BTreeMap::new();
            for handler in instances.filter(|side| side.who == 1 - who) {
                handler.handled.iter().for_each(|number| *handled.entry(*number).or_default() += 1);
            }
            for side in self.sides.iter().chain(&self.ended).filter(|side| side.who == who) {
                // What another process had asked when it ended is nobody's any more.
                let is_here = std::ptr::eq(side, &self.sides[who]);
                side.messages.iter().for_each(|message| {
                    let times = handled.get(&message.number).copied().unwrap_or(0);
                    let shown = (message, times, self.resumes, self.lossy);
                    assert!(times <= 1 || message.idempotent && self.lossy, "handled too often: {shown:?}");
                    assert!(times == 0 || !message.never_sent, "handled, though it was not sent: {shown:?}");
                    if !is_here {
                        return;
                    }
                    match &message.end {
                        None => assert!(message.call.is_none(), "the call has no end: {shown:?}"),
                        Some(End::Value) => assert!(times >= 1, "answered by nobody: {shown:?}"),
                        Some(End::Fault) => {
                            assert!(self.lossy && times >= 1, "an answer was lost: {shown:?}")
                        }
                        Some(End::NotSent | End::Refused) => {
                            assert_eq!(times, 0, "handled and not sent: {shown:?}")
                        }
                        Some(End::MayHaveRun) => assert!(self.lossy, "a call was lost: {shown:?}"),
                        Some(End::GivenUp) => {}
                    }
                    // Who was refused was told so.
                    let was_for_a_link = message.here && message.end == Some(End::NotSent);
                    let is_excused =
                        matches!(message.end, Some(End::GivenUp | End::Refused)) || was_for_a_link;
                    let must = !self.lossy && !is_excused;
                    assert!(times == 1 || !must, "not handled: {shown:?}");
                });
            }
        }
    }
}
