//! Services in hostile surroundings: no prelude, a renamed crate, and names that generated code would like to have.

// Lints of generated code are the business of the macro, not of the crate that uses it.
#![deny(warnings)]
#![allow(non_camel_case_types)]

use std::time::Duration;

use communica::{MemoryConnector, RouteClient, RouteServer, RouteTable};

mod made;
mod types;
mod variables;

/// Runs a test with a client for `routes`, and fails it when it takes too long.
fn served<F: Future<Output = ()>>(name: &str, routes: RouteTable, test: impl FnOnce(RouteClient) -> F) {
    let run = async {
        let server = RouteServer::new(MemoryConnector::new(name), routes).start().await.unwrap();
        let client = RouteClient::builder(MemoryConnector::new(name)).client_id("abc").connect();
        test(client.await.unwrap()).await;
        server.stop().await;
    };
    let run = async { tokio::time::timeout(Duration::from_secs(20), run).await };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run).expect("the test should end within 20 seconds");
}
