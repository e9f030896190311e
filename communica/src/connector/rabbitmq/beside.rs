//! A queue that another server read, too, when this one began → the moment when that one has left.

use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use lapin::types::ShortString;

use super::line::Line;
use crate::connector::BoxFuture;

/// After so long it is looked whether it is still there, and after twice as long each time …
const FIRST_LOOK: Duration = Duration::from_millis(250);
/// … up to this: it may be one that never leaves.
const LAST_LOOK: Duration = Duration::from_secs(4);

/// Two get what comes in turns. One that hung may go on with some of it before it hears that the client is not its own any
/// more. What it acknowledged by then is lost with its link: nobody but the client could bring it again.
pub(super) struct Beside {
    line: Line,
    queue: ShortString,
    /// How many read the queue.
    readers: BoxFuture<'static, io::Result<u32>>,
    /// So many of them are this link's, or more.
    ours: usize,
    look: Duration,
}

impl Beside {
    pub(super) fn new(line: &Line, queue: &ShortString, ours: usize) -> Self {
        let readers = ask(line, queue, FIRST_LOOK);
        Self { line: line.clone(), queue: queue.clone(), readers, ours, look: FIRST_LOOK }
    }

    /// Done when nobody else reads. `ours`: how many of those that do are this link's now.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, ours: usize) -> Poll<io::Result<()>> {
        loop {
            let readers = ready!(self.readers.as_mut().poll(cx))?;
            if usize::try_from(readers).unwrap_or(usize::MAX) <= self.ours {
                return Poll::Ready(Ok(()));
            }
            self.look = (self.look * 2).min(LAST_LOOK);
            (self.readers, self.ours) = (ask(&self.line, &self.queue, self.look), ours);
        }
    }
}

fn ask(line: &Line, queue: &ShortString, after: Duration) -> BoxFuture<'static, io::Result<u32>> {
    let (line, queue) = (line.clone(), queue.clone());
    Box::pin(async move {
        tokio::time::sleep(after).await;
        line.readers(queue).await
    })
}
