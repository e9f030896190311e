//! Errors of peers that know other variants, or none.

use communica::{CallError, Error, ReqError, RespError, RouteTable, ServiceError as _};

use crate::with_client;

#[derive(Debug, PartialEq, thiserror::Error, communica::ServiceError)]
enum Trouble {
    #[error("no such thing")]
    #[service_error(code = 404)]
    Missing,
    #[error("out of order")]
    #[service_error(code = 404, responder)]
    Broken,
    #[error("too many: {count}")]
    #[service_error(code = 429)]
    TooMany { count: u8 },
    #[error("any")]
    Any,
}

mod newer {
    #[derive(Debug, thiserror::Error, communica::ServiceError)]
    pub(crate) enum Trouble {
        #[error("the shop is closed")]
        #[service_error(code = 404)]
        Closed,
        #[error("too many: {count} of {limit}")]
        #[service_error(code = 429)]
        TooMany { count: u8, limit: u8 },
        #[error("too many")]
        #[service_error(code = 430)]
        Any { count: u16 },
        #[error("no such thing")]
        Missing { since: Option<u16> },
        #[error("out of order")]
        Broken(Option<u16>),
    }
}

#[communica::service]
trait Shop {
    async fn buy(&self, case: &str) -> Result<u8, Trouble>;
}

/// A handler as another language has it: kinds, messages and codes, no variants.
#[tokio::test]
async fn a_code_without_a_variant_is_the_variant_with_that_code() {
    let routes = RouteTable::new().route("buy", |case: String| match case.as_str() {
        "missing" => Err::<u8, communica::Fault>(ReqError::new("gone", 404).into()),
        "broken" => Err(RespError::new("gone", 404).into()),
        "fields" => Err(ReqError::new("slow down", 429).into()),
        "other" => Err(ReqError::new("other", 999).into()),
        _ => Err(ReqError::new("bare", None).into()),
    });
    with_client("codes", routes, |client| async {
        let shop = ShopClient::new(client);
        let service = |outcome| match outcome {
            Err(CallError::Service(error)) => error,
            other => panic!("{other:?}"),
        };
        assert_eq!(service(shop.buy("missing").await), Trouble::Missing);
        assert_eq!(service(shop.buy("broken").await), Trouble::Broken);
        // Nobody sent the fields that this variant has.
        for (case, code) in [("fields", Some(429)), ("other", Some(999)), ("bare", None)] {
            match shop.buy(case).await {
                Err(CallError::Failed(Error::Req(error))) => assert_eq!(error.code(), code, "{case}"),
                other => panic!("{case}: {other:?}"),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_variant_that_an_older_caller_does_not_know_is_code_and_message() {
    let routes = RouteTable::new().route("buy", |case: String| match case.as_str() {
        "closed" => Err::<u8, _>(newer::Trouble::Closed),
        "fits" => Err(newer::Trouble::TooMany { count: 3, limit: 2 }),
        _ => Err(newer::Trouble::Any { count: 300 }),
    });
    with_client("newer", routes, |client| async {
        let shop = ShopClient::new(client);
        match shop.buy("closed").await {
            Err(CallError::Failed(Error::Req(error))) => {
                assert_eq!((error.message(), error.code()), ("the shop is closed", Some(404)));
            }
            other => panic!("{other:?}"),
        }
        // A field more is no other variant.
        match shop.buy("fits").await {
            Err(CallError::Service(error)) => assert_eq!(error, Trouble::TooMany { count: 3 }),
            other => panic!("{other:?}"),
        }
    })
    .await;
}

/// A variant that had no fields may gain some that may be missing.
#[test]
fn a_newer_caller_knows_an_older_variant_without_fields() {
    let fault = Trouble::Missing.into_fault();
    assert!(matches!(newer::Trouble::from_fault(fault), Ok(newer::Trouble::Missing { since: None })));
    // Fields without names are all or none.
    let fault = Trouble::Broken.into_fault();
    assert!(newer::Trouble::from_fault(fault).is_err());
}

#[test]
fn fields_that_do_not_fit_leave_code_and_message() {
    let fault = newer::Trouble::TooMany { count: 1, limit: 1 }.into_fault().with_variant("TooMany", &"text");
    let fault = Trouble::from_fault(fault).expect_err("a text is no count");
    assert_eq!((fault.message(), fault.code()), ("too many: 1 of 1", Some(429)));
}
