//! The system's wish that this process ends.

use std::io;
use std::task::Poll;

/// Waits for Ctrl-C or SIGTERM.
#[cfg(unix)]
pub(crate) async fn requested() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    std::future::poll_fn(|cx| {
        let came = interrupt.poll_recv(cx).is_ready() || terminate.poll_recv(cx).is_ready();
        if came { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    Ok(())
}

/// Waits for Ctrl-C, Ctrl-Break or the end of the session.
#[cfg(windows)]
pub(crate) async fn requested() -> io::Result<()> {
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};

    let (mut c, mut r#break) = (ctrl_c()?, ctrl_break()?);
    let (mut close, mut shutdown) = (ctrl_close()?, ctrl_shutdown()?);
    std::future::poll_fn(|cx| {
        let asked = c.poll_recv(cx).is_ready() || r#break.poll_recv(cx).is_ready();
        let ends = close.poll_recv(cx).is_ready() || shutdown.poll_recv(cx).is_ready();
        if asked || ends { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    Ok(())
}
