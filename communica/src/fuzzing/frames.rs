//! A stream in pieces → messages, the same whatever the pieces; and those messages → a stream → the same.

use bytes::{Buf, Bytes, BytesMut};

use super::script::{Script, cut};
use crate::wire::{
    Batch, Chunks, Decoder, FRAME_HEAD, Item, Message, Metadata, Part, Received, WireError, WireLimits,
    put_message,
};

/// Small, so that a fuzzer meets them.
pub(super) const LIMITS: WireLimits = WireLimits { message: 512, metadata: 128, left_out: 2048 };

/// Target `frames`: four sizes of pieces, then a stream.
pub fn frames(input: &[u8]) {
    let mut script = Script::new(input);
    let sizes = script.take(4);
    let stream = script.rest();
    let whole = decode([stream], LIMITS);
    assert_eq!(whole, decode(cut(stream, sizes), LIMITS), "the pieces changed what was read");
    assert_eq!(whole, decode(cut(stream, &[1]), LIMITS), "single bytes changed what was read");
    for message in &whole.messages {
        comes_back(message, sizes.first().copied().unwrap_or_default());
    }
    is_sent_once_over_two_links(&whole.messages, sizes);
}

/// What a stream held.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Read {
    /// Metadata and payload.
    pub(super) messages: Vec<(Bytes, Bytes)>,
    /// Bytes of the payloads that were not kept.
    pub(super) left_out: Vec<usize>,
    pub(super) closed: Option<Option<String>>,
    pub(super) error: Option<WireError>,
    left: usize,
}

pub(super) fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limits: WireLimits) -> Read {
    let (mut decoder, mut input, mut read) = (Decoder::new(limits), BytesMut::new(), Read::default());
    // A frame that is still coming, or a link would reserve for it.
    let largest = limits.message + limits.metadata + 64;
    'all: for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match decoder.next(&mut input) {
                Ok(Some(Received::Message(message))) => {
                    if let Some(size) = message.size_left_out() {
                        assert!(
                            size > limits.message && size <= limits.left_out && message.payload.is_empty()
                        );
                        read.left_out.push(size);
                    }
                    let Message { metadata, payload, .. } = message;
                    assert!(metadata.as_bytes().len() <= limits.metadata && payload.len() <= limits.message);
                    read.messages.push((metadata.as_bytes().clone(), payload));
                }
                // Nothing is read after it, so how much came behind it depends on the pieces.
                Ok(Some(Received::Close(reason))) => {
                    assert!(reason.as_ref().is_none_or(|reason| reason.chars().count() <= 500));
                    read.closed = Some(reason);
                    break 'all;
                }
                Ok(None) => {
                    assert!(decoder.missing(&input) <= largest, "it waits for more than it would take");
                    break;
                }
                Err(error) => {
                    read.error = Some(error);
                    break 'all;
                }
            }
        }
    }
    if read.closed.is_none() && read.error.is_none() {
        read.left = input.len();
        assert!(read.left <= largest, "{} bytes are kept for one frame", read.left);
    }
    read
}

fn encode(metadata: &[u8], payload: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    put_message(&mut out, payload.len(), |out| out.extend_from_slice(metadata));
    out.extend_from_slice(payload);
    out.freeze()
}

/// Whole and in chunks.
fn comes_back(message: &(Bytes, Bytes), chunk_size: u8) {
    let (metadata, payload) = message;
    let expected = Read { messages: vec![message.clone()], ..Read::default() };
    assert_eq!(decode([&encode(metadata, payload)[..]], LIMITS), expected);
    let mut chunks = Chunks::new(metadata.clone(), payload.clone(), chunk_size.into());
    let mut out = Vec::new();
    while !chunks.is_done() {
        let (head, piece) = chunks.cut();
        out.extend_from_slice(&head);
        out.extend_from_slice(&piece);
    }
    assert_eq!(decode([&out[..]], LIMITS), expected);
}

/// A batch of these messages goes out in part over one link; the rest goes to the next, whole messages only.
fn is_sent_once_over_two_links(messages: &[(Bytes, Bytes)], sizes: &[u8]) {
    let numbered = |batch: &mut Batch| {
        for (seq, (metadata, payload)) in (0..).zip(messages) {
            let mut frame = encode(metadata, payload);
            // Every other payload stands apart from its head, as large ones do.
            let apart = (seq % 2 == 1).then(|| frame.split_off(FRAME_HEAD + metadata.len()));
            batch.push(Part::new(Some(seq), frame, apart));
        }
    };
    let (mut batch, mut first) = (Batch::default(), Vec::new());
    numbered(&mut batch);
    for size in sizes {
        let mut left = usize::from(*size).min(batch.remaining());
        while left > 0 {
            let piece = batch.chunk();
            let taken = left.min(piece.len());
            first.extend_from_slice(&piece[..taken]);
            batch.advance(taken);
            left -= taken;
        }
    }
    let begun = batch.begun();
    let mut next = Batch::default();
    let unsent: Vec<Part> = batch.into_unsent().collect();
    assert!(begun.is_none() || begun == unsent.first().and_then(|part| part.seq));
    unsent.into_iter().for_each(|part| next.push(part));
    let mut carried = decode([&first[..]], LIMITS).messages;
    while let Some(item) = next.next_item() {
        let Item::Message { metadata, payload, .. } = item else { panic!("nobody sent a close notify") };
        assert!(Metadata::parse(metadata.clone()).is_ok());
        carried.push((metadata, payload));
    }
    assert_eq!(carried, messages, "a message was lost or repeated");
}
