//! One client after the other: connects, calls for a while, goes in one of the ways there are.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use communica::{Backoff, FaultConnector, Limits, RouteClient, RouteTable};
use tokio::time::{sleep, timeout};

use crate::scratch::unique;

/// No call takes longer, with several MiB, cuts and a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came of all calls of a process.
#[derive(Default)]
pub(super) struct Book(Mutex<BTreeMap<String, u64>>);

impl Book {
    fn count(&self, what: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default() += 1;
    }

    /// `what=count` words.
    pub(super) fn line(&self) -> String {
        let book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let words: Vec<String> = book.iter().map(|(what, count)| format!("{what}={count}")).collect();
        words.join(" ")
    }
}

/// Numbers by chance (xorshift).
struct Luck(u64);

impl Luck {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

pub(super) async fn come_and_go(road: FaultConnector, limits: Limits, seed: u64, book: Arc<Book>) {
    let mut luck = Luck(seed | 1 << 40);
    let mut regular = unique("regular");
    loop {
        // Some come back under their name, others are seen once.
        let comes_back = luck.below(3) == 0;
        let id = if comes_back { regular.clone() } else { unique("passer-by") };
        let builder = RouteClient::builder(road.clone())
            .client_id(id)
            .limits(limits.clone())
            .routes(RouteTable::new().route("echo", |text: String| text).route("throw", |_: String| ()))
            .backoff(Backoff::new(Duration::from_millis(5), Duration::from_millis(200)));
        match builder.connect().await {
            Ok(client) => {
                let is_over = visit(client, &mut luck, &book).await;
                // One that is still saying goodbye must not meet itself.
                if comes_back && !is_over {
                    regular = unique("regular");
                }
            }
            Err(error) => {
                book.count(format!("no-connection:{}", short(&error)));
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Whether nothing is left of the client at the end.
async fn visit(client: RouteClient, luck: &mut Luck, book: &Arc<Book>) -> bool {
    let calls = 1 + luck.below(40);
    for _ in 0..calls {
        match luck.below(40) {
            0 => {
                let text = text(luck, 5 << 20);
                call(&client, "echo", &text, book).await;
            }
            1 => {
                let text = text(luck, 300_000);
                call(&client, "call_back", &text, book).await;
            }
            2..=4 => {
                let thrown = timeout(PATIENCE, client.throw("throw", &text(luck, 10_000))).await;
                book.count(match thrown {
                    Ok(Ok(())) => "thrown".to_owned(),
                    Ok(Err(error)) => format!("not-thrown:{}", short(&error)),
                    Err(_) => "HUNG".to_owned(),
                });
            }
            5 => sleep(Duration::from_millis(luck.below(200))).await,
            6 => {
                // Nobody waits for this one.
                let text = text(luck, 1000);
                let _ = timeout(
                    Duration::from_micros(luck.below(3000)),
                    client.request::<_, String>("echo", &text),
                )
                .await;
                book.count("given-up".to_owned());
            }
            _ => {
                let text = text(luck, 2000);
                call(&client, "echo", &text, book).await;
            }
        }
    }
    let closes = luck.below(2) == 0;
    if closes {
        client.close().await;
    }
    closes
}

async fn call(client: &RouteClient, route: &str, text: &str, book: &Book) {
    let what = match timeout(PATIENCE, client.request::<_, String>(route, text)).await {
        Ok(Ok(answer)) if answer == text => "answered".to_owned(),
        Ok(Ok(_)) => "WRONG".to_owned(),
        Ok(Err(error)) => short(&error),
        Err(_) => "HUNG".to_owned(),
    };
    book.count(what);
}

/// The names of the variants.
fn short(error: &communica::Error) -> String {
    let told = format!("{error:?}");
    let mut names = told.split(|c: char| !c.is_alphanumeric());
    format!("{}({})", names.next().unwrap_or_default(), names.next().unwrap_or_default())
}

fn text(luck: &mut Luck, most: u64) -> String {
    let len = luck.below(most) as usize;
    let mut text = format!("{:016x}", luck.below(u64::MAX)).repeat(len / 16 + 1);
    text.truncate(len);
    text
}
