//! The system's wish that this process ends.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use crate::error::Error;

#[cfg(unix)]
use tokio::signal::unix::Signal;
#[cfg(windows)]
use tokio::signal::windows::{CtrlBreak, CtrlC, CtrlClose, CtrlShutdown};

/// Ctrl-C or SIGTERM, which end nothing by themselves once this was made.
#[cfg(unix)]
pub(crate) struct Shutdown {
    interrupt: Signal,
    terminate: Signal,
}

/// Ctrl-C, Ctrl-Break or the end of the session, which end nothing by themselves once this was made.
#[cfg(windows)]
pub(crate) struct Shutdown {
    c: CtrlC,
    r#break: CtrlBreak,
    close: CtrlClose,
    shutdown: CtrlShutdown,
}

impl Shutdown {
    pub(crate) fn listen() -> Result<Self, Error> {
        Self::new().map_err(|error| Error::Signals(Arc::new(error)))
    }

    /// Waits until the process is to end. Cancel safe.
    pub(crate) async fn asked(&mut self) {
        poll_fn(|cx| if self.came(cx) { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// Ends in order, unless it is asked once more: who asks again does not want to wait.
    pub(crate) async fn or_asked_again(mut self, in_order: impl Future<Output = ()>) {
        let mut in_order = pin!(in_order);
        poll_fn(|cx| match in_order.as_mut().poll(cx) {
            Poll::Pending if !self.came(cx) => Poll::Pending,
            _ => Poll::Ready(()),
        })
        .await;
    }
}

#[cfg(unix)]
impl Shutdown {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    fn came(&mut self, cx: &mut std::task::Context<'_>) -> bool {
        // All of them, so that two that come together are one wish.
        self.interrupt.poll_recv(cx).is_ready() | self.terminate.poll_recv(cx).is_ready()
    }
}

#[cfg(windows)]
impl Shutdown {
    fn new() -> io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};
        Ok(Self { c: ctrl_c()?, r#break: ctrl_break()?, close: ctrl_close()?, shutdown: ctrl_shutdown()? })
    }

    fn came(&mut self, cx: &mut std::task::Context<'_>) -> bool {
        let asked = self.c.poll_recv(cx).is_ready() | self.r#break.poll_recv(cx).is_ready();
        let ends = self.close.poll_recv(cx).is_ready() | self.shutdown.poll_recv(cx).is_ready();
        asked || ends
    }
}
