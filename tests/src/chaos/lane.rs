//! A peer and a lane's number → all messages of that lane, sent in order; what came back, checked.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use communica::Peer;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::ledger::Ledger;
use super::parcel::{Direction, Parcel, Receipt};
use super::plan::Plan;

pub(super) async fn send_all(peer: Peer, plan: Plan, sender: Direction, lane: u32, ledger: Arc<Ledger>) {
    let mut under_way = VecDeque::new();
    for number in 0..plan.of_lane(lane) {
        let parcel = Parcel::new(plan.seed, sender, lane, number);
        ledger.begins();
        if parcel.is_request() {
            under_way.extend(begun(request(peer.clone(), parcel, ledger.clone())).await);
        } else {
            let thrown = peer.throw("throw", &parcel).await;
            ledger.ended(thrown.err().map(|error| format!("throw {lane}.{number} ended with {error:?}")));
        }
        if under_way.len() >= plan.under_way() {
            finish(under_way.pop_front()).await;
        }
    }
    for request in under_way {
        finish(Some(request)).await;
    }
}

async fn request(peer: Peer, parcel: Parcel, ledger: Arc<Ledger>) {
    let Parcel { lane, number, .. } = parcel;
    let call = peer.request::<_, Receipt>("request", &parcel);
    let ended = match parcel.patience() {
        None => call.await,
        Some(micros) => match timeout(Duration::from_micros(micros), call).await {
            Ok(ended) => ended,
            Err(_) => return ledger.ended(None),
        },
    };
    let complaint = match ended {
        Ok(receipt) if receipt == parcel.receipt() => None,
        Ok(_) => Some(format!("request {lane}.{number} got a wrong answer")),
        Err(error) => Some(format!("request {lane}.{number} ended with {error:?}")),
    };
    ledger.ended(complaint);
}

/// Polled once, so that it has its place behind what was sent before; the rest is for a task.
async fn begun(call: impl Future<Output = ()> + Send + 'static) -> Option<JoinHandle<()>> {
    let mut call = Box::pin(call);
    let first = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
    first.is_pending().then(|| tokio::spawn(call))
}

async fn finish(call: Option<JoinHandle<()>>) {
    if let Some(call) = call {
        call.await.expect("calls do not panic");
    }
}
