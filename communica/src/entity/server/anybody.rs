//! A call for whichever client is connected → one that takes it, and another one when that went before it had it.

use std::sync::Arc;
use std::time::Instant;

use super::{Server, lock};
use crate::entity::caller::{self, CallOptions};
use crate::error::{CallError, Error, Reason, ServiceError};
use crate::exchange::{Beginning, Exchange};
use crate::serializer::{Dump, Load};

/// What a failed call is told next.
enum Next {
    /// It is over.
    Ends,
    /// Whoever is connected then.
    Another,
    /// The same, but not this one.
    NotThisOne,
}

impl Server {
    /// Asks a connected client, by chance; another one when that was gone before it had the call, or does not begin it. Calls that
    /// may run twice are asked again when it is not known whether they ran.
    pub(crate) async fn request_any<S, A, T, E>(
        &self,
        options: &CallOptions,
        route: Option<&str>,
        serializer: &S,
        args: &A,
    ) -> Result<T, CallError<E>>
    where
        S: Dump<A> + for<'de> Load<'de, T>,
        A: ?Sized + Sync,
        E: ServiceError,
    {
        let (mut left, mut refused, mut refusal) = (options.clone(), Vec::new(), None);
        let mut may_have_run = false;
        loop {
            let (exchange, options) = match self.any_but(&left, route, &refused).await {
                Ok((Some(exchange), options)) => (exchange, options),
                // All that are connected refused it.
                Ok((None, _)) => {
                    let error = refusal.unwrap_or(Error::NotSent(Reason::Closed));
                    return Err(of_all(error, may_have_run).into());
                }
                Err(error) => return Err(of_all(error, may_have_run).into()),
            };
            let since = Instant::now();
            let ended = caller::request_here(&exchange, &options, route, serializer, args).await;
            let Err(CallError::Failed(error)) = ended else { return ended };
            match next(&error, options.is_idempotent()) {
                Next::Ends => return Err(of_all(error, may_have_run).into()),
                Next::Another => {}
                Next::NotThisOne => refused.push(exchange.beginning()),
            }
            may_have_run |= matches!(error, Error::MayHaveRun(_));
            refusal = Some(error);
            left = options.without(since.elapsed());
        }
    }

    /// Throws to a connected client, by chance; to another one when that went before it accepted it.
    pub(crate) async fn throw_any<S, A>(
        &self,
        options: &CallOptions,
        route: Option<&str>,
        serializer: &S,
        args: &A,
    ) -> Result<(), Error>
    where
        S: Dump<A>,
        A: ?Sized + Sync,
    {
        let mut left = options.clone();
        loop {
            let (found, options) = self.any_but(&left, route, &[]).await?;
            let exchange = found.ok_or(Error::NotSent(Reason::Closed))?;
            let since = Instant::now();
            match caller::throw_here(&exchange, &options, route, serializer, args).await {
                Err(Error::NotSent(reason)) if is_gone(&reason) => left = options.without(since.elapsed()),
                ended => return ended,
            }
        }
    }

    /// A connected client, by chance, but none of these, unless they began anew; none at all if they are all that are connected. And
    /// what is left of the call's time.
    async fn any_but(
        &self,
        options: &CallOptions,
        route: Option<&str>,
        refused: &[Beginning],
    ) -> Result<(Option<Arc<Exchange>>, CallOptions), Error> {
        let choose = || self.choose_but(refused);
        if let Some(chosen) = choose() {
            return Ok((chosen, options.clone()));
        }
        let _waits = self.unassigned.enter(route);
        let found = self.find(choose, || self.tell_that_nobody_comes());
        let (found, left) = options.spend(&self.runtime, found, "no client is connected").await?;
        Ok((found.map_err(Error::NotSent)?, left))
    }

    /// Nothing where nobody is connected; and `Some(None)` where all who are refused.
    fn choose_but(&self, refused: &[Beginning]) -> Option<Option<Arc<Exchange>>> {
        let here = lock(&self.here);
        let start = if here.is_empty() { 0 } else { crate::random::index(here.len()) };
        let (before, from) = here.split_at(start);
        let mut connected =
            from.iter().chain(before).filter(|client| client.session().is_linked()).peekable();
        connected.peek()?;
        let has_refused = |client: &&Arc<Exchange>| refused.contains(&client.beginning());
        Some(connected.find(|client| !has_refused(client)).cloned())
    }
}

fn next(error: &Error, idempotent: bool) -> Next {
    match error {
        Error::NotSent(Reason::NotBegun(_)) => Next::NotThisOne,
        Error::NotSent(reason) if is_gone(reason) => Next::Another,
        Error::MayHaveRun(reason) if idempotent && is_gone(reason) => Next::Another,
        Error::MayHaveRun(Reason::NotBegun(_)) if idempotent => Next::NotThisOne,
        _ => Next::Ends,
    }
}

/// What the last of several attempts says of all of them.
fn of_all(error: Error, may_have_run: bool) -> Error {
    match error {
        Error::NotSent(reason) if may_have_run => Error::MayHaveRun(reason),
        error => error,
    }
}

/// Whether it says that the client, or its process, is not there any more.
fn is_gone(reason: &Reason) -> bool {
    matches!(reason, Reason::Disconnected(_) | Reason::Restarted | Reason::Replaced | Reason::Forgotten)
}
