//! Named pipes, where they are not like sockets.

use std::io::ErrorKind;

use communica::{Connector, Error, LocalConnector, RouteClient, RouteServer, RouteServerHandle};
use communica_tests::why_not;
use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient};

use crate::support::{echo, unique, within};

async fn listen(name: &str) -> Result<RouteServerHandle, Error> {
    RouteServer::new(LocalConnector::new(name), echo()).start().await
}

async fn assert_served(name: &str) {
    let client = RouteClient::connect(LocalConnector::new(name)).await.unwrap();
    assert_eq!(client.request::<_, i64>("echo", &1).await.unwrap(), 1);
}

/// Somebody who opens the pipe, when it is free.
async fn knock(name: &str) -> NamedPipeClient {
    loop {
        match ClientOptions::new().open(format!(r"\\.\pipe\communica.{name}")) {
            Ok(client) => return client,
            Err(error) if error.kind() == ErrorKind::NotFound => panic!("nobody listens: {error}"),
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

#[tokio::test]
async fn the_pipe_is_where_python_looks_for_it() {
    within(20, async {
        let name = unique("Pipe");
        let connector = LocalConnector::new(&name);
        assert_eq!(connector.address(), format!(r"\\.\pipe\communica.{}", name.to_lowercase()));
        let _server = RouteServer::new(connector, echo()).start().await.unwrap();
        drop(knock(&name.to_lowercase()).await);
        assert_served(&name.to_uppercase()).await;
    })
    .await;
}

/// Such a client leaves an instance behind that nobody can be greeted at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_knock_and_go_do_not_end_the_listening() {
    within(60, async {
        let name = unique("knock");
        let _server = listen(&name).await.unwrap();
        for _ in 0..20 {
            for _ in 0..20 {
                drop(knock(&name).await);
            }
            assert_served(&name).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_at_once_are_all_let_in() {
    within(60, async {
        let name = unique("many");
        let _server = listen(&name).await.unwrap();
        let clients: Vec<_> = (0..40)
            .map(|_| {
                let name = name.clone();
                tokio::spawn(async move { assert_served(&name).await })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_name_is_free_when_its_server_stopped() {
    within(60, async {
        let name = unique("again");
        for _ in 0..20 {
            let server = listen(&name).await.unwrap();
            assert_served(&name).await;
            server.stop().await;
            let gone = ClientOptions::new().open(format!(r"\\.\pipe\communica.{name}"));
            assert_eq!(gone.unwrap_err().kind(), ErrorKind::NotFound);
        }
    })
    .await;
}

#[tokio::test]
async fn a_name_that_no_pipe_can_have_is_refused() {
    let too_long = "x".repeat(300);
    for name in ["", "a/b", r"a\b", "a\0b", "a.", "a ", &too_long] {
        match within(10, listen(name)).await {
            Err(Error::Listen { source, .. }) => {
                assert_eq!(source.kind(), ErrorKind::InvalidInput, "{name:?}: {source}");
            }
            other => panic!("{name:?}: {other:?}"),
        }
        let told = within(40, why_not(|| RouteClient::builder(LocalConnector::new(name)))).await.to_string();
        let why = if name == too_long { " characters where " } else { "is no name for a pipe" };
        assert!(told.contains(why), "{name:?}: {told}");
    }
}
