//! Links over named pipes: `\\.\pipe\communica.<name>`, for this user alone.

mod owner;
mod pipe;
mod server;

use std::io;
use std::time::Duration;

use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient};

use super::super::stream;
use super::super::{Link, LinkError, Listener};
use super::LocalConnector;
use crate::limits::Limits;
use pipe::Pipe;
use server::PipeServer;

/// UTF-16 units of a whole name at most.
const MAX_NAME: usize = 256;
/// ERROR_PIPE_BUSY: each instance that the server made has its client, and the next is not there yet.
const BUSY: i32 = 231;
/// Pauses while the server makes another instance. Nobody is told when it did.
const PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// Who may be at the other end: nobody can be added to those that the pipe's owner says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Allowed;

/// Where the pipe of this name is.
pub(super) fn address(name: &str) -> String {
    format!(r"\\.\pipe\communica.{name}")
}

/// The same, if a pipe can have such a name.
fn path(name: &str) -> io::Result<String> {
    let wrong = |what: String| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    // The system takes dots and spaces at the end away, so two names would be one.
    if name.is_empty() || name.contains(['/', '\\', '\0']) || name.ends_with(['.', ' ']) {
        return wrong(format!(
            "{name:?} is no name for a pipe: it needs a character, no `/` and no `\\`, and neither a dot nor a space \
             at its end"
        ));
    }
    let path = address(name);
    match path.encode_utf16().count() {
        len if len > MAX_NAME => wrong(format!(
            "the name {path} has {len} characters where {MAX_NAME} are allowed: take a shorter one"
        )),
        _ => Ok(path),
    }
}

/// Whether there can be a pipe of this name.
pub(super) fn check(connector: &LocalConnector) -> io::Result<()> {
    path(&connector.name).map(drop)
}

pub(super) async fn connect(
    connector: &LocalConnector,
    hello: &[u8],
    limits: &Limits,
) -> Result<Link, LinkError> {
    let path = path(&connector.name)?;
    let client = open(&path).await?;
    owner::check(&client, &path)?;
    let (read, write) = Pipe::Client(client).into_halves();
    stream::connect(read, write, hello, limits, path).await
}

/// Waits for an instance that is free. The caller limits the time.
async fn open(path: &str) -> Result<NamedPipeClient, LinkError> {
    let mut pause = PAUSE;
    loop {
        // Whoever serves may learn who this is, but not act in its name: tokio says so when it opens.
        match ClientOptions::new().open(path) {
            Err(error) if error.raw_os_error() == Some(BUSY) => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            // A name is there as long as its server is.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(LinkError::NobodyThere(error));
            }
            other => return Ok(other?),
        }
    }
}

pub(super) async fn listen(connector: &LocalConnector, limits: &Limits) -> io::Result<Box<dyn Listener>> {
    let path = path(&connector.name)?;
    Ok(Box::new(PipeServer::listen(connector.clone(), path, limits.clone())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_would_change_is_no_name() {
        for name in ["", "a/b", r"a\b", r"..\a", "a\0", "a.", "a ", ".", ".."] {
            assert_eq!(path(name).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name:?}");
        }
        for name in ["a", "büro", "a b", "a.b", "🐢"] {
            assert_eq!(path(name).unwrap(), format!(r"\\.\pipe\communica.{name}"));
        }
    }

    #[test]
    fn a_name_has_an_end() {
        let room = MAX_NAME - address("").len();
        assert_eq!(path(&"x".repeat(room)).unwrap().len(), MAX_NAME);
        assert_eq!(path(&"x".repeat(room + 1)).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        // Two units of UTF-16 each.
        assert!(path(&"🐢".repeat(room / 2)).is_ok() && path(&"🐢".repeat(room / 2 + 1)).is_err());
    }
}
