//! A scripted peer whose link ends while callers wait for room: what it says on the next one lets them go on.

use communica::{Limits, LocalConnector, RouteServer, RouteTable};
use serde_json::json;

use super::peer::RawPeer;
use crate::support::{unique, within};

#[tokio::test]
async fn callers_that_wait_for_room_go_on_when_a_new_link_makes_some() {
    within(30, async {
        let name = unique("room");
        let server = RouteServer::new(LocalConnector::new(&name), RouteTable::new())
            .limits(Limits::new().unacknowledged(2, 1 << 20));
        let server = server.start().await.unwrap();
        let about = json!({"instance": "scripted", "features": ["resume"]});
        let mut link = RawPeer::local(&name).await;
        let theirs = link.introduce("w1", &about).await;
        let peer = server.peer("w1").await;
        for number in 0..2 {
            peer.throw("note", &number).await.unwrap();
            link.message().await;
        }
        let waiting = tokio::spawn({
            let peer = peer.clone();
            async move { peer.throw("note", &2).await }
        });
        // It never acknowledged anything, and now it is gone.
        drop(link);
        let heard = json!({"instance": theirs["communica"]["instance"], "messages": 2});
        let about = json!({"instance": "scripted", "features": ["resume"], "heard": heard});
        let mut link = RawPeer::local(&name).await;
        link.introduce("w1", &about).await;
        within(10, waiting).await.unwrap().unwrap();
        assert_eq!(link.message().await.1, b"2");
    })
    .await;
}
