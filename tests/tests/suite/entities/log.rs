//! What the library logs on this thread goes in, and what a test adds; text comes out.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Dispatch, Event, Metadata, Subscriber, span};

/// Everything that is logged.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<String>>);

impl Log {
    /// Hears all of this thread from now on.
    pub(super) fn hears(&self) -> (Dispatch, DefaultGuard) {
        // While there is only one, tracing asks a thread that has none whether anybody listens, and believes it.
        let second = Dispatch::new(Self::default());
        (second, tracing::subscriber::set_default(self.clone()))
    }

    pub(super) fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }

    pub(super) fn add(&self, what: impl Debug) {
        let _ = writeln!(self.0.lock().unwrap(), "{what:?}");
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        span.record(&mut Line(self));
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut Line(self));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Line(self));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Line<'a>(&'a Log);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.add((field.name(), format!("{value:?}")));
    }
}
