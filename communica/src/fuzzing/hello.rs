//! The start of a stream, in pieces → a hello, a refusal or an error, the same whatever the pieces.

use std::fmt::Debug;

use serde::{Deserialize, Serialize};

use super::script::{Script, cut};
use crate::wire::WireError;
use crate::wire::hello::{
    self, ClientHello, END, MAX_LEN, Opening, REFUSED, ServerHello, encode_refusal, opening, refusal,
};

/// Target `hello`: four sizes of pieces, KiB of white space, then what a peer sends first.
pub fn hello(input: &[u8]) {
    let mut script = Script::new(input);
    let sizes = script.take(4);
    // Up to more than is allowed, which a fuzzer would take long to find.
    let space = vec![b' '; script.below(66) * 1024];
    let rest = script.rest();
    let stream = [&space, rest].concat();
    let whole = read([&stream[..]]);
    let pieces = [&space[..]].into_iter().chain(cut(rest, sizes));
    assert_eq!(whole, read(pieces), "the pieces changed what was read");
    match whole {
        Ok(Some(text)) => {
            assert!(text.len() <= MAX_LEN && !text.contains(&END));
            comes_back(&text, hello::decode::<ClientHello>(&text));
            comes_back(&text, hello::decode::<ServerHello>(&text));
        }
        Ok(None) => a_refusal_comes_back(&stream),
        Err(error) => assert!(stream.len() > MAX_LEN, "{error}"),
    }
}

/// As a link reads it: the text, `None` if the stream ended before.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<Vec<u8>>, WireError> {
    let mut input = Vec::new();
    for piece in pieces {
        input.extend_from_slice(piece);
        if let Opening::Hello(text, taken) = opening(&input)? {
            assert!(taken == text.len() + 1);
            return Ok(Some(text.to_vec()));
        }
        assert!(input.len() <= MAX_LEN, "{} bytes are kept without a hello", input.len());
    }
    Ok(None)
}

fn comes_back<T>(text: &[u8], hello: Result<T, WireError>)
where
    T: Serialize + for<'de> Deserialize<'de> + PartialEq + Debug,
{
    let Ok(hello) = hello else { return };
    assert!(text.contains(&b'{'), "a hello without an object was taken");
    // Escapes may make it longer than it was.
    let Ok(again) = hello::text(&hello) else { return };
    assert!(again.len() <= MAX_LEN && !again.contains(&END) && !again.contains(&REFUSED));
    assert_eq!(hello::decode::<T>(&again), Ok(hello));
}

fn a_refusal_comes_back(stream: &[u8]) {
    let told = refusal(stream);
    assert_eq!(told.is_some(), stream.contains(&REFUSED));
    let Some(reason) = told else { return };
    let again = encode_refusal(&reason);
    assert!(!again.contains(&END));
    assert_eq!(refusal(&again), Some(reason));
}
