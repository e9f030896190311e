//! Whatever goes in: out comes the same, or an error.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn any_message_comes_back_through_any_splits(
        id in ".{0,20}",
        route in proptest::option::of(".{0,20}"),
        payload in proptest::collection::vec(any::<u8>(), 0..200),
        piece in 1usize..50,
    ) {
        let mut out = BytesMut::new();
        put_message(&mut out, payload.len(), |out| put_request(&id, Kind::Request, route.as_deref(), "", out));
        out.extend_from_slice(&payload);
        let received = messages(decode(out.chunks(piece)).unwrap());
        prop_assert_eq!(received[0].metadata.id(), id);
        prop_assert_eq!(received[0].metadata.route().map(|route| route.into_owned()), route);
        prop_assert_eq!(&received[0].payload[..], payload);
    }

    #[test]
    fn our_scanner_takes_what_serde_json_takes(text in r#"[\[\]{}":,0-9a-e\\u. tf\-]{0,40}"#) {
        let wrapped = format!(r#"{{"id":"x","type":1,"v":{text}}}"#);
        let theirs = serde_json::from_str::<serde_json::Value>(&wrapped);
        let ours = Metadata::parse(wrapped.into());
        // serde_json says no to lone surrogates and to numbers beyond f64, which are no business of ours.
        prop_assert!(theirs.is_err() || ours.is_ok());
    }

    #[test]
    fn any_bytes_are_an_error_or_messages(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut decoder = Decoder::new(limits());
        let mut input = BytesMut::from(&bytes[..]);
        let end = loop {
            match decoder.next(&mut input) {
                Ok(Some(_)) => {}
                other => break other,
            }
        };
        // Who waits for more reserves no more than the limits allow.
        let allowed = limits().message + limits().metadata + 64;
        prop_assert!(end.is_err() || decoder.missing(&input) <= allowed);
    }

    #[test]
    fn any_bytes_after_a_true_head_are_an_error_or_messages(
        code in prop_oneof![Just(10u8), Just(11), Just(20)],
        body in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let _ = decode([&frame(code, &[&body])[..]]);
    }
}
