//! What a service's method returns as its error → the answer → what its caller gets.

use std::fmt;

use super::{Error, Fault, FaultKind, Outcome};

/// How a typed call failed: the service's own error, or anything else.
#[derive(Clone, Debug)]
pub enum CallError<E = NoServiceError> {
    /// What the method returned as its error, as the variant it was.
    Service(E),
    /// Everything else; [`Error::outcome`] says whether the call may have run.
    Failed(Error),
}

impl<E> CallError<E> {
    /// Which of three things is true of the call.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Service(_) => Outcome::Answered,
            Self::Failed(error) => error.outcome(),
        }
    }
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(error) => error.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for CallError<E> {}

impl<E> From<Error> for CallError<E> {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Service(never) => match never {},
            CallError::Failed(error) => error,
        }
    }
}

/// A failed call inside a handler becomes its answer with `?`. A typed error of another service stays what it says,
/// but is no variant of this one's.
impl<E: ServiceError> From<CallError<E>> for Fault {
    fn from(error: CallError<E>) -> Self {
        match error {
            CallError::Service(error) => {
                let fault = error.into_fault();
                Self::new(FaultKind::Resp, fault.message(), fault.code())
            }
            CallError::Failed(error) => error.into(),
        }
    }
}

/// An error that a service's method returns and its caller gets back as the variant it was. Derive it.
///
/// # Errors without a variant
///
/// A method that just wants `?` on whatever fails returns [`AnyError`](crate::AnyError). An enum has a variant for what it does not
/// tell by type, `#[service_error(unknown)]`, whose fields may be of any type and do not travel:
///
/// ```
/// # #[cfg(feature = "macros")] {
/// #[derive(Debug, communica::ServiceError)]
/// enum StoreError {
///     #[service_error(code = 404)]
///     NotFound,
///     #[service_error(unknown)]
///     Other(std::io::Error),
/// }
///
/// impl From<std::io::Error> for StoreError {
///     fn from(error: std::io::Error) -> Self {
///         Self::Other(error)
///     }
/// }
/// # impl std::error::Error for StoreError {}
/// # impl std::fmt::Display for StoreError {
/// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
/// #         match self { Self::NotFound => f.write_str("not found"), Self::Other(error) => error.fmt(f) }
/// #     }
/// # }
///
/// fn read(name: &str) -> Result<String, StoreError> {
///     if name.is_empty() {
///         return Err(StoreError::NotFound);
///     }
///     Ok(std::fs::read_to_string(name)?)
/// }
/// # let _ = read;
/// # }
/// ```
///
/// With thiserror the variant is `#[error(transparent)] #[service_error(unknown)] Other(#[from] anyhow::Error)`, and
/// nothing else is needed. Either way the caller gets `CallError::Failed` with [`Error::Unknown`], and the message,
/// which is the error's words and those of its sources, reaches it: what must not leave the process belongs behind a
/// variant, or in the log.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an error a service can return",
    label = "not a service's error",
    note = "derive `communica::ServiceError` on an enum of yours, and the caller gets the variant; or return `communica::AnyError`, which `?` makes of any error"
)]
pub trait ServiceError: Sized + Send + 'static {
    /// The form in which it crosses the wire.
    fn into_fault(self) -> Fault;

    /// Reads it back.
    ///
    /// # Errors
    /// Gives the fault back when it is none of this type's variants.
    fn from_fault(fault: Fault) -> Result<Self, Fault>;
}

/// The error of a method that returns none: it has no values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoServiceError {}

impl fmt::Display for NoServiceError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl std::error::Error for NoServiceError {}

impl ServiceError for NoServiceError {
    fn into_fault(self) -> Fault {
        match self {}
    }

    fn from_fault(fault: Fault) -> Result<Self, Fault> {
        Err(fault)
    }
}
