//! Functions of every kind go in as handlers; each answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use communica::{AnyError, Context, Error, Fault, FaultKind, ReqError, RespError, RouteTable};
use serde::{Deserialize, Serialize, Serializer};

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

/// Counts how often it is dumped.
#[derive(Clone, Default, Deserialize)]
#[serde(from = "()")]
struct Counts(Arc<AtomicUsize>);

impl From<()> for Counts {
    fn from((): ()) -> Self {
        Self::default()
    }
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.fetch_add(1, Ordering::Relaxed);
        serializer.serialize_unit()
    }
}

#[communica::service]
trait Results {
    async fn later(&self) -> Counts;
    fn at_once(&self) -> Result<Counts, AnyError>;
    #[route(blocking)]
    fn on_the_pool(&self, cx: &Context) -> Counts;
}

impl Results for Counts {
    async fn later(&self) -> Counts {
        tokio::task::yield_now().await;
        self.clone()
    }

    fn at_once(&self) -> Result<Counts, AnyError> {
        Ok(self.clone())
    }

    fn on_the_pool(&self, _: &Context) -> Counts {
        self.clone()
    }
}

#[tokio::test]
async fn nobody_reads_what_the_handler_of_a_throw_gives_back_and_so_it_is_not_dumped() {
    within(20, async {
        let counts = Counts::default();
        let of = || counts.clone();
        let (value, result, later, with_context) = (of(), of(), of(), of());
        let routes = Results::into_routes(of())
            .route("value", move |(): ()| value.clone())
            .route("result", move |(): ()| Ok::<_, AnyError>(result.clone()))
            .route("async", move |(): ()| {
                let later = later.clone();
                async move { later }
            })
            .route("context", move |_: Context, (): ()| with_context.clone());
        let names: Vec<_> = routes.names().map(str::to_owned).collect();
        let (_server, client) = memory_pair(routes).await;
        for name in &names {
            client.throw(name, &()).await.unwrap();
        }
        for (asked, name) in names.iter().enumerate() {
            client.request::<_, ()>(name, &()).await.unwrap();
            assert_eq!(counts.0.load(Ordering::Relaxed), asked + 1, "{name}");
        }
    })
    .await;
}
