//! What breaks a rule neither goes out nor comes in, and the error says what and where.

use std::collections::{BTreeMap, HashMap};

use ::bytes::Bytes;
use garde::Validate;
use serde::{Deserialize, Serialize};

use crate::serializer::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
struct Record {
    #[garde(length(min = 1, max = 5), ascii)]
    name: String,
    #[garde(range(max = 130))]
    age: u8,
    #[garde(dive)]
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate)]
struct Part {
    #[garde(range(min = 1))]
    size: u32,
}

crate::validated!(Record, Part);

fn good() -> Record {
    Record { name: "name".into(), age: 1, parts: vec![Part { size: 1 }] }
}

fn bad() -> Record {
    Record { name: "näme, and long".into(), age: 131, parts: vec![Part { size: 1 }, Part { size: 0 }] }
}

const ALL_OF_BAD: &str =
    "age: greater than 130; name: not ascii; name: length is greater than 5; parts[1].size: lower than 1";

fn checked() -> ValidatedSerializer {
    ValidatedSerializer::new(JsonSerializer)
}

fn refused<T: Validated + ?Sized>(value: &T) -> String
where
    JsonSerializer: Dump<T>,
{
    checked().dump(value).map(drop).unwrap_err().message().to_owned()
}

#[test]
fn good_values_go_through_as_they_are() {
    let payload = checked().dump(&good()).unwrap().into_bytes();
    assert_eq!(payload, JsonSerializer.dump(&good()).unwrap().into_bytes());
    let loaded: Record = checked().load(&payload).unwrap();
    assert_eq!(loaded, good());
}

#[test]
fn every_broken_rule_is_told_on_both_sides() {
    assert_eq!(refused(&bad()), ALL_OF_BAD);
    let payload = JsonSerializer.dump(&bad()).unwrap().into_bytes();
    let error = Load::<Record>::load(&checked(), &payload).unwrap_err();
    assert_eq!(error.message(), ALL_OF_BAD);
}

#[test]
fn what_is_not_the_format_is_told_first() {
    let error = Load::<Record>::load(&checked(), &Bytes::from_static(b"{}")).unwrap_err();
    assert!(error.message().starts_with("missing field `name`"), "{error}");
}

#[test]
fn values_without_rules_pass() {
    checked().dump(&()).unwrap();
    checked().dump("text").unwrap();
    checked().dump(&(1_u8, 2.0, 'c', true, None::<String>)).unwrap();
    checked().dump(&[String::new()][..]).unwrap();
    checked().dump(&BTreeMap::from([(1, vec!["text"])])).unwrap();
    let loaded: Vec<Option<i64>> = checked().load(&Bytes::from_static(b"[1,null]")).unwrap();
    assert_eq!(loaded, [Some(1), None]);
    let borrowed: &str =
        checked().load(&Bytes::from_static(b"\"text\"")).map(|text: String| text.leak()).unwrap();
    assert_eq!(borrowed, "text");
}

#[test]
fn containers_have_the_rules_of_what_is_in_them() {
    let bad = Part { size: 0 };
    assert_eq!(refused(&bad), "size: lower than 1");
    assert_eq!(refused(&Some(&bad)), "size: lower than 1");
    assert_eq!(refused(&[Part { size: 1 }, bad.clone()][..]), "[1].size: lower than 1");
    assert_eq!(refused(&vec![Some(vec![bad.clone()])]), "[0][0].size: lower than 1");
    assert_eq!(refused(&HashMap::from([(7, bad.clone())])), "[7].size: lower than 1");
    assert_eq!(refused(&("text", Box::new(bad.clone()))), "[1].size: lower than 1");
    assert_eq!(refused(&Err::<(), _>(bad.clone())), "size: lower than 1");
    assert_eq!(
        refused(&[vec![super::validated::bad()]]),
        format!("[0][0].{}", ALL_OF_BAD.replace("; ", "; [0][0]."))
    );
}

#[test]
fn the_sentence_is_bounded() {
    let many = vec![bad(); 10_000];
    let sentence = refused(&many);
    assert!(sentence.len() < 2500 && sentence.ends_with(" more"), "{sentence}");
    let told = sentence.matches("; ").count();
    assert!(sentence.ends_with(&format!("; and {} more", 40_000 - told)), "{sentence}");
    // A key of the peer's choice neither fills it nor is cut within a letter.
    let long = BTreeMap::from([("é".repeat(5000), Part { size: 0 }), ("z".into(), Part { size: 0 })]);
    let sentence = refused(&long);
    assert!(
        sentence.len() < 400
            && sentence.contains("é…: lower than 1")
            && sentence.contains("[z].size: lower than 1"),
        "{sentence}"
    );
}

/// What the macro can make of a method with several arguments.
#[derive(Serialize)]
struct Arguments<A, B> {
    record: A,
    count: B,
}

impl<A: Validated, B: Validated> Validated for Arguments<A, B> {
    fn check(&self, broken: &mut BrokenRules) {
        broken.field("record", &self.record);
        broken.field("count", &self.count);
    }
}

#[test]
fn several_arguments_are_checked_by_name() {
    let sentence = refused(&Arguments { record: &bad(), count: &7 });
    assert_eq!(sentence, format!("record.{}", ALL_OF_BAD.replace("; ", "; record.")));
    checked().dump(&Arguments { record: &good(), count: &7 }).unwrap();
}

#[test]
fn rules_of_ones_own() {
    struct Even(u32);
    impl Validated for Even {
        fn check(&self, broken: &mut BrokenRules) {
            if self.0 % 2 == 1 {
                broken.rule(format_args!("{} is odd", self.0));
            }
        }
    }
    let mut broken = BrokenRules::default();
    broken.element("key", &[Even(1), Even(2)][..]);
    Even(3).check(&mut broken);
    broken.rule("");
    assert_eq!(broken.into_sentence(), "[key][0]: 1 is odd; 3 is odd; ");
}

#[cfg(feature = "memory")]
mod over_a_connection {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::{Error, MemoryConnector, Outcome, RouteClient, RouteServer, RouteTable, SerializerSide};

    fn in_runtime(check: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let time = std::time::Duration::from_secs(20);
        runtime.block_on(async { tokio::time::timeout(time, check).await.expect("the calls did not end") });
    }

    /// Counts what it is given; gives a bad record when asked for one.
    fn routes(calls: Arc<AtomicUsize>) -> RouteTable {
        let put = move |_: Record| {
            calls.fetch_add(1, Ordering::Relaxed);
        };
        let get = |wanted: bool| if wanted { good() } else { bad() };
        RouteTable::new().route_with("put", checked(), put).route_with("get", checked(), get)
    }

    #[test]
    fn whose_fault_it_is() {
        in_runtime(async {
            let calls = Arc::new(AtomicUsize::new(0));
            let server = RouteServer::new(MemoryConnector::new("validated"), routes(calls.clone()));
            let server = server.start().await.unwrap();
            let client = RouteClient::connect(MemoryConnector::new("validated")).await.unwrap();

            client.request_with::<_, _, ()>("put", &checked(), &good()).await.unwrap();
            assert_eq!(calls.load(Ordering::Relaxed), 1);

            let error = client.request_with::<_, _, ()>("put", &checked(), &bad()).await.unwrap_err();
            assert_eq!(error.outcome(), Outcome::NotSent);
            let Error::Serializer(error) = error else { panic!("{error}") };
            assert_eq!((error.side(), error.message()), (SerializerSide::Request, ALL_OF_BAD));

            // A requester that does not check.
            let error = client.request_with::<_, _, ()>("put", &JsonSerializer, &bad()).await.unwrap_err();
            let Error::Serializer(error) = error else { panic!("{error}") };
            assert_eq!(error.side(), SerializerSide::Peer);
            assert!(error.message().ends_with(ALL_OF_BAD), "{error}");

            // A responder that gives what it must not.
            client.request_with::<_, _, Record>("get", &checked(), &true).await.unwrap();
            let error = client.request_with::<_, _, Record>("get", &checked(), &false).await.unwrap_err();
            let Error::Resp(error) = error else { panic!("{error}") };
            assert!(error.message().ends_with(ALL_OF_BAD), "{error}");

            assert_eq!(calls.load(Ordering::Relaxed), 1, "no bad record came to the handler");
            client.close().await;
            server.stop().await;
        });
    }
}
