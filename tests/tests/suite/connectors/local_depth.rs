//! How much of what was sent a local socket holds while nobody reads it.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use communica::{LocalConnector, RouteServer};

use crate::support::{echo, unique, within};

/// What the system has for us. This thread is the only one: nobody sends meanwhile.
fn drain(stream: &mut UnixStream) -> usize {
    let (mut all, mut room) = (0, vec![0; 64 * 1024]);
    loop {
        match stream.read(&mut room) {
            Ok(read) => all += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return all,
            Err(error) => panic!("{error}"),
        }
    }
}

/// The same when the other side has sent what it can.
async fn held(stream: &mut UnixStream) -> usize {
    tokio::time::sleep(Duration::from_millis(300)).await;
    drain(stream)
}

#[tokio::test]
async fn a_socket_holds_more_of_a_large_message_and_less_when_small_ones_overtake_it() {
    within(30, async {
        let name = unique("depth");
        let server = RouteServer::new(LocalConnector::new(&name), echo()).start().await.unwrap();
        let path = std::env::temp_dir().join("communica").join(format!("{name}.sock"));
        let mut raw = UnixStream::connect(path).unwrap();
        raw.set_nonblocking(true).unwrap();
        raw.write_all(b"{\"client_id\": \"raw\"}\0").unwrap();
        assert!(held(&mut raw).await > 0, "no hello");
        let peer = server.peer("raw").await;
        peer.throw("small", &1).await.unwrap();
        assert!(held(&mut raw).await < 1_000);
        peer.throw("large", &"x".repeat(20 << 20)).await.unwrap();
        // What the system makes of a socket that nobody speaks to it about.
        const USUAL: usize = 212_992;
        let alone = held(&mut raw).await;
        assert!(alone > USUAL * 3 / 2, "{alone}");
        peer.throw("small", &2).await.unwrap();
        // What follows the small one; it goes out when there is room again.
        held(&mut raw).await;
        let beside = held(&mut raw).await;
        assert!((1..USUAL * 2 / 3).contains(&beside), "{beside}");
        drop(raw);
        server.stop().await;
    })
    .await;
}
