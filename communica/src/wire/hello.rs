//! The handshake of stream connectors: one JSON object and a zero byte each way, or 0x04 and a reason.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use super::WireError;
use super::frame::readable;

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
    #[serde(default, deserialize_with = "about_if_any", skip_serializing_if = "Option::is_none")]
    pub(crate) communica: Option<About>,
}

/// What a server says first. 0.4 ignores what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServerHello {
    #[serde(default)]
    pub(crate) hello: serde_json::Value,
    #[serde(default, deserialize_with = "about_if_any", skip_serializing_if = "Option::is_none")]
    pub(crate) communica: Option<About>,
}

impl ServerHello {
    pub(crate) fn new(communica: Option<About>) -> Self {
        Self { hello: "hello".into(), communica }
    }
}

/// The one key beyond 0.4: who a side is and what it can do. What is not there is not offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct About {
    /// Unlike that of any other session: made when the session began, so a process that was started anew has another.
    pub(crate) instance: String,
    #[serde(default)]
    pub(crate) features: Vec<String>,
    /// After so long without a sign of life the other side counts as gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) silence_ms: Option<u64>,
    /// Bytes of a payload that are accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) message_size: Option<u64>,
    /// So many messages, and so many bytes, may wait for their acknowledgement; then this side sends no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unacknowledged: Option<(u64, u64)>,
    /// What this side has of an earlier link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) heard: Option<Heard>,
    /// What lets a client in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<Token>,
}

impl About {
    /// A client that says nothing of what it heard never came to the end of a handshake with any server: so it heard
    /// nothing. One that lost its count names nobody; one that names another may have been here before that, and lost it, too.
    pub(crate) fn complete_heard(&mut self, server: &str) {
        self.heard.get_or_insert_with(|| Heard { instance: server.to_owned(), messages: 0 });
    }
}

/// So many messages of a session have come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Heard {
    pub(crate) instance: String,
    pub(crate) messages: u64,
}

/// A secret; it shows in no log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Token(pub(crate) String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Characters of an instance id that are believed to be one; ours have 16.
const MAX_INSTANCE: usize = 64;

/// Another program may mean something else by the key: then the peer is taken for one that speaks 0.4.
fn about_if_any<'de, D: Deserializer<'de>>(from: D) -> Result<Option<About>, D::Error> {
    let value = serde_json::Value::deserialize(from)?;
    let about: Option<About> = serde_json::from_value(value).ok();
    Ok(about.filter(|about| about.instance.len() <= MAX_INSTANCE))
}

/// What goes beyond the wire of communica 0.4. It is used only with a peer that announced it, see
/// [`Peer::supports`](crate::Peer::supports).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Feature {
    /// A cut link loses nothing: both sides count what came, and repeat the rest on the next link. Without it calls that
    /// were sent end with [`Error::MayHaveRun`](crate::Error::MayHaveRun) when the link does, and throws may be lost with it.
    Resume,
    /// A call that is given up stops its handler. Without it the handler runs on, and its answer is dropped.
    Cancel,
    /// Both sides say that they live when they have nothing else to say, so that a dead or stopped peer is noticed.
    /// Without it only the system notices: for TCP its keepalive, for a local socket the end of the process.
    Heartbeat,
    /// Over a broker, small requests and answers that are sent together are one of its messages, which costs it as much as one of
    /// them did. Without it each goes alone. On other roads it means nothing.
    Bundle,
}

impl Feature {
    pub(crate) const ALL: [Self; 4] = [Self::Resume, Self::Cancel, Self::Heartbeat, Self::Bundle];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Resume => "resume",
            Self::Cancel => "cancel",
            Self::Heartbeat => "heartbeat",
            Self::Bundle => "bundle",
        }
    }
}

impl About {
    pub(crate) fn supports(&self, feature: Feature) -> bool {
        self.features.iter().any(|name| name == feature.name())
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

/// A refusal is a JSON object behind its mark.
pub(crate) fn begins_as_refusal(input: &[u8]) -> bool {
    input.starts_with(&[REFUSED, b'{'])
}

/// The reason of a refusal that stands where the first frame should.
pub(crate) fn late_refusal(input: &[u8]) -> Option<String> {
    let json = input.strip_prefix(&[REFUSED])?;
    serde_json::from_slice::<Refusal>(json).ok().map(|_| refusal_text(json))
}

/// The reason in the JSON of a refusal.
pub(crate) fn refusal_text(json: &[u8]) -> String {
    let refusal = serde_json::from_slice::<Refusal>(json);
    refusal.map_or_else(
        |_| "the peer gave no reason that could be read".to_owned(),
        |refusal| readable(&refusal.reason),
    )
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
