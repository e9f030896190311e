//! How handlers fail: the errors of one language are those of the other, with message and code.

use communica_tests::{Failure, Language, Role, in_time};
use serde_json::json;

fn failure(kind: &str, message: &str, code: Option<i64>) -> Failure {
    Failure { kind: kind.to_owned(), message: message.to_owned(), code }
}

/// Typed errors, in a service and behind an untyped handler, which Python has no types for.
#[tokio::test]
async fn a_rust_error_is_kind_message_and_code_in_python() {
    in_time(async {
        let stage = super::usual();
        let server = stage.start(Language::Rust, Role::Server).await;
        let client = stage.start(Language::Python, Role::Client).await;
        for route in ["library.lend", "library.untyped"] {
            for (book, answer) in [
                ("14", Ok(json!(14))),
                ("missing", Err(failure("ReqError", "no such book", Some(404)))),
                ("out of order", Err(failure("RespError", "out of order", Some(507)))),
                ("too many", Err(failure("ReqError", "Ада has 3 books already", Some(429)))),
                ("closed", Err(failure("ReqError", "on holiday", None))),
                ("burnt", Err(failure("RespError", "burnt down", None))),
                (
                    "new",
                    Err(failure(
                        "UnknownError",
                        "the label cannot be read: invalid digit found in string",
                        None,
                    )),
                ),
            ] {
                assert_eq!(client.request(route, book).await, answer, "{route}");
            }
        }
        for (book, answer) in [
            ("8", Ok(json!(8))),
            ("new", Err(failure("UnknownError", "invalid digit found in string", None))),
            ("priceless", Err(failure("ReqError", "not for sale", Some(451)))),
        ] {
            assert_eq!(client.request("library.price", book).await, answer);
        }
        client.close().await;
        server.close().await;
    })
    .await;
}

/// Kind and code make the variant; what is none keeps code and message, typed or not.
#[tokio::test]
async fn a_python_error_is_the_variant_with_its_code() {
    let cases = [
        ("14", "14", "14"),
        ("missing", "Missing", "Answered: ReqError: gone (code 404)"),
        ("out of order", "OutOfOrder", "Answered: RespError: jammed (code 507)"),
        ("blamed", "Answered: RespError: gone (code 404)", "Answered: RespError: gone (code 404)"),
        ("too many", "Answered: ReqError: slow down (code 429)", "Answered: ReqError: slow down (code 429)"),
        ("other", "Answered: ReqError: a teapot (code 418)", "Answered: ReqError: a teapot (code 418)"),
        ("bare", "Answered: ReqError: please no", "Answered: ReqError: please no"),
        (
            "crash",
            "Answered: UnknownError: LookupError('no luck')",
            "Answered: UnknownError: LookupError('no luck')",
        ),
    ];
    let books: Vec<_> = cases.iter().map(|(book, ..)| book).collect();
    let answers: Vec<_> = cases.iter().map(|(_, lend, price)| json!([lend, price])).collect();
    in_time(async {
        for rust in [Role::Client, Role::Server] {
            let stage = super::usual();
            let (server, client) = match rust {
                Role::Client => (Language::Python, Language::Rust),
                Role::Server => (Language::Rust, Language::Python),
            };
            let server = stage.start(server, Role::Server).await;
            let client = stage.start(client, Role::Client).await;
            let asker = if rust == Role::Client { &client } else { &server };
            assert_eq!(asker.tell("visit_library", json!({"books": books})).await, json!(answers));
            client.close().await;
            server.close().await;
        }
    })
    .await;
}
