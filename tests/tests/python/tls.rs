//! Certificates go in; Python's `ssl` and ours trust each other, or say why they do not.

use communica::{Connector, Limits, RouteClient, TcpConnector, Tls};
use communica_tests::{Entity, Format, Language, Road, Role, Stage, TlsSide, in_time, why_not};

use crate::certificates::{Authority, Identity};
use crate::everything;
use Language::{Python, Rust};

const HERE: &[&str] = &["127.0.0.1"];

fn side(trusts: &Authority, is: Option<Identity>) -> TlsSide {
    let identity = is.map(|identity| (identity.chain, identity.key));
    TlsSide { trust: trusts.pem(), identity, ..TlsSide::default() }
}

/// A client that trusts the server, and the server.
fn one_sided() -> (TlsSide, TlsSide) {
    let authority = Authority::new();
    (side(&authority, Some(authority.certify(HERE))), side(&authority, None))
}

/// Both prove who they are, each with certificates of another authority.
fn mutual() -> (TlsSide, TlsSide) {
    let (of_servers, of_clients) = (Authority::new(), Authority::new());
    let server = side(&of_clients, Some(of_servers.certify(HERE)));
    let client = side(&of_servers, Some(of_clients.certify(&["till"])));
    (TlsSide { demand: true, ..server }, client)
}

async fn everything_works(server: Language, client: Language, sides: (TlsSide, TlsSide)) {
    let stage = Stage::over_tls(&sides.0, &sides.1);
    in_time(everything::check(&stage, Entity::Route, server, client)).await;
}

#[tokio::test]
async fn python_alone() {
    everything_works(Python, Python, one_sided()).await;
}

#[tokio::test]
async fn a_rust_server_proves_itself_to_a_python_client() {
    everything_works(Rust, Python, one_sided()).await;
}

#[tokio::test]
async fn a_python_server_proves_itself_to_a_rust_client() {
    everything_works(Python, Rust, one_sided()).await;
}

#[tokio::test]
async fn a_rust_server_and_a_python_client_prove_themselves_to_each_other() {
    everything_works(Rust, Python, mutual()).await;
}

#[tokio::test]
async fn a_python_server_and_a_rust_client_prove_themselves_to_each_other() {
    everything_works(Python, Rust, mutual()).await;
}

/// A Python of old has nothing newer.
#[tokio::test]
async fn they_meet_over_tls_1_2() {
    for (server, client) in [(Rust, Python), (Python, Rust)] {
        let (mut at_server, mut at_client) = mutual();
        (at_server.newest, at_client.newest) = (Some("TLSv1_2"), Some("TLSv1_2"));
        everything_works(server, client, (at_server, at_client)).await;
    }
}

/// What our client says of Python's server, which does not let it in.
async fn python_refuses(stage: Stage, client: Option<Tls>) -> String {
    in_time(async {
        let _server = stage.start(Python, Role::Server).await;
        let state = stage.connector();
        let plain = TcpConnector::load_state(&state.replace("\"ssl\":true", "\"ssl\":false")).unwrap();
        let connector = client.into_iter().fold(plain, TcpConnector::tls);
        why_not(|| RouteClient::builder(connector.clone())).await.to_string()
    })
    .await
}

fn says(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "{said:?} says nothing of {word:?}");
    }
}

/// Asyncio mostly hangs up before it says why.
#[tokio::test]
async fn a_python_server_that_demands_a_certificate_is_understood() {
    let authority = Authority::new();
    let server = TlsSide { demand: true, ..side(&authority, Some(authority.certify(HERE))) };
    let stage = Stage::over_tls(&server, &TlsSide::default());
    let said = python_refuses(stage, Some(authority.trusted())).await;
    says(&said, &["certificate", "demand", "Tls::identity"]);

    let stage = Stage::over_tls(&server, &TlsSide::default());
    let stranger = Authority::new().certify(&["till"]).of(authority.trusted());
    let said = python_refuses(stage, Some(stranger)).await;
    says(&said, &["not accept this client's certificate"]);
}

#[tokio::test]
async fn a_python_server_of_another_authority_is_not_trusted() {
    let (server, client) = one_sided();
    let said = python_refuses(Stage::over_tls(&server, &client), Some(Authority::new().trusted())).await;
    says(&said, &["nobody whom this client trusts vouches for the server's certificate"]);
}

#[tokio::test]
async fn tls_and_plain_text_do_not_meet_python() {
    let plain = Stage::new(Road::Tcp, Entity::Route, Format::Orjson);
    let said = python_refuses(plain, Some(Authority::new().trusted())).await;
    says(&said, &["the server does not speak TLS on this port"]);
    let (server, client) = one_sided();
    let said = python_refuses(Stage::over_tls(&server, &client), None).await;
    says(&said, &["TLS", "TcpConnector::tls"]);
}

/// What our server says of Python's client, which it does not let in.
async fn rust_refuses(server: Option<Tls>, client: &TlsSide) -> String {
    in_time(async {
        let stage = Stage::over_tls(&TlsSide::default(), client).not_waiting();
        let plain =
            TcpConnector::load_state(&stage.connector().replace("\"ssl\":true", "\"ssl\":false")).unwrap();
        let limits = Limits::new();
        let connector = server.into_iter().fold(plain, TcpConnector::tls);
        let mut listener = connector.listen(&limits).await.expect("it listens");
        let _client = stage.start(Python, Role::Client).await;
        let mut incoming = listener.accept().await.expect("somebody comes");
        incoming.hello().await.expect_err("it comes in").to_string()
    })
    .await
}

#[tokio::test]
async fn python_clients_that_may_not_come_in_are_named_with_the_reason() {
    let authority = Authority::new();
    let server = || authority.certify(HERE).of(authority.trusted());
    let demanding = || Some(server().demand_client_certificates());

    let said = rust_refuses(demanding(), &side(&authority, None)).await;
    says(&said, &["client has no certificate"]);
    let stranger = side(&authority, Some(Authority::new().certify(&["till"])));
    let said = rust_refuses(demanding(), &stranger).await;
    says(&said, &["nobody whom this server trusts vouches for the client's certificate"]);
    let said = rust_refuses(Some(server()), &side(&Authority::new(), None)).await;
    says(&said, &["not accept this server's certificate"]);
    let said = rust_refuses(None, &side(&authority, None)).await;
    says(&said, &["the client speaks TLS, and this port does not"]);
}
