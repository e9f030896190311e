//! What a hostile peer does over a byte stream → a server or a client of ours that serves the others and ends in order.
//!
//! The whole stack runs, on an invented clock: a minute of silence takes no time, and what hangs is seen at once.

mod raw;
mod road;
mod us;

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::script::Script;
use raw::Raw;
use us::Us;

/// Whatever has to end does so within this time.
const PATIENCE: Duration = Duration::from_secs(60);
/// Things that one input may do.
const ACTIONS: usize = 100;

/// Target `link`: who is attacked, then what happens.
pub fn link(input: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O");
    runtime.block_on(play(&mut Script::new(input)));
    assert_eq!(runtime.metrics().num_alive_tasks(), 0, "a task outlives everything it works for");
}

async fn play(script: &mut Script<'_>) {
    let (road, knocking) = road::road();
    let (mut us, mut raw) = match script.byte() % 2 {
        0 => (Us::server(&road, knocking).await, Raw::client(&road)),
        _ => (Us::client(&road), Raw::server(knocking)),
    };
    for _ in 0..ACTIONS {
        if script.is_over() {
            break;
        }
        act(script, &mut us, &mut raw).await;
    }
    drop(raw);
    // Those that are gone are forgotten meanwhile.
    sleep(2 * us::FORGET).await;
    us.is_well().await;
    in_time("the end of everything", us.end()).await;
    drop(road);
    // The last tasks see that nobody is there any more.
    sleep(PATIENCE).await;
}

async fn act(script: &mut Script<'_>, us: &mut Us, raw: &mut Raw) {
    match script.byte() % 16 {
        0 => raw.connect().await,
        1 => raw.greet(script).await,
        2 => raw.send_bytes(script).await,
        3 => raw.send_message(script).await,
        4 => raw.send_chunk(script).await,
        5 => raw.send_close(script).await,
        6 => raw.listen().await,
        7 => us.request(script),
        8 => us.throw(script),
        9 => sleep(Duration::from_millis(script.pick(&[0, 1, 20, 200, 2500, 6000]))).await,
        10 => raw.hang_up(),
        11 => us.give_up_a_call(script),
        12 => us.is_well().await,
        13 => raw.flood(script).await,
        14 => raw.vanish_inside_a_frame(script).await,
        _ => raw.answer(script).await,
    }
}

/// # Panics
/// It takes longer.
async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.unwrap_or_else(|_| panic!("{what} takes more than {PATIENCE:?}"))
}
