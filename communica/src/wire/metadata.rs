//! Metadata JSON ⇄ id, type and route, without building a tree: the text is kept, and an answer copies it.
//!
//! An answer's metadata is the request's, copied whole, with `type` replaced, so unknown keys come back to the sender.

mod alike;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::num::NonZeroU64;
use std::ops::Range;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::WireError;
use super::scan::{Scanner, Text, plain_len};

const TIMEOUT: &[u8] = b"timeout_ms";
/// The member of a request that any peer of the caller's may answer.
const ANY: &str = "any";
/// The member that holds what a caller sends along.
pub(crate) const METADATA: &str = "metadata";

/// What a message is, by its `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// 1: wants an answer.
    Request,
    /// 2: wants none.
    Throw,
    /// 11: the value a request asked for.
    Result,
    /// 30: the handler failed unexpectedly.
    Unknown,
    /// 41: the requester's fault.
    Req,
    /// 42: the payload could not be loaded.
    Serializer,
    /// 51: the responder's fault.
    Resp,
    /// 101: its id says how many messages came. Like the next only for a peer that announced it; 0.4 would take it for
    /// an answer to a call nobody made.
    Acknowledge,
    /// 102: nobody waits any more for the answer to the request with this id.
    Cancel,
    /// None of these; 0.4 takes everything below 11 for a request. Numbers beyond these count as the last.
    Other(i32),
}

impl Kind {
    fn from_code(code: i64) -> Self {
        match code {
            1 => Self::Request,
            2 => Self::Throw,
            11 => Self::Result,
            30 => Self::Unknown,
            41 => Self::Req,
            42 => Self::Serializer,
            51 => Self::Resp,
            101 => Self::Acknowledge,
            102 => Self::Cancel,
            other => Self::Other(other.clamp(i32::MIN.into(), i32::MAX.into()) as i32),
        }
    }

    pub(crate) fn code(self) -> i64 {
        match self {
            Self::Request => 1,
            Self::Throw => 2,
            Self::Result => 11,
            Self::Unknown => 30,
            Self::Req => 41,
            Self::Serializer => 42,
            Self::Resp => 51,
            Self::Acknowledge => 101,
            Self::Cancel => 102,
            Self::Other(other) => other.into(),
        }
    }

    /// It ends a call.
    pub(crate) fn is_answer(self) -> bool {
        matches!(self, Self::Result | Self::Unknown | Self::Req | Self::Serializer | Self::Resp)
    }
}

/// The JSON object in front of a payload: id, type and route of one message, and whatever else the peer sent along.
///
/// Cheap to clone: the text is shared.
#[derive(Clone)]
pub struct Metadata {
    text: Bytes,
    parts: Parts,
    /// Number of the receipt it came with, in its session; 0 for none.
    arrival: u64,
    /// When it was read, in nanoseconds on whatever clock the reader has.
    came: u64,
    /// Bytes of its message, once that waits for its handler, or of a payload that was not kept.
    size: usize,
}

/// What stands where in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parts {
    id: Text,
    kind: Kind,
    kind_at: (u32, u32),
    route: Option<Text>,
    /// The largest number: there is none.
    timeout_ms: u64,
}

impl Parts {
    fn read(text: &[u8]) -> Result<Self, WireError> {
        let bad = |why| Err(WireError::BadMetadata(why));
        if std::str::from_utf8(text).is_err() {
            return bad("it is not UTF-8");
        }
        let (mut id, mut kind, mut route, mut timeout_ms) = (None, None, None, None);
        let mut scan = Scanner::new(text);
        if !scan.eat(b'{') {
            return bad("it is not a JSON object");
        }
        let mut more = !scan.eat(b'}');
        while more {
            let key = scan.string()?;
            if !scan.eat(b':') {
                return bad("a colon was expected");
            }
            match &text[key.start as usize..key.end as usize] {
                b"id" => id = Some(scan.string()?),
                b"type" => {
                    let start = scan.value_start() as u32;
                    let code = scan.integer()?;
                    kind = Some((Kind::from_code(code), (start, scan.at() as u32)));
                }
                b"route" => route = Some(scan.string()?),
                // Ours, so a peer that means something else by it is not wrong.
                TIMEOUT => {
                    let start = scan.value_start();
                    scan.skip_value()?;
                    let value = &text[start..scan.at()];
                    timeout_ms = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
                }
                _ => scan.skip_value()?,
            }
            more = scan.eat(b',');
            if !more && !scan.eat(b'}') {
                return bad("a comma or a closing bracket was expected");
            }
        }
        scan.end()?;
        let (Some(id), Some((kind, kind_at))) = (id, kind) else {
            return bad("`id` or `type` is missing");
        };
        Ok(Self { id, kind, kind_at, route, timeout_ms: timeout_ms.unwrap_or(u64::MAX) })
    }
}

impl Metadata {
    /// Reads the text of a metadata object.
    ///
    /// # Errors
    /// [`WireError::BadMetadata`] when it is not a JSON object with a string `id`, an integer `type` and, if it is
    /// there, a string `route`.
    pub fn parse(text: Bytes) -> Result<Self, WireError> {
        if text.len() > u32::MAX as usize {
            return Err(WireError::BadMetadata("it is larger than 4 GiB"));
        }
        let parts = alike::parts(&text)?;
        Ok(Self { text, parts, arrival: 0, came: 0, size: 0 })
    }

    /// In the place of what was taken.
    pub(super) fn nothing() -> Self {
        let parts = Parts {
            id: Text::default(),
            kind: Kind::Other(0),
            kind_at: (0, 0),
            route: None,
            timeout_ms: u64::MAX,
        };
        Self { text: Bytes::new(), parts, arrival: 0, came: 0, size: 0 }
    }

    /// The JSON text as it came.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.text
    }

    /// The id that ties an answer to its request; empty for throws.
    #[must_use]
    pub fn id(&self) -> Cow<'_, str> {
        self.string(self.parts.id)
    }

    /// The name of the handler it is for; `None` in messages of Simple entities.
    #[must_use]
    pub fn route(&self) -> Option<Cow<'_, str>> {
        self.parts.route.map(|route| self.string(route))
    }

    /// Another member of the object, if it is there and a `T`.
    pub(crate) fn member<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let mut members: BTreeMap<String, &RawValue> = serde_json::from_slice(&self.text).ok()?;
        serde_json::from_str(members.remove(name)?.get()).ok()
    }

    /// Whoever is asked may leave it to another peer of the caller's.
    pub(crate) fn is_for_any(&self) -> bool {
        self.parts.kind == Kind::Request && self.member(ANY) == Some(true)
    }

    /// How long the caller waits, counted from when it sent this.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        let timeout = self.parts.timeout_ms;
        (timeout < u64::MAX).then(|| Duration::from_millis(timeout))
    }

    pub(crate) fn kind(&self) -> Kind {
        self.parts.kind
    }

    /// Number of the receipt it came with.
    pub(crate) fn arrival(&self) -> Option<NonZeroU64> {
        NonZeroU64::new(self.arrival)
    }

    /// When it was read, on the reader's clock.
    pub(crate) fn came(&self) -> Duration {
        Duration::from_nanos(self.came)
    }

    pub(crate) fn set_came(&mut self, came: Duration) {
        // Half a thousand years.
        self.came = u64::try_from(came.as_nanos()).unwrap_or(u64::MAX);
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    pub(crate) fn set_size(&mut self, bytes: usize) {
        self.size = bytes;
    }

    pub(crate) fn set_arrival(&mut self, number: NonZeroU64) {
        self.arrival = number.get();
    }

    /// A copy that shares no memory with the buffer it was read from, for a message that stays around.
    pub(crate) fn detached(&self) -> Self {
        Self { text: Bytes::copy_from_slice(&self.text), ..*self }
    }

    /// Writes the metadata of the answer to this request.
    pub(crate) fn put_answer(&self, kind: Kind, out: &mut BytesMut) {
        out.put_slice(&self.text[..self.parts.kind_at.0 as usize]);
        put_decimal(kind.code(), out);
        out.put_slice(&self.text[self.parts.kind_at.1 as usize..]);
    }

    fn string(&self, text: Text) -> Cow<'_, str> {
        let slice = |range: Range<usize>| std::str::from_utf8(&self.text[range]).unwrap_or_default();
        let (start, end) = (text.start as usize, text.end as usize);
        if !text.escaped {
            return Cow::Borrowed(slice(start..end));
        }
        // With its quotes it is a JSON string. Half of a surrogate pair is the one thing that can still be wrong with it:
        // that is no text, and what stands there is the name of nothing.
        let unescaped = serde_json::from_str(slice(start - 1..end + 1));
        unescaped.map_or_else(|_| Cow::Borrowed(slice(start..end)), Cow::Owned)
    }
}

/// Without what callers send along, which may be secrets.
impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metadata")
            .field("id", &self.id())
            .field("type", &self.parts.kind)
            .field("route", &self.route())
            .finish_non_exhaustive()
    }
}

/// Writes the metadata of a request or a throw. `more`: what [`more`] made.
pub(crate) fn put_request(id: &str, kind: Kind, route: Option<&str>, more: &str, out: &mut BytesMut) {
    out.put_slice(b"{\"id\":");
    put_string(id, out);
    out.put_slice(b",\"type\":");
    put_decimal(kind.code(), out);
    if let Some(route) = route {
        out.put_slice(b",\"route\":");
        put_string(route, out);
    }
    out.put_slice(more.as_bytes());
    out.put_u8(b'}');
}

/// Writes the metadata that says that so many messages came.
pub(crate) fn put_acknowledgement(count: u64, out: &mut BytesMut) {
    put_request(&count.to_string(), Kind::Acknowledge, None, "", out);
}

/// What a call has to say beside its payload, as further members of the metadata object: `timeout_ms`, and the
/// caller's own values in `metadata`. 0.4 does not read them, and sends them back.
pub(crate) fn more(timeout: Option<Duration>, values: &BTreeMap<String, Box<RawValue>>) -> String {
    let mut more = String::new();
    if let Some(timeout) = timeout {
        // None of it is lost: a part of a millisecond would be no time at all.
        let _ = write!(more, ",\"timeout_ms\":{}", timeout.as_nanos().div_ceil(1_000_000));
    }
    if !values.is_empty() {
        // Keys are strings and values are JSON already.
        let _ = write!(more, ",\"{METADATA}\":{}", serde_json::to_string(values).unwrap_or_default());
    }
    more
}

/// The same of a request that any peer of the caller's may answer.
pub(crate) fn more_for_any(more: &str) -> String {
    format!("{more},\"{ANY}\":true")
}

/// Bytes that the text has at most in a message's metadata, without its quotes.
pub(crate) fn string_len(text: &str) -> usize {
    text.bytes().map(|byte| if byte < 0x20 { 6 } else { 1 + usize::from(matches!(byte, b'"' | b'\\')) }).sum()
}

fn put_string(text: &str, out: &mut BytesMut) {
    if plain_len(text.as_bytes()) == text.len() {
        out.put_u8(b'"');
        out.put_slice(text.as_bytes());
        out.put_u8(b'"');
    } else {
        // A string always has a JSON form.
        out.put_slice(serde_json::Value::from(text).to_string().as_bytes());
    }
}

fn put_decimal(number: i64, out: &mut BytesMut) {
    // The codes of answers have two digits.
    if (10..=99).contains(&number) {
        out.put_slice(&[b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]);
        return;
    }
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        at -= 1;
        digits[at] = b'-';
    }
    out.put_slice(&digits[at..]);
}
