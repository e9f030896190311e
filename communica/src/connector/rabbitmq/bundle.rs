//! Several small messages ⇄ one of the broker's: most of what a message costs there, it costs as often as one is published.

use bytes::{Buf, Bytes};

use crate::wire::Stamp;
use crate::wire::hello::{self, Feature, ServerHello};

/// Messages in a bundle.
const MESSAGES: u64 = 64;
/// Bytes of a bundle.
const BYTES: usize = 32 * 1024;
/// Bytes of a message of one: a larger one would leave no room for a second.
pub(super) const LARGEST: usize = BYTES / 2;

/// One message of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) stamp: String,
    /// Metadata, a zero byte, payload.
    pub(super) body: Bytes,
}

/// As what a bundle is published.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Posted {
    Nothing,
    /// The only one, as if there were no bundles.
    Message {
        stamp: String,
        body: Vec<u8>,
    },
    Bundle(Vec<u8>),
}

/// Whether a peer that said this hello takes bundles.
pub(super) fn are_taken(hello: &[u8]) -> bool {
    // Of either side: what is looked for stands at one place in both.
    let hello = hello::decode::<ServerHello>(hello).ok();
    hello.and_then(|hello| hello.communica).is_some_and(|about| about.supports(Feature::Bundle))
}

/// Messages that wait to be published together.
#[derive(Default)]
pub(super) struct Bundle {
    first: Option<(Stamp, Vec<u8>)>,
    /// Of each, once there are two: a byte with the length of its stamp, the stamp; four bytes, big endian, with the length
    /// of its body, the body.
    entries: Vec<u8>,
    messages: u64,
    /// The time limit that all of them have, or none has.
    time: Option<u32>,
}

impl Bundle {
    pub(super) fn messages(&self) -> u64 {
        self.messages
    }

    /// The broker drops what nobody has taken by then; in milliseconds.
    pub(super) fn time(&self) -> Option<u32> {
        self.time
    }

    /// A message of that size would be published with others.
    pub(super) fn is_for(body: usize) -> bool {
        body <= LARGEST
    }

    /// A message of that size and that time limit can be added.
    pub(super) fn has_room_for(&self, body: usize, time: Option<u32>) -> bool {
        let first = self.first.as_ref().map_or(0, |(_, body)| body.len());
        let fits = self.messages < MESSAGES && first + self.entries.len() + body <= BYTES;
        self.messages == 0 || fits && self.time == time
    }

    pub(super) fn push(&mut self, stamp: &Stamp, body: [&[u8]; 3], time: Option<u32>) {
        self.messages += 1;
        self.time = time;
        if self.messages == 1 {
            self.first = Some((stamp.clone(), body.concat()));
            return;
        }
        if let Some((stamp, body)) = self.first.take() {
            self.put(&stamp, [&body, &[], &[]]);
        }
        self.put(stamp, body);
    }

    fn put(&mut self, stamp: &Stamp, body: [&[u8]; 3]) {
        let stamp = stamp.to_string();
        // As an AMQP property, it is a short string, too.
        self.entries.push(u8::try_from(stamp.len()).unwrap_or(u8::MAX));
        self.entries.extend(stamp.bytes().take(u8::MAX.into()));
        let len = body.iter().map(|piece| piece.len()).sum::<usize>();
        self.entries.extend(u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
        body.iter().for_each(|piece| self.entries.extend_from_slice(piece));
    }

    pub(super) fn into_posted(self) -> Posted {
        match self.first {
            Some((stamp, body)) => Posted::Message { stamp: stamp.to_string(), body },
            None if self.messages == 0 => Posted::Nothing,
            None => Posted::Bundle(self.entries),
        }
    }
}

/// The messages of a bundle; or why it is none.
pub(super) fn open(bundle: Vec<u8>) -> Result<Vec<Entry>, &'static str> {
    let mut rest = Bytes::from(bundle);
    let mut entries = Vec::new();
    while !rest.is_empty() {
        if entries.len() as u64 == MESSAGES {
            return Err("it holds more messages than a bundle may");
        }
        let stamp = String::from_utf8(piece(&mut rest, 1)?.into()).unwrap_or_default();
        if stamp.is_empty() {
            // All of those would be copies of one.
            return Err("a message in it has no stamp");
        }
        let body = piece(&mut rest, 4)?;
        entries.push(Entry { stamp, body });
    }
    Ok(entries)
}

/// What stands behind its length, which takes so many bytes.
fn piece(rest: &mut Bytes, length: usize) -> Result<Bytes, &'static str> {
    const CUT: &str = "it ends in the middle of a message";
    if rest.len() < length {
        return Err(CUT);
    }
    let len = usize::try_from(rest.get_uint(length)).map_err(|_| CUT)?;
    if rest.len() < len { Err(CUT) } else { Ok(rest.split_to(len)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Origin;

    fn stamp(number: u64) -> Stamp {
        Origin { session: "0123456789abcdef".into(), round: 1 }.stamp(number)
    }

    fn filled(bodies: &[&str]) -> Bundle {
        let mut bundle = Bundle::default();
        for (number, body) in (0..).zip(bodies) {
            bundle.push(&stamp(number), [&body.as_bytes()[..1], b"\0", &body.as_bytes()[1..]], None);
        }
        bundle
    }

    fn bytes(bundle: Bundle) -> Vec<u8> {
        match bundle.into_posted() {
            Posted::Bundle(bytes) => bytes,
            posted => panic!("{posted:?}"),
        }
    }

    #[test]
    fn what_went_in_comes_out() {
        let entries = open(bytes(filled(&["abc", "d", &"e".repeat(1000)]))).unwrap();
        let [first, second, third] = &entries[..] else { panic!("{entries:?}") };
        assert_eq!((&first.stamp[..], &first.body[..]), ("0123456789abcdef.1.0", &b"a\0bc"[..]));
        assert_eq!((&second.stamp[..], &second.body[..]), ("0123456789abcdef.1.1", &b"d\0"[..]));
        assert_eq!(third.body.len(), 1001);
        let alone = Posted::Message { stamp: first.stamp.clone(), body: first.body.to_vec() };
        assert_eq!(filled(&["abc"]).into_posted(), alone);
        assert_eq!(filled(&[]).into_posted(), Posted::Nothing);
        assert_eq!(open(Vec::new()), Ok(Vec::new()));
    }

    #[test]
    fn one_that_ends_early_is_none() {
        let whole = bytes(filled(&["abc", "def"]));
        let first = whole.len() / 2;
        for end in 1..whole.len() {
            let opened = open(whole[..end].to_vec());
            assert_eq!(opened.is_ok(), end == first, "{end}: {opened:?}");
        }
    }

    #[test]
    fn each_message_has_a_stamp_of_its_own() {
        for stamp in [&b""[..], b"\xff"] {
            let entry = [&[stamp.len() as u8][..], stamp, &[0, 0, 0, 1, 0]].concat();
            assert_eq!(open(entry), Err("a message in it has no stamp"));
        }
    }

    #[test]
    fn it_holds_so_many_and_no_more() {
        let body = "x".repeat(10);
        let mut bundle = Bundle::default();
        for number in 0..MESSAGES {
            assert!(bundle.has_room_for(body.len(), None));
            bundle.push(&stamp(number), [body.as_bytes(), b"", b""], None);
        }
        assert!(!bundle.has_room_for(body.len(), None));
        bundle.push(&stamp(MESSAGES), [body.as_bytes(), b"", b""], None);
        assert_eq!(open(bytes(bundle)), Err("it holds more messages than a bundle may"));
    }

    #[test]
    fn large_ones_go_alone_and_small_ones_with_their_like() {
        assert!(Bundle::is_for(LARGEST) && !Bundle::is_for(LARGEST + 1));
        let mut bundle = Bundle::default();
        assert!(bundle.has_room_for(LARGEST, Some(7)));
        bundle.push(&stamp(0), [&[1; LARGEST], b"", b""], Some(7));
        assert!(bundle.has_room_for(10, Some(7)) && !bundle.has_room_for(LARGEST + 1, Some(7)));
        // What has no time limit must not be dropped with what has one.
        assert!(!bundle.has_room_for(10, None) && !bundle.has_room_for(10, Some(8)));
    }
}
