//! Messages whose payload was not kept, since it was too large: each is refused alone, and counts as one that came.

use super::resume::{fresh, shake};
use super::*;
use crate::wire::Metadata;

const SIZE: usize = 3 << 20;
const WHY: &str = "it has 3145728 bytes where 1024 are allowed, see `Limits::message_size`";

fn limits() -> Limits {
    Limits::new().message_size(1024)
}

fn left_out(id: &str, kind: i64) -> Message {
    let metadata = format!(r#"{{"id":"{id}","type":{kind},"route":"r","more":1}}"#);
    Message::left_out(Metadata::parse(metadata.into()).unwrap(), SIZE)
}

fn count(session: &Pair) -> Option<u64> {
    session.heard_to_tell()
}

#[test]
fn a_request_is_answered_and_a_throw_is_dropped() {
    let mut server = session("s", &limits());
    assert!(matches!(server.receive(&mut left_out("a", 1)), Event::Dropped(_)));
    assert!(matches!(server.receive(&mut left_out("", 2)), Event::Dropped(_)));
    assert!(matches!(server.receive(&mut left_out("b", 3)), Event::Dropped(_)));
    assert_eq!(server.receive(&mut left_out("c", 102)), Event::Cancelled("c".to_owned()));
    assert!(start(&mut server).is_empty());
    let answers = carry(&mut server);
    let [answer] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!(answer.metadata.as_bytes(), r#"{"id":"a","type":51,"route":"r","more":1}"#);
    let text = format!(r#"{{"code":null,"message":"the request was not taken: {WHY}"}}"#);
    assert_eq!(texts(&answers), [text]);
    assert!(server.is_idle());
}

#[test]
fn an_answer_ends_its_call_alone() {
    let (mut client, mut server) = (session("c", &limits()), session("s", &limits()));
    for kind in [11, 30, 41, 42, 51] {
        let (large, other) = (request(&mut client, "x"), request(&mut client, "y"));
        deliver(&mut client, &mut server);
        let asked = start(&mut server);
        server.answer(&asked[1].metadata, Ok(b"z".to_vec().into()));
        server.jobs_done(2, 0);
        let event = client.receive(&mut left_out(&asked[0].metadata.id(), kind));
        assert_eq!(event, Event::Answered(None));
        let Some(CallEnd::Fault(fault)) = end(&mut client, large) else { panic!("no fault") };
        assert_eq!(
            (fault.kind(), fault.message()),
            (FaultKind::Resp, &*format!("the answer was not taken: {WHY}"))
        );
        assert!(end(&mut client, other).is_none());
        deliver(&mut server, &mut client);
        assert!(matches!(end(&mut client, other), Some(CallEnd::Value(_))));
        assert!(matches!(client.receive(&mut left_out(&asked[0].metadata.id(), kind)), Event::Dropped(_)));
    }
    assert!(client.is_idle());
}

#[test]
fn each_counts_as_one_that_came() {
    let (mut client, mut server) = (fresh("c", &limits()), fresh("s", &limits()));
    shake(&mut client, &mut server);
    assert_eq!(count(&server), Some(0));
    for (kind, id, expected) in [(1, "a", 1), (2, "", 2), (11, "b", 3), (102, "c", 4), (101, "0", 4)] {
        server.receive(&mut left_out(id, kind));
        assert_eq!(count(&server), Some(expected), "type {kind}");
    }
}

#[test]
fn refusals_that_nobody_takes_do_not_pile_up() {
    let mut server = session("s", &limits().queued(10, 1 << 20));
    let mut came = 0;
    while !server.has_more_than_may_wait() {
        server.receive(&mut left_out("a", 1));
        came += 1;
    }
    assert_eq!(came, 40);
}
