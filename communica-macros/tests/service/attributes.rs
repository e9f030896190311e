//! What `#[communica::service(…)]` and `#[route(…)]` say, seen from the other side.

use std::collections::BTreeMap;

use communica::{JsonSerializer, MsgPackSerializer, RouteTable};

use crate::with_client;

#[communica::service(prefix = "calc.", serializer = MsgPackSerializer)]
trait Calc {
    #[route(name = "plus", alias = "add", alias = "old.add", idempotent)]
    async fn add(&self, a: i64, b: i64) -> i64;
    #[route(named)]
    async fn negate(&self, number: &i64) -> i64;
    #[route(named)]
    async fn shout(&self, text: Option<&str>) -> String;
    #[route(named, serializer = JsonSerializer)]
    async fn nothing(&self) -> u8;
    #[route(serializer = JsonSerializer)]
    async fn half(&self, number: i64) -> f64;
    fn r#type(&self) -> u8 {
        4
    }
}

struct Host;

impl Calc for Host {
    async fn add(&self, a: i64, b: i64) -> i64 {
        a + b
    }
    async fn negate(&self, number: &i64) -> i64 {
        -number
    }
    async fn shout(&self, text: Option<&str>) -> String {
        text.unwrap_or("nothing").to_uppercase()
    }
    async fn nothing(&self) -> u8 {
        0
    }
    async fn half(&self, number: i64) -> f64 {
        number as f64 / 2.0
    }
}

#[test]
fn routes_have_the_prefix_and_aliases_are_as_written() {
    let routes = Host.into_routes();
    let mut names: Vec<_> = routes.names().collect();
    names.sort_unstable();
    let expected = [
        "add",
        "calc.half",
        "calc.negate",
        "calc.nothing",
        "calc.plus",
        "calc.shout",
        "calc.type",
        "old.add",
    ];
    assert_eq!(names, expected);
}

#[test]
fn idempotent_is_known_of_the_route_under_each_name() {
    let routes = Host.into_routes();
    for (name, idempotent) in [("calc.plus", true), ("old.add", true), ("add", true), ("calc.half", false)] {
        assert_eq!(routes.__is_idempotent(name), Some(idempotent), "{name}");
    }
    assert_eq!(routes.__is_idempotent("plus"), None);
}

#[tokio::test]
async fn stubs_call_by_the_methods_name() {
    with_client("attributes", Host.into_routes(), |client| async {
        let calc = CalcClient::new(client);
        assert_eq!(calc.add(2, 3).await.unwrap(), 5);
        assert_eq!(calc.negate(&3).await.unwrap(), -3);
        assert_eq!(calc.shout(Some("a")).await.unwrap(), "A");
        assert_eq!(calc.shout(None).await.unwrap(), "NOTHING");
        assert_eq!(calc.nothing().await.unwrap(), 0);
        assert_eq!(calc.half(3).await.unwrap(), 1.5);
        assert_eq!(calc.r#type().await.unwrap(), 4);
    })
    .await;
}

#[tokio::test]
async fn others_call_by_route_and_alias_in_the_routes_format() {
    with_client("others", Host.into_routes(), |client| async move {
        let args = BTreeMap::from([("a", 2), ("b", 3)]);
        for route in ["calc.plus", "add", "old.add"] {
            let sum: i64 = client.request_with(route, &MsgPackSerializer, &args).await.unwrap();
            assert_eq!(sum, 5, "{route}");
        }
        client.request::<_, i64>("calc.plus", &args).await.expect_err("this is JSON");
        client.request::<_, i64>("calc.add", &args).await.expect_err("the method has another name");
        let named = BTreeMap::from([("number", 3)]);
        let negated: i64 = client.request_with("calc.negate", &MsgPackSerializer, &named).await.unwrap();
        assert_eq!(negated, -3);
        assert_eq!(client.request::<_, f64>("calc.half", &3).await.unwrap(), 1.5);
        let missing: BTreeMap<&str, &str> = BTreeMap::new();
        let shouted: String = client.request_with("calc.shout", &MsgPackSerializer, &missing).await.unwrap();
        assert_eq!(shouted, "NOTHING");
    })
    .await;
}

/// A peer of another language sees what the stub sends.
#[tokio::test]
async fn the_shape_that_stubs_send() {
    let object = |keys: &'static [&'static str]| {
        move |sent: BTreeMap<String, Option<i64>>| {
            assert_eq!(sent.keys().collect::<Vec<_>>(), keys);
            sent.into_values().flatten().sum::<i64>()
        }
    };
    let routes = RouteTable::new()
        .route_with("calc.plus", MsgPackSerializer, object(&["a", "b"]))
        .route_with("calc.negate", MsgPackSerializer, object(&["number"]))
        .route("calc.nothing", object(&[]))
        .route("calc.half", |number: i64| number as f64)
        .route_with("calc.type", MsgPackSerializer, |(): ()| 1_u8);
    with_client("shapes", routes, |client| async {
        let calc = CalcClient::new(client);
        assert_eq!(calc.add(2, 3).await.unwrap(), 5);
        assert_eq!(calc.negate(&7).await.unwrap(), 7);
        assert_eq!(calc.nothing().await.unwrap(), 0);
        assert_eq!(calc.half(3).await.unwrap(), 3.0);
        assert_eq!(calc.r#type().await.unwrap(), 1);
    })
    .await;
}
