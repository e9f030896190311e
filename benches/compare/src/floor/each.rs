//! The floor as one writes it first: each message is a write of its own. Callers are tasks that share the writing half, one task
//! reads, and there is a channel for each answer; a server answers one request after the other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::oneshot;

use super::{Frames, next_frame, read, with_length};
use crate::call::Call;
use crate::pair::ready;
use crate::record::Record;
use crate::road::{Road, Stream, accept};

pub async fn serve(frames: impl Frames, road: Road) {
    let (listener, address) = road.listen().await;
    ready(&address);
    loop {
        tokio::spawn(answer_each(frames, accept(&listener).await));
    }
}

async fn answer_each(frames: impl Frames, mut stream: Stream) {
    let (mut input, mut output) = (BytesMut::new(), Vec::new());
    while read(&mut stream, &mut input).await {
        let mut rest = &input[..];
        while let Some(request) = next_frame(&mut rest) {
            with_length(&mut output, |output| frames.answer(request, output));
            stream.write_all(&output).await.expect("the client reads");
            output.clear();
        }
        let done = input.len() - rest.len();
        input.advance(done);
    }
}

type Waiting = Mutex<HashMap<u64, oneshot::Sender<Record>>>;

pub async fn connect<F: Frames>(frames: F, road: Road, address: &str) -> impl Call + use<F> {
    let (reader, writer) = tokio::io::split(road.connect(address).await);
    let waiting = Arc::default();
    tokio::spawn(receive(frames, reader, Arc::clone(&waiting)));
    let writer = Arc::new(tokio::sync::Mutex::new(writer));
    Caller { frames, writer, waiting, record: Record::sample(), output: Vec::new() }
}

async fn receive(frames: impl Frames, mut reader: ReadHalf<Stream>, waiting: Arc<Waiting>) {
    let mut input = BytesMut::new();
    while read(&mut reader, &mut input).await {
        let mut rest = &input[..];
        while let Some(answer) = next_frame(&mut rest) {
            let (number, record) = frames.read_answer(answer);
            let number = number.expect("frames for tasks have numbers");
            let caller = waiting.lock().expect("no panic").remove(&number);
            caller.expect("somebody waits for it").send(record).expect("callers wait");
        }
        let done = input.len() - rest.len();
        input.advance(done);
    }
}

#[derive(Clone)]
struct Caller<F> {
    frames: F,
    writer: Arc<tokio::sync::Mutex<WriteHalf<Stream>>>,
    waiting: Arc<Waiting>,
    record: Record,
    output: Vec<u8>,
}

impl<F: Frames> Call for Caller<F> {
    async fn call(&mut self, number: u64) {
        self.record.renumber(number);
        let (sender, answer) = oneshot::channel();
        self.waiting.lock().expect("no panic").insert(number, sender);
        with_length(&mut self.output, |output| self.frames.put_request(number, &self.record, output));
        self.writer.lock().await.write_all(&self.output).await.expect("the server reads");
        self.output.clear();
        assert_eq!(answer.await.expect("an answer"), self.record);
    }
}
