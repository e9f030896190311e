//! The folder of local sockets, made by Python when it is imported, serves ours too.

use communica_tests::{Language, Role, in_time};
use serde_json::json;

#[tokio::test]
async fn our_server_listens_in_a_folder_that_python_made() {
    in_time(async {
        let stage = super::usual().not_waiting();
        let client = stage.start(Language::Python, Role::Client).await;
        let server = stage.start(Language::Rust, Role::Server).await;
        assert_eq!(server.request("double", 21).await, Ok(json!(42)));
        client.close().await;
        server.close().await;
    })
    .await;
}
