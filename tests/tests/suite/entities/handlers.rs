//! Functions of every kind go in as handlers; each answers.

use communica::{Context, Error, Fault, FaultKind, ReqError, RespError, RouteTable};

use crate::support::{memory_pair, within};

fn named(cx: Context, number: i64) -> String {
    format!("{}:{number}", cx.route().unwrap_or_default())
}

async fn later(number: i64) -> i64 {
    tokio::task::yield_now().await;
    number + 1
}

fn every_kind() -> RouteTable {
    RouteTable::new()
        .route("sync", |number: i64| number + 1)
        .route("async", later)
        .route(
            "fallible",
            |number: i64| {
                if number > 0 { Ok(number) } else { Err(ReqError::new("not above zero", 400)) }
            },
        )
        .route("async fallible", |number: i64| async move {
            tokio::task::yield_now().await;
            if number > 0 { Ok(number) } else { Err(RespError::new("no luck", None)) }
        })
        .route("context", named)
        .route("async context", |cx: Context, number: i64| async move {
            tokio::task::yield_now().await;
            format!("{}:{number}", cx.client_id())
        })
        .route("fallible context", |cx: Context, _: i64| {
            Err::<(), _>(Fault::new(FaultKind::Unknown, cx.client_id(), None))
        })
        .route("nothing", |(): ()| ())
}

#[tokio::test]
async fn a_handler_of_every_kind_answers() {
    within(20, async {
        let (_server, client) = memory_pair(every_kind()).await;
        assert_eq!(client.request::<_, i64>("sync", &1).await.unwrap(), 2);
        assert_eq!(client.request::<_, i64>("async", &1).await.unwrap(), 2);
        assert_eq!(client.request::<_, i64>("fallible", &1).await.unwrap(), 1);
        assert_eq!(client.request::<_, i64>("async fallible", &1).await.unwrap(), 1);
        assert_eq!(client.request::<_, String>("context", &1).await.unwrap(), "context:1");
        let id = client.client_id();
        assert_eq!(client.request::<_, String>("async context", &1).await.unwrap(), format!("{id}:1"));
        client.request::<_, ()>("nothing", &()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn errors_arrive_as_what_they_are() {
    within(20, async {
        let (_server, client) = memory_pair(every_kind()).await;
        match client.request::<_, i64>("fallible", &0).await {
            Err(Error::Req(error)) => {
                assert_eq!((error.message(), error.code()), ("not above zero", Some(400)));
            }
            other => panic!("{other:?}"),
        }
        match client.request::<_, i64>("async fallible", &0).await {
            Err(Error::Resp(error)) => assert_eq!((error.message(), error.code()), ("no luck", None)),
            other => panic!("{other:?}"),
        }
        match client.request::<_, ()>("fallible context", &0).await {
            Err(Error::Unknown(error)) => assert_eq!(error.message(), client.client_id()),
            other => panic!("{other:?}"),
        }
    })
    .await;
}
