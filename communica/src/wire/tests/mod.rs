//! The codec against literal bytes: what Python sent, every split of it, and what nobody should send.

mod encode;
mod hostile;
mod properties;
mod recorded;
mod too_large;

use bytes::BytesMut;

use super::*;

/// ARCHITECTURE.md, invariant 1.
#[test]
fn wire_and_session_do_no_io_and_read_no_clock() {
    fn visit(folder: &std::path::Path, read: &mut usize) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("tests") && !path.ends_with("recordings") {
                visit(&path, read);
            } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
                let source = std::fs::read_to_string(&path).unwrap();
                for word in
                    ["tokio::", "Instant", "SystemTime", "std::net", "std::fs", "std::thread", "async "]
                {
                    assert!(!source.contains(word), "{} uses {word}", path.display());
                }
                *read += 1;
            }
        }
    }
    let mut read = 0;
    for room in ["wire", "session"] {
        visit(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room), &mut read);
    }
    assert!(read >= 12, "only {read} files were found");
}

fn limits() -> WireLimits {
    WireLimits { message: 1 << 20, metadata: 4096, left_out: 3 << 20 }
}

/// Feeds the pieces one after the other and collects what comes out, up to the first error.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Received>, WireError> {
    let mut decoder = Decoder::new(limits());
    let (mut input, mut received) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        while let Some(next) = decoder.next(&mut input)? {
            received.push(next);
        }
    }
    assert!(input.is_empty(), "{} bytes were left over", input.len());
    Ok(received)
}

fn messages(received: Vec<Received>) -> Vec<Message> {
    let message = |received| match received {
        Received::Message(message) => message,
        Received::Close(reason) => panic!("a close notify: {reason:?}"),
    };
    received.into_iter().map(message).collect()
}

/// A frame with this code and body.
fn frame(code: u8, body: &[&[u8]]) -> Vec<u8> {
    let body = body.concat();
    let mut frame = u32::try_from(body.len() + 1).unwrap().to_be_bytes().to_vec();
    frame.push(code);
    frame.extend(body);
    frame
}

fn be(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap().to_be_bytes()
}

fn message(metadata: &[u8], payload: &[u8]) -> Vec<u8> {
    frame(10, &[&be(metadata.len() + 4), metadata, payload])
}

fn chunk(index: usize, total: usize, metadata: &[u8], piece: &[u8]) -> Vec<u8> {
    frame(11, &[&be(index), &be(total), &be(metadata.len()), metadata, piece])
}
