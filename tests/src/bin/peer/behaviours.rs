//! What a peer does when it is asked: each name is a route, or a deed of a Simple handler.

use std::sync::Arc;

use communica::{Fault, ReqError, RespError};
use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

use crate::format::SPOIL;
use crate::side::Side;

pub(crate) const NAMES: [&str; 9] =
    ["echo", "double", "fail", "crash", "note", "relay", "undumpable", "spoiled", "hang"];

#[derive(Clone)]
pub(crate) struct Behaviours {
    notes: UnboundedSender<Value>,
    side: watch::Sender<Option<Arc<Side>>>,
}

#[derive(Deserialize)]
struct Failing {
    kind: String,
    message: String,
    code: Option<i64>,
}

#[derive(Deserialize)]
struct Relayed {
    name: String,
    data: Value,
}

/// What a handler answers.
pub(crate) enum Answer {
    Value(Value),
    /// Has no form in any format.
    Undumpable,
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(value) => value.serialize(serializer),
            Self::Undumpable => Err(S::Error::custom("not to be dumped")),
        }
    }
}

impl Behaviours {
    pub(crate) fn new() -> (Self, UnboundedReceiver<Value>) {
        let (notes, receiver) = unbounded_channel();
        (Self { notes, side: watch::Sender::default() }, receiver)
    }

    /// Whose behaviours these are: known only after it has started with them.
    pub(crate) fn serve_for(&self, side: Arc<Side>) {
        assert!(self.side.send_replace(Some(side)).is_none(), "a peer has one side");
    }

    pub(crate) fn note(&self, note: Value) {
        self.notes.send(note).expect("the commands still listen");
    }

    pub(crate) async fn act(self, name: impl AsRef<str>, data: Value) -> Result<Answer, Fault> {
        let value = match name.as_ref() {
            "echo" => data,
            "double" => (number(&data)? * 2).into(),
            "fail" => return Err(fail(load(data)?)),
            "crash" => panic!("{data}"),
            "note" => {
                self.note(data);
                Value::Null
            }
            "relay" => self.relay(load(data)?).await?,
            "undumpable" => return Ok(Answer::Undumpable),
            "spoiled" => SPOIL.into(),
            "hang" => {
                self.note(data);
                std::future::pending().await
            }
            other => return Err(ReqError::new(format!("nobody knows how to {other}"), None).into()),
        };
        Ok(Answer::Value(value))
    }

    /// Asks the asker back.
    async fn relay(&self, call: Relayed) -> Result<Value, Fault> {
        // A broker may bring calls before `start` has returned.
        let mut started = self.side.subscribe();
        let started = started.wait_for(Option::is_some).await.map(|side| side.clone());
        let side = started.expect("these behaviours live").expect("it was waited for");
        Ok(side.request(&call.name, &call.data).await?)
    }
}

fn fail(how: Failing) -> Fault {
    match how.kind.as_str() {
        "ReqError" => ReqError::new(how.message, how.code).into(),
        "RespError" => RespError::new(how.message, how.code).into(),
        other => panic!("no error is called {other}"),
    }
}

fn number(data: &Value) -> Result<i64, Fault> {
    data.as_i64().ok_or_else(|| ReqError::new(format!("{data} is no number"), None).into())
}

fn load<T: for<'de> Deserialize<'de>>(data: Value) -> Result<T, Fault> {
    serde_json::from_value(data).map_err(|error| ReqError::new(error.to_string(), None).into())
}
