//! Ids are bound to who a client is, as its connector knows it: nobody takes over what belongs to another.

use std::os::unix::fs::MetadataExt;

use communica::{Applicant, Error, LocalConnector, RouteClient, RouteServer};
use communica_tests::Scratch;

use crate::support::{echo, unique, within};

/// Whoever comes may only use ids that begin with its user's number.
fn owns_its_id(client: &Applicant<'_>) -> Result<(), String> {
    let uid = client.peer().uid.ok_or("who is this?")?;
    match client.client_id().strip_prefix(&format!("{uid}/")) {
        Some(_) => Ok(()),
        None => Err(format!("the id `{}` is not one of user {uid}", client.client_id())),
    }
}

#[tokio::test]
async fn on_a_local_socket_ids_can_be_bound_to_the_user() {
    within(20, async {
        let road = LocalConnector::new(unique("owners"));
        let server = RouteServer::new(road.clone(), echo()).authorize(owns_its_id).start().await.unwrap();
        let uid = std::fs::metadata(Scratch::new().path()).unwrap().uid();
        let mine =
            RouteClient::builder(road.clone()).client_id(format!("{uid}/desk")).connect().await.unwrap();
        assert_eq!(mine.request::<_, i64>("echo", &1).await.unwrap(), 1);
        let info = server.peer(mine.client_id()).await.info();
        assert_eq!((info.uid, info.pid), (Some(uid), Some(std::process::id())));
        for foreign in [format!("{}/desk", uid + 1), format!("{uid}"), "desk".to_owned()] {
            let refused = RouteClient::builder(road.clone()).client_id(&foreign).connect().await;
            match refused {
                Err(Error::Refused { reason, .. }) => {
                    assert_eq!(reason, format!("the id `{foreign}` is not one of user {uid}"));
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(server.peers().len(), 1);
        assert_eq!(mine.request::<_, i64>("echo", &2).await.unwrap(), 2);
    })
    .await;
}
