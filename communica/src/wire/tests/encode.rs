//! What we send, byte by byte, and that Python's frames come out of it.

use bytes::{Buf, Bytes};

use super::recorded::bytes_of;
use super::*;

fn encoded(metadata: &[u8], payload: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    put_message(&mut out, payload.len(), |out| out.extend_from_slice(metadata));
    out.extend_from_slice(payload);
    out
}

#[test]
fn a_request_is_these_bytes() {
    let mut out = BytesMut::new();
    put_message(&mut out, 5, |out| put_request("a1", Kind::Request, Some("add"), "", out));
    out.extend_from_slice(b"[1,2]");
    // 44 bytes follow the length: the code, M with the 34 bytes it counts beside itself, and the payload.
    assert_eq!(&out[..], b"\0\0\0\x2c\x0a\0\0\0\x26{\"id\":\"a1\",\"type\":1,\"route\":\"add\"}[1,2]");
}

/// Who counts by it reserves too much rather than too little.
#[test]
fn a_text_in_metadata_is_no_longer_than_it_counts() {
    let put = |text: &str| {
        let mut out = BytesMut::new();
        put_request("", Kind::Throw, Some(text), "", &mut out);
        out.len()
    };
    for text in ["", "plain", "a\"b\\c", "\u{1}\u{1f}", "\n\t\u{7f}", "é€😀"] {
        let (bytes, counted) = (put(text) - put(""), string_len(text));
        assert!(bytes <= counted, "{text:?}: {bytes} bytes count {counted}");
    }
    assert_eq!(string_len("\u{1}\"a"), 6 + 2 + 1);
}

#[test]
fn our_frames_are_pythons_frames() {
    for file in ["request_simple.orjson.bin", "request_simple.json.bin", "throw_simple.orjson.bin"] {
        let recorded = bytes_of(file);
        for message in messages(decode([&recorded[..]]).unwrap()) {
            assert_eq!(&encoded(message.metadata.as_bytes(), &message.payload)[..], recorded, "{file}");
        }
    }
}

#[test]
fn names_are_escaped_and_come_back() {
    for name in ["plain", "with \"quotes\" and \\", "tab\tand\u{1}", "emoji 🦀", ""] {
        let mut out = BytesMut::new();
        put_request(name, Kind::Throw, Some(name), "", &mut out);
        let metadata = Metadata::parse(out.freeze()).unwrap();
        assert_eq!((metadata.id().as_ref(), metadata.route().as_deref()), (name, Some(name)));
    }
}

#[test]
fn an_answer_is_the_request_with_another_type() {
    let cases: [(&str, &str); 4] = [
        (r#"{"id":"x","type":1,"route":"r"}"#, r#"{"id":"x","type":11,"route":"r"}"#),
        (
            r#"{ "type" : 1 , "id" : "x", "more": {"a": [1, "}"]} }"#,
            r#"{ "type" : 11 , "id" : "x", "more": {"a": [1, "}"]} }"#,
        ),
        (r#"{"id":"\u0078","type":1}"#, r#"{"id":"\u0078","type":11}"#),
        (
            r#"{"zzz":null,"id":"é","type":1,"trace":"1-2"}"#,
            r#"{"zzz":null,"id":"é","type":11,"trace":"1-2"}"#,
        ),
    ];
    for (request, answer) in cases {
        let metadata = Metadata::parse(Bytes::from_static(request.as_bytes())).unwrap();
        let mut out = BytesMut::new();
        metadata.put_answer(Kind::Result, &mut out);
        assert_eq!(std::str::from_utf8(&out).unwrap(), answer);
    }
}

#[test]
fn the_recorded_echo_of_unknown_keys_is_what_we_would_send() {
    // Python answered this request by the same rule, so both metadata differ in the type alone.
    for json in ["json", "orjson"] {
        let request = messages(decode([&bytes_of(&format!("unknown_keys.{json}.bin"))[..]]).unwrap());
        let answer = messages(decode([&bytes_of(&format!("unknown_keys_answer.{json}.bin"))[..]]).unwrap());
        let mut out = BytesMut::new();
        request[0].metadata.put_answer(Kind::Result, &mut out);
        let ours: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let theirs: serde_json::Value = serde_json::from_slice(answer[0].metadata.as_bytes()).unwrap();
        assert_eq!(ours, theirs);
    }
}

#[test]
fn a_large_message_is_cut_and_put_together() {
    let metadata = Bytes::from_static(br#"{"id":"big","type":1}"#);
    for (size, piece, total) in [(10, 3, 4), (9, 3, 3), (1, 3, 1), (0, 3, 1), (10, 100, 1)] {
        let payload: Vec<u8> = (0..size).collect();
        let mut chunks = Chunks::new(metadata.clone(), payload.clone().into(), piece);
        let mut batch = Batch::default();
        let mut cut = 0;
        while !chunks.is_done() {
            let (head, piece) = chunks.cut();
            batch.push(Part::new(None, head, Some(piece)));
            cut += 1;
        }
        assert_eq!(cut, total, "{size} bytes in pieces of {piece}");
        let bytes = batch.copy_to_bytes(batch.remaining());
        let received = messages(decode([&bytes[..]]).unwrap());
        assert_eq!(received[0].metadata.as_bytes(), &metadata);
        assert_eq!(received[0].payload, payload);
    }
}

#[test]
fn a_batch_is_the_same_bytes_and_the_same_messages() {
    let (one, two, three) =
        (encoded(br#"{"id":"1","type":1}"#, b"one"), encoded(br#"{"id":"2","type":1}"#, b"two"), {
            let mut head = BytesMut::new();
            put_message(&mut head, 5, |out| put_request("3", Kind::Request, None, "", out));
            head
        });
    let batch = || {
        let mut batch = Batch::default();
        let frames: Vec<u8> = [&one[..], &two[..]].concat();
        batch.push(Part::new(Some(0), frames.into(), None));
        batch.push(Part::new(Some(2), three.clone().freeze(), Some(Bytes::from_static(b"three"))));
        batch
    };
    let mut as_bytes = batch();
    let bytes = as_bytes.copy_to_bytes(as_bytes.remaining());
    assert_eq!(bytes, [&one[..], &two, &three, b"three"].concat());
    let mut as_items = batch();
    let mut payloads = Vec::new();
    while let Some(Item::Message { metadata, payload, .. }) = as_items.next_item() {
        assert_eq!(Metadata::parse(metadata).unwrap().id(), (payloads.len() + 1).to_string());
        payloads.push(payload);
    }
    assert_eq!(payloads, [&b"one"[..], b"two", b"three"]);
}

/// Debug text goes to logs, and what calls carry may be secret.
#[test]
fn a_message_of_a_batch_is_told_without_what_it_carries() {
    let mut batch = Batch::default();
    let frame = encoded(br#"{"id":"1","type":1,"token":"hush"}"#, b"hush");
    batch.push(Part::new(Some(0), frame.freeze(), None));
    let told = format!("{:?}", batch.next_item().unwrap());
    assert!(told.starts_with("Message") && !told.contains("hush") && !told.contains("104, 117"), "{told}");
}

#[test]
fn what_a_link_did_not_take_whole_is_left() {
    let (one, two) = (encoded(br#"{"id":"1","type":1}"#, b"one"), encoded(br#"{"id":"2","type":1}"#, b"two"));
    let mut head = BytesMut::new();
    put_message(&mut head, 5, |out| put_request("3", Kind::Request, None, "", out));
    let all = one.len() + two.len() + head.len() + 5;
    for sent in 0..all {
        let mut batch = Batch::default();
        batch.push(Part::new(Some(7), [&one[..], &two[..]].concat().into(), None));
        batch.push(Part::new(Some(9), head.clone().freeze(), Some(Bytes::from_static(b"three"))));
        batch.push(Part::new(None, Bytes::from_static(b"\0\0\0\x01\x14"), None));
        batch.advance(sent);
        let unsent: Vec<u64> = batch.into_unsent().filter_map(|part| part.seq).collect();
        let expected: &[u64] = if sent < one.len() {
            &[7, 8, 9]
        } else if sent < one.len() + two.len() {
            &[8, 9]
        } else {
            &[9]
        };
        assert_eq!(unsent, expected, "after {sent} of {all} bytes");
    }
}

/// The smallest limit leaves room for an error of any code: one that was too large would end the link.
#[test]
fn an_error_that_says_nothing_fits_into_the_smallest_limit() {
    let smallest = crate::limits::Limits::new().message_size(0).wire().message;
    for code in [None, Some(1), Some(i64::MIN)] {
        let fault = Fault::new(FaultKind::Resp, "\u{1}".repeat(100_000), code);
        let bytes = fault.to_bytes_within(smallest).len();
        assert!(bytes <= smallest, "{bytes} bytes with the code {code:?}, {smallest} allowed");
    }
}

#[test]
fn a_time_limit_is_told_in_full_milliseconds() {
    for (micros, told) in [(0, 0), (1, 1), (900, 1), (1_000, 1), (1_001, 2), (5_000_000, 5_000)] {
        let more = more(Some(std::time::Duration::from_micros(micros)), &Default::default());
        assert_eq!(more, format!(",\"timeout_ms\":{told}"), "{micros} µs");
    }
}
