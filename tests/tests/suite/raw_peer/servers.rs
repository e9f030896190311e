//! A scripted server greets our client: what it says wrongly is told to who connects.

use std::time::Duration;

use communica::{Error, Limits, Reason, RouteClient, TcpConnector};
use communica_tests::why_not;
use tokio::net::TcpListener;

use super::peer::{RawPeer, chunk, message};
use crate::support::{eventually, quick, within};

pub(super) async fn listen() -> (TcpListener, TcpConnector) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, TcpConnector::new("127.0.0.1", port))
}

pub(super) async fn accept(listener: &TcpListener) -> RawPeer {
    RawPeer::of_tcp(listener.accept().await.unwrap().0)
}

/// How connecting ends when the server says this and closes.
async fn told(said: &[u8]) -> Error {
    let (listener, connector) = listen().await;
    let said = said.to_vec();
    let serving = tokio::spawn(async move {
        loop {
            let mut peer = accept(&listener).await;
            peer.send(&said).await;
        }
    });
    let told = why_not(|| quick(RouteClient::builder(connector.clone()))).await;
    serving.abort();
    told
}

#[tokio::test]
async fn a_refusal_is_shown_with_its_reason() {
    within(20, async {
        match told("\u{4}{\"reason\": \"no room, żal\"}".as_bytes()).await {
            Error::Refused { reason, .. } => assert_eq!(reason, "no room, żal"),
            other => panic!("{other:?}"),
        }
        for unreadable in [&b"\x04"[..], b"\x04{", b"\x04{\"reason\": 5}"] {
            assert!(matches!(told(unreadable).await, Error::Refused { .. }));
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_none_is_told_as_the_cause() {
    within(20, async {
        for said in [&b""[..], b"HTTP/1.1 400 Bad Request\r\n\r\n", b"hello\0", b"{\"hello\"\0", b"null\0"] {
            match told(said).await {
                Error::Connect { reason, .. } => {
                    assert!(reason.contains("the last attempt said"), "{said:?}: {reason}");
                }
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_in_time() {
    within(20, async {
        let (listener, connector) = listen().await;
        let serving = tokio::spawn(async move {
            let mut silent = Vec::new();
            loop {
                silent.push(accept(&listener).await);
            }
        });
        let limits = Limits::new().handshake_time(Duration::from_millis(50));
        match why_not(|| quick(RouteClient::builder(connector.clone())).limits(limits.clone())).await {
            Error::Connect { reason, .. } => assert!(reason.contains("handshake"), "{reason}"),
            other => panic!("{other:?}"),
        }
        serving.abort();
    })
    .await;
}

#[tokio::test]
async fn the_client_says_hello_without_waiting_and_keeps_its_id() {
    within(20, async {
        let (listener, connector) = listen().await;
        let client = quick(RouteClient::builder(connector)).start().unwrap();
        let mut seen = Vec::new();
        for _ in 0..3 {
            let mut peer = accept(&listener).await;
            let hello: serde_json::Value = serde_json::from_slice(&peer.read_hello().await).unwrap();
            seen.push(hello["client_id"].as_str().unwrap().to_owned());
            peer.send(b"{\"hello\": \"hello\"}\0").await;
            eventually("the client is connected", || client.is_connected()).await;
            drop(peer);
        }
        assert_eq!(seen, [client.client_id(); 3]);
        let id = client.client_id();
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    })
    .await;
}

#[tokio::test]
async fn a_client_survives_nonsense_and_comes_back() {
    within(30, async {
        let (listener, connector) = listen().await;
        let client = quick(RouteClient::builder(connector)).start().unwrap();
        for nonsense in [
            &[0, 0, 0, 0][..],
            &[255, 255, 255, 255, 10],
            &[0, 0, 0, 1, 77],
            &message("{}", b""),
            &chunk(0, 0, r#"{"id": "", "type": 2}"#, b""),
        ] {
            let mut peer = accept(&listener).await;
            peer.read_hello().await;
            peer.send(b"{\"hello\": \"hello\"}\0").await;
            let call = client.request::<_, i64>("ask", &1);
            let answering = async {
                peer.message().await;
                peer.send(nonsense).await;
            };
            let ended = tokio::join!(call, answering).0;
            assert!(matches!(ended, Err(Error::MayHaveRun(Reason::Disconnected(_)))), "{ended:?}");
        }
    })
    .await;
}

/// As a port does to which nobody but this client itself is connected.
#[tokio::test]
async fn a_client_does_not_take_its_own_echo_for_a_server() {
    within(20, async {
        let (listener, connector) = listen().await;
        let echoing = tokio::spawn(async move {
            loop {
                let (mut read, mut write) = listener.accept().await.unwrap().0.into_split();
                tokio::spawn(async move { tokio::io::copy(&mut read, &mut write).await });
            }
        });
        match why_not(|| quick(RouteClient::builder(connector.clone()))).await {
            Error::Connect { reason, .. } => assert!(reason.contains("sent back"), "{reason}"),
            other => panic!("{other:?}"),
        }
        echoing.abort();
    })
    .await;
}

/// A server that greets first and looks then, as one of Python's may.
async fn turn_down_late(listener: &TcpListener) {
    let mut peer = accept(listener).await;
    peer.read_hello().await;
    peer.send(b"{\"hello\": \"hello\"}\0\x04{\"reason\": \"busy\"}").await;
}

#[tokio::test]
async fn a_client_that_was_connected_comes_back_after_a_late_refusal() {
    within(20, async {
        let (listener, connector) = listen().await;
        let client = quick(RouteClient::builder(connector)).start().unwrap();
        let mut peer = accept(&listener).await;
        peer.read_hello().await;
        peer.send(b"{\"hello\": \"hello\"}\0").await;
        eventually("the client is connected", || client.is_connected()).await;
        drop(peer);
        for _ in 0..3 {
            turn_down_late(&listener).await;
        }
        let mut peer = accept(&listener).await;
        peer.read_hello().await;
        peer.send(b"{\"hello\": \"hello\"}\0").await;
        let call = client.request::<_, i64>("ask", &1);
        let (ended, ()) = tokio::join!(call, peer.answer_one());
        assert_eq!(ended.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_client_that_was_never_connected_is_over_after_a_late_refusal() {
    within(20, async {
        let (listener, connector) = listen().await;
        let client = quick(RouteClient::builder(connector)).start().unwrap();
        turn_down_late(&listener).await;
        client.closed().await;
        let ended = client.request::<_, i64>("ask", &1).await;
        assert!(matches!(&ended, Err(Error::NotSent(Reason::Refused(why))) if why == "busy"), "{ended:?}");
    })
    .await;
}
