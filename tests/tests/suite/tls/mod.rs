//! Certificates, good and bad, go in; who may come in does, and everybody else is told why not.

mod closing;
mod files;
#[cfg(unix)]
mod openssl;
mod peers;
mod refusals;
mod slow;
mod states;

use std::net::Ipv4Addr;

use communica::{
    Connector, Limits, Link, LinkError, Listener, RouteClient, RouteServer, RouteServerHandle, RouteTable,
    TcpConnector, Tls,
};
use serde_json::Value;

/// What a client of the wire says.
const HELLO: &[u8] = br#"{"client_id": "w1"}"#;

/// A listener of this machine, and its port.
async fn listen(tls: Option<Tls>) -> (Box<dyn Listener>, u16) {
    let connector = at(0, tls);
    let listener = connector.listen(&Limits::new()).await.expect("it listens");
    let state: Value = serde_json::from_str(&listener.dump_state()).expect("it is JSON");
    let port = state["port"].as_u64().expect("a state has a port");
    (listener, port.try_into().expect("it is a port"))
}

/// The name `localhost` may stand for more than one address.
fn at(port: u16, tls: Option<Tls>) -> TcpConnector {
    let connector = TcpConnector::new(Ipv4Addr::LOCALHOST.to_string(), port);
    tls.into_iter().fold(connector, TcpConnector::tls)
}

/// Opens a link; both ends of it, or what each side says about it.
async fn meet(
    listener: &mut dyn Listener,
    client: TcpConnector,
) -> (Result<Link, LinkError>, Result<Link, LinkError>) {
    let limits = Limits::new();
    let server = async {
        let mut incoming = listener.accept().await?;
        incoming.hello().await?;
        incoming.accept(br#"{"hello": "hello"}"#).await
    };
    tokio::join!(server, Connector::connect(&client, HELLO, &limits))
}

/// A server with these routes, and a connector that leads to it, with the client's settings.
async fn serve(server: Tls, client: Tls, routes: RouteTable) -> (RouteServerHandle, TcpConnector) {
    let server = RouteServer::new(at(0, Some(server)), routes).start().await.expect("the server starts");
    let connector = TcpConnector::load_state_with_tls(&server.dump_state(), client);
    (server, connector.expect("it is the state of a connector with TLS"))
}

async fn assert_echoes(connector: TcpConnector) {
    let client = RouteClient::connect(connector).await.expect("the client connects");
    assert_eq!(client.request::<_, i64>("echo", &5).await.expect("it is answered"), 5);
    client.close().await;
}
