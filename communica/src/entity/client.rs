//! The connecting side: one exchange, kept connected.

mod keeper;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::EMPTY_CLIENT_ID;
use super::backoff::Backoff;
use super::shutdown::Shutdown;
use crate::clock;
use crate::connector::Connector;
use crate::error::{Error, Reason};
use crate::exchange::{Exchange, Flushed};
use crate::limits::Limits;
use crate::route::Handlers;
use crate::session::Goodbye;
use crate::wire::hello::Token;
use keeper::Keeper;

/// The server gets so long to take the goodbye, if handlers used up the grace time.
pub(super) const GOODBYE: Duration = Duration::from_secs(1);

/// How a client connects, as its builder collected it.
pub(crate) struct ClientSettings {
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) client_id: Option<String>,
    pub(crate) limits: Limits,
    pub(crate) backoff: Backoff,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) give_up_after: Option<Duration>,
    pub(crate) grace: Duration,
    pub(crate) token: Option<Token>,
    /// What is wrong with how it was set up: it never connects then.
    pub(crate) mistake: Option<String>,
}

impl ClientSettings {
    pub(crate) fn new(connector: Arc<dyn Connector>) -> Self {
        Self {
            connector,
            client_id: None,
            limits: Limits::default(),
            backoff: Backoff::default(),
            connect_timeout: Some(Duration::from_secs(30)),
            give_up_after: None,
            grace: Duration::from_secs(10),
            token: None,
            mistake: None,
        }
    }

    /// Starts to connect and does not wait for it.
    pub(crate) fn start(self, handlers: Handlers) -> Result<Arc<Client>, Error> {
        let client_id = self.connector.client_id(self.client_id.as_deref());
        let client_id = match (self.mistake, client_id) {
            (Some(mistake), _) => Err(mistake),
            (None, Ok(Some(id))) if id.is_empty() => Err(EMPTY_CLIENT_ID.to_owned()),
            (None, client_id) => client_id,
        };
        let client_id =
            client_id.map_err(|reason| Error::Connect { address: self.connector.address(), reason })?;
        let client_id = client_id.unwrap_or_else(|| crate::random::hex(16));
        let handlers = Arc::new(handlers);
        let exchange = Exchange::new(client_id, Arc::downgrade(&handlers), self.limits, Handle::current());
        let (status, watch) = watch::channel(Status::Trying(None));
        let keeper = Keeper {
            exchange: exchange.clone(),
            _handlers: handlers,
            connector: self.connector.clone(),
            backoff: self.backoff,
            status,
            grace: self.grace,
            token: self.token,
            give_up_after: self.give_up_after,
            was_turned_down: false,
            outage: None,
        };
        if keeper.hello().is_err() {
            let reason = "client id and token are longer than a hello, 64 KiB: take shorter ones".to_owned();
            return Err(Error::Connect { address: self.connector.address(), reason });
        }
        let keeper = Some(tokio::spawn(keeper.run()));
        let (connector, grace) = (self.connector, self.grace);
        Ok(Arc::new(Client { exchange, connector, status: watch, keeper, grace }))
    }

    /// Connects, and waits for it as long as the settings say.
    pub(crate) async fn connect(self, handlers: Handlers) -> Result<Arc<Client>, Error> {
        let limit = self.connect_timeout;
        let client = self.start(handlers)?;
        let connected = client.connected();
        match limit {
            None => connected.await?,
            Some(time) => timeout(time, connected).await.unwrap_or_else(|_| Err(client.not_in_time(time)))?,
        }
        Ok(client)
    }
}

/// How it stands with the link.
#[derive(Clone, Debug)]
enum Status {
    /// Never connected so far; what the last attempt said.
    Trying(Option<String>),
    /// It was connected at least once.
    Connected,
    /// It is over.
    Ended(Reason),
}

/// A client while somebody holds it. Dropping the last handle sends what was accepted, says goodbye and ends it.
pub(crate) struct Client {
    pub(crate) exchange: Arc<Exchange>,
    connector: Arc<dyn Connector>,
    status: watch::Receiver<Status>,
    /// Until this is dropped.
    keeper: Option<JoinHandle<()>>,
    grace: Duration,
}

impl Client {
    /// Waits for the first connection.
    async fn connected(&self) -> Result<(), Error> {
        let mut status = self.status.clone();
        let status = status.wait_for(|status| !matches!(status, Status::Trying(_))).await;
        match status.as_deref() {
            Ok(Status::Connected) => Ok(()),
            Ok(Status::Ended(reason)) => Err(self.over(reason)),
            Ok(Status::Trying(_)) | Err(_) => Err(self.failed("it was closed meanwhile".to_owned())),
        }
    }

    fn over(&self, reason: &Reason) -> Error {
        match reason {
            Reason::Refused(reason) => self.turned_away(reason.clone()),
            reason @ Reason::Replaced => self.turned_away(reason.to_string()),
            reason => self.failed(reason.to_string()),
        }
    }

    fn turned_away(&self, reason: String) -> Error {
        Error::Refused { address: self.connector.address(), reason }
    }

    fn failed(&self, reason: String) -> Error {
        Error::Connect { address: self.connector.address(), reason }
    }

    fn not_in_time(&self, time: Duration) -> Error {
        let last = match &*self.status.borrow() {
            Status::Trying(Some(last)) => format!("the last attempt said: {last}"),
            _ => "no attempt came to an end".to_owned(),
        };
        self.failed(format!("no connection within {time:?}; {last}"))
    }

    /// Waits until the client is over, and says why.
    pub(crate) async fn ended(&self) -> Reason {
        let mut status = self.status.clone();
        match status.wait_for(|status| matches!(status, Status::Ended(_))).await.as_deref() {
            Ok(Status::Ended(reason)) => reason.clone(),
            _ => Reason::Closed,
        }
    }

    /// Runs until the client is over or the system wants the process to end; then closes in order.
    pub(crate) async fn run(&self) -> Result<(), Error> {
        let mut shutdown = Shutdown::listen()?;
        let ended = {
            let (mut ended, mut asked) = (pin!(self.ended()), pin!(shutdown.asked()));
            poll_fn(|cx| match ended.as_mut().poll(cx) {
                Poll::Ready(reason) => Poll::Ready(Some(reason)),
                Poll::Pending => asked.as_mut().poll(cx).map(|()| None),
            })
            .await
        };
        shutdown.or_asked_again(self.close()).await;
        self.end();
        match ended {
            None | Some(Reason::Closed) => Ok(()),
            Some(reason) => Err(self.over(&reason)),
        }
    }

    /// Ends the client in order: running handlers finish and what was accepted is sent, within the grace time; then the
    /// server is told, and gets a moment for it also when that time is over.
    pub(crate) async fn close(&self) {
        let exchange = &self.exchange;
        exchange.session().drain();
        let since = Instant::now();
        let _ = clock::timeout(self.grace, &exchange.runtime, async {
            exchange.wait_until(|session| session.no_jobs()).await;
            exchange.session().refuse_calls(Reason::Closed);
            exchange.wait_until(|session| session.is_idle()).await;
        })
        .await;
        exchange.answer_for_stopped().await;
        exchange.session().refuse_calls(Reason::Closed);
        exchange.end_link(Goodbye { reason: None, at_once: false });
        let left = self.grace.saturating_sub(since.elapsed());
        let in_time = !left.is_zero();
        // Should the link be cut meanwhile, the keeper opens one more for what the server does not have.
        let gone = exchange.wait_until(|session| !(session.is_linked() || in_time && session.has_output()));
        let _ = clock::timeout(left.max(GOODBYE), &exchange.runtime, gone).await;
        self.end();
    }

    fn end_keeper(&self) {
        self.keeper.iter().for_each(JoinHandle::abort);
    }

    fn end(&self) {
        self.exchange.session().refuse_calls(Reason::Closed);
        self.end_keeper();
        self.exchange.abort_jobs();
        self.exchange.close(Reason::Closed);
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let waits = {
            let mut session = self.exchange.session();
            session.drain();
            session.refuse_calls(Reason::Closed);
            session.is_linked() || session.has_output()
        };
        if !waits {
            return self.end_keeper();
        }
        // The runtime may be about to end, and the keeper with it: what the link takes at once is safe.
        while let Some(Flushed::Some(_)) = self.exchange.flush_now() {}
        // The keeper sends the rest, on this link or on the next, within the grace time.
        self.exchange.end_link(Goodbye { reason: None, at_once: false });
        let Some(mut keeper) = self.keeper.take() else { return };
        let time = self.grace.saturating_add(GOODBYE);
        self.exchange.runtime.spawn(async move {
            if timeout(time, &mut keeper).await.is_err() {
                keeper.abort();
            }
        });
    }
}
