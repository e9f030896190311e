//! Route tables go together into one; a name given twice is an error that says where.

use communica::{Error, MemoryConnector, RouteClient, RouteServer, RouteTable};

use crate::support::{echo, memory_pair, memory_server, within};

#[tokio::test]
async fn merged_tables_answer_with_the_routes_of_both() {
    within(20, async {
        let one = RouteTable::new().route("one", |(): ()| 1);
        let two = RouteTable::new().route("two", |(): ()| 2);
        let (_server, client) = memory_pair(one.merge(two)).await;
        assert_eq!(client.request::<_, i64>("one", &()).await.unwrap(), 1);
        assert_eq!(client.request::<_, i64>("two", &()).await.unwrap(), 2);
    })
    .await;
}

/// Line numbers of the two definitions, and a table that has both.
fn twice() -> (u32, u32, RouteTable) {
    let first = line!() + 1;
    let one = RouteTable::new().route("same", |(): ()| 1);
    let second = line!() + 1;
    let two = RouteTable::new().route("same", |(): ()| 2);
    (first, second, one.merge(two))
}

fn assert_names_both(error: &Error, first: u32, second: u32) {
    let text = error.to_string();
    for part in ["same", &format!("{}:{first}:", file!()), &format!("{}:{second}:", file!())] {
        assert!(text.contains(part), "{text} does not say {part}");
    }
    assert!(matches!(error, Error::DuplicateRoute { route, .. } if route == "same"), "{error:?}");
}

#[tokio::test]
async fn a_route_defined_twice_is_an_error_that_names_it_and_both_places() {
    within(20, async {
        let (first, second, table) = twice();
        let server = RouteServer::new(MemoryConnector::unique(), table.clone());
        assert_names_both(&server.start().await.expect_err("the server starts"), first, second);
        let server = RouteServer::new(MemoryConnector::unique(), table.clone());
        assert_names_both(&server.run().await.expect_err("the server runs"), first, second);
        let (_server, connector) = memory_server(echo()).await;
        let client = RouteClient::builder(connector).routes(table);
        assert_names_both(&client.connect().await.expect_err("the client connects"), first, second);
    })
    .await;
}

#[tokio::test]
async fn a_route_defined_twice_in_one_chain_is_an_error_too() {
    within(20, async {
        let table = RouteTable::new().route("same", |(): ()| 1).route("same", |(): ()| 2);
        let merged = RouteTable::new().merge(table);
        let error = RouteServer::new(MemoryConnector::unique(), merged).start().await.expect_err("it starts");
        assert!(matches!(error, Error::DuplicateRoute { .. }), "{error:?}");
    })
    .await;
}
