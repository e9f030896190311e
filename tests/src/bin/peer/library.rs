//! A service whose methods fail in every way: Python calls it, and its stub calls Python (tests/python/library.py).

use communica::{AnyError, CallError, Peer, ReqError, ServiceError};
use serde_json::{Value, json};

#[communica::service(prefix = "library.")]
pub(crate) trait Library {
    /// The days for which a book is lent.
    async fn lend(&self, book: &str) -> Result<u32, Complaint>;
    async fn price(&self, book: &str) -> Result<u32, AnyError>;
}

#[derive(Debug, thiserror::Error, ServiceError)]
pub(crate) enum Complaint {
    #[error("no such book")]
    #[service_error(code = 404)]
    Missing,
    #[error("out of order")]
    #[service_error(code = 507, responder)]
    OutOfOrder,
    #[error("{name} has {count} books already")]
    #[service_error(code = 429)]
    TooMany { name: String, count: u8 },
    #[error("on holiday")]
    Closed,
    #[error("burnt down")]
    #[service_error(responder)]
    Burnt,
    #[error("the label cannot be read")]
    #[service_error(unknown)]
    Unreadable(#[from] std::num::ParseIntError),
}

pub(crate) struct Shelf;

impl Library for Shelf {
    async fn lend(&self, book: &str) -> Result<u32, Complaint> {
        lend(book.to_owned())
    }

    async fn price(&self, book: &str) -> Result<u32, AnyError> {
        if book == "priceless" {
            return Err(ReqError::new("not for sale", 451).into());
        }
        Ok(book.parse()?)
    }
}

/// Also a handler by itself.
pub(crate) fn lend(book: String) -> Result<u32, Complaint> {
    match book.as_str() {
        "missing" => Err(Complaint::Missing),
        "out of order" => Err(Complaint::OutOfOrder),
        "too many" => Err(Complaint::TooMany { name: "Ада".into(), count: 3 }),
        "closed" => Err(Complaint::Closed),
        "burnt" => Err(Complaint::Burnt),
        days => Ok(days.parse()?),
    }
}

/// Asks for each book; tells what the stub made of each answer.
pub(crate) async fn visit(peer: Peer, books: &[String]) -> Value {
    let library = LibraryClient::new(peer);
    let mut told = Vec::new();
    for book in books {
        told.push(json!([typed(library.lend(book).await), typed(library.price(book).await)]));
    }
    told.into()
}

fn typed<E: std::fmt::Debug>(outcome: Result<u32, CallError<E>>) -> String {
    match outcome {
        Ok(number) => number.to_string(),
        Err(CallError::Service(error)) => format!("{error:?}"),
        Err(CallError::Failed(error)) => format!("{:?}: {error}", error.outcome()),
    }
}
