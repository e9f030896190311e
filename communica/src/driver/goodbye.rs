//! The last words on a link: everything is said, or it has to end at once, and then the peer closes its side.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::timeout;

use super::{Driver, LinkEnd};
use crate::exchange::Exchange;
use crate::turns::let_others_first;

/// A link that is to end at once gets so long to say why.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Tells the peer of a link that broke why it did. What the link was given before goes first, so that may take a moment.
pub(super) async fn last_words(exchange: Arc<Exchange>, reason: String) {
    let mut reason = Some(reason);
    let said = poll_fn(|cx| exchange.poll_last_words(cx, reason.take().as_deref()));
    // That they are read is more than can be asked.
    let _ = timeout(LAST_WORDS, said).await;
}

impl Driver {
    /// All that was queued went out: the link ends, if it should.
    pub(super) fn poll_goodbye(&mut self, cx: &mut Context<'_>) -> Poll<LinkEnd> {
        let Some(goodbye) = &self.goodbye else { return Poll::Pending };
        if !self.goodbye_said {
            self.goodbye_said = true;
            self.exchange.session().push_close(goodbye.reason.as_deref());
            self.let_others_first = false;
            return self.poll_write(cx);
        }
        match self.exchange.poll_close(cx) {
            Poll::Pending => self.poll_watch(cx, self.exchange.progress()),
            // What was sent and may not have come is repeated on the next link.
            Poll::Ready(Err(error)) if self.exchange.session().is_unacknowledged() => {
                Poll::Ready(self.broken(cx, error))
            }
            Poll::Ready(Err(_)) => Poll::Ready(LinkEnd::Here),
            Poll::Ready(Ok(())) => {
                // The peer closes its side. Closing first could destroy what is still under way to it, if it sends meanwhile (TCP
                // answers that with a reset, RFC 9293, 3.10.7). Whoever waits for the end has a grace time, and breaks the link
                // off after it.
                self.lingers = true;
                let_others_first(cx);
                Poll::Pending
            }
        }
    }

    /// Another link waits to take over: what is queued is for that one.
    pub(super) fn poll_end_at_once(&mut self, cx: &mut Context<'_>) -> Poll<LinkEnd> {
        let reason = self.goodbye.as_ref().and_then(|goodbye| goodbye.reason.as_deref());
        let first = !std::mem::replace(&mut self.goodbye_said, true);
        let reason = reason.filter(|_| first);
        if self.exchange.poll_last_words(cx, reason).is_pending() {
            if first {
                self.set_watch(LAST_WORDS);
            }
            ready!(self.poll_watch_end(cx));
        }
        Poll::Ready(LinkEnd::Here)
    }
}
