//! One AMQP connection for all links of this process to a broker; a channel for each of them.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use lapin::options::QueueDeclareOptions;
use lapin::tcp::OwnedTLSConfig;
use lapin::types::{FieldTable, ShortString};
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Channel, Connection, ConnectionProperties, ErrorKind};
use tokio::sync::OwnedMutexGuard;

use super::opening;

/// Where the URL says nothing else, a broker that says nothing for so many seconds counts as lost.
const HEARTBEAT: u16 = 20;
/// Who read a queue before gets so much time to leave it.
pub(super) const LEAVING_TIME: Duration = Duration::from_secs(3);
/// Opening a connection may take so long, and so may what a server needs to listen.
pub(super) const OPENING: Duration = Duration::from_secs(30);

const STRAY_AT: &str = "the broker's URL has an `@` behind its host: in user and password write %2f for `/`, \
     %3f for `?` and %23 for `#`, in the virtual host %40 for `@`";

/// A broker's URL, and what it means or why it means nothing. Its `Debug` and `Display` have no password.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Url {
    text: String,
    uri: Result<AMQPUri, &'static str>,
}

impl Url {
    pub(super) fn new(text: String) -> Self {
        let uri = match text.parse::<AMQPUri>() {
            Err(_) => Err("the broker's URL is not of the form amqp://user:password@host:port/vhost"),
            // Half of a password may stand where the port or the virtual host does, which are told.
            Ok(_) if split(&text).1.contains('@') => Err(STRAY_AT),
            Ok(uri) if uri.scheme == AMQPScheme::AMQPS && !cfg!(feature = "rabbitmq-tls") => {
                Err("the broker's URL begins with amqps:, which needs the feature `rabbitmq-tls`")
            }
            Ok(mut uri) => {
                uri.query.heartbeat.get_or_insert(HEARTBEAT);
                if let Some(address) = address_in_brackets(&text) {
                    uri.authority.host = address.to_owned();
                }
                // Of all that may stand there, what Python's library means.
                if uri.vhost.is_empty() {
                    "/".clone_into(&mut uri.vhost);
                }
                Ok(uri)
            }
        };
        Self { text, uri }
    }

    pub(super) fn check(&self) -> Result<(), &'static str> {
        self.uri.as_ref().map(|_| ()).map_err(|why| *why)
    }

    #[cfg(test)]
    pub(super) fn host(&self) -> Option<&str> {
        self.uri.as_ref().ok().map(|uri| uri.authority.host.as_str())
    }

    /// With its password.
    pub(super) fn secret(&self) -> &str {
        &self.text
    }
}

/// What stands before the path, and the rest. Without the two slashes all of it is path.
fn split(url: &str) -> (&str, &str) {
    let Some((_, behind)) = url.split_once("://") else { return ("", url) };
    behind.split_at(behind.find(['/', '?', '#']).unwrap_or(behind.len()))
}

/// The parser takes an address of version 6 for no host at all, and puts this machine in its place.
fn address_in_brackets(url: &str) -> Option<&str> {
    let (authority, _) = split(url);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    host.split_once('[')?.1.split_once(']').map(|(address, _)| address)
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Ok(AMQPUri { scheme, authority, vhost, .. }) = &self.uri else {
            return f.write_str("an invalid URL");
        };
        let vhost = vhost.replace('/', "%2f");
        let host = match authority.host.contains(':') {
            true => format!("[{}]", authority.host),
            false => authority.host.clone(),
        };
        write!(f, "{scheme}://{host}:{}/{vhost}", authority.port)
    }
}

impl std::fmt::Debug for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

pub(super) struct Broker {
    url: Url,
    ca: Option<String>,
    /// More than one only when the first has no channel left.
    connections: tokio::sync::Mutex<Vec<Connection>>,
    /// For each queue that is read here, whose turn it is.
    turns: Mutex<HashMap<ShortString, Weak<tokio::sync::Mutex<()>>>>,
}

/// To read a queue: until it is dropped, no other link of this process does.
pub(super) type Turn = OwnedMutexGuard<()>;

/// A connection belongs to the runtime that opened it, and ends with it.
type Key = (tokio::runtime::Id, String, Option<String>);
static BROKERS: Mutex<Option<HashMap<Key, Weak<Broker>>>> = Mutex::new(None);

impl Broker {
    /// The one of this process and runtime.
    pub(super) fn of(url: &Url, ca: Option<&str>) -> Arc<Self> {
        let key = (tokio::runtime::Handle::current().id(), url.text.clone(), ca.map(str::to_owned));
        let mut brokers = BROKERS.lock().unwrap_or_else(PoisonError::into_inner);
        let brokers = brokers.get_or_insert_with(HashMap::new);
        if let Some(broker) = brokers.get(&key).and_then(Weak::upgrade) {
            return broker;
        }
        brokers.retain(|_, broker| broker.strong_count() > 0);
        let (connections, turns) = (tokio::sync::Mutex::new(Vec::new()), Mutex::default());
        let broker = Arc::new(Self { url: url.clone(), ca: ca.map(str::to_owned), connections, turns });
        brokers.insert(key, Arc::downgrade(&broker));
        broker
    }

    /// A new channel. Dropping its last handle closes it, and what was not acknowledged on it goes back to its queue.
    pub(super) async fn channel(&self) -> io::Result<Channel> {
        let mut connections = self.connections.lock().await;
        connections.retain(|connection| connection.status().connected());
        for connection in connections.iter() {
            match connection.create_channel().await {
                Err(error) if matches!(error.kind(), ErrorKind::ChannelsLimitReached) => {}
                other => return other.map_err(broken),
            }
        }
        let connection = self.open().await?;
        let channel = connection.create_channel().await.map_err(broken);
        connections.push(connection);
        channel
    }

    async fn open(&self) -> io::Result<Connection> {
        let invalid = |why: &&str| io::Error::new(io::ErrorKind::InvalidInput, *why);
        let uri = self.url.uri.as_ref().map_err(invalid)?;
        // It would be passed over in silence.
        if self.ca.as_ref().is_some_and(|pem| !pem.contains("-----BEGIN CERTIFICATE-----")) {
            return Err(invalid(
                &"the text given to `RmqConnector::ca_certificates` holds no certificate in PEM",
            ));
        }
        // Whoever keeps a link opens the next; a second one who tries behind its back would be one too many.
        let properties = ConnectionProperties::default()
            .with_connection_name("communica".into())
            .configure_backoff(|backoff| backoff.without_max_times().with_max_times(0));
        let tls = OwnedTLSConfig { identity: None, cert_chain: self.ca.clone() };
        let opening = opening::open(uri.clone(), properties, tls);
        let opened = tokio::time::timeout(OPENING, opening).await.map_err(|_| {
            let what = format!("the broker at {} did not answer within {OPENING:?}", self.url);
            io::Error::new(io::ErrorKind::TimedOut, what)
        })?;
        opened.map_err(|error| self.closed(uri, error))
    }

    /// Why no connection could be opened, and what to do where that is known.
    fn closed(&self, uri: &AMQPUri, error: lapin::Error) -> io::Error {
        if matches!(error.kind(), ErrorKind::ProtocolError(refused) if refused.get_id() == 403) {
            let user = &uri.authority.userinfo.username;
            let what = format!("the broker at {} refused the user `{user}` or its password", self.url);
            return io::Error::new(io::ErrorKind::PermissionDenied, what);
        }
        let advice = advice(&uri.scheme, &error);
        let error = broken(error);
        io::Error::new(error.kind(), format!("the broker at {} cannot be reached: {error}{advice}", self.url))
    }

    /// Waits until no other link of this process reads this queue, and what such a link did not take is back in it.
    pub(super) async fn turn(&self, queue: &ShortString) -> Turn {
        let turns = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            let known = turns.get(queue).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                if turns.len() == turns.capacity() {
                    turns.retain(|_, turns| turns.strong_count() > 0);
                }
                let new = Arc::default();
                turns.insert(queue.clone(), Arc::downgrade(&new));
                new
            })
        };
        turns.lock_owned().await
    }

    /// How many read this queue; none if it is not there.
    pub(super) async fn readers(&self, queue: ShortString) -> io::Result<u32> {
        // The broker closes the channel on which somebody asks in vain.
        let channel = self.channel().await?;
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        match channel.queue_declare(queue, passive, FieldTable::default()).await {
            Ok(queue) => Ok(queue.consumer_count()),
            Err(error) if is_not_found(&error) => Ok(0),
            Err(error) => Err(broken(error)),
        }
    }

    /// Whether these queues are all there.
    pub(super) async fn has_queues(&self, queues: &[ShortString]) -> io::Result<bool> {
        // The broker closes the channel on which somebody asks in vain.
        let channel = self.channel().await?;
        for queue in queues.iter().cloned() {
            let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            match channel.queue_declare(queue, passive, FieldTable::default()).await {
                Ok(_) => {}
                Err(error) if is_not_found(&error) => return Ok(false),
                Err(error) => return Err(broken(error)),
            }
        }
        Ok(true)
    }
}

/// What to do about a connection that could not be opened, where that is known.
fn advice(scheme: &AMQPScheme, error: &lapin::Error) -> &'static str {
    let said = error.to_string();
    let spoken_to_wrongly = match error.kind() {
        ErrorKind::ParsingError(_) => true,
        ErrorKind::IOError(error) => {
            error.kind() == io::ErrorKind::ConnectionReset || said.contains("InvalidContentType")
        }
        _ => false,
    };
    match scheme {
        _ if said.contains("UnknownIssuer") => {
            "; give the certificate of the authority that vouches for it to `RmqConnector::ca_certificates`"
        }
        AMQPScheme::AMQP if spoken_to_wrongly => "; if it is a port for TLS, the URL must begin with amqps:",
        AMQPScheme::AMQPS if spoken_to_wrongly => {
            "; if it is a port without TLS, the URL must begin with amqp:"
        }
        _ => "",
    }
}

pub(super) fn is_not_found(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error) if error.get_id() == 404)
}

/// What lapin says, as what a link says.
pub(super) fn broken(error: lapin::Error) -> io::Error {
    let kind = match error.kind() {
        ErrorKind::IOError(error) => error.kind(),
        ErrorKind::MissingHeartbeatError => io::ErrorKind::TimedOut,
        ErrorKind::ProtocolError(error) if error.get_id() == 404 => io::ErrorKind::NotFound,
        // A message is larger than the broker takes, say.
        ErrorKind::ProtocolError(error) if [311, 406].contains(&error.get_id()) => {
            io::ErrorKind::InvalidInput
        }
        ErrorKind::ProtocolError(error) if error.get_id() == 403 => io::ErrorKind::PermissionDenied,
        _ => io::ErrorKind::ConnectionAborted,
    };
    io::Error::new(kind, error.to_string())
}
