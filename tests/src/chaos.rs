//! A plan goes in: how many messages, how many cuts, from which seed. Out comes what arrived, and every complaint: a
//! message that came twice, never, out of order or spoiled, and an answer that is wrong.
//!
//! # Layout
//! - [`Plan`]: what is sent and what goes wrong; both sides work out from the seed what has to come
//! - `parcel`: one message, and what its answer must be
//! - `ledger`: what came, against what should
//! - `lane`: one task that sends, in order
//! - [`Side`]: a server or a client with all that
//! - [`processes`]: the two sides as processes

mod lane;
mod ledger;
mod parcel;
mod plan;
pub mod processes;
mod side;

pub use ledger::Complaints;
pub use plan::{Plan, Road};
pub use side::{Report, Side};

/// Both sides in this process. The reports of the server and of the client.
///
/// # Panics
/// A side does not start.
pub async fn run_here(plan: &Plan) -> [Report; 2] {
    let server = Side::listen(plan).await;
    let client = Side::connect(plan, &server.state()).await;
    tokio::join!(server.work(), client.work());
    let client = client.end().await;
    [server.end().await, client]
}
