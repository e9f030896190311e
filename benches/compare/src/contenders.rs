//! A contender's name goes in: it serves, or calls. The one place that knows all of them.

use crate::call::{Load, by_tasks};
use crate::floor::json::Json;
use crate::floor::wire::Wire;
use crate::road::Road;
use crate::window::{Outcome, Plan};
use crate::{floor, ours, tarpc};

/// In the order of the table.
pub const ALL: [&str; 6] = ["ours", "floor-json", "floor-wire", "floor-tasks", "tarpc-json", "tarpc-bincode"];

pub async fn serve(contender: &str, road: Road) {
    match contender {
        "ours" => ours::serve(road).await,
        "floor-json" => floor::serve(Json, road).await,
        "floor-wire" | "floor-tasks" => floor::serve(Wire, road).await,
        "tarpc-json" => tarpc::serve("json", road).await,
        "tarpc-bincode" => tarpc::serve("bincode", road).await,
        _ => panic!("there is no contender {contender:?}, only {}", ALL.join(", ")),
    }
}

/// Records are echoed.
pub async fn echo(contender: &str, road: Road, address: &str, load: Load, plan: Plan) -> Outcome {
    match contender {
        "ours" => by_tasks(&async || ours::connect(address).await, load, plan).await,
        "floor-json" => floor::measure(Json, road, address, load, plan).await,
        "floor-wire" => floor::measure(Wire, road, address, load, plan).await,
        "floor-tasks" => {
            by_tasks(&async || floor::tasks::connect(Wire, road, address).await, load, plan).await
        }
        "tarpc-json" => by_tasks(&async || tarpc::connect("json", road, address).await, load, plan).await,
        "tarpc-bincode" => {
            by_tasks(&async || tarpc::connect("bincode", road, address).await, load, plan).await
        }
        _ => panic!("there is no contender {contender:?}, only {}", ALL.join(", ")),
    }
}
