//! A contender's name goes in: it serves, or does some work. The one place that knows all of them.

use crate::call::by_tasks;
use crate::floor::json::Json;
use crate::floor::wire::Wire;
use crate::road::Road;
use crate::window::{Outcome, Plan};
use crate::work::Work;
use crate::{floor, jsonrpsee, lapin, ours, tarpc, tonic};

/// The library with its default format, and what it is compared with.
pub const OURS: &str = "ours";
pub const TARPC: &str = "tarpc-json";
pub const FLOOR: &str = "floor-wire";
pub const FLOOR_OF_EACH: &str = "floor-each";
pub const FLOOR_OF_TASKS: &str = "floor-tasks";
pub const FLOOR_OF_BYTES: &str = "floor-bytes";
pub const LAPIN: &str = "lapin";
pub const LAPIN_SAFE: &str = "lapin-safe";
/// A program of its own, see `pair`.
pub const PYTHON: &str = "python";

/// In the order of the tables.
pub const ALL: [&str; 18] = [
    OURS,
    "ours-fast-json",
    "ours-msgpack",
    "ours-postcard",
    "ours-validated",
    "ours-bytes",
    "floor-json",
    FLOOR,
    FLOOR_OF_EACH,
    FLOOR_OF_TASKS,
    FLOOR_OF_BYTES,
    TARPC,
    "tarpc-bincode",
    "tonic",
    "jsonrpsee",
    PYTHON,
    LAPIN,
    LAPIN_SAFE,
];

/// Whether it goes this way, and has what the work takes.
pub fn can(contender: &str, road: Road, work: Work) -> bool {
    let by_broker = [LAPIN, LAPIN_SAFE].contains(&contender);
    match road {
        Road::RabbitMq if contender != OURS && !by_broker => return false,
        Road::Local | Road::Tcp if by_broker => return false,
        _ => (),
    }
    match work {
        Work::Echo(_) => contender != FLOOR_OF_BYTES,
        Work::Throw(_) => contender == PYTHON || (contender.starts_with(OURS) && contender != "ours-bytes"),
        Work::Carry(_) => ["ours-bytes", FLOOR_OF_BYTES, "tarpc-bincode", "tonic"].contains(&contender),
        Work::Idle(_) => contender == OURS,
        Work::Aside(_) => ["ours-bytes", "tarpc-bincode", "tonic"].contains(&contender),
    }
}

pub async fn serve(contender: &str, road: Road) {
    match kind_and_format(contender) {
        ("ours", format) => ours::serve(format, road).await,
        ("tarpc", format) => tarpc::serve(format, road).await,
        ("floor", "json") => floor::serve(Json, road).await,
        ("floor", "bytes") => floor::bytes::serve(road).await,
        ("floor", "each") => floor::each::serve(Wire, road).await,
        ("floor", _) => floor::serve(Wire, road).await,
        ("tonic", _) => tonic::serve(road).await,
        ("jsonrpsee", _) => jsonrpsee::serve().await,
        ("lapin", format) => lapin::serve(format == "safe").await,
        _ => unknown(contender),
    }
}

pub async fn measure(contender: &str, road: Road, address: &str, work: Work, plan: Plan) -> Outcome {
    match (kind_and_format(contender), work) {
        (("ours", format), _) => ours::measure(format, address, work, plan).await,
        (("tarpc", format), _) => tarpc::measure(format, road, address, work, plan).await,
        (("floor", "json"), Work::Echo(load)) => floor::measure(Json, road, address, load, plan).await,
        (("floor", "wire"), Work::Echo(load)) => floor::measure(Wire, road, address, load, plan).await,
        (("floor", "each"), Work::Echo(load)) => {
            by_tasks(async || floor::each::connect(Wire, road, address).await, load, plan).await
        }
        (("floor", "tasks"), Work::Echo(load)) => {
            by_tasks(async || floor::tasks::connect(Wire, road, address).await, load, plan).await
        }
        (("floor", "bytes"), Work::Carry(load)) => floor::bytes::measure(road, address, load, plan).await,
        (("floor", _), _) => unable(work),
        (("tonic", _), _) => tonic::measure(road, address, work, plan).await,
        (("jsonrpsee", _), _) => jsonrpsee::measure(address, work, plan).await,
        (("lapin", format), _) => lapin::measure(format == "safe", address, work, plan).await,
        _ => unknown(contender),
    }
}

fn kind_and_format(contender: &str) -> (&str, &str) {
    contender.split_once('-').unwrap_or((contender, "json"))
}

fn unknown(contender: &str) -> ! {
    panic!("there is no contender {contender:?}, only {}", ALL.join(", "))
}

pub fn unable(work: Work) -> ! {
    panic!("this contender does not do {work}")
}
