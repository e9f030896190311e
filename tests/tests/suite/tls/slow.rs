//! Peers that take their time go in; the handshake's time bounds them, and nobody else waits for them.

use std::time::{Duration, Instant};

use communica::{Limits, RouteClient, RouteServer, TcpConnector, Tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::at;
use crate::certificates::Authority;
use crate::support::{echo, within};

/// Much more than a handshake takes, on a busy machine too.
const TIME: Duration = Duration::from_secs(3);

/// They say nothing, a byte, or the beginning of TLS; a client that comes after them is served at once.
#[tokio::test]
async fn slow_clients_are_closed_and_hold_up_nobody() {
    let authority = Authority::new();
    let tls = authority.certify(&["127.0.0.1"]).of(Tls::new());
    let limits = Limits::new().handshake_time(TIME);
    let server = RouteServer::new(at(0, Some(tls)), echo()).limits(limits).start().await.unwrap();
    let connector = TcpConnector::load_state_with_tls(&server.dump_state(), authority.trusted()).unwrap();
    let address = communica::Connector::address(&connector);

    let mut slow = Vec::new();
    for words in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01"] {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(words).await.unwrap();
        slow.push(stream);
    }
    let since = Instant::now();
    within(5, super::assert_echoes(connector)).await;
    assert!(since.elapsed() < TIME, "it waited for the others: {:?}", since.elapsed());
    for mut stream in slow {
        // What the server says to them, if anything, ends.
        let _ = within(10, stream.read_to_end(&mut Vec::new())).await;
    }
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = at(listener.local_addr().unwrap().port(), Some(Authority::new().trusted()));
    let client =
        RouteClient::builder(client).limits(Limits::new().handshake_time(Duration::from_millis(200)));
    let error = within(10, client.connect_timeout(TIME).connect()).await.expect_err("it connects");
    assert!(error.to_string().contains("no handshake within 200ms"), "{error}");
}
