//! A service whose values keep rules: Python calls it, and its stub calls Python (tests/python/registry.py).

use std::fmt::Debug;

use communica::{CallError, JsonSerializer, Peer, ValidatedSerializer};
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::behaviours::Behaviours;

#[derive(Clone, Debug, Deserialize, Serialize, Validate)]
pub(crate) struct Person {
    #[garde(length(min = 1))]
    name: String,
    #[garde(range(max = 130))]
    age: u8,
    #[garde(dive)]
    homes: Vec<Home>,
}

#[derive(Clone, Debug, Deserialize, Serialize, Validate)]
struct Home {
    #[garde(range(min = 1))]
    rooms: u8,
}

communica::validated!(Person);

#[communica::service(prefix = "registry.", serializer = ValidatedSerializer::new(JsonSerializer))]
pub(crate) trait Registry {
    async fn put(&self, person: &Person);
    async fn rename(&self, person: Person, name: String) -> Person;
}

/// The same without rules.
#[communica::service(prefix = "registry.")]
trait Careless {
    async fn put(&self, person: &Person);
}

/// Notes whom its methods are called with.
pub(crate) struct Clerk(Behaviours);

impl Clerk {
    pub(crate) fn new(behaviours: &Behaviours) -> Self {
        Self(behaviours.clone())
    }
}

impl Registry for Clerk {
    async fn put(&self, person: &Person) {
        self.0.note(person.name.as_str().into());
    }

    async fn rename(&self, person: Person, name: String) -> Person {
        self.0.note(person.name.into());
        Person { name, ..person }
    }
}

/// Good and bad people go out and come back; tells what became of each call.
pub(crate) async fn visit(peer: Peer) -> Value {
    let registry = RegistryClient::new(&peer);
    let good = Person { name: "Ada".into(), age: 36, homes: vec![Home { rooms: 3 }] };
    let bad = Person { name: "Old".into(), age: 131, homes: vec![Home { rooms: 3 }, Home { rooms: 0 }] };
    json!([
        told(registry.put(&good).await),
        told(registry.put(&bad).await),
        told(registry.throw_put(&bad).await),
        told(registry.rename(bad.clone(), "New".into()).await),
        told(CarelessClient::new(&peer).put(&bad).await),
        told(registry.rename(good, String::new()).await),
    ])
}

fn told<T: Debug>(outcome: Result<T, CallError>) -> String {
    match outcome {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{:?}: {error}", error.outcome()),
    }
}
