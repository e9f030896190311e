//! Words of the command line go in, what is to be compared comes out.

use std::time::Duration;

use crate::contenders;
use crate::road::Road;
use crate::tables;

const HELP: &str = "flags, each with a value: \
    --only CONTENDER,… --workload 1,64,256,64x1,throws,carry,aside,scale --rounds 5 --seconds 1.0 \
    --road local|tcp|rabbitmq
    --runtime multi|current";

pub struct Settings {
    pub contenders: Vec<String>,
    pub tables: Vec<(Road, String)>,
    pub rounds: usize,
    pub window: Duration,
    pub runtime: String,
}

impl Settings {
    pub fn read(words: &[&str]) -> Self {
        let mut settings = Self {
            contenders: list(&contenders::ALL.join(",")),
            tables: Vec::new(),
            rounds: 5,
            window: Duration::from_secs(1),
            runtime: "multi".to_owned(),
        };
        let (mut road, mut names) = (None, None);
        for pair in words.chunks(2) {
            let [flag, value] = pair else { panic!("{HELP}") };
            match *flag {
                "--only" => settings.contenders = list(value).into_iter().map(known).collect(),
                "--workload" => names = Some(list(value)),
                "--rounds" => settings.rounds = value.parse().expect("a number of rounds"),
                "--seconds" => settings.window = Duration::from_secs_f64(value.parse().expect("seconds")),
                "--road" => road = Some(Road::named(value)),
                "--runtime" => settings.runtime = (*value).to_owned(),
                _ => panic!("{flag:?} is no flag; {HELP}"),
            }
        }
        settings.tables = chosen(road, names);
        settings
    }
}

/// All tables of a road, or some of them; if nothing is said, everything.
fn chosen(road: Option<Road>, names: Option<Vec<String>>) -> Vec<(Road, String)> {
    let all = |road| tables::on(road).iter().map(move |name| (road, (*name).to_owned()));
    match (road, names) {
        (road, Some(names)) => names.into_iter().map(|name| (road.unwrap_or(Road::Local), name)).collect(),
        (Some(road), None) => all(road).collect(),
        (None, None) => [Road::Local, Road::Tcp, Road::RabbitMq].into_iter().flat_map(all).collect(),
    }
}

fn known(contender: String) -> String {
    let all = contenders::ALL;
    assert!(all.contains(&contender.as_str()), "{contender:?} is no contender; there are {}", all.join(", "));
    contender
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::to_owned).collect()
}
