//! Connectors with TLS become text and text becomes connectors; no secret is in it, and nothing loses its TLS on the way.

use communica::{AnyConnector, TcpConnector, Tls};

use crate::certificates::Authority;

fn tls() -> Tls {
    let authority = Authority::new();
    authority.certify(&["desk"]).of(authority.trusted())
}

#[test]
fn a_state_says_that_there_is_tls_and_nothing_more() {
    let connector = TcpConnector::new("desk", 16161).tls(tls().server_name("other"));
    let state = connector.dump_state();
    assert_eq!(state, r#"{"type":"TcpConnector","host":"desk","port":16161,"ssl":true}"#);
}

#[test]
fn a_state_with_tls_is_loaded_with_settings() {
    let tls = tls();
    let connector = TcpConnector::new("desk", 16161).tls(tls.clone());
    let loaded = TcpConnector::load_state_with_tls(&connector.dump_state(), tls).unwrap();
    assert_eq!(loaded, connector);
    for error in [
        TcpConnector::load_state(&connector.dump_state()).err(),
        AnyConnector::load_state(&connector.dump_state()).err(),
    ] {
        let error = error.expect("it was loaded without settings").to_string();
        assert!(error.contains("TcpConnector::load_state_with_tls"), "{error}");
    }
}

#[test]
fn a_state_without_tls_is_not_loaded_with_settings() {
    let plain = TcpConnector::new("desk", 16161);
    let error = TcpConnector::load_state_with_tls(&plain.dump_state(), tls()).unwrap_err().to_string();
    assert!(error.contains("without TLS") && error.contains("`TcpConnector::load_state`"), "{error}");
}

#[test]
fn settings_are_equal_when_their_certificates_are() {
    let authority = Authority::new();
    let identity = authority.certify(&["desk"]);
    let tls = identity.of(authority.trusted());
    assert_eq!(tls, identity.of(authority.trusted()));
    assert_ne!(tls, authority.certify(&["desk"]).of(authority.trusted()));
    assert_ne!(tls, identity.of(Authority::new().trusted()));
    assert_ne!(tls, tls.clone().demand_client_certificates());
    assert_ne!(tls, tls.clone().server_name("desk"));
    assert_ne!(TcpConnector::new("desk", 1), TcpConnector::new("desk", 1).tls(tls));
}
