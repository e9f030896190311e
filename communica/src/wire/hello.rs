//! The handshake of stream connectors: one JSON object and a zero byte each way, or 0x04 and a reason.

use serde::{Deserialize, Serialize};

use super::WireError;

/// Ends a hello; never stands inside one.
pub(crate) const END: u8 = 0x00;
/// Begins a refusal; never stands inside a hello.
pub(crate) const REFUSED: u8 = 0x04;
/// Bytes of a hello at most.
pub(crate) const MAX_LEN: usize = 64 * 1024;

/// What a client says first. Unknown keys are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClientHello {
    pub(crate) client_id: String,
}

/// What a server says first. 0.4 ignores what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServerHello {
    #[serde(default)]
    pub(crate) hello: serde_json::Value,
}

impl Default for ServerHello {
    fn default() -> Self {
        Self { hello: "hello".into() }
    }
}

#[derive(Serialize, Deserialize)]
struct Refusal {
    reason: String,
}

/// What the start of a stream holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opening<'a> {
    /// The text of a hello; this many bytes of input were it, with its end.
    Hello(&'a [u8], usize),
    /// More bytes are needed.
    Incomplete,
}

/// Looks for a hello at the start of `input`.
pub(crate) fn opening(input: &[u8]) -> Result<Opening<'_>, WireError> {
    match input.iter().position(|&byte| byte == END) {
        Some(end) if end <= MAX_LEN => Ok(Opening::Hello(&input[..end], end + 1)),
        None if input.len() <= MAX_LEN => Ok(Opening::Incomplete),
        _ => Err(WireError::BadHello("it is longer than 64 KiB")),
    }
}

/// The reason of a refusal, in what came before the stream ended without a hello.
pub(crate) fn refusal(input: &[u8]) -> Option<String> {
    let start = input.iter().position(|&byte| byte == REFUSED)? + 1;
    Some(refusal_text(&input[start..]))
}

/// The reason in the JSON of a refusal.
pub(crate) fn refusal_text(json: &[u8]) -> String {
    let refusal = serde_json::from_slice::<Refusal>(json);
    refusal.map_or_else(|_| "the peer gave no reason that could be read".to_owned(), |refusal| refusal.reason)
}

/// The text of a hello, without its end.
pub(crate) fn text(hello: &impl Serialize) -> Result<Vec<u8>, WireError> {
    // JSON writes control characters as escapes, so neither END nor REFUSED can stand in it.
    let bytes = serde_json::to_vec(hello).map_err(|_| WireError::BadHello("it has no JSON form"))?;
    if bytes.len() > MAX_LEN {
        return Err(WireError::BadHello("it is longer than 64 KiB"));
    }
    Ok(bytes)
}

/// The bytes of a refusal; the stream is closed after it.
pub(crate) fn encode_refusal(reason: &str) -> Vec<u8> {
    let mut bytes = vec![REFUSED];
    bytes.extend_from_slice(&refusal_json(reason));
    bytes
}

/// The JSON of a refusal.
pub(crate) fn refusal_json(reason: &str) -> Vec<u8> {
    serde_json::json!({ "reason": reason }).to_string().into_bytes()
}

/// Reads the text of a hello.
pub(crate) fn decode<T: for<'de> Deserialize<'de>>(text: &[u8]) -> Result<T, WireError> {
    // A struct would also be read from an array of its fields.
    let is_object = text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let hello = if is_object { serde_json::from_slice(text).ok() } else { None };
    hello.ok_or(WireError::BadHello("it is not the JSON object with the keys its side has to send"))
}
