//! A free name goes in, a pipe at which clients arrive comes out.

use std::io;

use interprocess::os::windows::named_pipe::PipeListenerOptions;
use interprocess::os::windows::named_pipe::pipe_mode::Bytes;
use interprocess::os::windows::named_pipe::tokio::PipeListener;
use interprocess::os::windows::security_descriptor::SecurityDescriptor;
use tokio::net::windows::named_pipe::ServerOptions;
use widestring::U16CString;

use super::super::super::stream::StreamIncoming;
use super::super::super::{BoxFuture, Incoming, Listener, PeerInfo};
use super::owner;
use super::pipe::Pipe;
use crate::limits::Limits;

/// Bytes that the system keeps of what the other side has not read, in each direction.
const BUFFER: u32 = 64 * 1024;

pub(super) struct PipeServer {
    listener: PipeListener<Bytes, Bytes>,
    path: String,
    connector: super::LocalConnector,
    limits: Limits,
}

impl PipeServer {
    /// The first instance of its name makes the name this user's. The system refuses if there is one already.
    pub(super) fn listen(connector: super::LocalConnector, path: String, limits: Limits) -> io::Result<Self> {
        let listener = options(&path)?.create_tokio_duplex::<Bytes>().map_err(|error| taken(error, &path))?;
        Ok(Self { listener, path, connector, limits })
    }

    /// A client that went before it was greeted leaves its instance useless: another takes its place. It has the access
    /// list of the first, as the name has, which is there all the while.
    pub(super) fn replace_instance(&mut self) -> io::Result<()> {
        let instance =
            ServerOptions::new().in_buffer_size(BUFFER).out_buffer_size(BUFFER).create(&self.path)?;
        self.listener = PipeListener::from_tokio_and_options(instance, options(&self.path)?);
        Ok(())
    }
}

/// Bytes, any number of instances, nobody from another machine.
fn options(path: &str) -> io::Result<PipeListenerOptions<'static>> {
    let descriptor = U16CString::from_str(owner::descriptor()?).map_err(io::Error::other)?;
    let path = U16CString::from_str(path).map_err(io::Error::other)?;
    Ok(PipeListenerOptions::new()
        .path(path)
        .security_descriptor(Some(SecurityDescriptor::deserialize(&descriptor)?))
        .input_buffer_size_hint(BUFFER)
        .output_buffer_size_hint(BUFFER))
}

fn taken(error: io::Error, path: &str) -> io::Error {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            let what = format!("address in use: a server already listens at {path}");
            io::Error::new(io::ErrorKind::AddrInUse, what)
        }
        _ => error,
    }
}

impl Listener for PipeServer {
    fn dump_state(&self) -> String {
        self.connector.dump_state()
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<Box<dyn Incoming>>> {
        Box::pin(async {
            let pipe = loop {
                match self.listener.accept().await {
                    Ok(pipe) => break pipe,
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.replace_instance()?,
                    Err(error) => return Err(error),
                }
            };
            let peer = PeerInfo {
                pid: pipe.client_process_id().ok(),
                ..PeerInfo::from("a local process".to_owned())
            };
            let (read, write) = Pipe::Server(pipe).into_halves();
            Ok(Box::new(StreamIncoming::new(read, write, self.limits.clone(), peer)) as Box<dyn Incoming>)
        })
    }
}
