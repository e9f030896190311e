//! The client's side of the floor, for callers that are tasks, as a library's are: a buffer that they write into, a
//! task that sends what is there, one that reads, and a channel for each answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{Notify, oneshot};

use super::{Frames, next_frame, read, with_length};
use crate::call::Call;
use crate::record::Record;
use crate::road::{Road, Stream};

pub async fn connect<F: Frames>(frames: F, road: Road, address: &str) -> impl Call + use<F> {
    let (reader, writer) = tokio::io::split(road.connect(address).await);
    let shared = Arc::new(Shared::default());
    tokio::spawn(send(writer, shared.clone()));
    tokio::spawn(receive(frames, reader, shared.clone()));
    Caller { frames, shared, record: Record::sample() }
}

#[derive(Default)]
struct Shared {
    calls: Mutex<Calls>,
    more: Notify,
}

#[derive(Default)]
struct Calls {
    output: Vec<u8>,
    waiting: HashMap<u64, oneshot::Sender<Record>>,
}

async fn send(mut writer: WriteHalf<Stream>, shared: Arc<Shared>) {
    let mut output = Vec::new();
    loop {
        shared.more.notified().await;
        // Those that are ready to call go first, so that one write takes it all.
        tokio::task::yield_now().await;
        std::mem::swap(&mut shared.calls.lock().expect("no panic").output, &mut output);
        writer.write_all(&output).await.expect("the server reads");
        output.clear();
    }
}

async fn receive(frames: impl Frames, mut reader: ReadHalf<Stream>, shared: Arc<Shared>) {
    let mut input = BytesMut::new();
    while read(&mut reader, &mut input).await {
        let mut rest = &input[..];
        while let Some(answer) = next_frame(&mut rest) {
            let (number, record) = frames.read_answer(answer);
            let number = number.expect("frames for tasks have numbers");
            let caller = shared.calls.lock().expect("no panic").waiting.remove(&number);
            caller.expect("somebody waits for it").send(record).expect("callers wait");
        }
        let done = input.len() - rest.len();
        input.advance(done);
    }
}

#[derive(Clone)]
struct Caller<F> {
    frames: F,
    shared: Arc<Shared>,
    record: Record,
}

impl<F: Frames> Call for Caller<F> {
    async fn call(&mut self, number: u64) {
        self.record.renumber(number);
        let (sender, answer) = oneshot::channel();
        let was_empty = {
            let mut calls = self.shared.calls.lock().expect("no panic");
            let was_empty = calls.output.is_empty();
            with_length(&mut calls.output, |out| self.frames.put_request(number, &self.record, out));
            calls.waiting.insert(number, sender);
            was_empty
        };
        if was_empty {
            self.shared.more.notify_one();
        }
        assert_eq!(answer.await.expect("an answer"), self.record);
    }
}
