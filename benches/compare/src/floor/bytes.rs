//! The floor for large messages: a length, then so many bytes, read and written as a whole.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::LENGTH;
use crate::call::Load;
use crate::pair::ready;
use crate::payload::{LARGE, Payloads};
use crate::road::{Road, Stream, accept};
use crate::window::{Meter, Outcome, Plan};

pub async fn serve(road: Road) {
    let (listener, address) = road.listen().await;
    ready(&address);
    loop {
        tokio::spawn(echo_all(accept(&listener).await));
    }
}

async fn echo_all(mut stream: Stream) {
    let mut message = Vec::new();
    while read(&mut stream, &mut message).await {
        stream.write_all(&message).await.expect("the client reads");
    }
}

pub async fn measure(road: Road, address: &str, load: Load, plan: Plan) -> Outcome {
    let mut streams = Vec::new();
    for _ in 0..load.connections {
        streams.push(road.connect(address).await);
    }
    assert_eq!(load.in_flight, 1, "this floor has one message under way on each connection");
    let window = plan.start();
    let call = |stream| tokio::spawn(call_on(stream, window.meter()));
    let mut meters = Vec::new();
    for task in streams.into_iter().map(call).collect::<Vec<_>>() {
        meters.push(task.await.expect("calls succeed"));
    }
    window.outcome(meters, Duration::ZERO)
}

async fn call_on(mut stream: Stream, mut meter: Meter) -> Meter {
    let payloads = Payloads::of(LARGE);
    let messages = [0, 1, 2, 3].map(|number| framed(payloads.get(number)));
    let mut answer = Vec::new();
    for (number, message) in (0..).zip(messages.iter().cycle()) {
        stream.write_all(message).await.expect("the server reads");
        assert!(read(&mut stream, &mut answer).await, "the server answers");
        payloads.check(number, &answer[LENGTH..]);
        if !meter.next() {
            break;
        }
    }
    meter
}

fn framed(payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32).to_be_bytes(), payload].concat()
}

/// The next message, its length in front; or the end. The buffer grows with the first.
async fn read(stream: &mut Stream, message: &mut Vec<u8>) -> bool {
    let (mut filled, mut wanted) = (0, LENGTH);
    while filled < wanted {
        message.resize(message.len().max(wanted), 0);
        let count = stream.read(&mut message[filled..]).await.expect("the peer lives");
        if count == 0 {
            return false;
        }
        filled += count;
        if let Some(length) = message.first_chunk().filter(|_| filled >= LENGTH) {
            wanted = LENGTH + u32::from_be_bytes(*length) as usize;
        }
    }
    assert_eq!(filled, wanted, "one message is under way");
    true
}
