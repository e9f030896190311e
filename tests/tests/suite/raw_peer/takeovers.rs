//! Many sessions with one client id, one after the other: those whose place was taken are turned away, so many of them.

use communica::{LocalConnector, RouteServer};
use serde_json::json;

use super::peer::{RawPeer, frame};
use crate::support::{echo, unique, within};

/// A session of this number comes and goes: whether it was let in, and what it was told.
async fn comes(name: &str, session: usize) -> (bool, String) {
    let mut peer = RawPeer::local(name).await;
    let about = json!({"instance": format!("i{session}"), "features": ["resume"]});
    let hello = json!({"client_id": "w1", "communica": about});
    peer.send(&[format!("{hello}\0").as_bytes(), &frame(20, b"")].concat()).await;
    let said = peer.expect_end().await;
    (said.first() != Some(&4), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test]
async fn the_latest_eight_that_lost_their_place_are_turned_away() {
    within(30, async {
        let name = unique("takeovers");
        let _server = RouteServer::new(LocalConnector::new(&name), echo()).start().await.unwrap();
        for session in 0..10 {
            let (is_let_in, said) = comes(&name, session).await;
            assert!(is_let_in && said.contains("hello"), "{session}: {said}");
        }
        for session in 1..9 {
            let (is_let_in, said) = comes(&name, session).await;
            assert!(!is_let_in && said.contains("took over"), "{session}: {said}");
        }
        for session in [9, 0] {
            let (is_let_in, said) = comes(&name, session).await;
            assert!(is_let_in && said.contains("hello"), "{session}: {said}");
        }
    })
    .await;
}
