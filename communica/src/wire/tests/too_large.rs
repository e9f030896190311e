//! A payload above the limit goes by; the message comes without it, and the stream goes on.

use super::*;

const META: &[u8] = br#"{"id":"x","type":1}"#;
/// Small enough to try every cut.
const LIMITS: WireLimits = WireLimits { message: 40, metadata: 30, left_out: 200 };

/// Id, payload, and the bytes that were left out.
type Came = (String, Vec<u8>, Option<usize>);

/// All that comes, up to the first error, when the bytes come in these pieces.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Came>, Option<WireError>) {
    let (mut decoder, mut input, mut read) = (Decoder::new(LIMITS), BytesMut::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match decoder.next(&mut input) {
                Ok(Some(Received::Message(message))) => {
                    let left_out = message.size_left_out();
                    read.push((message.metadata.id().into_owned(), message.payload.to_vec(), left_out));
                }
                Ok(Some(Received::Close(_))) => return (read, None),
                Ok(None) => break,
                Err(error) => return (read, Some(error)),
            }
        }
        // The head of a frame at most is kept.
        assert!(input.len() + decoder.missing(&input) <= 4 + 13 + LIMITS.metadata + LIMITS.message);
    }
    assert!(input.is_empty());
    (read, None)
}

/// The same at every cut in two, and byte by byte.
fn read_anyhow(bytes: &[u8]) -> (Vec<Came>, Option<WireError>) {
    let whole = read([bytes]);
    for at in 0..bytes.len() {
        assert_eq!(read([&bytes[..at], &bytes[at..]]), whole, "cut at {at}");
    }
    assert_eq!(read(bytes.chunks(1)), whole);
    whole
}

fn kept(payload: &[u8]) -> Came {
    ("x".to_owned(), payload.to_vec(), None)
}

fn left_out(size: usize) -> Came {
    ("x".to_owned(), Vec::new(), Some(size))
}

#[test]
fn a_whole_message_in_literal_bytes() {
    let bytes = b"\0\0\0\x41\x0a\0\0\0\x17{\"id\":\"x\",\"type\":1}\
        12345678901234567890123456789012345678901\0\0\0\x1a\x0a\0\0\0\x17{\"id\":\"x\",\"type\":1}57";
    assert_eq!(read_anyhow(bytes), (vec![left_out(41), kept(b"57")], None));
}

#[test]
fn whole_messages_at_every_cut() {
    for size in [40, 41, 60, 100, 200] {
        let large = message(META, &vec![7; size]);
        let bytes = [message(META, b"before"), large.clone(), large, message(META, b"after")].concat();
        let large = if size > LIMITS.message { left_out(size) } else { kept(&[7; 40]) };
        let expected = vec![kept(b"before"), large.clone(), large, kept(b"after")];
        assert_eq!(read_anyhow(&bytes), (expected, None), "{size} bytes");
    }
}

#[test]
fn chunks_at_every_cut_with_whole_messages_between() {
    for sizes in [[41, 0, 1], [20, 20, 1], [1, 100, 1], [60, 70, 70], [0, 0, 200]] {
        let piece = |index: usize, metadata| chunk(index, 3, metadata, &vec![7; sizes[index]]);
        let bytes = [
            piece(0, META),
            message(META, b"between"),
            piece(1, b""),
            message(META, &[7; 50]),
            piece(2, b""),
            chunk(0, 1, META, b"after"),
        ];
        let expected = vec![kept(b"between"), left_out(50), left_out(sizes.iter().sum()), kept(b"after")];
        assert_eq!(read_anyhow(&bytes.concat()), (expected, None), "{sizes:?}");
    }
}

#[test]
fn large_chunks_without_the_first_go_by() {
    let bytes = [chunk(1, 3, b"", &[7; 50]), chunk(2, 3, b"", &[7; 150]), message(META, b"next")].concat();
    assert_eq!(read_anyhow(&bytes), (vec![kept(b"next")], None));
}

#[test]
fn what_goes_by_has_a_bound() {
    let limit = LIMITS.message;
    let too_large = |size| (vec![], Some(WireError::TooLarge { size, limit }));
    assert_eq!(read_anyhow(&message(META, &[7; 201])), too_large(201));
    let chunks = [chunk(0, 3, META, &[7; 100]), chunk(1, 3, b"", &[7; 30]), chunk(2, 3, b"", &[7; 71])];
    assert_eq!(read_anyhow(&chunks.concat()), too_large(201));
    // What is announced says it all.
    assert_eq!(read_anyhow(&chunk(0, 5, META, &[7; 50])), (vec![], None));
    assert_eq!(read_anyhow(&chunk(0, 6, META, &[7; 50])), too_large(250));
    let endless = [chunk(0, u32::MAX as usize, META, &[7; 40]), chunk(1, u32::MAX as usize, b"", b"7")];
    assert_eq!(read_anyhow(&endless.concat()), too_large(41 + 0xffff_fffc));
    assert_eq!(read_anyhow(&message(META, &[7; 1000])), too_large(1024));
    assert_eq!(read_anyhow(&frame(20, &[&[b' '; 100]])), too_large(101));
}

#[test]
fn a_head_that_is_none_is_an_error_before_the_payload_came() {
    let long = format!(r#"{{"id":"x","type":1,"pad":"{}"}}"#, "y".repeat(30));
    let mut beyond = chunk(0, 1, b"", &[7; 100]);
    beyond[13..17].copy_from_slice(&be(500));
    let mut before = message(b"", &[7; 100]);
    before[5..9].copy_from_slice(&be(3));
    for (bytes, head, expected) in [
        (message(b"no JSON", &[7; 100]), 16, WireError::BadMetadata("it is not a JSON object")),
        (
            message(long.as_bytes(), &[7; 100]),
            9,
            WireError::MetadataTooLarge { size: long.len() as u64, limit: 30 },
        ),
        (beyond, 17, WireError::BadLength("the metadata of a chunk frame ends after the frame")),
        (before, 9, WireError::BadLength("the metadata of a message frame ends before it starts")),
        (chunk(0, 0, META, &[7; 100]), 36, WireError::BadChunk("a message of 0 chunks")),
        (frame(99, &[&[7; 100]]), 5, WireError::UnknownCode(99)),
    ] {
        assert_eq!(read([&bytes[..head]]).1, Some(expected.clone()));
        assert_eq!(read_anyhow(&bytes).1, Some(expected));
    }
}
