//! What the system is told about peers whose machine is gone, read back from it.

use std::fs;

use tokio::net::TcpListener;

use super::super::stream::Depths;
use super::halves::depths;
use super::*;

const HOST: &str = "127.0.0.1";

fn is_noticed_within_a_minute(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    assert!(socket.keepalive().unwrap());
    assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(30));
    assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(10));
    assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
    assert!(stream.nodelay().unwrap());
    #[cfg(target_os = "linux")]
    assert_eq!(socket.tcp_notsent_lowat().unwrap(), UNSENT);
}

#[tokio::test]
async fn a_peer_that_is_gone_is_noticed_within_a_minute() {
    let listener = TcpListener::bind((HOST, 0)).await.unwrap();
    let connector = TcpConnector::new(HOST, listener.local_addr().unwrap().port());
    let (connected, accepted) = tokio::join!(connector.open(), listener.accept());
    is_noticed_within_a_minute(&connected.unwrap());
    let (accepted, _) = accepted.unwrap();
    tune(&accepted).unwrap();
    is_noticed_within_a_minute(&accepted);
}

/// Of what a listener accepted nobody has the socket but the link: so the system is asked when it will look next.
#[tokio::test]
async fn what_a_listener_accepts_has_it_too() {
    let limits = Limits::new();
    let mut listening = TcpConnector::new(HOST, 0).listen(&limits).await.unwrap();
    let connector = TcpConnector::load_state(&listening.dump_state()).unwrap();
    let (connected, accepted) = tokio::join!(connector.open(), listening.accept());
    let (connected, _accepted) = (connected.unwrap(), accepted.unwrap());
    let client = connected.local_addr().unwrap();
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let ports = (format!(":{:04X}", connector.port), format!(":{:04X}", client.port()));
    let line = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let line = line.into_iter().find(|line| line[1].ends_with(&ports.0) && line[2].ends_with(&ports.1));
    let line = line.expect("the system knows the connection");
    // Which timer runs, and hundredths of a second until it is over.
    let (timer, left) = line[5].split_once(':').unwrap();
    assert_eq!(timer, "02", "none for keepalive: {line:?}");
    assert!(i64::from_str_radix(left, 16).unwrap() <= 3000, "{line:?}");
}

#[tokio::test]
async fn what_goes_to_this_machine_goes_in_few_steps() {
    let listener = TcpListener::bind(("0.0.0.0", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let near = TcpConnector::new(HOST, port).open().await.unwrap();
    let Depths { set, deep, shallow, .. } = depths(&near).unwrap();
    let (_read, write, _) = halves::split(near);
    for bytes in [deep, shallow] {
        set(&write, *bytes);
        let held = write.set(|socket| socket.tcp_notsent_lowat()).unwrap();
        assert_eq!(held as usize, *bytes);
    }
    // Two addresses are two machines.
    let far = TcpConnector::new("127.0.0.2", port).open().await.unwrap();
    assert!(depths(&far).is_none());
}
