//! Words of the command line go in, what is to be compared comes out.

use std::time::Duration;

use crate::contenders;
use crate::road::Road;
use crate::tables;

const HELP: &str = "flags, each with a value: \
    --only CONTENDER,… --workload 1,64,256,64x1,throws,carry,aside --rounds 5 --seconds 1.0 --road local|tcp \
    --runtime multi|current";

pub struct Settings {
    pub contenders: Vec<String>,
    /// Names of tables.
    pub workloads: Vec<String>,
    pub rounds: usize,
    pub window: Duration,
    pub road: Road,
    pub runtime: String,
}

impl Settings {
    pub fn read(words: &[&str]) -> Self {
        let mut settings = Self {
            contenders: list(&contenders::ALL.join(",")),
            workloads: list(&tables::ALL.join(",")),
            rounds: 5,
            window: Duration::from_secs(1),
            road: Road::Local,
            runtime: "multi".to_owned(),
        };
        for pair in words.chunks(2) {
            let [flag, value] = pair else { panic!("{HELP}") };
            match *flag {
                "--only" => settings.contenders = list(value),
                "--workload" => settings.workloads = list(value),
                "--rounds" => settings.rounds = value.parse().expect("a number of rounds"),
                "--seconds" => settings.window = Duration::from_secs_f64(value.parse().expect("seconds")),
                "--road" => settings.road = Road::named(value),
                "--runtime" => settings.runtime = (*value).to_owned(),
                _ => panic!("{flag:?} is no flag; {HELP}"),
            }
        }
        settings
    }
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::to_owned).collect()
}
