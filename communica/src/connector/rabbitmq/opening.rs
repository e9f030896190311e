//! A broker's URL → an open connection, or nothing: what nobody waits for any more leaves no socket and no thread behind.

use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::net::Shutdown;
use std::pin::pin;
use std::task::Poll;

use lapin::tcp::{AMQPUriTcpExt, AsyncTcpStream, OwnedTLSConfig};
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Connection, ConnectionProperties};
use socket2::{SockRef, Socket};
use tokio::sync::watch;

/// Cancel safe. `lapin` keeps a connection that is being opened until its broker says something, whoever waits for that. But it gives
/// up when the socket ends.
pub(super) async fn open(
    uri: AMQPUri,
    properties: ConnectionProperties,
    tls: OwnedTLSConfig,
) -> lapin::Result<Connection> {
    // Dropped with this future.
    let (waits, over) = watch::channel(false);
    let runtime = lapin::runtime::default_runtime()?;
    let opening = Connection::connector(
        uri,
        runtime,
        async move |uri, runtime| {
            let plain = AMQPUri { scheme: AMQPScheme::AMQP, ..uri.clone() };
            let mut given_up = over.clone();
            let mut given_up = pin!(given_up.changed());
            let mut connecting = pin!(plain.connect_async(&runtime));
            let stream = poll_fn(|cx| match given_up.as_mut().poll(cx) {
                Poll::Ready(_) => Poll::Ready(Err(ErrorKind::ConnectionAborted.into())),
                Poll::Pending => connecting.as_mut().poll(cx),
            });
            let stream = stream.await?;
            if let AsyncTcpStream::Plain(stream) = &stream {
                let socket = SockRef::from(stream.get_ref()).try_clone()?;
                tokio::spawn(end_if_given_up(socket, over.clone()));
            }
            match uri.scheme {
                AMQPScheme::AMQP => Ok(stream),
                AMQPScheme::AMQPS => Ok(stream.into_tls(&uri.authority.host, tls.as_ref()).await?),
            }
        },
        properties,
    );
    let opened = opening.await;
    waits.send_replace(true);
    opened
}

async fn end_if_given_up(socket: Socket, mut over: watch::Receiver<bool>) {
    if over.wait_for(|opened| *opened).await.is_err() {
        // It may have ended by itself.
        let _ = socket.shutdown(Shutdown::Both);
    }
}
