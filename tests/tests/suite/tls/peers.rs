//! Peers that prove who they are go in; handlers and callers learn who that is.

use communica::{Context, Error, RouteClient, RouteServer, RouteTable, TcpConnector, Tls};
use rcgen::SanType;

use super::{assert_echoes, at, serve};
use crate::certificates::{Authority, Identity};
use crate::support::{echo, within};

const HERE: &[&str] = &["127.0.0.1"];

/// Fingerprint and names of who calls.
fn whoami() -> RouteTable {
    RouteTable::new().route("whoami", |cx: Context, (): ()| {
        let info = cx.peer().info();
        (info.fingerprint(), info.certificate_names(), info.certificates.len())
    })
}

#[tokio::test]
async fn a_client_that_proved_who_it_is_is_known_to_handlers() {
    let authority = Authority::new();
    let server = authority.certify(HERE).of(authority.trusted()).demand_client_certificates();
    let till = authority.certify_with(&["till-7.example.org"], |params| {
        params.subject_alt_names.push(SanType::URI("spiffe://shop/till/7".try_into().unwrap()));
    });
    let (_server, connector) = serve(server, till.of(authority.trusted()), whoami()).await;
    let client = RouteClient::connect(connector).await.unwrap();
    let (fingerprint, names, count): (String, Vec<String>, usize) =
        within(5, client.request("whoami", &())).await.unwrap();
    assert_eq!(fingerprint.len(), 64, "{fingerprint}");
    #[cfg(unix)]
    assert_eq!(fingerprint, super::openssl::fingerprint(&till));
    assert_eq!(names, ["till-7.example.org", "spiffe://shop/till/7"]);
    assert_eq!(count, 1);
}

/// Nobody takes over what waits for somebody else.
#[tokio::test]
async fn an_id_can_be_bound_to_a_certificate() {
    let authority = Authority::new();
    let server = authority.certify(HERE).of(authority.trusted()).demand_client_certificates();
    let server = RouteServer::new(at(0, Some(server)), echo()).authorize(|applicant| {
        let names = applicant.peer().certificate_names();
        match names.iter().any(|name| name == applicant.client_id()) {
            true => Ok(()),
            false => Err(format!("the certificate is for {names:?}")),
        }
    });
    let server = within(5, server.start()).await.unwrap();
    let till = authority.certify(&["till-7"]).of(authority.trusted());
    let road = TcpConnector::load_state_with_tls(&server.dump_state(), till).unwrap();
    let as_id = |id: &str| within(5, RouteClient::builder(road.clone()).client_id(id).connect());
    let client = as_id("till-7").await.unwrap();
    assert_eq!(client.request::<_, i64>("echo", &5).await.unwrap(), 5);
    let error = as_id("till-8").await.expect_err("it took the id of another");
    assert!(matches!(&error, Error::Refused { reason, .. } if reason.contains("till-7")), "{error:?}");
}

#[tokio::test]
async fn a_client_that_proved_nothing_has_no_certificate() {
    let authority = Authority::new();
    let server = authority.certify(HERE);
    let (_server, connector) = serve(server.of(Tls::new()), authority.trusted(), whoami()).await;
    let client = RouteClient::connect(connector).await.unwrap();
    let (fingerprint, names, count): (Option<String>, Vec<String>, usize) =
        within(5, client.request("whoami", &())).await.unwrap();
    assert_eq!((fingerprint, names, count), (None, vec![], 0));
}

#[tokio::test]
async fn a_client_knows_its_server() {
    let authority = Authority::new();
    let desk = authority.certify(&["127.0.0.1", "desk.example.org"]);
    let asks = RouteTable::new()
        .route("ask", async |cx: Context, (): ()| cx.peer().request::<_, Vec<String>>("names", &()).await);
    let (_server, connector) = serve(desk.of(Tls::new()), authority.trusted(), asks).await;
    let names = RouteTable::new().route("names", |cx: Context, (): ()| cx.peer().info().certificate_names());
    let client = RouteClient::builder(connector).routes(names).connect().await.unwrap();
    let said: Vec<String> = within(5, client.request("ask", &())).await.unwrap();
    assert_eq!(said, ["desk.example.org"]);
}

#[tokio::test]
async fn debug_shows_no_certificates_and_no_keys() {
    let authority = Authority::new();
    let identity = authority.certify(HERE);
    let tls = identity.of(authority.trusted()).server_name("desk");
    let shown = format!("{tls:?} {:?}", at(1, Some(tls.clone())));
    assert!(shown.contains("identity: 1, trusted: 1"), "{shown}");
    assert!(shown.len() < 400, "it shows too much: {shown}");

    let (mut listener, port) = super::listen(Some(tls.clone())).await;
    let client = at(port, Some(authority.trusted()));
    let (_, link) = within(5, super::meet(&mut *listener, client)).await;
    let shown = format!("{:?}", link.unwrap().peer);
    assert!(shown.contains("certificates: 1") && shown.len() < 200, "{shown}");
}

#[tokio::test]
async fn a_name_may_be_set_where_the_host_has_another() {
    let authority = Authority::new();
    let server = authority.certify(&["desk.example.org"]).of(Tls::new());
    let client = authority.trusted().server_name("desk.example.org");
    let (_server, connector) = serve(server, client, echo()).await;
    within(5, assert_echoes(connector)).await;
}

#[tokio::test]
async fn a_deputy_may_vouch_when_its_certificate_comes_along() {
    let authority = Authority::new();
    let deputy = authority.deputy();
    let mut desk = deputy.certify(HERE);
    desk.chain.push_str(&deputy.pem());
    let (_server, connector) = serve(desk.of(Tls::new()), authority.trusted(), echo()).await;
    within(5, assert_echoes(connector)).await;
}

/// Without any authority: both know the other's certificate.
#[tokio::test]
async fn two_self_made_certificates_do() {
    let (desk, till) = (Identity::self_made(HERE, |_| {}), Identity::self_made(&["till"], |_| {}));
    let server = desk.of(Tls::new().trust(&till.chain).unwrap()).demand_client_certificates();
    let client = till.of(Tls::new().trust(&desk.chain).unwrap());
    let (_server, connector) = serve(server, client, echo()).await;
    within(5, assert_echoes(connector)).await;
}
