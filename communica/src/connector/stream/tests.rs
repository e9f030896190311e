//! A small message among the pieces of a large one: whoever waited for it goes first.

use std::sync::Weak;
use std::task::Waker;

use tokio::io::{Empty, ReadBuf, empty};
use tokio::runtime::Handle;

use super::*;
use crate::driver::{LinkEnd, drive};
use crate::exchange::Exchange;

use crate::session::What;
use crate::wire::{Chunks, Kind, put_close, put_message, put_request};

/// Brings as much as is asked for.
struct Source {
    bytes: Bytes,
}

impl AsyncRead for Source {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = into.remaining().min(self.bytes.len());
        into.put_slice(&self.bytes.split_to(count));
        Poll::Ready(Ok(()))
    }
}

fn metadata() -> Bytes {
    let mut metadata = BytesMut::new();
    put_request("1", Kind::Throw, Some("note"), "", &mut metadata);
    metadata.freeze()
}

fn put_small(out: &mut BytesMut) {
    put_message(out, 0, |out| out.extend_from_slice(&metadata()));
}

fn put_piece(out: &mut BytesMut, chunks: &mut Chunks) {
    let (head, piece) = chunks.cut();
    out.extend_from_slice(&head);
    out.extend_from_slice(&piece);
}

/// A large message of so many bytes, and behind its first piece a small one.
fn overtaken(size: usize) -> Source {
    let mut chunks = Chunks::new(metadata(), vec![7; size].into(), 32 * 1024);
    let mut bytes = BytesMut::new();
    put_piece(&mut bytes, &mut chunks);
    put_small(&mut bytes);
    while !chunks.is_done() {
        put_piece(&mut bytes, &mut chunks);
    }
    Source { bytes: bytes.freeze() }
}

fn link_from(source: Source, depths: Option<&'static Depths<Empty>>) -> Link {
    let (input, hello, peer) = (BytesMut::new(), Bytes::new(), "a test".to_owned().into());
    link(source, empty(), input, hello, &Limits::default(), peer, Controls { depths, ..Controls::default() })
}

#[tokio::test]
async fn turns_are_short_where_small_messages_overtake_large_ones_and_the_stream_holds_little() {
    static HOLDS_LITTLE: Depths<Empty> = Depths { set: |_, _| {}, deep: 2, shallow: 1, is_all: true };
    static HOLDS_LITTLE_HERE: Depths<Empty> = Depths { is_all: false, ..HOLDS_LITTLE };
    // Reads in a turn: each takes 64 KiB, and more where a frame announced more.
    for (depths, expected) in [(Some(&HOLDS_LITTLE), 1..=1), (Some(&HOLDS_LITTLE_HERE), 4..=8), (None, 4..=8)]
    {
        let mut link = link_from(overtaken(4 << 20), depths);
        let (mut cx, mut messages) = (Context::from_waker(Waker::noop()), Vec::new());
        let mut reads = Vec::new();
        while messages.len() < 2 {
            let before = (messages.len(), link.rx.activity());
            let _ = link.rx.poll_recv(&mut cx, &mut messages);
            // The first reads are small.
            if before.0 == 1 && before.1 > 20 {
                reads.push(link.rx.activity() - before.1);
            }
        }
        let longest = reads.iter().max().copied().unwrap_or_default();
        assert!(expected.contains(&longest), "{reads:?} where {expected:?} were expected");
    }
}

#[tokio::test]
async fn nothing_more_of_a_large_message_is_read_before_those_who_waited_go_on() {
    let mut link = link_from(overtaken(1 << 20), None);
    let (mut cx, mut messages) = (Context::from_waker(Waker::noop()), Vec::new());
    let mut polls = Vec::new();
    while messages.len() < 2 {
        let before = (messages.len(), link.rx.activity());
        let pending = link.rx.poll_recv(&mut cx, &mut messages).is_pending();
        polls.push((pending, messages.len() > before.0, link.rx.activity() > before.1));
    }
    let small = polls.iter().position(|&(_, message, _)| message).unwrap();
    assert_eq!(polls[small], (false, true, true));
    assert_eq!(polls[small + 1], (true, false, false), "it read on: {polls:?}");
    assert!(polls[small + 2].2, "it never reads on: {polls:?}");
    assert_eq!(messages[1].payload.len(), 1 << 20);
}

#[tokio::test]
async fn a_first_message_that_is_too_large_is_no_refusal_whatever_stands_in_it() {
    let payload = format!("\x04{{\"reason\":\"{}\"}}", "x".repeat(100));
    let (mut head, mut bytes) = (BytesMut::new(), BytesMut::from(payload.as_bytes()));
    put_message(&mut head, payload.len(), |out| out.extend_from_slice(&metadata()));
    put_small(&mut bytes);
    let source = Source { bytes: bytes.freeze() };
    let limits = Limits::default().message_size(64);
    let mut link =
        link(source, empty(), head, Bytes::new(), &limits, "a test".to_owned().into(), Controls::default());
    let mut messages = Vec::new();
    std::future::poll_fn(|cx| link.rx.poll_recv(cx, &mut messages)).await.unwrap();
    let left_out: Vec<_> = messages.iter().map(Message::size_left_out).collect();
    assert_eq!(left_out, [Some(payload.len()), None]);
}

/// Nobody reads any more.
struct Deaf;

impl AsyncWrite for Deaf {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn what_the_peer_said_behind_a_piece_and_a_small_message_is_heard_though_it_reads_no_more() {
    let mut chunks = Chunks::new(metadata(), vec![7; 1 << 20].into(), 32 * 1024);
    let mut bytes = BytesMut::new();
    // The goodbye is not in the buffer yet when the small message is handed out.
    put_piece(&mut bytes, &mut chunks);
    put_small(&mut bytes);
    (0..8).for_each(|_| put_piece(&mut bytes, &mut chunks));
    put_close(&mut bytes, Some("enough"));
    let limits = Limits::default();
    let source = Source { bytes: bytes.freeze() };
    let link = link(
        source,
        Deaf,
        BytesMut::new(),
        Bytes::new(),
        &limits,
        "a test".to_owned().into(),
        Controls::default(),
    );
    let exchange = Exchange::new("w1".to_owned(), Weak::new(), limits, Handle::current());
    exchange.throw(What::default(), Vec::new().into(), None).await.unwrap();
    let end = drive(&exchange, link, None, false).await;
    assert!(matches!(&end, LinkEnd::Peer(Some(reason)) if reason == "enough"), "{end:?}");
}
