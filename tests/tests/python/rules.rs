//! People who break rules: refused before they are sent, after they are loaded, and as results, in both languages.

use communica_tests::{Failure, Language, Peer, Role, in_time};
use serde_json::{Value, json};

const PAIRS: [(Language, Language); 2] =
    [(Language::Rust, Language::Python), (Language::Python, Language::Rust)];

/// What the bad ones here break: paths and rules.
const BROKEN: &str = "age: greater than 130; homes[1].rooms: lower than 1";

fn good() -> Value {
    json!({"name": "Ada", "age": 36, "homes": [{"rooms": 3}]})
}

fn bad() -> Value {
    json!({"name": "Old", "age": 131, "homes": [{"rooms": 3}, {"rooms": 0}]})
}

/// Runs a test where Python is the client, and where it is the server.
async fn with_both(test: impl AsyncFn(&Peer, &Peer)) {
    for (server, client) in PAIRS {
        let stage = super::usual();
        let server = stage.start(server, Role::Server).await;
        let client = stage.start(client, Role::Client).await;
        match server.language {
            Language::Rust => test(&server, &client).await,
            Language::Python => test(&client, &server).await,
        }
        client.close().await;
        server.close().await;
    }
}

/// These names were noted since the last time, and no others.
async fn assert_noted(asker: &Peer, responder: &Peer, names: &[&str]) {
    asker.throw("note", "the end").await;
    for name in names.iter().chain(&["the end"]) {
        assert_eq!(responder.next_note().await, *name);
    }
}

#[tokio::test]
async fn bad_data_of_python_is_refused_by_a_rust_responder() {
    in_time(with_both(async |rust, python| {
        assert_eq!(python.request("registry.put", good()).await, Ok(Value::Null));
        let refused = python.request("registry.put", bad()).await;
        assert_eq!(
            refused,
            Err(failure("SerializerError", format!("the JSON is not the value that was expected: {BROKEN}")))
        );

        let refused = python.request("registry.rename", json!({"person": bad(), "name": "New"})).await;
        let broken = "person.age: greater than 130; person.homes[1].rooms: lower than 1";
        assert_eq!(
            refused,
            Err(failure("SerializerError", format!("the JSON is not the value that was expected: {broken}")))
        );

        // Nobody hears of it, and the connection lives on.
        python.throw("registry.put", bad()).await;
        assert_noted(python, rust, &["Ada"]).await;
    }))
    .await;
}

#[tokio::test]
async fn a_bad_result_of_a_rust_responder_is_a_resp_error_in_python() {
    in_time(with_both(async |rust, python| {
        let renamed = python.request("registry.rename", json!({"person": good(), "name": "Eva"})).await;
        assert_eq!(renamed, Ok(json!({"name": "Eva", "age": 36, "homes": [{"rooms": 3}]})));
        let refused = python.request("registry.rename", json!({"person": good(), "name": ""})).await;
        assert_eq!(
            refused,
            Err(failure(
                "RespError",
                "the result cannot be sent as JSON: name: length is lower than 1".into()
            ))
        );
        assert_noted(python, rust, &["Ada", "Ada"]).await;
    }))
    .await;
}

/// Before it is sent, at a peer that knows the rules too, and in a result of one that does not.
#[tokio::test]
async fn a_rust_requester_learns_which_rule_was_broken_where() {
    in_time(with_both(async |rust, python| {
        let said = rust.tell("visit_registry", json!({})).await;
        let said: Vec<&str> = said.as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
        let [put, bad_put, bad_throw, bad_rename, careless, bad_result] = said[..] else {
            panic!("{said:?}");
        };
        assert_eq!(put, "()");
        let not_sent =
            format!("NotSent: SerializerError: the value for `registry.put` could not be sent: {BROKEN}");
        assert_eq!((bad_put, bad_throw), (&*not_sent, &*not_sent));
        assert_eq!(
            bad_rename,
            "NotSent: SerializerError: the value for `registry.rename` could not be sent: \
             person.age: greater than 130; person.homes[1].rooms: lower than 1"
        );
        // In the words of Adaptix, which say the rule.
        assert!(
            careless.starts_with(
                "Answered: SerializerError: the peer could not load what was sent to `registry.put`: "
            ) && careless.contains("nobody is that old")
                && careless.contains("no home has no rooms"),
            "{careless}"
        );
        assert_eq!(
            bad_result,
            "Answered: SerializerError: the result of `registry.rename` could not be loaded: \
             the JSON is not the value that was expected: name: length is lower than 1"
        );
        assert_noted(rust, python, &["Ada", "Ada"]).await;
    }))
    .await;
}

/// Adaptix checks what comes in, so its own bad data gets out.
#[tokio::test]
async fn dataclasses_are_checked_by_the_rules_of_rust() {
    in_time(with_both(async |rust, python| {
        assert_eq!(python.ask("put_person", json!({"age": 130})).await, Ok(Value::Null));
        let refused = python.ask("put_person", json!({"age": 131})).await;
        let message = "the JSON is not the value that was expected: age: greater than 130";
        assert_eq!(refused, Err(failure("SerializerError", message.into())));
        assert_noted(python, rust, &["Eva"]).await;
    }))
    .await;
}

fn failure(kind: &str, message: String) -> Failure {
    Failure { kind: kind.to_owned(), message, code: None }
}
