//! Bundles that wait for a peer that knows none are taken away. Whoever asked what is in them repeats it, and nobody else can
//! read the answers.

use std::io;
use std::time::Duration;

use lapin::options::BasicAckOptions;
use lapin::types::ShortString;

use super::broker::{Broker, broken};
use super::line::{Line, is, next};
use super::names::BUNDLE;

/// So many of the messages that wait are looked at, …
const MESSAGES: u16 = 4096;
/// … while they have no more bytes than these, …
const BYTES: usize = 64 << 20;
/// … for no longer than this: somebody waits for the end of a handshake. Such a peer drops what is left, and connects again.
const TIME: Duration = Duration::from_secs(2);
/// The next one comes within this time.
const BRINGING: Duration = Duration::from_millis(300);

/// While nobody else reads the queue.
pub(super) async fn sweep(broker: &Broker, exchange: &str, queue: &ShortString) -> io::Result<()> {
    let line = Line::open(broker, exchange).await?;
    let swept = tokio::time::timeout(TIME, take_bundles(&line, queue)).await;
    // What is no bundle is back in its place then.
    line.close().await;
    swept.unwrap_or(Ok(()))
}

async fn take_bundles(line: &Line, queue: &ShortString) -> io::Result<()> {
    let waiting = line.waiting(queue.clone()).await?;
    if waiting == 0 {
        return Ok(());
    }
    line.prefetch(MESSAGES).await?;
    let mut consumer = line.consume(queue, true).await?;
    let mut bytes = 0;
    for _ in 0..waiting.min(MESSAGES.into()) {
        // Of those whose time limit passed fewer come than were counted.
        let Ok(delivery) = tokio::time::timeout(BRINGING, next(&mut consumer)).await else { break };
        let delivery = delivery?;
        bytes += delivery.data.len();
        if is(&delivery, BUNDLE) {
            let acked = line.channel.basic_ack(delivery.delivery_tag, BasicAckOptions::default());
            acked.await.map_err(broken)?;
        }
        if bytes > BYTES {
            break;
        }
    }
    Ok(())
}
