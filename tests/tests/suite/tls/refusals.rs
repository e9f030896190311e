//! Two sides that do not suit each other go in; both say in one sentence what is wrong, and neither waits.

use communica::{Connector, Error, Limits, RouteClient, RouteServer, RouteTable, TcpConnector, Tls};
use communica_tests::why_not;
use tokio::io::AsyncWriteExt;

use super::{at, listen, meet};
use crate::certificates::{Authority, Identity, expired, for_clients_only, may_sign, not_valid_yet};
use crate::support::{echo, within};

const HERE: &[&str] = &["127.0.0.1"];

/// No link comes to be, and each side says its words, in far less than the time of a handshake.
async fn refused(server: Option<Tls>, client: Option<Tls>, at_server: &[&str], at_client: &[&str]) {
    let (mut listener, port) = listen(server).await;
    let (server, client) = within(5, meet(&mut *listener, at(port, client))).await;
    says(&server.expect_err("the server lets it in"), at_server);
    says(&client.expect_err("the client connects"), at_client);
}

fn says(error: &impl ToString, words: &[&str]) {
    let said = error.to_string();
    for word in words {
        assert!(said.contains(word), "{said:?} says nothing of {word:?}");
    }
    assert!(!said.contains('\n') && !said.contains("PRIVATE"), "{said:?} is no sentence");
}

#[tokio::test]
async fn a_wrong_name() {
    let authority = Authority::new();
    let server = authority.certify(&["desk.example.org", "10.0.0.1"]).of(Tls::new());
    refused(
        Some(server),
        Some(authority.trusted()),
        &["client does not accept this server's certificate", "another name"],
        &[
            "server's certificate is for",
            "desk.example.org, 10.0.0.1 and not for 127.0.0.1",
            "Tls::server_name",
        ],
    )
    .await;
}

#[tokio::test]
async fn no_name_at_all() {
    let authority = Authority::new();
    let server = authority.certify(&[]).of(Tls::new());
    let words = ["server's certificate names no host", "subjectAltName"];
    refused(Some(server), Some(authority.trusted()), &[], &words).await;
}

#[tokio::test]
async fn an_expired_server() {
    let authority = Authority::new();
    let server = authority.certify_with(HERE, expired).of(Tls::new());
    let words = ["server's certificate expired", "days ago"];
    let at_server = ["client does not accept this server's certificate", "its time is over"];
    refused(Some(server), Some(authority.trusted()), &at_server, &words).await;
}

#[tokio::test]
async fn a_server_before_its_time() {
    let authority = Authority::new();
    let server = authority.certify_with(HERE, not_valid_yet).of(Tls::new());
    let words = ["server's certificate is not valid yet", "clock"];
    refused(Some(server), Some(authority.trusted()), &[], &words).await;
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for() {
    let server = Authority::new().certify(HERE).of(Tls::new());
    refused(
        Some(server),
        Some(Authority::new().trusted()),
        &["client does not accept this server's certificate", "trusts nobody who vouches for it"],
        &["nobody whom this client trusts vouches for the server's certificate", "Tls::trust"],
    )
    .await;
}

/// The authority was made anew, and one side has not heard of it.
#[tokio::test]
async fn a_server_of_an_authority_with_the_name_of_another() {
    let server = Authority::named("the authority").certify(HERE).of(Tls::new());
    let client = Authority::named("the authority").trusted();
    let words = ["server's certificate was not signed by the authority of that name", "made anew"];
    refused(Some(server), Some(client), &["client does not accept this server's certificate"], &words).await;
}

/// As `openssl req -x509` makes them.
#[tokio::test]
async fn an_authority_as_a_server() {
    let server = Identity::self_made(HERE, may_sign);
    let client = Tls::new().trust(&server.chain).unwrap();
    let words = ["server's certificate is that of an authority", "CA:FALSE"];
    refused(Some(server.of(Tls::new())), Some(client), &[], &words).await;
}

#[tokio::test]
async fn a_certificate_for_clients_as_a_server() {
    let authority = Authority::new();
    let server = authority.certify_with(HERE, for_clients_only).of(Tls::new());
    let words = ["server's certificate is not made for a server", "serverAuth"];
    refused(Some(server), Some(authority.trusted()), &[], &words).await;
}

#[tokio::test]
async fn a_client_without_a_certificate() {
    let authority = Authority::new();
    let server = authority.certify(HERE).of(authority.trusted()).demand_client_certificates();
    refused(
        Some(server),
        Some(authority.trusted()),
        &["client has no certificate", "Tls::identity"],
        &["server demands a certificate of this client", "Tls::identity"],
    )
    .await;
}

/// What it says reaches a server that has turned it away already, and must not be answered with a reset.
#[tokio::test]
async fn a_client_without_a_certificate_that_talks_a_lot() {
    let authority = Authority::new();
    let server = authority.certify(HERE).of(authority.trusted()).demand_client_certificates();
    let (mut listener, port) = listen(Some(server)).await;
    let (client, limits) = (at(port, Some(authority.trusted())), Limits::new());
    let hello = format!(r#"{{"client_id": "{}"}}"#, "x".repeat(60_000));
    let server = async { listener.accept().await?.hello().await };
    let both = async { tokio::join!(server, Connector::connect(&client, hello.as_bytes(), &limits)) };
    let (server, client) = within(5, both).await;
    says(&server.expect_err("the server lets it in"), &["client has no certificate"]);
    says(&client.expect_err("the client connects"), &["server demands a certificate of this client"]);
}

#[tokio::test]
async fn a_client_that_nobody_vouches_for() {
    let authority = Authority::new();
    let server = authority.certify(HERE).of(authority.trusted()).demand_client_certificates();
    let client = Authority::new().certify(&["till"]).of(authority.trusted());
    refused(
        Some(server),
        Some(client),
        &["nobody whom this server trusts vouches for the client's certificate", "Tls::trust"],
        &["server does not accept this client's certificate", "trusts nobody who vouches for it"],
    )
    .await;
}

#[tokio::test]
async fn an_expired_client() {
    let authority = Authority::new();
    let server = authority.certify(HERE).of(authority.trusted()).demand_client_certificates();
    let client = authority.certify_with(&["till"], expired).of(authority.trusted());
    refused(
        Some(server),
        Some(client),
        &["client's certificate expired"],
        &["server does not accept this client's certificate", "its time is over"],
    )
    .await;
}

#[tokio::test]
async fn plain_text_where_tls_is_spoken() {
    let server = Authority::new().certify(HERE).of(Tls::new());
    let words = ["this port speaks TLS, and the client does not", "TcpConnector::tls", "ssl="];
    refused(Some(server), None, &words, &words).await;
}

#[tokio::test]
async fn tls_where_plain_text_is_spoken() {
    refused(
        None,
        Some(Authority::new().trusted()),
        &["the client speaks TLS, and this port does not", "TcpConnector::tls"],
        &["the server does not speak TLS on this port", "TcpConnector::tls"],
    )
    .await;
}

/// The reasons come out of what users hold, too.
#[tokio::test]
async fn clients_are_told_why_they_do_not_connect() {
    let server = Authority::new().certify(HERE).of(Tls::new());
    let server = RouteServer::new(at(0, Some(server)), echo()).start().await.unwrap();
    let wrong = TcpConnector::load_state_with_tls(&server.dump_state(), Authority::new().trusted()).unwrap();
    let error = within(40, why_not(|| RouteClient::builder(wrong.clone()))).await;
    assert!(matches!(error, Error::Connect { .. }), "{error:?}");
    says(&error, &["nobody whom this client trusts vouches for the server's certificate"]);

    let plain = TcpConnector::load_state(&server.dump_state().replace("true", "false")).unwrap();
    let error = within(5, RouteClient::connect(plain)).await.expect_err("it needs no TLS");
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    says(&error, &["this port speaks TLS"]);
}

/// Nothing is tried that cannot succeed.
#[tokio::test]
async fn settings_that_lack_something() {
    let authority = Authority::new();
    let client = |tls: Tls| within(5, RouteClient::connect(at(1, Some(tls))));
    let error = client(Tls::new()).await.expect_err("nobody is trusted");
    says(&error, &["this client trusts nobody", "Tls::trust"]);
    let error = client(authority.trusted().server_name("no name")).await.expect_err("it is no name");
    says(&error, &["\"no name\" is neither a host name nor an address", "Tls::server_name"]);

    let server = |tls: Tls| within(5, RouteServer::new(at(0, Some(tls)), RouteTable::new()).start());
    let error = server(Tls::new()).await.expect_err("it has no certificate");
    says(&error, &["a server with TLS needs a certificate and its key", "Tls::identity"]);
    let demanding = authority.certify(HERE).of(Tls::new()).demand_client_certificates();
    let error = server(demanding).await.expect_err("nobody is trusted");
    says(&error, &["demands certificates of its clients and trusts nobody", "Tls::trust"]);
}

/// A peer that is no client at all, such as a probe of the port.
#[tokio::test]
async fn a_connection_without_a_byte() {
    for tls in [None, Some(Authority::new().certify(HERE).of(Tls::new()))] {
        let (mut listener, port) = listen(tls).await;
        drop(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap());
        let mut incoming = within(5, listener.accept()).await.unwrap();
        let error = within(5, incoming.hello()).await.expect_err("it said nothing");
        says(&error, &["closed the connection before the handshake was complete"]);
    }
}

/// It keeps the connection open, as those of HTTP may.
#[tokio::test]
async fn a_server_of_another_kind() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream
    });
    let connector = at(port, None);
    let limits = Limits::new();
    let connected = within(5, Connector::connect(&connector, br#"{"client_id":"w1"}"#, &limits)).await;
    says(&connected.expect_err("it is no server of ours"), &["does not speak communica", "HTTP/1.1 400"]);
    drop(server.await.unwrap());
}

#[tokio::test]
async fn a_server_that_hangs_up_in_the_handshake() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = at(listener.local_addr().unwrap().port(), Some(Authority::new().trusted()));
    let limits = Limits::new();
    let hanging_up = async { drop(listener.accept().await.unwrap()) };
    let ((), ended) =
        within(5, async { tokio::join!(hanging_up, Connector::connect(&client, super::HELLO, &limits)) })
            .await;
    says(&ended.expect_err("it connects"), &["the server hung up during the TLS handshake", "speak TLS"]);
}
