//! A listener → the same, whose connections fail or are wrapped.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::Bench;
use super::plan::{Failure, Plan};
use crate::connector::{BoxFuture, Delivery, Incoming, Link, LinkError, Listener, PeerInfo};

pub(super) fn listener(inner: Box<dyn Listener>, bench: Arc<Bench>) -> Box<dyn Listener> {
    Box::new(FaultListener { inner, bench })
}

struct FaultListener {
    inner: Box<dyn Listener>,
    bench: Arc<Bench>,
}

impl Listener for FaultListener {
    fn dump_state(&self) -> String {
        self.inner.dump_state()
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<Box<dyn Incoming>>> {
        Box::pin(async {
            let inner = self.inner.accept().await?;
            let plan = self.bench.next_plan();
            Ok(Box::new(FaultIncoming { inner, plan, bench: self.bench.clone() }) as Box<dyn Incoming>)
        })
    }
}

struct FaultIncoming {
    inner: Box<dyn Incoming>,
    plan: Plan,
    bench: Arc<Bench>,
}

impl Incoming for FaultIncoming {
    fn address(&self) -> String {
        self.inner.address()
    }

    fn peer(&self) -> PeerInfo {
        self.inner.peer()
    }

    fn delivery(&self) -> Delivery {
        self.inner.delivery()
    }

    fn hello(&mut self) -> BoxFuture<'_, Result<Bytes, LinkError>> {
        Box::pin(async {
            self.plan.pass(Failure::Before)?;
            self.inner.hello().await
        })
    }

    fn prepare<'a>(&'a mut self, hello: &'a [u8]) -> BoxFuture<'a, Result<(), LinkError>> {
        self.inner.prepare(hello)
    }

    fn accept<'a>(self: Box<Self>, hello: &'a [u8]) -> BoxFuture<'a, Result<Link, LinkError>> {
        Box::pin(async move {
            let Self { inner, plan, bench } = *self;
            let link = inner.accept(hello).await?;
            plan.pass(Failure::After)?;
            bench.wrap(link, plan)
        })
    }

    fn refuse<'a>(self: Box<Self>, reason: &'a str) -> BoxFuture<'a, ()> {
        self.inner.refuse(reason)
    }
}
