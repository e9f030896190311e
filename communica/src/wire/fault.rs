//! Error answers ⇄ JSON. One fixed format, whatever the route's serializer: `{"code": …, "message": …}`.
//!
//! Beside the two keys of 0.4 stand `variant` and `data` of a typed error, and `"began": false` where no handler began, and none
//! will; 0.4 does not read them.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Kind;
use crate::excerpt::{beginning, excerpt};

/// Whose fault a failed call was; each is a message type of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// The requester's (`ReqError`, type 41).
    Req,
    /// The responder's (`RespError`, type 51).
    Resp,
    /// Nobody's on purpose: the handler panicked or failed in a way it did not foresee (`UnknownError`, type 30).
    Unknown,
    /// The payload could not be loaded (`SerializerError`, type 42).
    Serializer,
}

impl FaultKind {
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Req => Kind::Req,
            Self::Resp => Kind::Resp,
            Self::Unknown => Kind::Unknown,
            Self::Serializer => Kind::Serializer,
        }
    }
}

/// A failed call as it crosses the wire: whose fault, a message, perhaps a code, perhaps a typed error.
///
/// A handler may return anything that converts into it: [`ReqError`](crate::ReqError),
/// [`RespError`](crate::RespError), or an enum with `#[derive(ServiceError)]`.
#[derive(Clone)]
pub struct Fault {
    kind: FaultKind,
    body: Box<Body>,
}

#[derive(Clone, Serialize)]
struct Body {
    code: Option<i64>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "began")]
    began: bool,
    /// The log of this side is to tell of it, with who called and what.
    #[serde(skip)]
    for_log: bool,
}

fn began(began: &bool) -> bool {
    *began
}

/// What a peer may send: Python does not say what a code or a message is. Texts, not trees, which may be many times as
/// large.
#[derive(Deserialize)]
struct Lenient<'a> {
    #[serde(borrow, default)]
    code: Option<&'a RawValue>,
    #[serde(borrow)]
    message: &'a RawValue,
    #[serde(borrow, default)]
    variant: Option<&'a RawValue>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    began: Option<&'a RawValue>,
}

impl From<Lenient<'_>> for Body {
    fn from(Lenient { code, message, variant, data, began }: Lenient<'_>) -> Self {
        let number = code.and_then(|code| code.get().parse().ok());
        let mut text = string(message).unwrap_or_else(|| message.get().to_owned());
        if let (Some(code), None) = (code, number) {
            text.push_str(&format!(" (code {code})"));
        }
        Self {
            code: number,
            message: text,
            variant: variant.and_then(string),
            data: data.map(RawValue::to_owned),
            began: began.is_none_or(|began| began.get() != "false"),
            for_log: false,
        }
    }
}

fn string(json: &RawValue) -> Option<String> {
    serde_json::from_str(json.get()).ok()
}

impl Fault {
    /// A fault of this kind; `code` is yours to give a meaning to.
    #[must_use]
    pub fn new(kind: FaultKind, message: impl Into<String>, code: Option<i64>) -> Self {
        let body =
            Body { code, message: message.into(), variant: None, data: None, began: true, for_log: false };
        Self { kind, body: Box::new(body) }
    }

    /// The answer to a request that is refused: no handler began, and none will.
    pub(crate) fn not_begun(message: impl Into<String>) -> Self {
        let mut fault = Self::new(FaultKind::Resp, message, None);
        fault.body.began = false;
        fault
    }

    /// The answer of a handler that failed with what it did not foresee.
    pub(crate) fn unforeseen(message: impl Into<String>) -> Self {
        let mut fault = Self::new(FaultKind::Unknown, message, None);
        fault.body.for_log = true;
        fault
    }

    pub(crate) fn is_for_log(&self) -> bool {
        self.body.for_log
    }

    /// A handler began, as far as the peer says.
    pub(crate) fn began(&self) -> bool {
        self.body.began
    }

    /// Whose fault it was.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        self.kind
    }

    /// What happened, in words.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.body.message
    }

    /// The number that the failing side gave it.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        self.body.code
    }

    /// Name of the variant, when the failing side has an enum with `#[derive(ServiceError)]`.
    #[must_use]
    pub fn variant(&self) -> Option<&str> {
        self.body.variant.as_deref()
    }

    /// The variant's fields; `None` when there are none or they do not fit `T`.
    #[must_use]
    pub fn data<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(self.body.data.as_ref()?.get()).ok()
    }

    pub(crate) fn has_data(&self) -> bool {
        self.body.data.is_some()
    }

    /// The same fault with the name and the fields of a variant. Fields without a JSON form, as a map whose keys are tuples, are
    /// left out, which the log says as an error: then the caller gets the message, and not the variant.
    #[must_use]
    pub fn with_variant<D: Serialize + ?Sized>(mut self, variant: impl Into<String>, data: &D) -> Self {
        let variant = variant.into();
        self.body.data = match serde_json::value::to_raw_value(data) {
            Ok(data) => Some(data).filter(|data| data.get() != "null"),
            Err(error) => {
                let error = error.to_string();
                tracing::error!(
                    variant,
                    error,
                    "the fields of an error have no JSON form: its caller gets no variant"
                );
                return self;
            }
        };
        self.body.variant = Some(variant);
        self
    }

    pub(crate) fn into_message(self) -> String {
        self.body.message
    }

    /// The payload of the answer.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        // Strings, numbers and JSON that was checked: this has a JSON form.
        serde_json::to_vec(&self.body).unwrap_or_else(|_| br#"{"code":null,"message":""}"#.to_vec())
    }

    /// The payload of the answer; where it has more bytes than the peer takes, without the typed error, and with the
    /// ends of the message, or none of it.
    pub(crate) fn to_bytes_within(&self, limit: usize) -> Vec<u8> {
        let bytes = self.to_bytes();
        if bytes.len() <= limit {
            return bytes;
        }
        let shorter = self.with_message(&excerpt(self.message())).to_bytes();
        if shorter.len() <= limit {
            return shorter;
        }
        self.with_message("").to_bytes()
    }

    fn with_message(&self, message: &str) -> Self {
        let mut other = Self::new(self.kind, message, self.code());
        other.body.began = self.body.began;
        other
    }

    /// Reads the payload of an error answer. One that cannot be read is still an error answer, so this always succeeds.
    pub(crate) fn from_bytes(kind: FaultKind, payload: &[u8]) -> Self {
        match serde_json::from_slice::<Lenient<'_>>(payload) {
            Ok(body) => Self { kind, body: Box::new(body.into()) },
            Err(_) => {
                let text = String::from_utf8_lossy(payload);
                let text = beginning(&text, 200);
                Self::new(
                    kind,
                    format!("the peer answered with an error that could not be read: {text}"),
                    None,
                )
            }
        }
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault")
            .field("kind", &self.kind)
            .field("code", &self.body.code)
            .field("message", &self.body.message)
            .field("variant", &self.body.variant)
            .field("data", &self.body.data.as_ref().map(|data| data.get()))
            .finish()
    }
}
