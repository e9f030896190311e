//! A channel and a queue for one handshake each; those that nobody came to wait for the next knock.

use std::io;
use std::sync::{Mutex, PoisonError};

use lapin::Consumer;
use lapin::types::ShortString;

use super::broker::Broker;
use super::line::Line;

/// So many are kept: enough for knocks of clients that are gone, which come in crowds.
const KEPT: usize = 16;

/// Where a client that knocked is spoken to.
pub(super) struct Doorstep {
    pub(super) line: Line,
    /// The name of the queue that it answers to.
    pub(super) queue: ShortString,
    pub(super) own: Consumer,
}

/// Those that nobody knows of. The client that would have been told was gone.
#[derive(Default)]
pub(super) struct Doorsteps(Mutex<Vec<Doorstep>>);

impl Doorsteps {
    pub(super) async fn take(&self, broker: &Broker, exchange: &str) -> io::Result<Doorstep> {
        let kept = {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.retain(|doorstep| doorstep.line.is_open());
            kept.pop()
        };
        if let Some(doorstep) = kept {
            return Ok(doorstep);
        }
        let line = Line::open(broker, exchange).await?;
        let queue = line.own_queue().await?;
        let own = line.consume_own(&queue).await?;
        Ok(Doorstep { line, queue, own })
    }

    /// Those of another connection are of no use.
    pub(super) fn clear(&self) {
        let kept = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        drop(kept);
    }

    pub(super) fn give_back(&self, doorstep: Doorstep) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(doorstep);
        }
    }
}
