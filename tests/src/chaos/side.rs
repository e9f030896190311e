//! One side of a run: it sends its lanes, notes what comes, and reports.

use std::sync::Arc;
use std::time::Duration;

use communica::{
    AnyConnector, Backoff, Context, Error, FaultConnector, IntoCaller, RouteClient, RouteServer,
    RouteServerHandle, RouteTable,
};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::lane;
use super::ledger::{Complaints, Ledger};
use super::parcel::{Direction, Parcel};
use super::plan::Plan;

const CLIENT: &str = "chaos";
/// Nothing at all comes for so long: then nothing will.
const SILENCE: Duration = Duration::from_secs(30);

/// A server or a client.
pub struct Side {
    plan: Plan,
    sends: Direction,
    entity: Entity,
    road: FaultConnector,
    ledger: Arc<Ledger>,
}

enum Entity {
    Server(RouteServerHandle),
    Client(RouteClient),
}

/// How it went, on one side.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Messages that were handled here.
    pub came: u32,
    /// Links that this side cut.
    pub cuts: u64,
    /// Links that came to be here, or failed on purpose.
    pub links: u64,
    /// What was wrong.
    pub complaints: Complaints,
}

impl Side {
    /// The server, at an address of its own.
    ///
    /// # Panics
    /// It does not start.
    pub async fn listen(plan: &Plan) -> Self {
        let ledger = Arc::new(Ledger::new(plan, Direction::Up));
        let road = plan.faulty(plan.address(), Direction::Down);
        let server = RouteServer::new(road.clone(), routes(&ledger)).limits(plan.limits()).start().await;
        let entity = Entity::Server(server.unwrap_or_else(|error| panic!("{plan}: {error}")));
        Self { plan: plan.clone(), sends: Direction::Down, entity, road, ledger }
    }

    /// The client of the server whose state this is.
    ///
    /// # Panics
    /// It does not connect.
    pub async fn connect(plan: &Plan, state: &str) -> Self {
        let ledger = Arc::new(Ledger::new(plan, Direction::Down));
        let road = AnyConnector::load_state(state).expect("it is a server's state");
        let road = plan.faulty(road, Direction::Up);
        let client = RouteClient::builder(road.clone())
            .client_id(CLIENT)
            .routes(routes(&ledger))
            .limits(plan.limits())
            .backoff(Backoff::new(Duration::from_millis(1), Duration::from_millis(8)))
            .connect()
            .await;
        let entity = Entity::Client(client.unwrap_or_else(|error| panic!("{plan}: {error}")));
        Self { plan: plan.clone(), sends: Direction::Up, entity, road, ledger }
    }

    /// The address of a server, for its client.
    ///
    /// # Panics
    /// This is a client.
    #[must_use]
    pub fn state(&self) -> String {
        match &self.entity {
            Entity::Server(server) => server.dump_state(),
            Entity::Client(_) => panic!("a client has no clients"),
        }
    }

    /// Sends all and waits for all, or until nothing comes any more.
    pub async fn work(&self) {
        let peer = match &self.entity {
            Entity::Server(server) => server.peer(CLIENT).await,
            Entity::Client(client) => client.into_caller(),
        };
        let mut lanes = JoinSet::new();
        for lane in 0..self.plan.lanes {
            let ledger = self.ledger.clone();
            lanes.spawn(lane::send_all(peer.clone(), self.plan.clone(), self.sends, lane, ledger));
        }
        let all_is_sent = async {
            while let Some(ended) = lanes.join_next().await {
                ended.expect("lanes do not panic");
            }
        };
        let all = async { tokio::join!(all_is_sent, self.ledger.all_came()) };
        tokio::select! {
            _ = all => {}
            () = self.ledger.silence(SILENCE) => {
                let connected = peer.is_connected();
                self.ledger.complain(format!("nothing came for {SILENCE:?}; connected: {connected}"));
            }
        }
    }

    /// Ends this side in order. What comes meanwhile still counts.
    pub async fn end(self) -> Report {
        match self.entity {
            Entity::Server(server) => server.stop().await,
            Entity::Client(client) => client.close().await,
        }
        let (came, complaints) = self.ledger.close();
        Report { came, cuts: self.road.cuts(), links: self.road.links(), complaints }
    }
}

fn routes(ledger: &Arc<Ledger>) -> RouteTable {
    let (requests, throws) = (ledger.clone(), ledger.clone());
    RouteTable::new()
        .route("request", move |cx: Context, parcel: Parcel| {
            requests.note(&parcel, true);
            async move {
                pause(&parcel).await;
                if parcel.asks_back() {
                    let again: u32 = cx.peer().request("again", &parcel.number).await?;
                    assert_eq!(again, parcel.number);
                }
                Ok::<_, Error>(parcel.receipt())
            }
        })
        .route("again", |number: u32| number)
        .route("throw", move |parcel: Parcel| {
            throws.note(&parcel, false);
            async move { pause(&parcel).await }
        })
}

/// Handlers that wait let others pass, so that answers come out of order.
async fn pause(parcel: &Parcel) {
    if let Some(time) = parcel.pause() {
        tokio::time::sleep(Duration::from_millis(time)).await;
    }
}
