//! Wishes go in, a broker comes out that has them.

use super::{Broker, place};

/// A free port may be taken before the broker gets to it. It ends then, and others are tried.
const ATTEMPTS: u32 = 3;

/// What a broker is started with.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    pub(super) settings: Vec<(String, String)>,
    pub(super) tls: bool,
}

impl Builder {
    /// The longest interval of heartbeats that the broker suggests, in seconds; 0 for none.
    #[must_use]
    pub fn heartbeat(self, seconds: u16) -> Self {
        self.setting("heartbeat", &seconds.to_string())
    }

    /// A line of `rabbitmq.conf`.
    #[must_use]
    pub fn setting(mut self, key: &str, value: &str) -> Self {
        self.settings.push((key.to_owned(), value.to_owned()));
        self
    }

    /// A second port that speaks TLS, with a certificate for `localhost` and 127.0.0.1.
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Starts it, and waits until it answers.
    ///
    /// # Panics
    /// It does not start, with the last lines it wrote.
    #[must_use]
    pub fn start(self) -> Broker {
        place::check();
        let mut attempts = (0..ATTEMPTS).map(|_| Broker::attempt(&self));
        // Any start is enough.
        attempts
            .find_map(Result::ok)
            .unwrap_or_else(|| panic!("RabbitMQ did not start {ATTEMPTS} times: see above"))
    }
}
