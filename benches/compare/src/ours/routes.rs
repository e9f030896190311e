//! Many routes without a service: which one is called changes with each call.

use std::sync::Arc;

use communica::{RouteClient, RouteTable};

use crate::call::Call;
use crate::record::Record;

/// `routes-10000`
pub fn count(format: &str) -> u64 {
    let count = format.strip_prefix("routes-").and_then(|count| count.parse().ok());
    count.unwrap_or_else(|| panic!("there is no contender ours-{format}"))
}

pub fn numbered(count: u64) -> RouteTable {
    (0..count)
        .fold(RouteTable::new(), |table, number| table.route(name(number), async |record: Record| record))
}

fn name(number: u64) -> String {
    format!("route.{number:05}")
}

pub fn asking(client: RouteClient, count: u64) -> impl Call {
    let names = Names { length: name(0).len(), all: (0..count).map(name).collect::<String>().into() };
    Asking { client, names, record: Record::sample() }
}

/// One behind the other, as names that stand in a program mostly do: strings of their own would be as many more things to fetch.
#[derive(Clone)]
struct Names {
    length: usize,
    all: Arc<str>,
}

impl Names {
    fn count(&self) -> u64 {
        (self.all.len() / self.length) as u64
    }

    fn get(&self, number: u64) -> &str {
        let start = number as usize * self.length;
        &self.all[start..start + self.length]
    }
}

#[derive(Clone)]
struct Asking {
    client: RouteClient,
    names: Names,
    record: Record,
}

impl Call for Asking {
    async fn call(&mut self, number: u64) {
        self.record.renumber(number);
        // A large prime: neighbours in time are none in the table.
        let route = self.names.get(number.wrapping_mul(2_147_483_647) % self.names.count());
        let answer: Record = self.client.request(route, &self.record).await.expect("an answer");
        assert_eq!(answer, self.record);
    }
}
