//! A caller of somebody's own, under a stub: it sees what a call was told, and may call again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use communica::{
    CallError, CallOptions, Caller, Dump, Error, IntoCaller, Load, NoServiceError, Peer, RouteClient,
    ServiceError,
};

use crate::support::{memory_server, within};

#[communica::service]
trait Shelf {
    #[route(idempotent)]
    async fn count(&self, what: &str) -> u32;
    async fn take(&self, what: &str) -> u32;
}

/// Fails at the first call, and at every other one.
#[derive(Default)]
struct Wobbly {
    calls: AtomicU32,
}

impl Wobbly {
    fn holds(&self) -> u32 {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        assert!(calls % 2 == 0, "this is on purpose");
        calls
    }
}

impl Shelf for Wobbly {
    async fn count(&self, _what: &str) -> u32 {
        self.holds()
    }

    async fn take(&self, _what: &str) -> u32 {
        self.holds()
    }
}

/// Calls once more what may run twice, in the time that is left, and counts what it asks for its tenant.
#[derive(Clone)]
struct Retrying {
    peer: Peer,
    asked: Arc<AtomicU32>,
}

impl IntoCaller for Retrying {
    type Caller = Self;

    fn into_caller(self) -> Self {
        self
    }
}

impl Caller for Retrying {
    type Outcome<T: Send, E: ServiceError> = Result<T, CallError<E>>;

    async fn request<S, A, T, E>(
        &self,
        options: &CallOptions,
        route: &str,
        serializer: &S,
        args: &A,
    ) -> Result<T, CallError<E>>
    where
        S: Dump<A> + for<'de> Load<'de, T>,
        A: ?Sized + Sync,
        T: Send,
        E: ServiceError,
    {
        let start = Instant::now();
        let ask = async |options: &CallOptions| {
            if options.value::<String>("tenant").as_deref() == Some("Ada") {
                self.asked.fetch_add(1, Ordering::Relaxed);
            }
            Caller::request(&self.peer, options, route, serializer, args).await
        };
        match (ask(options).await, options.time_left()) {
            (Err(CallError::Failed(Error::Unknown(_))), Some(time)) if options.is_idempotent() => {
                ask(&options.clone().timeout(time.saturating_sub(start.elapsed()))).await
            }
            (outcome, _) => outcome,
        }
    }

    async fn throw<S, A>(
        &self,
        options: &CallOptions,
        route: &str,
        serializer: &S,
        args: &A,
    ) -> Result<(), CallError<NoServiceError>>
    where
        S: Dump<A>,
        A: ?Sized + Sync,
    {
        Caller::throw(&self.peer, options, route, serializer, args).await
    }
}

#[tokio::test]
async fn a_caller_of_ones_own_sees_what_a_call_was_told() {
    within(30, async {
        let (server, road) = memory_server(Wobbly::default().into_routes()).await;
        let client = RouteClient::connect(road).await.unwrap();
        let asked = Arc::new(AtomicU32::new(0));
        let caller = Retrying { peer: (&client).into_caller(), asked: asked.clone() };
        let shelf = ShelfClient::new(caller).timeout(Duration::from_secs(20)).metadata("tenant", "Ada");

        assert_eq!(shelf.count("pens").await.unwrap(), 2, "it was asked again");
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        let taken = shelf.take("pens").await;
        assert!(
            matches!(taken, Err(CallError::Failed(Error::Unknown(_)))),
            "it may not run twice: {taken:?}"
        );
        assert_eq!(shelf.metadata("tenant", "Bob").take("pens").await.unwrap(), 4);
        assert_eq!(asked.load(Ordering::Relaxed), 3, "Bob's calls are not counted");

        server.stop().await;
    })
    .await;
}

#[test]
fn options_tell_what_they_were_told() {
    let none = CallOptions::new();
    assert_eq!(none.time_left(), None);
    assert_eq!(none.value::<u32>("room"), None);
    assert!(!none.is_idempotent());
    let some = none.timeout(Duration::from_secs(5)).metadata("room", 7);
    assert_eq!(some.time_left(), Some(Duration::from_secs(5)));
    assert_eq!(some.value("room"), Some(7));
    assert_eq!(some.value::<String>("room"), None, "it is a number");
    assert_eq!(some.value::<u32>("floor"), None);
}
