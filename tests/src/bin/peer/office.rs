//! A typed service that Python calls, and whose stub calls Python (tests/python/service.py).

use communica::{CallError, Peer};
use serde_json::{Value, json};

use crate::behaviours::Behaviours;

#[communica::service]
pub(crate) trait Office {
    async fn open(&self) -> bool;
    async fn square(&self, number: i64) -> i64;
    async fn divide(&self, number: f64, by: f64) -> Result<f64, OfficeError>;
    async fn shred(&self, pages: u32) -> Result<(), OfficeError>;
    async fn remember(&self, line: &str);
}

#[derive(Debug, thiserror::Error, communica::ServiceError)]
pub(crate) enum OfficeError {
    #[error("division by zero")]
    #[service_error(code = 400)]
    DivisionByZero,
    #[error("the shredder holds {holds} pages")]
    #[service_error(code = 507, responder)]
    ShredderFull { holds: u32 },
}

pub(crate) struct Desk(Behaviours);

impl Desk {
    pub(crate) fn new(behaviours: &Behaviours) -> Self {
        Self(behaviours.clone())
    }
}

impl Office for Desk {
    async fn open(&self) -> bool {
        true
    }

    async fn square(&self, number: i64) -> i64 {
        number * number
    }

    async fn divide(&self, number: f64, by: f64) -> Result<f64, OfficeError> {
        if by == 0.0 { Err(OfficeError::DivisionByZero) } else { Ok(number / by) }
    }

    async fn shred(&self, pages: u32) -> Result<(), OfficeError> {
        if pages > 2 { Err(OfficeError::ShredderFull { holds: 2 }) } else { Ok(()) }
    }

    async fn remember(&self, line: &str) {
        self.0.note(line.into());
    }
}

/// Calls every method, and tells what came back, line by line.
pub(crate) async fn visit(peer: Peer) -> Value {
    let office = OfficeClient::new(peer);
    office.remember("called").await.expect("it remembers");
    office.throw_remember("thrown").await.expect("it is sent");
    json!([
        format!("open: {}", office.open().await.expect("it is open")),
        format!("square: {}", office.square(7).await.expect("it has a square")),
        format!("divide: {}", office.divide(5.0, 2.0).await.expect("it can be divided")),
        match office.divide(1.0, 0.0).await {
            Err(CallError::Service(error)) => format!("divide: {error:?}"),
            other => format!("divide: {other:?}"),
        },
        match office.shred(3).await {
            Err(CallError::Failed(communica::Error::Req(error))) => format!("shred: {}", error.message()),
            other => format!("shred: {other:?}"),
        },
    ])
}
