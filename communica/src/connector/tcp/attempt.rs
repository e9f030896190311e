//! A connection before its handshake is done → the same after it, or nothing that the server could take for a client.

use std::io;
use std::time::Duration;

use socket2::{SockRef, Socket};
use tokio::net::TcpStream;

/// Given up, it ends with a reset. A server that was busy and finds the hello later would otherwise take it for a client that is
/// there; one of 0.4 then takes the next connection of that client for gone.
pub(super) struct Attempt(Socket);

impl Attempt {
    pub(super) fn new(stream: &TcpStream) -> io::Result<Self> {
        let socket = SockRef::from(stream).try_clone()?;
        socket.set_linger(Some(Duration::ZERO))?;
        Ok(Self(socket))
    }

    /// From now on what is under way when it is closed still comes.
    pub(super) fn over(self) {
        // It fails where the connection is gone, and then nothing is under way.
        let _ = self.0.set_linger(None);
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use crate::connector::tcp::TcpConnector;
    use crate::connector::{Connector, Link};
    use crate::limits::Limits;

    const LONG: std::time::Duration = std::time::Duration::from_secs(20);

    #[tokio::test]
    async fn an_attempt_that_is_given_up_is_no_client_for_who_finds_it_later() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let road = TcpConnector::new("127.0.0.1", listener.local_addr().unwrap().port());
        let limits = Limits::default();
        let mut attempt = Box::pin(road.connect(b"{}", &limits));
        let mut busy = tokio::select! {
            biased;
            opened = &mut attempt => panic!("nobody greets it: {:?}", opened.map(drop)),
            accepted = listener.accept() => accepted.unwrap().0,
        };
        let mut hello = [0; 3];
        tokio::select! {
            _ = &mut attempt => panic!("nobody greets it"),
            read = busy.read_exact(&mut hello) => assert_eq!(read.unwrap(), 3),
        }
        drop(attempt);
        // The reset takes a moment, also from this machine to itself.
        timeout(LONG, busy.readable()).await.unwrap().unwrap();
        busy.write_all(b"{\"hello\": \"hello\"}\0").await.expect_err("nobody is there");
    }

    #[tokio::test]
    async fn what_a_link_sent_last_comes_though_it_is_closed_at_once() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let road = TcpConnector::new("127.0.0.1", listener.local_addr().unwrap().port());
        let limits = Limits::default();
        let accepts = async {
            let mut accepted = listener.accept().await.unwrap().0;
            let mut hello = [0; 3];
            accepted.read_exact(&mut hello).await.unwrap();
            accepted.write_all(b"{\"hello\": \"hello\"}\0").await.unwrap();
            accepted
        };
        let (link, mut accepted) = tokio::join!(road.connect(b"{}", &limits), accepts);
        let link: Link = link.unwrap();
        drop(link);
        let end = timeout(LONG, accepted.read(&mut [0; 1])).await.unwrap();
        assert_eq!(end.expect("its end, and no reset"), 0);
    }
}
