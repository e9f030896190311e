//! What holds without a broker: names, states, settings.

use super::*;
use crate::connector::AnyConnector;

const URL: &str = "amqp://user:s3cret@broker.example:5673/office?heartbeat=7";

#[test]
fn the_state_is_what_other_processes_expect_and_comes_back() {
    let connector = RmqConnector::new(URL, "desk").client_id("till-7").exchange("own");
    let state = connector.dump_state();
    assert_eq!(
        state,
        r#"{"type":"RABBITMQ","url":"amqp://user:s3cret@broker.example:5673/office?heartbeat=7","address":"desk","client_id":"till-7","exchange_name":"own"}"#
    );
    assert_eq!(RmqConnector::load_state(&state).unwrap(), connector);
    assert_eq!(AnyConnector::load_state(&state).unwrap().dump_state(), state);
    let shared = RmqConnector::new(URL, "desk").work_queue();
    assert_eq!(RmqConnector::load_state(&shared.dump_state()).unwrap(), shared);
    let minimal = r#"{"type":"RABBITMQ","url":"amqp://localhost","address":"desk","client_id":null,"exchange_name":null}"#;
    assert_eq!(RmqConnector::load_state(minimal).unwrap(), RmqConnector::new("amqp://localhost", "desk"));
}

#[test]
fn states_that_are_none_are_refused_without_the_password() {
    let bad = r#"{"type":"RABBITMQ","url":"http://user:s3cret@host","address":"desk"}"#;
    let error = RmqConnector::load_state(bad).unwrap_err().to_string();
    assert!(error.contains("amqp://user:password@host:port/vhost") && !error.contains("s3cret"), "{error}");
    let error = RmqConnector::load_state(r#"{"type":"TcpConnector"}"#).unwrap_err().to_string();
    assert!(error.contains("RmqConnector: it is that of a TcpConnector"), "{error}");
}

#[test]
fn the_password_is_not_shown() {
    let connector = RmqConnector::new(URL, "desk");
    let shown = format!("{connector:?} {} {:?}", connector.address(), AnyConnector::new(connector.clone()));
    assert!(shown.contains("broker.example:5673") && !shown.contains("s3cret"), "{shown}");
    let invalid = RmqConnector::new("user:s3cret@nowhere", "desk");
    let why = Connector::client_id(&invalid, Some("till-7")).unwrap_err();
    assert!(!format!("{invalid:?} {} {why}", invalid.address()).contains("s3cret"));
}

#[test]
fn a_client_needs_one_id_that_fits() {
    let road = RmqConnector::new(URL, "a".repeat(200));
    let id = |road: &RmqConnector, chosen: Option<&str>| Connector::client_id(road, chosen);
    assert!(id(&road, None).unwrap_err().contains("RmqConnector::client_id"));
    assert_eq!(id(&road, Some("x")), Ok(Some("x".to_owned())));
    assert_eq!(id(&road.clone().client_id("x"), None), Ok(Some("x".to_owned())));
    assert!(id(&road.clone().client_id("x"), Some("y")).unwrap_err().contains("`x`"));
    assert!(id(&road, Some(&"é".repeat(12))).is_ok() && id(&road, Some(&"i".repeat(24))).is_ok());
    assert!(id(&road, Some(&"i".repeat(25))).unwrap_err().contains("224"));
    // A broker counts bytes.
    assert!(id(&road, Some(&"é".repeat(24))).is_err());
}

/// In brackets it is no name, and must not become this machine, which would be given the password.
#[test]
fn a_broker_may_have_an_address_of_version_six() {
    for (authority, host) in [("user:s3cret@[::1]:47672", "::1"), ("[2001:db8::5]", "2001:db8::5")] {
        let url = Url::new(format!("amqp://{authority}/%2f"));
        assert_eq!(url.host(), Some(host));
        let port = if authority.ends_with("47672") { 47672 } else { 5672 };
        assert_eq!(url.to_string(), format!("amqp://[{host}]:{port}/%2f"));
    }
}

/// As Python's library takes it.
#[test]
fn a_virtual_host_without_a_name_is_the_usual_one() {
    for end in ["", "/", "/%2f", "/?heartbeat=7", "?heartbeat=7"] {
        let url = Url::new(format!("amqp://user:s3cret@broker.example{end}"));
        assert_eq!(url.to_string(), "amqp://broker.example:5672/%2f", "{end}");
    }
    assert!(Url::new(URL.to_owned()).to_string().ends_with("/office"));
}

/// Else half of it would be the host's port or the virtual host's name, and be told.
#[test]
fn a_password_that_was_not_encoded_makes_no_url() {
    for url in [
        "amqp://guest:47672/s3cret@127.0.0.1/%2f",
        "amqp://guest:47672?s3cret@127.0.0.1/%2f",
        "amqp://guest:47672#s3cret@127.0.0.1/%2f",
        "amqp:/guest:s3cret@127.0.0.1/%2f",
    ] {
        let connector = RmqConnector::new(url, "desk");
        let why = Connector::client_id(&connector, Some("till-7")).expect_err(url);
        assert!(why.contains("%2f") && why.contains("%40"), "{why}");
        let told = format!("{connector:?} {} {why}", connector.address());
        assert!(!told.contains("s3cret") && !told.contains("47672"), "{told}");
    }
    let encoded = Url::new("amqp://guest:p%2f%40ss@host/at%40home".to_owned());
    assert_eq!(encoded.to_string(), "amqp://host:5672/at@home");
}

#[test]
fn an_id_from_a_knock_makes_no_line_of_a_log() {
    assert_eq!(names::readable("till-7\n2026 ERROR \u{1b}[31mforged"), "till-7 2026 ERROR  [31mforged");
    assert!(names::readable(&"x".repeat(100_000)).len() < 2000);
}
