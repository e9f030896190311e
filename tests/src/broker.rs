//! Settings go in, a RabbitMQ broker of the tests' own comes out. It ends with them, however they end.
//!
//! ```no_run
//! use communica_tests::broker::{self, Broker};
//!
//! // One for all tests of a binary; each test takes addresses of its own.
//! let (url, address) = (broker::shared().url(), broker::unique("office"));
//!
//! // One to be ill-treated.
//! let broker = Broker::builder().heartbeat(2).start();
//! broker.kill();
//! broker.restart();
//! ```
//!
//! All of this blocks, with a limit for each step.

mod builder;
mod certificates;
mod group;
mod place;
mod start;

use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

pub use builder::Builder;
use group::Group;
pub use group::signal;
use place::Place;
use start::{LIMIT, exit_status, is_stopped, start_epmd, wait_until_ready, within};

/// The broker that all tests of a binary share, started by the first of them. They must neither stop nor stall it.
pub fn shared() -> &'static Broker {
    // Never dropped: its group ends with this process.
    static SHARED: OnceLock<Broker> = OnceLock::new();
    SHARED.get_or_init(Broker::start)
}

/// An address that no other test of this binary has.
#[must_use]
pub fn unique(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    format!("{name}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A running broker in a folder of its own, on ports of its own. Dropping it kills it.
#[derive(Debug)]
pub struct Broker {
    // Nothing when it was killed or stopped.
    server: Mutex<Option<Child>>,
    epmd: Child,
    group: Group,
    place: Place,
}

impl Broker {
    /// The usual one.
    #[must_use]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// One with a second port for TLS.
    #[must_use]
    pub fn tls() -> Self {
        Self::builder().tls().start()
    }

    /// One with settings.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// With a user that may do everything: `amqp://guest:guest@127.0.0.1:port/%2f`.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_with("guest", "guest", "/")
    }

    /// With another user or virtual host, which are encoded here.
    #[must_use]
    pub fn url_with(&self, user: &str, password: &str, vhost: &str) -> String {
        let [user, password, vhost] = [user, password, vhost].map(encoded);
        format!("amqp://{user}:{password}@127.0.0.1:{}/{vhost}", self.place.ports.amqp)
    }

    /// The port that speaks TLS: `amqps://guest:guest@localhost:port/%2f`.
    #[must_use]
    pub fn tls_url(&self) -> String {
        format!("amqps://guest:guest@localhost:{}/%2f", self.place.ports.tls)
    }

    /// Whom to trust for [`tls_url`](Self::tls_url), in PEM.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        certificates::ca_file(self.folder())
    }

    /// Where everything of it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.place.folder()
    }

    /// Ends it in the middle of whatever it does (SIGKILL), frozen or not. What it confirmed is there after a
    /// [`restart`](Self::restart), except in queues so new that they were not [settled](Self::settle).
    pub fn kill(&self) {
        self.end("KILL");
    }

    /// Asks it to end (SIGTERM), and waits until it did.
    pub fn stop(&self) {
        self.end("TERM");
    }

    /// Starts a killed or stopped one again, on its data and its ports, and waits until it answers. A running one is
    /// killed first.
    ///
    /// # Panics
    /// It does not start.
    pub fn restart(&self) {
        if self.server().is_some() {
            self.kill();
        }
        let mut server = self.server();
        *server = Some(self.place.start_server(&self.group));
        let running = server.as_mut().expect("it was just started");
        wait_until_ready(running, &self.place).unwrap_or_else(|reason| panic!("no restart: {reason}"));
    }

    /// Stops it in its tracks (SIGSTOP): sockets stay open, and nobody answers.
    ///
    /// # Panics
    /// It goes on.
    pub fn freeze(&self) {
        self.signal("STOP");
        // The first thread to see the signal stops the others, and on a busy machine they answer until then.
        let id = self.server().as_ref().map(Child::id).expect("it was just signalled");
        within(LIMIT, || is_stopped(id).then_some(())).expect("SIGSTOP stops a process");
    }

    /// Lets a frozen one go on (SIGCONT).
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// What `rabbitmqctl --silent` writes.
    ///
    /// # Panics
    /// It fails, with what it wrote, or takes longer than a minute.
    pub fn ctl(&self, arguments: &[&str]) -> String {
        self.place.ctl(&self.group, arguments)
    }

    /// From now on whoever publishes is blocked. Not for the shared one.
    pub fn raise_memory_alarm(&self) {
        self.ctl(&["set_vm_memory_high_watermark", "absolute", "1"]);
    }

    /// Those who were blocked go on.
    pub fn clear_memory_alarm(&self) {
        self.ctl(&["set_vm_memory_high_watermark", "0.4"]);
    }

    /// Returns when a kill can take no queue along that is there now. RabbitMQ says that a queue is declared, and
    /// confirms messages in it, a moment before the decision that there is such a queue is on disk. Until then a kill
    /// takes the queue along, durable or not, and its messages with it.
    pub fn settle(&self) {
        self.ctl(&["eval", "ok = mnesia:sync_log()."]);
    }

    /// The last lines it wrote.
    #[must_use]
    pub fn log_tail(&self) -> String {
        self.place.log_tail()
    }

    /// Bytes that it wrote so far.
    #[must_use]
    pub fn log_size(&self) -> usize {
        self.place.log().len()
    }

    /// What it wrote since it had written so many bytes.
    #[must_use]
    pub fn log_since(&self, size: usize) -> String {
        String::from_utf8_lossy(self.place.log().get(size..).unwrap_or_default()).into_owned()
    }

    /// One start. The reason why it failed is shown, too.
    fn attempt(settings: &Builder) -> Result<Self, String> {
        let place = Place::new(settings);
        let group = Group::new(place.folder());
        let started = start_epmd(&group, &place).and_then(|epmd| {
            let mut server = place.start_server(&group);
            wait_until_ready(&mut server, &place)?;
            Ok((epmd, server))
        });
        let (epmd, server) = started.inspect_err(|reason| eprintln!("RabbitMQ did not start: {reason}"))?;
        Ok(Self { server: Some(server).into(), epmd, group, place })
    }

    fn end(&self, how: &str) {
        self.signal(how);
        let mut server = self.server();
        let running = server.as_mut().expect("it was just signalled");
        let ended = within(LIMIT, || exit_status(running));
        ended.unwrap_or_else(|| panic!("SIG{how} did not end RabbitMQ; it wrote:\n{}", self.log_tail()));
        *server = None;
    }

    /// Its pid is not given to others before it is waited for.
    fn signal(&self, name: &str) {
        let server = self.server();
        let running = server.as_ref().expect("the broker runs: it was neither killed nor stopped");
        signal(name, &running.id().to_string());
    }

    fn server(&self) -> MutexGuard<'_, Option<Child>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- the last lines of RabbitMQ\n{}", self.log_tail());
        }
        self.group.kill();
        let _ = self.epmd.wait();
        if let Some(mut server) = self.server().take() {
            let _ = server.wait();
        }
    }
}

/// For a place in a URL, by RFC 3986.
fn encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes().map(|b| if plain(&b) { char::from(b).to_string() } else { format!("%{b:02x}") }).collect()
}
