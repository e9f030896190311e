//! A connector as a user of the library may write one that carries whole messages: letters go in and out of a post office,
//! which has them for good as soon as it took them. It makes the library's types by their constructors alone.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use communica::{
    Batch, BoxFuture, Bytes, Connector, Delivery, Incoming, Item, Limits, Link, LinkError, LinkRx, LinkTx,
    Listener, Message, PeerInfo, Receipt, Received, RouteClient, RouteServer, RouteTable,
};
use tokio::sync::{mpsc, oneshot};

use crate::support::{echo, within};

const ADDRESS: &str = "the post office";

/// Somebody who wants to come in, with what their half of the link sends and reads.
struct Knock {
    hello: Bytes,
    tx: mpsc::UnboundedSender<Item>,
    rx: mpsc::UnboundedReceiver<Item>,
    answer: oneshot::Sender<Result<Bytes, String>>,
}

#[derive(Clone, Debug, Default)]
struct PostConnector(Arc<Mutex<Option<mpsc::UnboundedSender<Knock>>>>);

impl Connector for PostConnector {
    fn address(&self) -> String {
        ADDRESS.to_owned()
    }

    fn dump_state(&self) -> String {
        self.address()
    }

    fn connect<'a>(&'a self, hello: &'a [u8], _: &'a Limits) -> BoxFuture<'a, Result<Link, LinkError>> {
        Box::pin(async move {
            let door = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let closed = || io::Error::from(io::ErrorKind::ConnectionRefused);
            let (out, theirs_in) = mpsc::unbounded_channel();
            let (theirs_out, back) = mpsc::unbounded_channel();
            let (answer, answered) = oneshot::channel();
            let hello = Bytes::copy_from_slice(hello);
            let knock = Knock { hello, tx: theirs_out, rx: theirs_in, answer };
            door.ok_or_else(closed)?.send(knock).map_err(|_| closed())?;
            match answered.await.map_err(|_| closed())? {
                Ok(hello) => Ok(Link::new(PostTx::new(out), PostRx(back), hello, ADDRESS)),
                Err(reason) => Err(LinkError::Refused(reason)),
            }
        })
    }

    fn listen<'a>(&'a self, _: &'a Limits) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async {
            let (door, knocks) = mpsc::unbounded_channel();
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(door);
            Ok(Box::new(PostListener(knocks)) as _)
        })
    }
}

struct PostListener(mpsc::UnboundedReceiver<Knock>);

impl Listener for PostListener {
    fn dump_state(&self) -> String {
        ADDRESS.to_owned()
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<Box<dyn Incoming>>> {
        Box::pin(async {
            let knock = self.0.recv().await.ok_or(io::ErrorKind::NotConnected)?;
            Ok(Box::new(knock) as Box<dyn Incoming>)
        })
    }
}

impl Incoming for Knock {
    fn address(&self) -> String {
        ADDRESS.to_owned()
    }

    fn peer(&self) -> PeerInfo {
        ADDRESS.into()
    }

    fn delivery(&self) -> Delivery {
        Delivery::stored()
    }

    fn hello(&mut self) -> BoxFuture<'_, Result<Bytes, LinkError>> {
        Box::pin(async { Ok(self.hello.clone()) })
    }

    fn accept<'a>(self: Box<Self>, hello: &'a [u8]) -> BoxFuture<'a, Result<Link, LinkError>> {
        Box::pin(async move {
            let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
            self.answer.send(Ok(Bytes::copy_from_slice(hello))).map_err(gone)?;
            Ok(Link::new(PostTx::new(self.tx), PostRx(self.rx), self.hello, ADDRESS))
        })
    }

    fn refuse<'a>(self: Box<Self>, reason: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let _ = self.answer.send(Err(reason.to_owned()));
        })
    }
}

struct PostTx {
    out: mpsc::UnboundedSender<Item>,
    taken: u64,
    told: u64,
    waker: Option<Waker>,
}

impl PostTx {
    fn new(out: mpsc::UnboundedSender<Item>) -> Self {
        Self { out, taken: 0, told: 0, waker: None }
    }
}

impl LinkTx for PostTx {
    fn poll_send(&mut self, _: &mut Context<'_>, batch: &mut Batch) -> Poll<io::Result<()>> {
        while let Some(item) = batch.next_item() {
            self.taken += u64::from(matches!(item, Item::Message { .. }));
            if self.out.send(item).is_err() {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
        }
        self.waker.take().into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn in_chunks(&self) -> bool {
        false
    }

    fn delivery(&self) -> Delivery {
        Delivery::stored()
    }

    fn poll_confirmed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        if self.told < self.taken {
            self.told = self.taken;
            return Poll::Ready(Ok(self.told));
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

struct PostRx(mpsc::UnboundedReceiver<Item>);

impl LinkRx for PostRx {
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<Message>,
    ) -> Poll<Result<Received, LinkError>> {
        Poll::Ready(match ready!(self.0.poll_recv(cx)) {
            Some(Item::Message { metadata, payload, stamp, .. }) => {
                let receipt = Receipt::forgotten(Some(stamp.to_string()));
                into.push(Message::parse(metadata, payload)?.with_receipt(receipt));
                Ok(Received::Messages)
            }
            Some(Item::Close { reason, .. }) => Ok(Received::closed(reason)),
            _ => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        })
    }
}

#[tokio::test]
async fn a_connector_of_ones_own_carries_whole_messages() {
    within(20, async {
        let road = PostConnector::default();
        let (notes, mut noted) = mpsc::unbounded_channel();
        let routes = echo().route("note", move |text: String| notes.send(text).unwrap_or_default());
        let server = RouteServer::new(road.clone(), routes).start().await.unwrap();
        let back = RouteTable::new().route("back", |number: i64| number + 1);
        let client = RouteClient::builder(road).routes(back).client_id("w1").connect().await.unwrap();
        assert_eq!(client.request::<_, i64>("echo", &1).await.unwrap(), 1);
        assert_eq!(server.peer("w1").await.request::<_, i64>("back", &1).await.unwrap(), 2);
        client.throw("note", "a").await.unwrap();
        assert_eq!(noted.recv().await.as_deref(), Some("a"));
        assert_eq!(server.peers()[0].info().address, ADDRESS);
        client.close().await;
        server.stop().await;
    })
    .await;
}
