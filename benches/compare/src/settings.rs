//! Words of the command line go in, what is to be compared comes out.

use std::time::Duration;

use crate::call::Load;
use crate::contenders;
use crate::road::Road;
use crate::tables;

const HELP: &str = "flags, each with a value: \
    --only CONTENDER,… --workload 1,64,64-one-thread,64x1,throws,carry,aside,scale --rounds 5 --seconds 1.0 \
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
    /// Else in one sentence what is wrong.
    pub fn read(words: &[&str]) -> Result<Self, String> {
        let mut settings = Self {
            contenders: list(&contenders::ALL.join(",")),
            tables: Vec::new(),
            rounds: 5,
            window: Duration::from_secs(1),
            runtime: "multi".to_owned(),
        };
        let (mut road, mut names) = (None, None);
        for pair in words.chunks(2) {
            let [flag, value] = pair else { return Err(HELP.to_owned()) };
            match *flag {
                "--only" => {
                    let known = |name: &String| contenders::ALL.contains(&name.as_str());
                    settings.contenders = all_known("contender", value, known, &contenders::ALL)?;
                }
                "--workload" => {
                    // Beside numbers of calls in flight, and of connections `x` calls on each.
                    let workloads = tables::on(Road::Local);
                    let known =
                        |name: &String| workloads.contains(&name.as_str()) || Load::read(name).is_some();
                    names = Some(all_known("workload", value, known, workloads)?);
                }
                "--rounds" => {
                    let rounds = value.parse().ok().filter(|&rounds| rounds > 0);
                    settings.rounds = rounds.ok_or_else(|| format!("{value:?} is no number of rounds"))?;
                }
                "--seconds" => {
                    let seconds = value.parse().ok().and_then(|time| Duration::try_from_secs_f64(time).ok());
                    let seconds = seconds.filter(|time| !time.is_zero());
                    settings.window = seconds.ok_or_else(|| format!("{value:?} is no number of seconds"))?;
                }
                "--road" => {
                    let known = Road::ALL.into_iter().find(|road| road.name() == *value);
                    road = Some(known.ok_or_else(|| format!("{value:?} is no road; {HELP}"))?);
                }
                "--runtime" if matches!(*value, "multi" | "current") => {
                    settings.runtime = (*value).to_owned()
                }
                "--runtime" => return Err(format!("{value:?} is no runtime; {HELP}")),
                _ => return Err(format!("{flag:?} is no flag; {HELP}")),
            }
        }
        settings.tables = chosen(road, names);
        Ok(settings)
    }
}

/// All tables of a road, or some of them; if nothing is said, everything.
fn chosen(road: Option<Road>, names: Option<Vec<String>>) -> Vec<(Road, String)> {
    let all = |road| tables::on(road).iter().map(move |name| (road, (*name).to_owned()));
    match (road, names) {
        (road, Some(names)) => names.into_iter().map(|name| (road.unwrap_or(Road::Local), name)).collect(),
        (Some(road), None) => all(road).collect(),
        (None, None) => Road::ALL.into_iter().flat_map(all).collect(),
    }
}

fn all_known(
    what: &str,
    names: &str,
    is_known: impl Fn(&String) -> bool,
    known: &[&str],
) -> Result<Vec<String>, String> {
    let names = list(names);
    match names.iter().find(|name| !is_known(name)) {
        Some(unknown) => Err(format!("{unknown:?} is no {what}; there are {}", known.join(", "))),
        None => Ok(names),
    }
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::to_owned).collect()
}
