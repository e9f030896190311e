//! A memory connector whose server holds up one step of one handshake until a gate is opened.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use communica::{
    BoxFuture, Bytes, Connector, Incoming, Limits, Link, LinkError, Listener, MemoryConnector, PeerInfo,
};

use crate::support::Gate;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Hello,
    Prepare,
    Accept,
}

#[derive(Clone)]
pub(super) struct GatedConnector {
    inner: MemoryConnector,
    held: Step,
    /// Handshakes that pass that step before the one that is held up.
    free: usize,
    passed: Arc<AtomicUsize>,
    /// Opened when a handshake is held up.
    pub(super) reached: Gate,
    pub(super) gate: Gate,
}

impl GatedConnector {
    pub(super) fn after(free: usize, held: Step) -> Self {
        let [reached, gate] = [Gate::shut(), Gate::shut()];
        Self { inner: MemoryConnector::unique(), held, free, passed: Arc::default(), reached, gate }
    }

    async fn pass(&self, step: Step) {
        if step == self.held && self.passed.fetch_add(1, Ordering::Relaxed) == self.free {
            self.reached.open();
            self.gate.pass().await;
        }
    }
}

impl std::fmt::Debug for GatedConnector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}

impl Connector for GatedConnector {
    fn address(&self) -> String {
        self.inner.address()
    }

    fn dump_state(&self) -> String {
        self.inner.dump_state()
    }

    fn connect<'a>(&'a self, hello: &'a [u8], limits: &'a Limits) -> BoxFuture<'a, Result<Link, LinkError>> {
        self.inner.connect(hello, limits)
    }

    fn listen<'a>(&'a self, limits: &'a Limits) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let inner = self.inner.listen(limits).await?;
            Ok(Box::new(GatedListener { inner, connector: self.clone() }) as Box<dyn Listener>)
        })
    }
}

struct GatedListener {
    inner: Box<dyn Listener>,
    connector: GatedConnector,
}

impl Listener for GatedListener {
    fn dump_state(&self) -> String {
        self.inner.dump_state()
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<Box<dyn Incoming>>> {
        Box::pin(async {
            let inner = self.inner.accept().await?;
            Ok(Box::new(GatedIncoming { inner, connector: self.connector.clone() }) as Box<dyn Incoming>)
        })
    }
}

struct GatedIncoming {
    inner: Box<dyn Incoming>,
    connector: GatedConnector,
}

impl Incoming for GatedIncoming {
    fn address(&self) -> String {
        self.inner.address()
    }

    fn peer(&self) -> PeerInfo {
        self.inner.peer()
    }

    fn hello(&mut self) -> BoxFuture<'_, Result<Bytes, LinkError>> {
        Box::pin(async {
            self.connector.pass(Step::Hello).await;
            self.inner.hello().await
        })
    }

    fn prepare<'a>(&'a mut self, hello: &'a [u8]) -> BoxFuture<'a, Result<(), LinkError>> {
        Box::pin(async move {
            self.connector.pass(Step::Prepare).await;
            self.inner.prepare(hello).await
        })
    }

    fn accept<'a>(self: Box<Self>, hello: &'a [u8]) -> BoxFuture<'a, Result<Link, LinkError>> {
        Box::pin(async move {
            self.connector.pass(Step::Accept).await;
            self.inner.accept(hello).await
        })
    }

    fn refuse<'a>(self: Box<Self>, reason: &'a str) -> BoxFuture<'a, ()> {
        self.inner.refuse(reason)
    }
}
