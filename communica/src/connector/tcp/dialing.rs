//! The addresses of a host go in, the first connection to any of them comes out.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// An address that says nothing for so long gets company: what RFC 8305 recommends (section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// Tries one address after the other, in the system's order. One that swallows what is sent to it must not keep the others
/// from being tried, so the next one is when the last said no, or said nothing for a moment.
pub(super) async fn dial(addresses: impl IntoIterator<Item = SocketAddr>) -> io::Result<TcpStream> {
    let mut addresses = addresses.into_iter().peekable();
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the host name stands for no address");
    let mut attempts = JoinSet::new();
    while let Some(address) = addresses.next() {
        let is_last = addresses.peek().is_none();
        if is_last && attempts.is_empty() {
            return TcpStream::connect(address).await;
        }
        attempts.spawn(TcpStream::connect(address));
        loop {
            let ended = if is_last {
                attempts.join_next().await
            } else {
                let Ok(ended) = timeout(HEAD_START, attempts.join_next()).await else { break };
                ended
            };
            match ended {
                Some(Ok(Ok(stream))) => return Ok(stream),
                Some(Ok(Err(error))) => failed = error,
                // Its runtime ends.
                Some(Err(error)) => failed = io::Error::other(error),
                None => break,
            }
            if !is_last {
                break;
            }
        }
    }
    Err(failed)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::TcpListener;

    use super::*;

    const IN_TIME: Duration = Duration::from_secs(20);

    async fn live() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// Nobody listens there.
    async fn dead() -> SocketAddr {
        live().await.1
    }

    async fn reached(addresses: &[SocketAddr]) -> io::Result<SocketAddr> {
        let dialed = timeout(IN_TIME, dial(addresses.iter().copied())).await.expect("in time");
        dialed?.peer_addr()
    }

    #[tokio::test]
    async fn the_first_that_answers_is_taken() {
        let ((_one, first), (_other, second), dead) = (live().await, live().await, dead().await);
        assert_eq!(reached(&[first]).await.unwrap(), first);
        assert_eq!(reached(&[first, second]).await.unwrap(), first);
        assert_eq!(reached(&[dead, second]).await.unwrap(), second);
        assert_eq!(reached(&[first, dead]).await.unwrap(), first);
        assert_eq!(reached(&[dead, dead]).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(reached(&[]).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    /// Linux drops what asks for a connection that the queue has no room for.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn one_that_says_nothing_does_not_keep_others_from_being_tried() {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let silent = socket.local_addr().unwrap();
        let _never_accepts = socket.listen(1).unwrap();
        let mut fillers = Vec::new();
        while let Ok(connected) = timeout(Duration::from_millis(300), TcpStream::connect(silent)).await {
            fillers.push(connected.unwrap());
            assert!(fillers.len() < 100, "it accepts");
        }
        let (_listener, live) = live().await;
        assert_eq!(reached(&[silent, live]).await.unwrap(), live);
        assert_eq!(reached(&[silent, silent, dead().await, live]).await.unwrap(), live);
    }
}
