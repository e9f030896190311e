//! Two sides of different age: what one of them knows and the other does not.

use communica::{CallError, Error, Outcome};

use crate::with_client;

mod old {
    #[communica::service]
    pub(crate) trait Desk {
        async fn order(&self, item: &str, count: u8) -> String;
        #[route(named)]
        async fn find(&self, item: &str) -> u8;
        #[route(named)]
        async fn ping(&self) -> u8;
    }

    pub(crate) struct Host;
    impl Desk for Host {
        async fn order(&self, item: &str, count: u8) -> String {
            format!("{count} {item}")
        }
        async fn find(&self, item: &str) -> u8 {
            item.len() as u8
        }
        async fn ping(&self) -> u8 {
            0
        }
    }
}

mod new {
    #[communica::service]
    pub(crate) trait Desk {
        async fn order(&self, item: &str, count: u8, note: Option<&str>) -> String;
        async fn find(&self, item: &str, exact: Option<bool>) -> u8;
        #[route(named)]
        async fn ping(&self, payload: Option<u8>) -> u8;
        async fn cancel(&self, item: &str) -> bool {
            item.is_empty()
        }
    }

    pub(crate) struct Host;
    impl Desk for Host {
        async fn order(&self, item: &str, count: u8, note: Option<&str>) -> String {
            format!("{count} {item}, {}", note.unwrap_or("no note"))
        }
        async fn find(&self, item: &str, exact: Option<bool>) -> u8 {
            item.len() as u8 + u8::from(exact.unwrap_or(false))
        }
        async fn ping(&self, payload: Option<u8>) -> u8 {
            payload.unwrap_or(1)
        }
    }
}

#[tokio::test]
async fn a_method_gains_an_argument_and_old_callers_go_on() {
    with_client("new-server", new::Desk::into_routes(new::Host), |client| async {
        let desk = old::DeskClient::new(client);
        assert_eq!(desk.order("pens", 3).await.unwrap(), "3 pens, no note");
        assert_eq!(desk.find("pens").await.unwrap(), 4);
        assert_eq!(desk.ping().await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_argument_that_the_server_does_not_know_is_ignored() {
    with_client("old-server", old::Desk::into_routes(old::Host), |client| async {
        let desk = new::DeskClient::new(client);
        assert_eq!(desk.order("pens", 3, Some("blue")).await.unwrap(), "3 pens");
        assert_eq!(desk.find("pens", Some(true)).await.unwrap(), 4);
        assert_eq!(desk.ping(Some(7)).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_method_that_the_server_lacks_is_a_clear_error() {
    with_client("lacking-server", old::Desk::into_routes(old::Host), |client| async {
        let desk = new::DeskClient::new(client);
        match desk.cancel("pens").await {
            Err(CallError::Failed(error @ Error::Req(_))) => {
                assert_eq!(error.outcome(), Outcome::Answered);
                assert!(error.to_string().contains("Route \"cancel\" is not defined"), "{error}");
            }
            other => panic!("{other:?}"),
        }
    })
    .await;
}

#[tokio::test]
async fn a_caller_of_another_shape_is_told_the_arguments() {
    with_client("another-shape", old::Desk::into_routes(old::Host), |client| async move {
        let error = client.request::<_, String>("order", "tea").await.unwrap_err().to_string();
        assert!(error.contains("expected an object with the arguments `item`, `count`"), "{error}");
    })
    .await;
}
