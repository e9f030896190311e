//! Real services over memory: what is called, what arrives, and what comes back.

use std::time::Duration;

use communica::{MemoryConnector, RouteClient, RouteServer, RouteTable};

mod attributes;
mod blocking;
mod bodies;
mod changes;
mod context;
mod desk;
mod errors;
mod formats;
mod unknown;

/// Runs a test with a client for `routes`, and fails it when it takes too long.
async fn with_client<F: Future<Output = ()>>(
    name: &str,
    routes: RouteTable,
    test: impl FnOnce(RouteClient) -> F,
) {
    let run = async {
        let server = RouteServer::new(MemoryConnector::new(name), routes).start().await.unwrap();
        test(RouteClient::connect(MemoryConnector::new(name)).await.unwrap()).await;
        server.stop().await;
    };
    tokio::time::timeout(Duration::from_secs(20), run).await.expect("the test should end within 20 seconds");
}
