//! What a test can tell a peer to do.

use std::sync::Arc;
use std::time::Duration;

use communica::Error;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::side::Side;
use crate::{corpus, library, office, registry, trade};

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Command {
    /// The library's `request`.
    Request { name: String, data: Value },
    /// The library's `throw`.
    Throw { name: String, data: Value },
    /// The next thing that `note` or `hang` was given.
    NextNote,
    /// So many calls at once; those that were answered wrongly.
    Many { count: u64 },
    /// Whether a text of so many bytes came back whole.
    Large { size: usize },
    /// What came back changed.
    Corpus,
    /// A struct goes out, another comes back.
    Buy,
    /// A stub calls the other side.
    VisitOffice,
    /// A stub whose values keep rules does.
    VisitRegistry,
    /// One that is told errors does.
    VisitLibrary { books: Vec<String> },
    /// Waits until this side has noticed that the link is gone.
    Disconnected,
    /// The end, on purpose.
    Close,
}

pub(crate) struct Commands {
    side: Arc<Side>,
    notes: Mutex<UnboundedReceiver<Value>>,
}

impl Commands {
    pub(crate) fn new(side: Arc<Side>, notes: UnboundedReceiver<Value>) -> Self {
        Self { side, notes: notes.into() }
    }

    pub(crate) async fn perform(&self, command: Command) -> Result<Value, Error> {
        Ok(match command {
            Command::Request { name, data } => self.side.request(&name, &data).await?,
            Command::Throw { name, data } => {
                self.side.throw(&name, &data).await?;
                Value::Null
            }
            Command::NextNote => self.notes.lock().await.recv().await.expect("the behaviours live on"),
            Command::Many { count } => self.many(count).await?,
            Command::Large { size } => self.large(size).await?.into(),
            Command::Corpus => corpus::differences(&self.side).await?.into(),
            Command::Buy => trade::buy(&self.side).await?,
            Command::VisitOffice => office::visit(self.side.peer().await).await,
            Command::VisitRegistry => registry::visit(self.side.peer().await).await,
            Command::VisitLibrary { books } => library::visit(self.side.peer().await, &books).await,
            Command::Disconnected => self.disconnected().await,
            Command::Close => {
                self.side.close().await;
                Value::Null
            }
        })
    }

    async fn many(&self, count: u64) -> Result<Value, Error> {
        let mut calls = JoinSet::new();
        for number in 0..count {
            let side = self.side.clone();
            calls.spawn(async move { Ok((number, side.request::<u64>("double", &number).await?)) });
        }
        let answers: Result<Vec<(u64, u64)>, Error> = calls.join_all().await.into_iter().collect();
        let wrong: Vec<_> = answers?.into_iter().filter(|(number, answer)| *answer != 2 * number).collect();
        Ok(json!(wrong))
    }

    async fn disconnected(&self) -> Value {
        while self.side.is_connected() {
            sleep(Duration::from_millis(10)).await;
        }
        Value::Null
    }

    async fn large(&self, size: usize) -> Result<bool, Error> {
        let text: String = "0123456789abcde\n".chars().cycle().take(size).collect();
        let back: String = self.side.request("echo", &text).await?;
        Ok(back == text)
    }
}

/// As the harness reads it.
pub(crate) fn failure(error: &Error) -> Value {
    let (kind, message) = match error {
        Error::Req(error) => ("ReqError", error.message().to_owned()),
        Error::Resp(error) => ("RespError", error.message().to_owned()),
        Error::Unknown(error) => ("UnknownError", error.message().to_owned()),
        Error::Serializer(error) => ("SerializerError", error.message().to_owned()),
        Error::NotSent(reason) => ("NotSent", reason.to_string()),
        Error::MayHaveRun(reason) => ("MayHaveRun", reason.to_string()),
        other => ("Error", other.to_string()),
    };
    json!({"kind": kind, "message": message, "code": error.code()})
}
