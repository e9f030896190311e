//! What a socket and serde can do at most: loops written by hand, one for each connection and side. One read brings
//! many frames, and one write sends all that came of them.

pub mod bytes;
pub mod each;
pub mod json;
pub mod tasks;
pub mod wire;

use std::time::{Duration, Instant};

use ::bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use crate::call::Load;
use crate::pair::ready;
use crate::record::Record;
use crate::road::{Road, Stream, accept};
use crate::window::{Meter, Outcome, Plan};

/// Each read has room for so much.
const READ: usize = 64 << 10;
/// The length in front of a frame.
const LENGTH: usize = 4;

/// How a record and its number become a frame, and what a server does with one. Numbers are those of calls.
pub trait Frames: Copy + Send + Sync + 'static {
    /// Appends what follows the length.
    fn put_request(self, number: u64, record: &Record, out: &mut Vec<u8>);
    /// Appends the answer to a request, without its length.
    fn answer(self, request: &[u8], out: &mut Vec<u8>);
    /// The number of the call that an answer is for, if it is in there.
    fn read_answer(self, answer: &[u8]) -> (Option<u64>, Record);
}

pub async fn serve(frames: impl Frames, road: Road) {
    let (listener, address) = road.listen().await;
    ready(&address);
    loop {
        tokio::spawn(answer_all(frames, accept(&listener).await));
    }
}

async fn answer_all(frames: impl Frames, mut stream: Stream) {
    let (mut input, mut output) = (BytesMut::new(), Vec::new());
    while read(&mut stream, &mut input).await {
        let mut rest = &input[..];
        while let Some(request) = next_frame(&mut rest) {
            with_length(&mut output, |output| frames.answer(request, output));
        }
        let done = input.len() - rest.len();
        input.advance(done);
        stream.write_all(&output).await.expect("the client reads");
        output.clear();
    }
}

pub async fn measure(frames: impl Frames, road: Road, address: &str, load: Load, plan: Plan) -> Outcome {
    let mut streams = Vec::new();
    for _ in 0..load.connections {
        streams.push(road.connect(address).await);
    }
    let window = plan.start();
    let call = |stream| tokio::spawn(call_all(frames, stream, load.in_flight, window.meter()));
    let mut meters = Vec::new();
    for task in streams.into_iter().map(call).collect::<Vec<_>>() {
        meters.push(task.await.expect("calls succeed"));
    }
    window.outcome(meters, Duration::ZERO)
}

/// Keeps so many calls in flight.
async fn call_all(frames: impl Frames, mut stream: Stream, in_flight: usize, mut meter: Meter) -> Meter {
    let (mut input, mut output) = (BytesMut::new(), Vec::new());
    let mut record = Record::sample();
    let mut sent = vec![Instant::now(); in_flight];
    // Answers come in the order of calls.
    let (mut asked, mut answered) = (0, 0);
    while asked < in_flight as u64 {
        put_call(frames, asked, &mut record, &mut output);
        asked += 1;
    }
    loop {
        stream.write_all(&output).await.expect("the server reads");
        output.clear();
        assert!(read(&mut stream, &mut input).await, "the server answers");
        let now = Instant::now();
        let mut rest = &input[..];
        while let Some(answer) = next_frame(&mut rest) {
            let (number, answer) = frames.read_answer(answer);
            assert!(number.is_none_or(|number| number == answered), "answers come in the order of calls");
            record.renumber(answered);
            assert_eq!(answer, record);
            let slot = &mut sent[(answered % in_flight as u64) as usize];
            meter.record(now - *slot);
            *slot = now;
            answered += 1;
            put_call(frames, asked, &mut record, &mut output);
            asked += 1;
        }
        let done = input.len() - rest.len();
        input.advance(done);
        if meter.is_over() {
            return meter;
        }
    }
}

fn put_call(frames: impl Frames, number: u64, record: &mut Record, output: &mut Vec<u8>) {
    record.renumber(number);
    with_length(output, |output| frames.put_request(number, record, output));
}

/// More of what the peer sent, or its end.
async fn read(stream: &mut (impl AsyncRead + Unpin), input: &mut BytesMut) -> bool {
    input.reserve(READ);
    stream.read_buf(input).await.expect("the peer lives") > 0
}

fn next_frame<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = input.split_first_chunk::<LENGTH>()?;
    let (frame, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *input = rest;
    Some(frame)
}

fn with_length(output: &mut Vec<u8>, put: impl FnOnce(&mut Vec<u8>)) {
    let start = output.len();
    output.extend([0; LENGTH]);
    put(output);
    let length = (output.len() - start - LENGTH) as u32;
    output[start..start + LENGTH].copy_from_slice(&length.to_be_bytes());
}
