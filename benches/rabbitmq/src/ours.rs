//! The library, with default settings.

use communica::{RmqConnector, RouteClient, RouteServer};

use crate::{Record, timed};

#[communica::service]
trait Echo {
    async fn echo(&self, record: Record) -> Record;
}

struct Desk;
impl Echo for Desk {
    async fn echo(&self, record: Record) -> Record {
        record
    }
}

pub async fn serve(url: &str) {
    let server = RouteServer::new(RmqConnector::new(url, "bench"), Desk.into_routes());
    let server = server.start().await.expect("the broker is there");
    println!("ready");
    server.run().await.expect("signals can be waited for");
}

pub async fn call(url: &str, at_once: usize, calls: usize) -> f64 {
    let client = RouteClient::connect(RmqConnector::new(url, "bench").client_id("bench")).await;
    let client = client.expect("the server is there");
    let echo = EchoClient::new(client.clone());
    let record = Record::sample();
    let took = timed(
        move || {
            let (echo, record) = (echo.clone(), record.clone());
            async move { assert_eq!(echo.echo(record.clone()).await.expect("an answer"), record) }
        },
        at_once,
        calls,
    );
    let took = took.await;
    client.close().await;
    took
}
