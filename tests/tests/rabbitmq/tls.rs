//! Brokers that speak TLS go in; calls come through, or a clear word on why they do not.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use communica::{Error, RmqConnector, RouteClient, RouteServer, RouteTable};
use communica_tests::broker::{self, Broker};
use communica_tests::in_time;
use tokio::net::{TcpListener, TcpStream};

/// A client tries for so long.
const CONNECT_TIME: Duration = Duration::from_secs(3);

/// The one of all these tests.
fn tls_broker() -> &'static Broker {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    BROKER.get_or_init(Broker::tls)
}

fn authority() -> String {
    std::fs::read_to_string(tls_broker().ca_file()).expect("the broker has one")
}

#[tokio::test]
async fn calls_go_over_tls() {
    in_time(async {
        let connector =
            RmqConnector::new(tls_broker().tls_url(), broker::unique("safe")).ca_certificates(authority());
        let routes = RouteTable::new().route("echo", |text: String| text);
        let server = RouteServer::new(connector.clone(), routes).start().await.expect("it listens");
        let client = RouteClient::connect(connector.client_id("w1")).await.expect("it connects");
        let text = "Ключ 🔑 ".repeat(200_000);
        let back: String = client.request("echo", &text).await.expect("it is answered");
        assert!(back == text, "{} bytes came back changed", text.len());
        client.close().await;
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn an_unknown_authority_is_told() {
    let connector = RmqConnector::new(tls_broker().tls_url(), broker::unique("safe"));
    fails(connector, &["certificate", "UnknownIssuer", "ca_certificates"]).await;
}

/// The certificate is for localhost and 127.0.0.1.
#[tokio::test]
async fn a_wrong_host_name_is_told() {
    let listener =
        TcpListener::bind("127.0.0.2:0").await.expect("every address of 127.0.0.0/8 is this machine");
    let place = listener.local_addr().expect("it listens").to_string();
    let url = tls_broker().tls_url();
    let right = url.split(['@', '/']).nth(3).expect("the URL has a host").to_owned();
    let (url, to) = (url.replace(&right, &place), right.replace("localhost", "127.0.0.1"));
    let forwarding = tokio::spawn(async move {
        loop {
            let (mut from, _) = listener.accept().await.expect("it listens");
            let mut to = TcpStream::connect(&to).await.expect("the broker listens");
            // Either side may hang up.
            let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
        }
    });
    let connector = RmqConnector::new(url, broker::unique("safe")).ca_certificates(authority());
    fails(connector, &["certificate not valid for name", "127.0.0.2"]).await;
    forwarding.abort();
}

#[tokio::test]
async fn no_tls_where_it_is_wanted_is_told() {
    let url = tls_broker().tls_url().replace("amqps:", "amqp:");
    fails(RmqConnector::new(url, broker::unique("plain")), &["must begin with amqps:"]).await;
}

#[tokio::test]
async fn tls_where_there_is_none_is_told() {
    let url = tls_broker().url().replace("amqp:", "amqps:");
    let connector = RmqConnector::new(url, broker::unique("plain")).ca_certificates(authority());
    fails(connector, &["must begin with amqp:"]).await;
}

#[tokio::test]
async fn an_authority_that_is_no_certificate_is_told() {
    let connector = RmqConnector::new(tls_broker().tls_url(), broker::unique("safe"));
    fails(connector.ca_certificates("not a certificate"), &["ca_certificates"]).await;
}

/// A server does not start, and a client does not connect. Both say these words and no password, in time.
async fn fails(connector: RmqConnector, words: &[&str]) {
    in_time(async {
        let begun = Instant::now();
        let server = RouteServer::new(connector.clone(), RouteTable::new()).start().await;
        let client = RouteClient::builder(connector.client_id("w1")).connect_timeout(CONNECT_TIME).connect();
        let client = client.await;
        assert!(begun.elapsed() < CONNECT_TIME * 3, "it took {:?}", begun.elapsed());
        tells(&server.expect_err("no server starts"), words);
        tells(&client.expect_err("no client connects"), words);
    })
    .await;
}

fn tells(error: &Error, words: &[&str]) {
    let said = error.to_string();
    for word in words {
        assert!(said.contains(word), "{said:?} says nothing of {word:?}");
    }
    assert!(!said.contains("guest:"), "{said:?} has the password");
}
