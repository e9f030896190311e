//! What may take so long → the same with a time limit, by a clock that runs.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Timeout;

/// Waits no longer than that. The clock is that of the runtime in which the caller is: who calls from another one than its entity's
/// has it also when that one stands still or is over. Where there is none it is `own`, the entity's.
pub(crate) fn timeout<F: Future>(time: Duration, own: &Handle, work: F) -> Timeout<F> {
    let _entered = Handle::try_current().is_err().then(|| own.enter());
    tokio::time::timeout(time, work)
}
