//! What users hold: servers, clients, and the peers at their other end.

/// The settings that every client's builder has.
macro_rules! client_settings {
    ($builder:ident $(<$s:ident>)?) => {
        impl $(<$s>)? $builder $(<$s>)? {
            /// The id by which the server knows this client, also after a reconnect. Default: 32 random hex digits.
            /// While two connections use one id, the newer one counts and the older one is closed and told. A connector may
            /// have an id of its own, or need one.
            pub fn client_id(mut self, id: impl Into<String>) -> Self {
                self.settings.client_id = Some(id.into());
                self
            }

            /// How long `connect` tries; `None` for ever. Default: 30 s.
            pub fn connect_timeout(mut self, time: impl Into<Option<Duration>>) -> Self {
                self.settings.connect_timeout = time.into();
                self
            }

            /// Ends a client that was connected before, and that had no connection for so long since. A last attempt is made when
            /// the time is over, and may take as long again (a second at least, [`Limits::handshake_time`] at most). Then its calls
            /// end, and `run` does, with an
            /// [`Error::Connect`](crate::Error::Connect) that says what that attempt ran into. For workers that should not outlive
            /// the process they work for; where `blocking` handlers run on, `main` has to end with `std::process::exit`, since a runtime
            /// waits for them. `None` to try for ever. Default: `None`.
            pub fn give_up_after(mut self, time: impl Into<Option<Duration>>) -> Self {
                self.settings.give_up_after = time.into();
                self
            }

            /// Waits between attempts to connect. Default: see [`Backoff`].
            pub fn backoff(mut self, backoff: Backoff) -> Self {
                self.settings.backoff = backoff;
                self
            }

            /// What it accepts and keeps. Default: see [`Limits`].
            pub fn limits(mut self, limits: Limits) -> Self {
                self.settings.limits = limits;
                self
            }

            /// A secret to show to the server, whose `authorize` hook may ask for it. It goes over the wire as it is: use TLS
            /// where others could listen. Default: none.
            pub fn token(mut self, token: impl Into<String>) -> Self {
                self.settings.token = Some(crate::wire::hello::Token(token.into()));
                self
            }

            /// How long `close` waits for handlers that run and messages that wait. Default: 10 s.
            pub fn grace(mut self, time: Duration) -> Self {
                self.settings.grace = time;
                self
            }
        }
    };
}

/// The settings that every server has.
macro_rules! server_settings {
    ($server:ident $(<$s:ident>)?) => {
        impl $(<$s>)? $server $(<$s>)? {
            /// What it accepts and keeps. Default: see [`Limits`].
            pub fn limits(mut self, limits: Limits) -> Self {
                self.settings.limits = limits;
                self
            }

            /// How long `stop` waits for handlers that run and messages that wait. Default: 10 s.
            pub fn grace(mut self, time: Duration) -> Self {
                self.settings.grace = time;
                self
            }

            /// Asks `check` about every client before it is let in; it refuses with a reason, which the client is told.
            /// Default: everybody who reaches the connector may come in, under any client id.
            ///
            /// `check` must not block: look up beforehand what takes time. One that panics refuses.
            ///
            /// ```
            /// # use communica::Applicant;
            /// # let _: fn(&Applicant<'_>) -> Result<(), String> =
            /// |client: &Applicant<'_>| match client.has_token("correct horse") {
            ///     true => Ok(()),
            ///     false => Err("a token is needed here".to_owned()),
            /// }
            /// # ;
            /// ```
            pub fn authorize(
                mut self,
                check: impl Fn(&crate::Applicant<'_>) -> Result<(), String> + Send + Sync + 'static,
            ) -> Self {
                self.settings.authorize = super::applicant::Authorize::new(check);
                self
            }
        }
    };
}

use client_settings;
use server_settings;

mod all;
mod applicant;
mod backoff;
mod caller;
mod client;
mod death;
mod peer;
mod route;
mod server;
mod shutdown;
mod simple;
mod waits;

/// What both sides say to a client that is to have none.
const EMPTY_CLIENT_ID: &str =
    "the client id is empty: give each client one of its own, or none to have it chosen";

pub use applicant::Applicant;
pub use backoff::Backoff;
pub use caller::{CallOptions, Caller, IntoCaller};
pub use peer::{AllPeers, AnyPeer, Inflight, Peer};
pub use route::{RouteCalls, RouteClient, RouteClientBuilder, RouteServer, RouteServerHandle};
pub use server::{PeerEvent, PeerWatch};
pub use simple::{
    NoSerializer, SimpleClient, SimpleClientBuilder, SimplePeer, SimplePeers, SimpleServer,
    SimpleServerHandle,
};
pub(crate) use waits::Waits;
