//! A client whose link was cut → calls to it and handlers for it end now, and lost throws are told of, if its process did.

use std::time::Duration;

use tokio::time::sleep;

use crate::connector::Process;
use crate::error::Reason;
use crate::exchange::Exchange;

/// Milliseconds after which the process is looked for again: one that ends closes its sockets first.
const LOOKS: [u64; 5] = [1, 10, 100, 500, 1000];

/// What the process had of the session is lost, and what it was asked and did not answer is not answered any more. `number` is
/// that of the link that was cut: after a newer one it is that one's process that counts.
pub(super) async fn noticed(process: &Process, exchange: &Exchange, number: u64) {
    for wait in LOOKS {
        sleep(Duration::from_millis(wait)).await;
        if !exchange.session().is_newest(number) {
            return;
        }
        if process.is_gone() {
            // While this is held there is no new link, whose calls would seem to be that process's.
            let Ok(_slot) = exchange.link_slot.try_lock() else { return };
            exchange.peer_is_gone(&Reason::Disconnected("the client's process ended".to_owned()));
            return;
        }
    }
}
