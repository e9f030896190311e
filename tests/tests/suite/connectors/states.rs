//! Connectors become text and text becomes connectors, in the keys of the Python library.

use communica::{AnyConnector, Connector, LocalConnector, MemoryConnector, TcpConnector};
use serde_json::{Value, json};

use super::roads::{Road, over_every_road};
use crate::support::echo;

over_every_road! {
    the_state_of_a_running_server_leads_to_it,
}

async fn the_state_of_a_running_server_leads_to_it(road: Road) {
    let server = road.serve(echo()).await;
    let state = server.dump_state();
    assert!(state.is_ascii(), "{state}");
    let connector = road.load(&state);
    assert_eq!(connector.dump_state(), state, "the state changes on its way");
    let client = communica::RouteClient::connect(connector).await.unwrap();
    assert_eq!(client.request::<_, Value>("echo", &json!(1)).await.unwrap(), json!(1));
}

#[test]
fn states_have_the_keys_of_the_wire_in_ascii() {
    let tcp = TcpConnector::new("localhost", 16161).dump_state();
    assert_eq!(tcp, r#"{"type":"TcpConnector","host":"localhost","port":16161,"ssl":false}"#);
    let local = LocalConnector::new("desk").dump_state();
    assert_eq!(local, r#"{"type":"LocalConnector","name":"desk"}"#);
    let beyond_ascii = LocalConnector::new("büro\n🐢").dump_state();
    assert_eq!(beyond_ascii, r#"{"type":"LocalConnector","name":"b\u00fcro\n\ud83d\udc22"}"#);
    let memory = MemoryConnector::new("a").dump_state();
    assert_eq!(memory, r#"{"type":"MemoryConnector","name":"a"}"#);
}

#[test]
fn states_as_python_writes_them_are_loaded() {
    let tcp = AnyConnector::load_state(
        r#"{"host": "example.org", "port": 1, "ssl": false, "type": "TcpConnector"}"#,
    )
    .unwrap();
    assert_eq!(tcp.address(), "example.org:1");
    let local = LocalConnector::load_state(r#"{"type": "LocalConnector", "name": "B\u00dcRO"}"#).unwrap();
    assert_eq!(local, LocalConnector::new("büro"));
}

#[test]
fn a_state_of_another_type_is_an_error_that_names_both() {
    let local = LocalConnector::new("a").dump_state();
    let error = TcpConnector::load_state(&local).unwrap_err().to_string();
    assert!(error.contains("TcpConnector") && error.contains("LocalConnector"), "{error}");
    let error = MemoryConnector::load_state(&local).unwrap_err().to_string();
    assert!(error.contains("MemoryConnector") && error.contains("LocalConnector"), "{error}");
    let memory = MemoryConnector::new("a").dump_state();
    assert!(LocalConnector::load_state(&memory).is_err());
    let unknown = AnyConnector::load_state(r#"{"type": "PigeonConnector"}"#).unwrap_err().to_string();
    assert!(unknown.contains("PigeonConnector"), "{unknown}");
    let error = LocalConnector::load_state(r#"{"type": "RABBITMQ"}"#).unwrap_err().to_string();
    assert!(error.contains("RmqConnector"), "it is told by the name that programs have: {error}");
}

#[test]
fn a_state_with_ssl_is_an_error_that_says_tls() {
    let state = r#"{"type": "TcpConnector", "host": "localhost", "port": 1, "ssl": true}"#;
    for error in [TcpConnector::load_state(state).err(), AnyConnector::load_state(state).err()] {
        let error = error.expect("the state is refused").to_string();
        assert!(error.contains("TLS"), "{error}");
    }
}

#[test]
fn what_is_no_state_is_an_error() {
    for text in [
        "",
        "desk",
        "null",
        "{}",
        r#"{"type": 1}"#,
        r#"{"type": "TcpConnector"}"#,
        r#"{"type": "TcpConnector", "host": "a", "port": 65536, "ssl": false}"#,
        r#"{"type": "TcpConnector", "host": "a", "port": -1, "ssl": false}"#,
        r#"{"type": "LocalConnector"}"#,
        r#"{"type": "LocalConnector", "name": null}"#,
        r#"{"type": "LocalConnector", "name": "a"} x"#,
    ] {
        assert!(AnyConnector::load_state(text).is_err(), "{text} was loaded");
    }
}

#[test]
fn an_array_is_no_state() {
    assert!(AnyConnector::load_state(r#"["LocalConnector"]"#).is_err(), "an array was loaded");
}
