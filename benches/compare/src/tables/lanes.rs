//! The name of a table goes in; what is measured for it, and what the others are compared with, comes out.

use crate::call::Load;
use crate::contenders::{
    self, FLOOR, FLOOR_OF_BYTES, FLOOR_OF_EACH, FLOOR_OF_TASKS, LAPIN, LAPIN_SAFE, OURS, TARPC,
};
use crate::road::Road;
use crate::work::{Beside, Work};

/// Throws, and the requests that they are compared with.
const CALLERS: Load = Load { connections: 1, in_flight: 64 };
const ONE: Load = Load { connections: 1, in_flight: 1 };
pub const REQUESTS: &str = "ours, requests";
pub const ALONE_HERE: &str = "ours, 64 in flight";
pub const IDLE: &str = "ours, 64 in flight beside 9,999 idle connections";
pub const ONE_ROUTE: &str = "ours, 64 in flight, one route";
pub const MANY_ROUTES: &str = "ours, 64 in flight, 10,000 routes";
pub const FEW_CLIENTS: &str = "ours, 64 clients at once";
pub const MANY_CLIENTS: &str = "ours, 1,000 clients at once";

/// Behind the name of a table: the same on runtimes of one thread.
const ONE_THREAD: &str = "-one-thread";
/// Who is measured there.
const ON_ONE_THREAD: [&str; 8] =
    [OURS, "ours-postcard", FLOOR, FLOOR_OF_EACH, FLOOR_OF_TASKS, TARPC, "tarpc-bincode", "tonic"];

const ALONE: &str = ", alone";
const AWAKE: &str = ", alone, processors awake";

/// A contender with some work, and what to call that.
#[derive(Clone)]
pub struct Lane {
    pub label: String,
    pub contender: String,
    pub work: Work,
}

pub struct Table {
    pub title: String,
    pub lanes: Vec<Lane>,
    /// Few huge messages end in a usual window.
    pub windows: u32,
    /// Labels of lanes that others are compared with.
    pub references: Vec<&'static str>,
    /// If not that of the settings.
    pub runtime: Option<&'static str>,
}

/// Names of the tables of a road: calls in flight, connections `x` calls in flight on each, and others.
pub fn on(road: Road) -> &'static [&'static str] {
    match road {
        Road::Local => &[
            "1",
            "64",
            "256",
            "1-one-thread",
            "64-one-thread",
            "256-one-thread",
            "64x1",
            "throws",
            "carry",
            "aside",
            "scale",
        ],
        Road::Tcp => {
            &["1", "64", "256", "1-one-thread", "64-one-thread", "256-one-thread", "throws", "carry"]
        }
        Road::RabbitMq => &["1", "64", "256"],
    }
}

impl Table {
    pub fn named(name: &str, road: Road, contenders: &[String]) -> Self {
        if let Some(name) = name.strip_suffix(ONE_THREAD) {
            let table = Self::named(name, road, contenders);
            let lanes =
                table.lanes.into_iter().filter(|lane| ON_ONE_THREAD.contains(&lane.contender.as_str()));
            let title = format!("{}, runtimes of one thread", table.title);
            return Self { title, lanes: lanes.collect(), runtime: Some("current"), ..table };
        }
        let able = |work| contenders.iter().filter(move |contender| contenders::can(contender, road, work));
        let lanes = |work| able(work).map(|contender| lane(contender, contender, work)).collect::<Vec<_>>();
        let has_ours = contenders.iter().any(|contender| contender == OURS);
        match name {
            "throws" => {
                let mut throws = lanes(Work::Throw(CALLERS));
                throws.extend(has_ours.then(|| lane(REQUESTS, OURS, Work::Echo(CALLERS))));
                table("throws, 64 callers", throws, vec![REQUESTS])
            }
            "carry" => table("1 MiB, one at a time", lanes(Work::Carry(ONE)), vec![FLOOR_OF_BYTES]),
            "aside" => {
                let labelled = |beside, suffix| {
                    let work = Work::Aside(beside);
                    able(work)
                        .map(move |name| lane(&format!("{name}{suffix}"), name, work))
                        .collect::<Vec<_>>()
                };
                let alone = labelled(Beside::Nothing, ALONE);
                let awake = labelled(Beside::Awake, AWAKE);
                let all = [alone, awake, lanes(Work::Aside(Beside::Huge))].concat();
                Self { windows: 3, ..table("one each millisecond, while 64 MiB pass", all, Vec::new()) }
            }
            "scale" => table("scale", if has_ours { scale() } else { Vec::new() }, Vec::new()),
            _ => {
                let load = Load::named(name);
                let title = match load.connections {
                    1 => format!("{} in flight", load.in_flight),
                    many => format!("{many} connections, {} in flight on each", load.in_flight),
                };
                table(
                    &title,
                    lanes(Work::Echo(load)),
                    vec![TARPC, FLOOR_OF_EACH, FLOOR, FLOOR_OF_TASKS, LAPIN, LAPIN_SAFE],
                )
            }
        }
    }
}

fn scale() -> Vec<Lane> {
    let each = |connections| Work::Echo(Load { connections, in_flight: 1 });
    vec![
        lane(ALONE_HERE, OURS, Work::Echo(CALLERS)),
        lane(IDLE, OURS, Work::Idle(10_000)),
        lane(ONE_ROUTE, "ours-routes-1", Work::Echo(CALLERS)),
        lane(MANY_ROUTES, "ours-routes-10000", Work::Echo(CALLERS)),
        lane(FEW_CLIENTS, OURS, each(64)),
        lane(MANY_CLIENTS, OURS, each(1000)),
        lane("floor-wire, 64 clients at once", FLOOR, each(64)),
        lane("floor-wire, 1,000 clients at once", FLOOR, each(1000)),
    ]
}

fn lane(label: &str, contender: &str, work: Work) -> Lane {
    Lane { label: label.to_owned(), contender: contender.to_owned(), work }
}

fn table(title: &str, lanes: Vec<Lane>, references: Vec<&'static str>) -> Table {
    Table { title: title.to_owned(), lanes, windows: 1, references, runtime: None }
}
