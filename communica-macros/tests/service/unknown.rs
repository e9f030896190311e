//! Errors without a variant: `?` on anything, in methods, closures and enums.

use anyhow::Context as _;
use communica::{AnyError, CallError, Error, FaultKind, ReqError, RouteTable, ServiceError};

use crate::with_client;

#[derive(Debug, thiserror::Error, ServiceError)]
enum Trouble {
    #[error("no such thing")]
    #[service_error(code = 404)]
    Missing,
    #[error(transparent)]
    #[service_error(unknown)]
    Other(#[from] anyhow::Error),
    /// Neither serde types nor `'static` data that could be loaded.
    #[error("{what} failed")]
    #[service_error(unknown)]
    Local { what: &'static str, source: Box<dyn std::error::Error + Send + Sync> },
}

#[communica::service]
trait Desk {
    async fn any(&self, text: &str) -> Result<u8, AnyError>;
    async fn with_anyhow(&self, text: &str) -> Result<u8, AnyError>;
    fn plain(&self, text: &str) -> Result<u8, AnyError>;
    #[route(blocking)]
    fn slow(&self, text: &str) -> Result<u8, AnyError>;
    async fn typed(&self, text: &str) -> Result<u8, Trouble>;
}

fn parsed(text: &str) -> anyhow::Result<u8> {
    text.parse::<u8>().with_context(|| format!("`{text}` is no number")).context("reading the count")
}

struct Host;

impl Desk for Host {
    async fn any(&self, text: &str) -> Result<u8, AnyError> {
        match text {
            "text" => Err("words alone".into()),
            "nobody" => Err(ReqError::new("nobody asked", 404).into()),
            _ => Ok(text.parse()?),
        }
    }

    async fn with_anyhow(&self, text: &str) -> Result<u8, AnyError> {
        Ok(parsed(text)?)
    }

    fn plain(&self, text: &str) -> Result<u8, AnyError> {
        Ok(text.parse()?)
    }

    fn slow(&self, text: &str) -> Result<u8, AnyError> {
        Ok(text.parse()?)
    }

    async fn typed(&self, text: &str) -> Result<u8, Trouble> {
        match text {
            "missing" => Err(Trouble::Missing),
            "local" => Err(Trouble::Local { what: "the lamp", source: "no current".into() }),
            _ => Ok(parsed(text)?),
        }
    }
}

#[track_caller]
fn unknown<E: std::fmt::Debug>(outcome: Result<u8, CallError<E>>) -> String {
    match outcome {
        Err(CallError::Failed(Error::Unknown(error))) => error.message().to_owned(),
        other => panic!("{other:?}"),
    }
}

const NO_DIGIT: &str = "invalid digit found in string";

#[tokio::test]
async fn any_error_of_a_method_arrives_as_its_words() {
    with_client("any", Host.into_routes(), |client| async {
        let desk = DeskClient::new(client);
        assert_eq!(desk.any("7").await.unwrap(), 7);
        assert_eq!(unknown(desk.any("x").await), NO_DIGIT);
        assert_eq!(unknown(desk.any("text").await), "words alone");
        assert_eq!(unknown(desk.plain("x").await), NO_DIGIT);
        assert_eq!(unknown(desk.slow("x").await), NO_DIGIT);
        let told = format!("reading the count: `x` is no number: {NO_DIGIT}");
        assert_eq!(unknown(desk.with_anyhow("x").await), told);
        match desk.any("nobody").await {
            Err(CallError::Failed(Error::Req(error))) => {
                assert_eq!((error.message(), error.code()), ("nobody asked", Some(404)));
            }
            other => panic!("{other:?}"),
        }
    })
    .await;
}

#[tokio::test]
async fn an_unknown_variant_does_not_come_back_and_the_others_do() {
    with_client("unknown-variant", Host.into_routes(), |client| async {
        let desk = DeskClient::new(client);
        assert_eq!(desk.typed("7").await.unwrap(), 7);
        assert!(matches!(desk.typed("missing").await, Err(CallError::Service(Trouble::Missing))));
        let told = format!("reading the count: `x` is no number: {NO_DIGIT}");
        assert_eq!(unknown(desk.typed("x").await), told);
        assert_eq!(unknown(desk.typed("local").await), "the lamp failed: no current");
    })
    .await;
}

#[tokio::test]
async fn handlers_take_any_error_too() {
    async fn later(text: String) -> Result<u8, AnyError> {
        Ok(parsed(&text)?)
    }
    let routes = RouteTable::new()
        .route("now", |text: String| -> Result<u8, AnyError> { Ok(text.parse()?) })
        .route("later", later)
        .route("closure", |text: String| async move { Ok::<_, AnyError>(parsed(&text)?) })
        .route("typed", |text: String| -> Result<u8, Trouble> { Ok(parsed(&text)?) });
    with_client("any-handler", routes, |client| async move {
        let told = format!("reading the count: `x` is no number: {NO_DIGIT}");
        for (route, told) in [("now", NO_DIGIT), ("later", &told), ("closure", &told), ("typed", &told)] {
            match client.request::<_, u8>(route, "x").await {
                Err(Error::Unknown(error)) => assert_eq!(error.message(), told, "{route}"),
                other => panic!("{route}: {other:?}"),
            }
        }
    })
    .await;
}

/// A peer that had fields for it, as an older version of this enum may.
#[test]
fn a_variant_that_travels_no_more_is_what_the_peer_said() {
    let fault =
        communica::Fault::new(FaultKind::Req, "it was typed once", Some(5)).with_variant("Other", &[1]);
    let fault = Trouble::from_fault(fault).expect_err("this variant does not come back");
    assert_eq!((fault.kind(), fault.message(), fault.code()), (FaultKind::Req, "it was typed once", Some(5)));
}

/// The call of another service inside a method is an error like any other.
#[test]
fn a_failed_call_becomes_any_error() {
    let failed: CallError<AnyError> = Error::from(AnyError::from("far away").into_fault()).into();
    let error = AnyError::from(failed);
    assert_eq!(error.to_string(), "UnknownError: far away");
    assert!(error.error().source().is_none());
}

/// Where `anyhow` keeps its backtrace.
#[test]
fn the_debug_form_is_that_of_the_error_inside() {
    let told = format!("{:?}", AnyError::from(parsed("x").unwrap_err()));
    assert!(told.starts_with("reading the count\n\nCaused by:"), "{told}");
}
