//! The pieces of programs in the README that its doc-tests leave out, word for word: what they stand for compiles.

use std::time::Duration;

use communica::{
    AllPeers, AnyPeer, Backoff, CallError, Connector, FaultConnector, Faults, LocalConnector, Outcome,
    RmqConnector, RouteClient, RouteServer, RouteServerHandle, TcpConnector, Tls,
};

const README: &str = include_str!("../../../README.md");
const HERE: &str = include_str!("readme.rs");

/// What ends it is not told: nothing of it runs.
type Ended = Result<(), Box<dyn std::error::Error>>;

#[communica::service]
trait Greeter {
    async fn greet(&self, name: &str, times: u32) -> String;
}

struct Desk;

impl Greeter for Desk {
    async fn greet(&self, name: &str, times: u32) -> String {
        name.repeat(times as usize)
    }
}

#[communica::service]
trait Worker {
    async fn work(&self);
}

struct Bench;

impl Worker for Bench {
    async fn work(&self) {}
}

#[communica::service]
trait Depot {
    async fn store(&self, parcel: &[u8]) -> Result<String, StoreError>;
}

#[derive(Debug, thiserror::Error, communica::ServiceError)]
enum StoreError {
    #[error("there is room for {room}")]
    Full { room: u32 },
}

fn road() -> impl Connector {
    LocalConnector::new("readme")
}

#[rustfmt::skip]
async fn both_ways(server: RouteServerHandle) -> Ended {
    // In the worker, where `Bench` implements the service `Worker`:
    let client = RouteClient::builder(road()).client_id("worker-1").routes(Bench.into_routes()).connect().await?;
    client.run().await?;

    // In the server:
    let worker = WorkerClient::new(server.peer("worker-1").await);   // waits until it has been here
    let any: WorkerClient<AnyPeer> = WorkerClient::new(server.any_peer());
    let all: WorkerClient<AllPeers> = WorkerClient::new(server.all_peers());
    let _ = (worker, any, all);
    Ok(())
}

#[rustfmt::skip]
async fn how_a_call_ends(depot: DepotClient, parcel: Vec<u8>, try_again: fn(Vec<u8>)) -> Ended {
    match depot.timeout(Duration::from_secs(5)).store(&parcel).await {
        Ok(place) => println!("it is at {place}"),
        Err(CallError::Service(StoreError::Full { room })) => println!("there is room for {room}"),
        Err(CallError::Failed(error)) if error.outcome() == Outcome::NotSent => try_again(parcel),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

#[rustfmt::skip]
async fn who_may_come_in() -> Ended {
    let desk = Tls::new().identity_files("desk.pem", "desk.key")?;
    let server = RouteServer::new(TcpConnector::new("0.0.0.0", 16161).tls(desk), Desk.into_routes()).start().await?;

    let till = Tls::new().trust_file("authority.pem")?;
    let road = TcpConnector::new("desk.example.org", 16161).tls(till);
    let greeter = GreeterClient::new(RouteClient::connect(road).await?);
    let _ = (server, greeter);
    Ok(())
}

#[rustfmt::skip]
async fn through_a_broker() -> Ended {
    let road = RmqConnector::new("amqp://guest:guest@localhost:5672/%2f", "greeter");
    let server = RouteServer::new(road.clone(), Desk.into_routes()).start().await?;
    let greeter = GreeterClient::new(RouteClient::builder(road).client_id("till-7").connect().await?);
    let _ = (server, greeter);
    Ok(())
}

#[rustfmt::skip]
async fn against_cut_links() -> Ended {
    let road = FaultConnector::new(LocalConnector::new("readme"), Faults::seeded(7).cut_after(1..=50_000));
    // At once, where a client else waits longer after each link that ended soon.
    let client = RouteClient::builder(road.clone()).backoff(Backoff::new(Duration::from_millis(1), Duration::from_millis(10)));
    let greeter = GreeterClient::new(client.connect().await?);

    road.cut_now();      // in the middle of whatever is under way
    greeter.greet("Ada", 1).await?;
    road.unplug();       // nobody gets through until road.plug_in()
    assert!(road.cuts() >= 2);
    Ok(())
}

#[test]
fn what_the_readme_shows_compiles() {
    let _ = (both_ways, how_a_call_ends, who_may_come_in, through_a_broker, against_cut_links);
    let without_spaces = |text: &str| text.split_whitespace().collect::<String>();
    let here = without_spaces(HERE);
    let pieces = README.split("```rust,ignore").skip(1).filter_map(|rest| rest.split("```").next());
    let pieces: Vec<&str> = pieces.collect();
    assert_eq!(pieces.len(), 5, "pieces of programs that its doc-tests leave out");
    for piece in pieces {
        assert!(
            here.contains(&without_spaces(piece)),
            "the README shows this, which is not word for word in `{}`:\n{piece}",
            file!()
        );
    }
}
