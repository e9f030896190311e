//! The client's half of the handshake: a knock, hellos both ways, and the queues of the link.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lapin::Consumer;
use lapin::message::Delivery;
use lapin::options::BasicAckOptions;
use lapin::types::ShortString;

use super::RmqConnector;
use super::broker::{Broker, LEAVING_TIME};
use super::bundle;
use super::line::{Line, Post, in_background, is, next};
use super::names::{BACK, CLOSE, CONNECT, CONNECT_OK, DONE, FAIL, NEXT, OURS};
use super::rx::{RmqRx, Windows};
use super::shared::Shared;
use super::signs::{Check, Signs};
use super::sweep::sweep;
use super::tx::{Destination, RmqTx};
use crate::connector::{Link, LinkError};
use crate::limits::Limits;
use crate::wire::hello::{self, ClientHello};

/// When nobody opened for so long, it is time to ask whether anybody is there.
const KNOCK_TIME: Duration = Duration::from_secs(1);
/// A server gets so much time to end the earlier link of a client that came back, and is looked at so often.
const FORMER_TIME: Duration = Duration::from_secs(5);
const FORMER_LOOK: Duration = Duration::from_millis(50);

/// A link of a client whose connector was given no id of its own has the queues of the id in the hello.
pub(super) async fn connect(
    connector: &RmqConnector,
    hello: &[u8],
    limits: &Limits,
) -> Result<Link, LinkError> {
    let client = match &connector.client_id {
        Some(client) => client.clone(),
        None => hello::decode::<ClientHello>(hello)?.client_id,
    };
    connector.check_names(&client)?;
    let broker = connector.broker();
    let (to_server, to_client) = (connector.names.to_server(&client), connector.names.to_client(&client));
    // Whatever an earlier link sent is in these queues, unless somebody deleted them.
    let mut queues = vec![to_server.clone(), to_client.clone()];
    queues.extend(connector.work_queue.then(|| connector.names.work()));
    if connector.former.was_here(&client) && !broker.has_queues(&queues).await? {
        // Until there is a link: this attempt may fail after the queues were made anew.
        connector.former.queues_lost(&client);
    }
    let line = Line::open(&broker, &connector.exchange).await?;
    let shaken = Handshake::run(connector, &line, &client, hello, limits).await?;
    line.prefetch(connector.prefetch).await?;
    let shared = Shared::new(line, broker.clone(), shaken.connect_id, connector.elsewhere.clone());
    // An earlier link of this process that hangs does not read either.
    let turn = tokio::time::timeout(LEAVING_TIME, broker.turn(&to_client)).await.ok();
    shared.reads(to_client.clone(), turn);
    // Only of a client that comes back is anything worth waiting for.
    let waiting = match connector.former.was_here(&client) {
        true => shared.line.waiting(to_client.clone()).await?.min(connector.prefetch.into()),
        false => 0,
    };
    let consumer = shared.line.consume(&to_client, true).await?;
    let destination = Destination {
        peer: to_server,
        own: Some(shaken.server_queue),
        client: Some(client.clone()),
        work: connector.work_queue.then(|| connector.names.work()),
        reply_to: None,
        bundles: bundle::are_taken(&shaken.hello),
        prefetch: connector.prefetch,
    };
    let address = connector.describe();
    let windows = Windows { queue: Some(to_client), consumers: vec![consumer], opening: None };
    let mut rx = RmqRx::new(shared.clone(), windows, connector.intake(limits))
        .with_own(shaken.own)
        .with_silence(connector.pace.listening.mul_f64(1.5));
    // Answers of a server that is gone: the requests are not to be repeated to the next.
    rx.wait_for(usize::try_from(waiting).unwrap_or_default()).await;
    // What other servers say is no sign of life of the one that has this link.
    let check = match connector.work_queue {
        true => Check::Always(connector.pace.check),
        false => Check::Silent(connector.pace.check),
    };
    // Nothing is waited for any more: there is a link.
    let fresh = connector.former.connected(&client);
    let tx = RmqTx::new(shared, destination, fresh, Signs::new(None, check));
    Ok(Link::new(tx, rx, shaken.hello, address))
}

/// What a handshake yields.
struct Handshake {
    hello: Bytes,
    connect_id: Vec<u8>,
    /// The queue of the handshake. A server of ours can still say there that the link is over.
    own: Consumer,
    server_queue: ShortString,
}

impl Handshake {
    async fn run(
        connector: &RmqConnector,
        line: &Line,
        client: &str,
        hello: &[u8],
        limits: &Limits,
    ) -> Result<Self, LinkError> {
        let queue = line.own_queue().await?;
        let mut own = line.consume_own(&queue).await?;
        let knock = serde_json::to_vec(client).map_err(io::Error::from)?;
        // RabbitMQ takes 32 bits.
        let patience = limits.handshake_time.as_millis().min(u32::MAX.into()).to_string();
        let knock = Post::new(CONNECT, &connector.names.connect(), knock).must_arrive();
        // Nobody should find it when this side has given up.
        let knock = knock
            .with(|properties| properties.with_reply_to(queue).with_expiration(patience.as_str().into()));
        line.post(knock).await.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                let what = "no server has ever listened at this address of the broker";
                io::Error::new(io::ErrorKind::NotFound, what)
            }
            _ => error,
        })?;
        let opened = match tokio::time::timeout(KNOCK_TIME, expect(&mut own, CONNECT_OK)).await {
            Ok(opened) => opened?,
            Err(_) if connector.broker().readers(connector.names.connect()).await? == 0 => {
                let what = "no server listens at this address of the broker now";
                return Err(io::Error::new(io::ErrorKind::ConnectionRefused, what).into());
            }
            Err(_) => expect(&mut own, CONNECT_OK).await?,
        };
        let Some(server_queue) = opened.properties.reply_to().clone() else {
            return Err(nonsense("its first answer does not say where to answer"));
        };
        if opened.properties.app_id().as_ref().is_none_or(|id| id.as_str() != OURS) {
            end_former_link(connector, line, client).await?;
            sweep_away_bundles(connector, client).await?;
        }
        line.post(Post::new(NEXT, &server_queue, hello)).await?;
        let theirs = expect(&mut own, NEXT).await?;
        let done = expect(&mut own, DONE).await?;
        Ok(Self { hello: theirs.data.into(), connect_id: done.data, own, server_queue })
    }
}

/// A server in Python goes on reading for a client that went without a goodbye, and confuses that link with the new one
/// until its channel breaks. A message of a type that it does not know ends the earlier link.
async fn end_former_link(connector: &RmqConnector, line: &Line, client: &str) -> io::Result<()> {
    let (broker, queue) = (connector.broker(), connector.names.to_server(client));
    let ended = async {
        while broker.readers(queue.clone()).await? > 0 {
            // For whoever reads now, not for the new link.
            let post = Post::new(BACK, &queue, Vec::new());
            line.post(post.with(|properties| properties.with_expiration("0".into()))).await?;
            tokio::time::sleep(FORMER_LOOK).await;
        }
        Ok(())
    };
    // One that is busy for longer may still get over it.
    tokio::time::timeout(FORMER_TIME, ended).await.unwrap_or(Ok(()))
}

/// Which this client, or an earlier process of it, sent to a server that takes them.
async fn sweep_away_bundles(connector: &RmqConnector, client: &str) -> io::Result<()> {
    let (broker, queue) = (connector.broker(), connector.names.to_server(client));
    match broker.has_queues(std::slice::from_ref(&queue)).await? {
        true => sweep(&broker, &connector.exchange, &queue).await,
        false => Ok(()),
    }
}

/// The next message of the handshake, which should be of this type. Nothing of one that is too long is read.
pub(super) async fn expect(own: &mut Consumer, kind: &str) -> Result<Delivery, LinkError> {
    let delivery = next(own).await?;
    let acker = delivery.acker.clone();
    // Nobody else would get it if this attempt failed.
    in_background(async move { _ = acker.ack(BasicAckOptions::default()).await });
    let size = delivery.data.len();
    if size > hello::MAX_LEN {
        return Err(nonsense(&format!("it sent {size} bytes where {} are allowed", hello::MAX_LEN)));
    }
    if is(&delivery, kind) {
        return Ok(delivery);
    }
    if is(&delivery, FAIL) {
        return Err(LinkError::Refused(hello::refusal_text(&delivery.data)));
    }
    if is(&delivery, CLOSE) {
        let what = "another connection with the same client id came meanwhile";
        return Err(io::Error::new(io::ErrorKind::ConnectionAborted, what).into());
    }
    Err(nonsense(&format!("it sent {:?} where `{kind}` was expected", delivery.properties.kind())))
}

fn nonsense(what: &str) -> LinkError {
    io::Error::new(io::ErrorKind::InvalidData, format!("the peer's handshake is not one: {what}")).into()
}

impl RmqConnector {
    /// The broker of this process that has this URL.
    pub(super) fn broker(&self) -> Arc<Broker> {
        Broker::of(&self.url, self.ca.as_deref())
    }
}
