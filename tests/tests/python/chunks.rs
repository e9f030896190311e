//! Large messages that either side sends in pieces.

use communica_tests::{Entity, Format, Language, Peer, Road, Role, Stage, in_time};
use serde_json::json;

#[tokio::test]
async fn python_server_and_rust_client_send_pieces() {
    in_time(both_send_pieces(Language::Python, Language::Rust)).await;
}

#[tokio::test]
async fn rust_server_and_python_client_send_pieces() {
    in_time(both_send_pieces(Language::Rust, Language::Python)).await;
}

/// Python cuts what exceeds its `_MAX_CHUNK_SIZE`, ours what exceeds `Limits::chunk_size`; here both do at 4 KiB.
async fn both_send_pieces(server: Language, client: Language) {
    for format in [Format::Json, Format::Orjson, Format::MsgPack] {
        let stage = Stage::new(Road::Tcp, Entity::Route, format).chunk_size(4096);
        let server = stage.start(server, Role::Server).await;
        let client = stage.start(client, Role::Client).await;
        for asker in [&client, &server] {
            around_the_limit(asker).await;
            large_and_small_at_once(asker).await;
        }
        for python in [&server, &client].into_iter().filter(|peer| peer.language == Language::Python) {
            let chunks = python.tell("chunks", json!({})).await;
            for way in ["sent", "received"] {
                assert!(
                    chunks[way].as_u64() > Some(1000),
                    "1 MiB in pieces of 4 KiB makes more {way} than {chunks}"
                );
            }
        }
        client.close().await;
        server.close().await;
    }
}

/// One piece, just more than one, and many. Names and ids take part of a piece, so the limit is met somewhere here.
async fn around_the_limit(asker: &Peer) {
    for size in (3900..4200).step_by(7).chain([2 * 4096, 100_000, 1 << 20]) {
        assert_eq!(asker.tell("large", json!({"size": size})).await, true, "{size} bytes there and back");
    }
}

/// Whole messages may stand between the pieces of a large one, and large ones may meet.
async fn large_and_small_at_once(asker: &Peer) {
    let large = || asker.tell("large", json!({"size": 1 << 20}));
    let (first, wrong, second) = tokio::join!(large(), asker.tell("many", json!({"count": 100})), large());
    assert_eq!((first, wrong, second), (json!(true), json!([]), json!(true)));
}
