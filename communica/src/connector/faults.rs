//! Any connector → the same with faults on its links: cuts, delays, stalls, small writes. For tests of what a program does
//! then.

mod cable;
mod door;
mod plan;
#[cfg(test)]
mod tests;

pub use plan::Faults;

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::{BoxFuture, Connector, Link, LinkError, Listener};
use crate::limits::Limits;
use cable::Cable;
use plan::{Failure, Plan};

/// Wraps a connector, whichever it is, and makes its links break, stall and dawdle, by chance or on command (feature `faults`).
///
/// Give it to a client, to a server, or one to each: what goes wrong on one side is felt on both. All chance comes
/// from the seed of [`Faults`], link by link: the third link of a connector with seed 7 meets the same faults at the same bytes
/// whenever the program runs. Clones share their links and counts.
///
/// Its state and address are those of the connector inside: faults do not travel with
/// [`dump_state`](Connector::dump_state), so that a process that loads the state meets none of its own.
///
/// ```
/// # #[cfg(all(feature = "memory", feature = "json"))] {
/// use communica::{Error, FaultConnector, Faults, MemoryConnector, RouteClient, RouteServer, RouteTable};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let road = MemoryConnector::new("shop");
/// let routes = RouteTable::new().route("double", |number: i64| number * 2);
/// let server = RouteServer::new(road.clone(), routes).start().await?;
///
/// let shaky = FaultConnector::new(road, Faults::seeded(7).fail_connects(0.5));
/// let client = RouteClient::connect(shaky.clone()).await?;
/// for number in 0..5 {
///     shaky.cut_now();
///     // The client comes back by itself; the call waits for it.
///     assert_eq!(client.request::<_, i64>("double", &number).await?, number * 2);
/// }
/// assert_eq!(shaky.cuts(), 5);
/// # Ok::<(), Error>(()) }).unwrap();
/// # }
/// ```
#[derive(Clone)]
pub struct FaultConnector {
    inner: Arc<dyn Connector>,
    bench: Arc<Bench>,
}

/// What the links of a connector have in common.
struct Bench {
    faults: Faults,
    /// Links that were opened, or tried.
    links: AtomicU64,
    cuts: AtomicU64,
    unplugged: AtomicBool,
    /// Those that may be open.
    cables: Mutex<Vec<Weak<Cable>>>,
}

impl FaultConnector {
    /// The connector, with these faults.
    #[must_use]
    pub fn new(inner: impl Connector, faults: Faults) -> Self {
        let bench = Bench {
            faults,
            links: AtomicU64::new(0),
            cuts: AtomicU64::new(0),
            unplugged: AtomicBool::new(false),
            cables: Mutex::new(Vec::new()),
        };
        Self { inner: Arc::new(inner), bench: Arc::new(bench) }
    }

    /// Cuts every open link at once, in the middle of whatever it does. Counts as a cut each, and does so whatever
    /// [`Faults::at_most`] says.
    pub fn cut_now(&self) {
        for cable in self.bench.open_cables() {
            cable.cut("on command");
        }
    }

    /// Cuts every open link, and opens no new one before [`plug_in`](Self::plug_in): connecting fails at once, and
    /// whoever connects to a server with this connector is hung up on.
    pub fn unplug(&self) {
        self.bench.unplugged.store(true, Ordering::SeqCst);
        self.cut_now();
    }

    /// Ends [`unplug`](Self::unplug).
    pub fn plug_in(&self) {
        self.bench.unplugged.store(false, Ordering::SeqCst);
    }

    /// Links that were cut so far, by chance or on command.
    #[must_use]
    pub fn cuts(&self) -> u64 {
        self.bench.cuts.load(Ordering::SeqCst)
    }

    /// Links that were opened so far, with those that failed on purpose.
    #[must_use]
    pub fn links(&self) -> u64 {
        self.bench.links.load(Ordering::SeqCst)
    }
}

impl fmt::Debug for FaultConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultConnector")
            .field("inner", &self.inner)
            .field("faults", &self.bench.faults)
            .field("links", &self.links())
            .field("cuts", &self.cuts())
            .finish()
    }
}

impl Connector for FaultConnector {
    fn address(&self) -> String {
        self.inner.address()
    }

    fn dump_state(&self) -> String {
        self.inner.dump_state()
    }

    fn client_id(&self, chosen: Option<&str>) -> Result<Option<String>, String> {
        self.inner.client_id(chosen)
    }

    fn connect<'a>(&'a self, hello: &'a [u8], limits: &'a Limits) -> BoxFuture<'a, Result<Link, LinkError>> {
        Box::pin(async move {
            let plan = self.bench.next_plan();
            plan.pass(Failure::Before)?;
            let link = self.inner.connect(hello, limits).await?;
            plan.pass(Failure::After)?;
            self.bench.wrap(link, plan)
        })
    }

    fn listen<'a>(&'a self, limits: &'a Limits) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let inner = self.inner.listen(limits).await?;
            Ok(door::listener(inner, self.bench.clone()))
        })
    }
}

impl Bench {
    /// What the next link will meet.
    fn next_plan(&self) -> Plan {
        let number = self.links.fetch_add(1, Ordering::SeqCst) + 1;
        let mut plan = Plan::new(&self.faults, number);
        if self.unplugged.load(Ordering::SeqCst) {
            plan.fail(Failure::Before);
        }
        plan
    }

    /// The link, with what the plan says.
    fn wrap(self: &Arc<Self>, link: Link, plan: Plan) -> Result<Link, LinkError> {
        let number = plan.link();
        let (link, cable) = cable::wrap(link, plan, self.clone());
        let mut cables = lock(&self.cables);
        cables.retain(|cable| cable.strong_count() > 0);
        cables.push(Arc::downgrade(&cable));
        drop(cables);
        // It may have been unplugged while this one was on its way; whoever did so did not see it.
        if self.unplugged.load(Ordering::SeqCst) {
            return Err(plan::failed(self.faults.seed(), number).into());
        }
        Ok(link)
    }

    fn open_cables(&self) -> Vec<Arc<Cable>> {
        lock(&self.cables).iter().filter_map(Weak::upgrade).collect()
    }

    /// Counts a cut. False if there were enough.
    fn may_cut(&self) -> bool {
        let within = |cuts| (cuts < self.faults.most_cuts()).then_some(cuts + 1);
        self.cuts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, within).is_ok()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic in a link inside leaves nothing half done that matters: the link is not used any more.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
