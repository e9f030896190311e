//! Batches go in over links that take so many bytes; what went out and what is left make the whole, wherever the cut is.

use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes, BytesMut};

use super::*;
use crate::connector::{LinkRx, LinkTx, PeerInfo, Received};
use crate::wire::{Batch, Item, Message, Part};

/// What a link was given, by whoever holds it.
type Taken = Arc<Mutex<Vec<u8>>>;

/// Takes so many bytes or items per call, then has to wait.
struct Slow {
    taken: Taken,
    per_call: usize,
    in_chunks: bool,
}

impl LinkTx for Slow {
    fn poll_send(&mut self, _: &mut Context<'_>, batch: &mut Batch) -> Poll<io::Result<()>> {
        let mut taken = lock(&self.taken);
        if self.in_chunks {
            let len = self.per_call.min(batch.remaining());
            taken.extend_from_slice(&batch.copy_to_bytes(len));
        } else {
            for _ in 0..self.per_call {
                if let Some(Item::Message { payload, .. }) = batch.next_item() {
                    taken.extend_from_slice(&payload);
                }
            }
        }
        if batch.is_empty() { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn in_chunks(&self) -> bool {
        self.in_chunks
    }
}

struct Silent;

impl LinkRx for Silent {
    fn poll_recv(&mut self, _: &mut Context<'_>, _: &mut Vec<Message>) -> Poll<Result<Received, LinkError>> {
        Poll::Pending
    }
}

fn frame(payload: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    crate::wire::put_message(&mut out, payload.len(), |out| out.extend_from_slice(br#"{"id":"x","type":1}"#));
    out.extend_from_slice(payload);
    out.freeze()
}

/// Three messages in one part, one whose payload stands apart, one more.
fn batch() -> Batch {
    let mut batch = Batch::default();
    batch.push(Part::new(Some(0), [frame(b"a"), frame(b"bb"), frame(b"ccc")].concat().into(), None));
    let head = frame(b"dddd");
    batch.push(Part::new(Some(3), head.slice(..head.len() - 4), Some(head.slice(head.len() - 4..))));
    batch.push(Part::new(Some(4), frame(b"eeeee"), None));
    batch
}

fn whole() -> Vec<u8> {
    let mut batch = batch();
    batch.copy_to_bytes(batch.remaining()).to_vec()
}

/// Sends until the link is cut or all is out. What the link took, and what is left.
async fn send(faults: Faults, per_call: usize, in_chunks: bool) -> (Vec<u8>, Batch) {
    let taken = Taken::default();
    let tx = Box::new(Slow { taken: taken.clone(), per_call, in_chunks });
    let link = Link { tx, rx: Box::new(Silent), hello: Bytes::new(), peer: PeerInfo::default() };
    let bench = FaultConnector::new(crate::connector::AnyConnector::new(Nowhere), faults).bench;
    let plan = bench.next_plan();
    let mut link = bench.wrap(link, plan).unwrap();
    let mut batch = batch();
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..1000 {
        match link.tx.poll_send(&mut cx, &mut batch) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => {
                assert!(batch.is_empty());
                break;
            }
            Poll::Ready(Err(error)) => {
                assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
                break;
            }
        }
    }
    let taken = lock(&taken).clone();
    (taken, batch)
}

#[tokio::test]
async fn a_stream_gets_exactly_the_bytes_before_the_cut() {
    let whole = whole();
    for cut in 1..=whole.len() as u64 {
        for per_call in [1, 7, 1000] {
            let (taken, batch) = send(Faults::seeded(1).cut_after(cut..=cut), per_call, true).await;
            assert_eq!(taken, whole[..cut as usize], "cut after {cut}");
            // A message is left if the link did not get all of it.
            let unsent: Vec<u64> = batch.into_unsent().filter_map(|part| part.seq).collect();
            let first = (0..5).find(|&number| end_of(number) > cut as usize).unwrap_or(5);
            assert_eq!(unsent, (first..5).collect::<Vec<u64>>(), "cut after {cut}");
        }
    }
}

/// Where the frame of this message ends.
fn end_of(number: u64) -> usize {
    (0..=number as usize).map(|number| frame(&vec![0; number + 1]).len()).sum()
}

#[tokio::test]
async fn a_stream_that_takes_little_gets_all_of_it_in_the_end() {
    let (taken, batch) = send(Faults::seeded(1).short_writes(1..=3), 2, true).await;
    assert_eq!(taken, whole());
    assert!(batch.is_empty());
}

#[tokio::test]
async fn a_link_of_items_is_cut_between_two() {
    let ends: Vec<usize> = (0..5).map(end_of).collect();
    for cut in 1..=*ends.last().unwrap() {
        let faults = Faults::seeded(1).cut_after(cut as u64..=cut as u64);
        let (taken, mut batch) = send(faults, 1, false).await;
        let whole = ends.iter().position(|&end| end >= cut).unwrap() + 1;
        let payloads = [&b"a"[..], b"bb", b"ccc", b"dddd", b"eeeee"];
        assert_eq!(taken, payloads[..whole].concat(), "cut after {cut}");
        let left: Vec<Item> = std::iter::from_fn(|| batch.next_item()).collect();
        assert_eq!(left.len(), 5 - whole, "cut after {cut}");
    }
}

#[derive(Debug)]
struct Nowhere;

impl Connector for Nowhere {
    fn address(&self) -> String {
        "nowhere".to_owned()
    }

    fn dump_state(&self) -> String {
        String::new()
    }

    fn connect<'a>(&'a self, _: &'a [u8], _: &'a Limits) -> BoxFuture<'a, Result<Link, LinkError>> {
        Box::pin(async { Err(io::Error::from(io::ErrorKind::NotFound).into()) })
    }

    fn listen<'a>(&'a self, _: &'a Limits) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async { Err(io::ErrorKind::NotFound.into()) })
    }
}
