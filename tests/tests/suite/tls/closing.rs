//! Links end, in order and by force; the other side can tell the difference, and nothing said before is lost.

use std::future::poll_fn;

use communica::{Connector, Limits, Link, LinkError, Received, Tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::{HELLO, at, listen, meet};
use crate::certificates::Authority;
use crate::support::within;

/// What comes next over a link.
async fn next(link: &mut Link) -> Result<Received, LinkError> {
    let mut messages = Vec::new();
    within(5, poll_fn(|cx| link.rx.poll_recv(cx, &mut messages))).await
}

#[tokio::test]
async fn an_orderly_end_is_no_cut() {
    let authority = Authority::new();
    let (mut listener, port) = listen(Some(authority.certify(&["127.0.0.1"]).of(Tls::new()))).await;
    let (server, client) = within(5, meet(&mut *listener, at(port, Some(authority.trusted())))).await;
    let (mut server, mut client) = (server.unwrap(), client.unwrap());
    within(5, poll_fn(|cx| client.tx.poll_close(cx))).await.unwrap();
    let said = next(&mut server).await.expect_err("it has more").to_string();
    assert_eq!(said, "the peer went away without a word");
    // The other way is still open.
    within(5, poll_fn(|cx| server.tx.poll_close(cx))).await.unwrap();
    let said = next(&mut client).await.expect_err("it has more").to_string();
    assert_eq!(said, "the peer went away without a word");
}

/// A closed socket would answer the client's goodbye with a reset, which destroys what is on the way to it.
#[tokio::test]
async fn dropping_a_link_is_no_cut_either() {
    let authority = Authority::new();
    let (mut listener, port) = listen(Some(authority.certify(&["127.0.0.1"]).of(Tls::new()))).await;
    let (server, client) = within(5, meet(&mut *listener, at(port, Some(authority.trusted())))).await;
    let mut client = client.unwrap();
    within(5, poll_fn(|cx| client.tx.poll_close(cx))).await.unwrap();
    drop(server.unwrap());
    let said = next(&mut client).await.expect_err("it has more").to_string();
    assert_eq!(said, "the peer went away without a word");
}

/// Whoever sits on the line can end a connection, but cannot make it look as if the peer had.
#[tokio::test]
async fn a_cut_line_is_an_error() {
    let authority = Authority::new();
    let (mut listener, port) = listen(Some(authority.certify(&["127.0.0.1"]).of(Tls::new()))).await;
    let line = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = at(line.local_addr().unwrap().port(), Some(authority.trusted()));
    let (cut, cut_now) = oneshot::channel();
    let between = tokio::spawn(async move {
        let (mut near, _) = line.accept().await.unwrap();
        let mut far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut near, &mut far) => panic!("it ended by itself"),
            _ = cut_now => (),
        }
        near.shutdown().await.unwrap();
        far.shutdown().await.unwrap();
        // Not even a reset tells.
        (near.read_to_end(&mut Vec::new()).await, far.read_to_end(&mut Vec::new()).await)
    });
    let (server, client) = within(5, meet(&mut *listener, client)).await;
    let (mut server, mut client) = (server.unwrap(), client.unwrap());
    cut.send(()).unwrap();
    for link in [&mut server, &mut client] {
        let said = next(link).await.expect_err("it goes on").to_string();
        assert!(said.contains("the connection was cut"), "{said}");
    }
    drop((server, client));
    let _ = within(5, between).await.unwrap();
}

/// Bytes that were changed on the way are not taken for the peer's.
#[tokio::test]
async fn a_changed_byte_is_an_error() {
    let authority = Authority::new();
    let (mut listener, port) = listen(Some(authority.certify(&["127.0.0.1"]).of(Tls::new()))).await;
    let line = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = at(line.local_addr().unwrap().port(), Some(authority.trusted()));
    tokio::spawn(async move {
        let (near, _) = line.accept().await.unwrap();
        let far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let ((mut near_read, mut near_write), (mut far_read, mut far_write)) =
            (near.into_split(), far.into_split());
        tokio::spawn(async move { tokio::io::copy(&mut near_read, &mut far_write).await });
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = far_read.read(&mut bytes).await {
            // A record of data (23) comes after the server's hello; its last bytes are a checksum.
            if bytes[0] == 23 {
                bytes[count - 1] ^= 1;
            }
            if near_write.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    });
    let limits = Limits::new();
    let server = async {
        let mut incoming = listener.accept().await?;
        incoming.hello().await?;
        incoming.accept(br#"{"hello": "hello"}"#).await
    };
    let (_, client) =
        within(5, async { tokio::join!(server, Connector::connect(&client, HELLO, &limits)) }).await;
    let said = client.expect_err("it takes what was changed").to_string();
    assert!(said.contains("TLS broke off"), "{said}");
}
