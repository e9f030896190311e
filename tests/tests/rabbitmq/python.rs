//! Processes of the Python library and ours go in, with a broker between them; what one says the other must understand.

mod bundles;
mod closes;
#[path = "../python/everything.rs"]
mod everything;
#[path = "../python/failures.rs"]
mod failures;
mod matrix;
mod refusals;
mod returns;
#[path = "../python/rules.rs"]
mod rules;
mod signs;
mod spy;
mod states;
#[path = "../python/typed.rs"]
mod typed;

use std::time::Duration;

use communica_tests::{Entity, Format, Peer, Stage, broker};
use serde_json::json;
use tokio::time::timeout;

/// Far more than a broker needs to tell of it, less than what either side waits for if it does not.
const SOON: Duration = Duration::from_secs(10);

/// Route entities and JSON over the broker that the tests share.
fn usual() -> Stage {
    Stage::over(broker::shared(), Entity::Route, Format::Orjson)
}

/// Calls go there, and back from there.
async fn works(asker: &Peer) {
    assert_eq!(asker.request("double", 21).await, Ok(json!(42)));
    let relayed = json!({"name": "echo", "data": "и обратно"});
    assert_eq!(asker.request("relay", relayed).await, Ok(json!("и обратно")));
}

async fn notices_soon(peer: &Peer) {
    let noticed = timeout(SOON, peer.tell("disconnected", json!({}))).await;
    noticed.unwrap_or_else(|_| panic!("the {:?} side did not notice within {SOON:?}", peer.language));
}
