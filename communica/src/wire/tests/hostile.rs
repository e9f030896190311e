//! What a well-behaved peer never sends: an error each, and nothing kept.

use super::*;

const META: &[u8] = br#"{"id":"x","type":1}"#;

#[test]
fn frames_that_are_none() {
    let cases: [(Vec<u8>, WireError); 7] = [
        (vec![0, 0, 0, 0], WireError::EmptyFrame),
        (frame(99, &[]), WireError::UnknownCode(99)),
        (frame(10, &[]), WireError::BadLength("a message frame has no metadata length")),
        (frame(10, &[&be(3)]), WireError::BadLength("the metadata of a message frame ends before it starts")),
        (frame(10, &[&be(5)]), WireError::BadLength("the metadata of a message frame ends after the frame")),
        (frame(11, &[&[0; 11]]), WireError::BadLength("a chunk frame ends inside its head")),
        (
            frame(11, &[&be(0), &be(1), &be(1)]),
            WireError::BadLength("the metadata of a chunk frame ends after the frame"),
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(decode([&bytes[..]]).unwrap_err(), expected, "{bytes:?}");
    }
}

#[test]
fn the_largest_lengths_are_refused_before_their_bytes_come() {
    let too_large = decode([&[0xff, 0xff, 0xff, 0xff][..]]).unwrap_err();
    assert_eq!(too_large, WireError::TooLarge { size: 0xffff_ffff, limit: limits().message });
    // An unknown code is told as soon as it is there, whatever length it claims.
    let unknown = decode([&[0, 0, 0xff, 0xff, 99][..]]).unwrap_err();
    assert_eq!(unknown, WireError::UnknownCode(99));
}

#[test]
fn sizes_are_bounded() {
    let fits = message(META, &vec![0; limits().message]);
    assert_eq!(messages(decode([&fits[..]]).unwrap()).len(), 1);
    let payload = message(META, &vec![0; limits().left_out + 1]);
    assert!(matches!(decode([&payload[..]]), Err(WireError::TooLarge { .. })));
    let metadata = format!(r#"{{"id":"x","type":1,"pad":"{}"}}"#, "y".repeat(limits().metadata));
    for bytes in [message(metadata.as_bytes(), b""), chunk(0, 1, metadata.as_bytes(), b"")] {
        assert!(matches!(decode([&bytes[..]]), Err(WireError::MetadataTooLarge { .. })));
    }
    let half = vec![0; limits().left_out / 2 + 1];
    let chunks = [chunk(0, 3, META, &half), chunk(1, 3, b"", &half)].concat();
    assert!(matches!(decode([&chunks[..]]), Err(WireError::TooLarge { .. })));
}

#[test]
fn chunks_that_make_no_message() {
    let cases: [(&str, Vec<Vec<u8>>); 6] = [
        ("a message of 0 chunks", vec![chunk(0, 0, META, b"")]),
        (
            "a new message began before the last one was complete",
            vec![chunk(0, 2, META, b"a"), chunk(0, 2, META, b"b")],
        ),
        (
            "the total changed from one chunk to the next",
            vec![chunk(0, 3, META, b"a"), chunk(1, 2, b"", b"b")],
        ),
        ("a chunk is missing or came twice", vec![chunk(0, 3, META, b"a"), chunk(2, 3, b"", b"b")]),
        (
            "a chunk is missing or came twice",
            vec![chunk(0, 3, META, b"a"), chunk(1, 3, b"", b"b"), chunk(1, 3, b"", b"b")],
        ),
        ("a chunk is missing or came twice", vec![chunk(0, 3, META, b"a"), chunk(0xffff_ffff, 3, b"", b"b")]),
    ];
    for (why, chunks) in cases {
        assert_eq!(decode([&chunks.concat()[..]]).unwrap_err(), WireError::BadChunk(why));
    }
}

#[test]
fn a_chunk_without_its_first_is_dropped_and_the_stream_goes_on() {
    // As 0.4 sends after a reconnect in the middle of a message.
    let bytes = [chunk(1, 3, b"", b"lost"), chunk(2, 3, b"", b"lost"), message(META, b"next")].concat();
    let received = messages(decode([&bytes[..]]).unwrap());
    assert_eq!(received[0].payload, &b"next"[..]);
    assert_eq!(received.len(), 1);
}

#[test]
fn whole_messages_may_stand_between_chunks() {
    let bytes = [chunk(0, 2, META, b"lar"), message(META, b"small"), chunk(1, 2, b"", b"ge")].concat();
    let received = messages(decode(bytes.chunks(1)).unwrap());
    let payloads: Vec<_> = received.iter().map(|message| &message.payload[..]).collect();
    assert_eq!(payloads, [&b"small"[..], b"large"]);
}

#[test]
fn metadata_that_is_none() {
    let deep = format!(r#"{{"id":"x","type":1,"deep":{}1{}}}"#, "[".repeat(65), "]".repeat(65));
    let cases = [
        "",
        " ",
        "null",
        "[]",
        "{",
        r#"{"id":"x"}"#,
        r#"{"type":1}"#,
        r#"{"id":1,"type":1}"#,
        r#"{"id":"x","type":"1"}"#,
        r#"{"id":"x","type":1.5}"#,
        r#"{"id":"x","type":1e2}"#,
        r#"{"id":"x","type":01}"#,
        r#"{"id":"x","type":99999999999999999999}"#,
        r#"{"id":"x","type":1}}"#,
        r#"{"id":"x","type":1} x"#,
        r#"{"id":"x","type":1,}"#,
        r#"{"id":"x" "type":1}"#,
        r#"{"id":"x","type":1,"route":null}"#,
        r#"{"id":"x","type":1,"a":tru}"#,
        r#"{"id":"x","type":1,"a":[1,]}"#,
        r#"{"id":"x","type":1,"a":{"b"}}"#,
        r#"{"id":"\x","type":1}"#,
        r#"{"id":"\u00g0","type":1}"#,
        "{\"id\":\"a\nb\",\"type\":1}",
        r#"{"id":"x","type":1,"a":-}"#,
        r#"{"id":"x","type":1,"a":1.}"#,
        r#"{"id":"x","type":1,"a":]}"#,
        &deep,
    ];
    for text in cases {
        let bytes = message(text.as_bytes(), b"");
        assert!(matches!(decode([&bytes[..]]), Err(WireError::BadMetadata(_))), "{text}");
    }
    let not_utf8 = message(b"{\"id\":\"\xff\",\"type\":1}", b"");
    assert_eq!(decode([&not_utf8[..]]).unwrap_err(), WireError::BadMetadata("it is not UTF-8"));
}

#[test]
fn metadata_that_is_unusual_but_right() {
    let deep = format!(r#"{{"id":"x","deep":{}1{},"type":1}}"#, "[".repeat(64), "]".repeat(64));
    let cases = [
        r#" { "type" : 1 , "id" : "x" } "#,
        r#"{"id":"x","type":1,"a":{"b":[{},[],"",-0.5e+3,true,false,null]},"c":{}}"#,
        r#"{"id":"\u0078","type":1}"#,
        r#"{"id":"y","type":2,"id":"x","type":1}"#,
        &deep,
    ];
    for text in cases {
        let received = messages(decode([&message(text.as_bytes(), b"")[..]]).unwrap());
        assert_eq!(
            (received[0].metadata.id().as_ref(), received[0].metadata.kind()),
            ("x", Kind::Request),
            "{text}"
        );
    }
}

#[test]
fn hellos_that_are_none() {
    use super::super::hello::{ClientHello, MAX_LEN, ServerHello, decode, opening, refusal};
    for text in ["", "null", "[]", "{", "{}", r#"{"client_id":1}"#, r#"{"client_id":null}"#] {
        assert!(decode::<ClientHello>(text.as_bytes()).is_err(), "{text}");
    }
    assert!(decode::<ServerHello>(br#"{"anything":[1]}"#).is_ok());
    assert!(opening(&vec![b' '; MAX_LEN + 1]).is_err());
    let mut ends_late = vec![b' '; MAX_LEN + 1];
    ends_late.push(0);
    assert!(opening(&ends_late).is_err());
    assert_eq!(refusal(b"{\"hello\""), None);
    assert!(refusal(b"\x04not json").is_some());
}

#[test]
fn a_reason_in_a_close_notify_may_be_anything() {
    let long = decode([&frame(20, &[&[b' '; 64 * 1024 + 1]])[..]]).unwrap_err();
    assert_eq!(long, WireError::BadLength("a close notify is longer than 64 KiB"));
    for (body, expected) in [
        (&b""[..], None),
        (br#"{"reason":"tired"}"#, Some("tired")),
        (b"{\"reason\":5}", None),
        (b"\xff", None),
    ] {
        let received = decode([&frame(20, &[body])[..]]).unwrap();
        let [Received::Close(reason)] = &received[..] else { panic!("{received:?}") };
        assert_eq!(reason.as_deref(), expected);
    }
}

#[test]
fn an_error_that_cannot_be_read_is_still_an_error() {
    let fault = Fault::from_bytes(FaultKind::Req, b"\xff not json");
    assert!(fault.message().contains("could not be read"), "{fault:?}");
    for (code, told) in [
        ("\"seven\"", "m (code \"seven\")"),
        ("18446744073709551616", "m (code 18446744073709551616)"),
        ("1.5", "m (code 1.5)"),
        ("null", "m"),
    ] {
        let strange =
            Fault::from_bytes(FaultKind::Resp, format!(r#"{{"code":{code},"message":"m"}}"#).as_bytes());
        assert_eq!((strange.message(), strange.code()), (told, None));
    }
    let strange = Fault::from_bytes(FaultKind::Resp, br#"{"message":{"a":1}}"#);
    assert_eq!(strange.message(), r#"{"a":1}"#);
}
