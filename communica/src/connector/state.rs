//! Connector ⇄ ASCII JSON that a parent hands to its child, in the keys of the Python library.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A string that is not the state of such a connector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not the state of a {wanted}: {why}")]
pub struct StateError {
    wanted: &'static str,
    why: String,
}

#[derive(Serialize)]
struct Tagged<'a, T> {
    r#type: &'static str,
    #[serde(flatten)]
    state: &'a T,
}

#[derive(Deserialize)]
struct Tag {
    r#type: String,
}

impl StateError {
    pub(super) fn new(wanted: &'static str, why: impl Into<String>) -> Self {
        Self { wanted: known_as(wanted), why: why.into() }
    }
}

/// The connector's name in programs, which is not what states of RabbitMQ have.
pub(super) fn known_as(kind: &str) -> &str {
    match kind {
        "RABBITMQ" => "RmqConnector",
        other => other,
    }
}

/// `type` first, then the connector's own keys; everything beyond ASCII escaped.
pub(super) fn dump<T: Serialize>(kind: &'static str, state: &T) -> String {
    let json = serde_json::to_string(&Tagged { r#type: kind, state }).unwrap_or_default();
    let mut ascii = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            ascii.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                ascii.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    ascii
}

/// The connector's own keys, if `type` says that they are its.
pub(super) fn load<T: DeserializeOwned>(kind: &'static str, state: &str) -> Result<T, StateError> {
    let found = tag(kind, state)?;
    if found != kind {
        return Err(StateError::new(kind, format!("it is that of a {}", known_as(&found))));
    }
    serde_json::from_str(state).map_err(|error| StateError::new(kind, error.to_string()))
}

/// The `type` of any state.
pub(super) fn tag(wanted: &'static str, state: &str) -> Result<String, StateError> {
    // A struct would also be read from an array of its fields.
    if !state.trim_start().starts_with('{') {
        return Err(StateError::new(wanted, "it is not a JSON object"));
    }
    let tag: Tag = serde_json::from_str(state).map_err(|error| StateError::new(wanted, error.to_string()))?;
    Ok(tag.r#type)
}
