//! Any error → an answer without a variant: its words for the caller, the whole of it for the log.

use std::error::Error as StdError;
use std::fmt;

use super::{Fault, ReqError, RespError, ServiceError};

/// An error without a variant: what `?` makes of any error in a method or handler that has nothing to tell by type.
///
/// It is made of whatever becomes a `Box<dyn std::error::Error + Send + Sync>`: errors of the standard library and of
/// other crates, `anyhow::Error` and its like, `&str` and `String`. The caller gets
/// [`Error::Unknown`](crate::Error::Unknown), as from a Python handler that raises something unforeseen, with the words
/// of the error and of its sources. So **the message leaves the process**: what must not belongs in the log, or behind
/// a variant of an enum with [`ServiceError`]. The responder logs the message as an error, and on the level of
/// debug what `Debug` says, which is where `anyhow` has its backtrace.
///
/// A [`ReqError`] or [`RespError`] stays what it is, with its code.
///
/// ```
/// use communica::{AnyError, ReqError};
///
/// /// A handler, or the method of a service.
/// async fn size_of(path: String) -> Result<u64, AnyError> {
///     if path.contains("..") {
///         return Err(ReqError::new("the path leaves the folder", 400).into());
///     }
///     Ok(std::fs::metadata(&path)?.len())
/// }
/// ```
///
/// Like `anyhow::Error`, it is no `std::error::Error` itself; [`error`](Self::error) lends the one inside.
pub struct AnyError(Box<dyn StdError + Send + Sync>);

impl AnyError {
    /// The error that it was made of.
    #[must_use]
    pub fn error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.0
    }
}

impl<E: Into<Box<dyn StdError + Send + Sync>>> From<E> for AnyError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// The error and its sources, as `what: why: why`.
impl fmt::Display for AnyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&told(&*self.0))
    }
}

impl fmt::Debug for AnyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<AnyError> for Fault {
    fn from(AnyError(error): AnyError) -> Self {
        let error = match error.downcast::<ReqError>() {
            Ok(error) => return (*error).into(),
            Err(other) => other,
        };
        match error.downcast::<RespError>() {
            Ok(error) => (*error).into(),
            Err(other) => unknown(&*other),
        }
    }
}

/// Text is an error without a variant. A handler that gives `Result<T, String>` is told so by the compiler, since it could
/// mean a value as well: see [`Handler`](crate::Handler).
impl From<String> for Fault {
    fn from(text: String) -> Self {
        AnyError::from(text).into()
    }
}

/// As of a `String`.
impl From<&str> for Fault {
    fn from(text: &str) -> Self {
        AnyError::from(text).into()
    }
}

impl ServiceError for AnyError {
    fn into_fault(self) -> Fault {
        self.into()
    }

    fn from_fault(fault: Fault) -> Result<Self, Fault> {
        Err(fault)
    }
}

/// The answer of a handler that failed with an error without a variant.
pub(crate) fn unknown(error: &(dyn StdError + 'static)) -> Fault {
    let message = told(error);
    tracing::debug!(?error, "what a handler failed with");
    Fault::unforeseen(message)
}

/// The error and its sources. Many errors end with the words of their source already: these are not said again.
fn told(error: &(dyn StdError + 'static)) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let words = error.to_string();
        if !message.ends_with(&words) {
            message.push_str(": ");
            message.push_str(&words);
        }
        source = error.source();
    }
    message
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::field::{Field, Visit};
    use tracing::{Event, Level, Metadata, Subscriber, span};

    use super::*;
    use crate::error::Error;
    use crate::error::FaultKind;

    #[derive(Debug, thiserror::Error)]
    #[error("{what}")]
    struct Told {
        what: &'static str,
        source: Option<Box<Told>>,
    }

    fn chain(words: &[&'static str]) -> Told {
        let (what, rest) = words.split_first().expect("an error has words");
        Told { what, source: (!rest.is_empty()).then(|| Box::new(chain(rest))) }
    }

    #[test]
    fn an_error_is_told_with_its_sources_and_nothing_twice() {
        for (words, message) in [
            (&["alone"][..], "alone"),
            (&["start", "read", "no such file"], "start: read: no such file"),
            (&["read: no such file", "no such file"], "read: no such file"),
            (&["same", "same", "other"], "same: other"),
            (&["", "why"], ": why"),
        ] {
            let error = AnyError::from(chain(words));
            assert_eq!(error.to_string(), message);
            let fault = Fault::from(error);
            assert_eq!((fault.kind(), fault.message(), fault.code()), (FaultKind::Unknown, message, None));
        }
    }

    #[test]
    fn whatever_becomes_a_boxed_error_becomes_this_one() {
        fn parse(text: &str) -> Result<u8, AnyError> {
            if text.is_empty() {
                Err("nothing to parse")?;
            }
            if text.len() > 3 {
                return Err(format!("{} letters", text.len()).into());
            }
            Ok(text.parse()?)
        }
        assert_eq!(parse("7").unwrap(), 7);
        for (text, message) in
            [("", "nothing to parse"), ("1234", "4 letters"), ("x", "invalid digit found in string")]
        {
            assert_eq!(parse(text).unwrap_err().to_string(), message);
        }
        assert!(parse("x").unwrap_err().error().is::<std::num::ParseIntError>());
        let boxed: Box<dyn StdError + Send + Sync> = Box::new(chain(&["boxed"]));
        assert_eq!(AnyError::from(boxed).to_string(), "boxed");
    }

    #[test]
    fn text_is_a_fault_without_a_variant() {
        for fault in [Fault::from("why"), Fault::from("why".to_owned())] {
            assert_eq!((fault.kind(), fault.message(), fault.code()), (FaultKind::Unknown, "why", None));
        }
    }

    #[test]
    fn an_error_that_says_whose_fault_it_was_stays_what_it_is() {
        let fault = Fault::from(AnyError::from(ReqError::new("no such user", 404)));
        assert_eq!(
            (fault.kind(), fault.message(), fault.code()),
            (FaultKind::Req, "no such user", Some(404))
        );
        let fault = AnyError::from(RespError::new("full", None)).into_fault();
        assert_eq!((fault.kind(), fault.message(), fault.code()), (FaultKind::Resp, "full", None));
    }

    #[test]
    fn the_caller_gets_no_variant() {
        let fault = AnyError::from_fault(Fault::from(AnyError::from("why"))).expect_err("it has no variants");
        match Error::from(fault) {
            Error::Unknown(error) => assert_eq!(error.message(), "why"),
            other => panic!("{other:?}"),
        }
    }

    /// Lines of the log: a level, and the fields.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<(Level, String)>>>);

    impl Subscriber for Log {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn event(&self, event: &Event<'_>) {
            let mut line = Line(String::new());
            event.record(&mut line);
            self.0.lock().unwrap().push((*event.metadata().level(), line.0));
        }
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    struct Line(String);

    impl Visit for Line {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            self.0.push_str(&format!("{field}={value:?};"));
        }
    }

    #[test]
    fn the_log_has_the_variant_whose_fields_have_no_json_form() {
        let log = Log::default();
        // As below.
        let _second = tracing::Dispatch::new(Log::default());
        tracing::subscriber::with_default(log.clone(), || {
            let by_place = std::collections::BTreeMap::from([((1, 2), 3)]);
            let fault = Fault::new(FaultKind::Req, "full", None).with_variant("Full", &by_place);
            assert_eq!((fault.variant(), fault.data::<()>()), (None, None));
            drop(Fault::new(FaultKind::Req, "none", None).with_variant("Empty", &()));
        });
        let lines = log.0.lock().unwrap().clone();
        let [(level, line)] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!(*level, Level::ERROR);
        assert!(line.contains("variant=\"Full\"") && line.contains("key must be a string"), "{line}");
    }

    #[test]
    fn what_a_handler_failed_with_is_for_the_log_words_and_whole() {
        let log = Log::default();
        // While there is only one, tracing asks a thread that has none whether anybody listens, and believes it.
        let _second = tracing::Dispatch::new(Log::default());
        tracing::subscriber::with_default(log.clone(), || {
            // Whoever knows whose handler it was tells the words.
            assert!(Fault::from(AnyError::from(chain(&["start", "read"]))).is_for_log());
            // Said on purpose, by its own type: nothing to log.
            assert!(!Fault::from(AnyError::from(ReqError::new("no such user", 404))).is_for_log());
        });
        let lines = log.0.lock().unwrap().clone();
        let [(level, whole)] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!(*level, Level::DEBUG);
        assert!(whole.contains("Told { what: \"start\", source: Some("), "{whole}");
    }
}
