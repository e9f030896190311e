//! Bytes of many small messages → how long it takes to read the metadata of one, and to cut a stream into them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use communica::stream;
use communica::{Bytes, Limits, LinkRx, Metadata};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use tokio::io::{AsyncRead, ReadBuf};

fn main() {
    divan::main();
}

/// Messages that come with one read.
const TOGETHER: usize = 64;
const METADATA: &[u8] = br#"{"id":"bcb793e17630b8460-1f","type":1,"route":"echo"}"#;
const RECORD: &[u8] =
    br#"{"id":123456,"name":"a name","email":"name@example.org","age":42,"score":0.5,"active":true}"#;

#[divan::bench]
fn metadata(bencher: Bencher<'_, '_>) {
    let text = Bytes::from_static(METADATA);
    bencher.bench_local(|| Metadata::parse(black_box(text.clone())).expect("it is what peers send"));
}

/// With what a link does around it: the buffer, and the list of messages.
#[divan::bench]
fn frames(bencher: Bencher<'_, '_>) {
    let (mut rx, mut messages) = (receiver(), Vec::new());
    bencher.counter(ItemsCount::new(TOGETHER)).bench_local(|| {
        while messages.len() < TOGETHER {
            let polled = rx.poll_recv(&mut Context::from_waker(Waker::noop()), &mut messages);
            assert!(matches!(polled, Poll::Ready(Ok(_))));
        }
        messages.clear();
    });
}

fn receiver() -> Box<dyn LinkRx> {
    let mut frames = Vec::new();
    for _ in 0..TOGETHER {
        let size = 1 + 4 + METADATA.len() + RECORD.len();
        frames.extend_from_slice(&(size as u32).to_be_bytes());
        frames.push(10);
        frames.extend_from_slice(&(4 + METADATA.len() as u32).to_be_bytes());
        frames.extend_from_slice(METADATA);
        frames.extend_from_slice(RECORD);
    }
    let source = Source { hello: b"{\"serializer\":\"json\"}\0".to_vec(), frames, at: 0 };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let limits = Limits::default();
    let link = stream::connect(source, tokio::io::sink(), b"{}", &limits, "here".to_owned());
    runtime.block_on(link).expect("the hello is complete").rx
}

/// A hello, then the same frames for ever.
struct Source {
    hello: Vec<u8>,
    frames: Vec<u8>,
    at: usize,
}

impl AsyncRead for Source {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.hello.is_empty() {
            buf.put_slice(&std::mem::take(&mut self.hello));
            return Poll::Ready(Ok(()));
        }
        let size = buf.remaining().min(self.frames.len() - self.at);
        buf.put_slice(&self.frames[self.at..self.at + size]);
        self.at = (self.at + size) % self.frames.len();
        Poll::Ready(Ok(()))
    }
}
