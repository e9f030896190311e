//! What the library promises goes in as tests; each names what must hold, and fails when it does not.

mod certificates;
mod connectors;
mod entities;
mod faults;
mod processes;
mod raw_peer;
mod readme;
mod serializers;
mod support;
mod tls;
