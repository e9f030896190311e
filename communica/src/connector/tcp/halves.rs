//! A connection → its two halves, and what can be set on them.

use tokio::net::TcpStream;

use super::super::stream::Controls;
#[cfg(unix)]
use super::super::{
    socket::{self, ReadHalf, WriteHalf},
    stream::Depths,
};

/// What the system takes of what this side sends to a process of the same machine, before it could send it: a large message that passes alone
/// goes out in one step, since the peer takes it as fast as it is copied. On a line that would be what small messages wait for. (Behind a
/// tunnel that ends on this machine there may be one. Then it is a MiB once, before it is known that small ones pass as well.)
#[cfg(any(target_os = "android", target_os = "linux"))]
static DEPTHS: Depths<WriteHalf<TcpStream>> = Depths {
    set: |write, bytes| {
        let _ = write.set(|socket| socket.set_tcp_notsent_lowat(bytes as u32));
    },
    deep: 1024 * 1024,
    shallow: super::UNSENT as usize,
    is_all: false,
};

#[cfg(any(target_os = "android", target_os = "linux"))]
pub(super) fn depths(stream: &TcpStream) -> Option<&'static Depths<WriteHalf<TcpStream>>> {
    let (here, there) = (stream.local_addr().ok()?, stream.peer_addr().ok()?);
    (here.ip() == there.ip()).then_some(&DEPTHS)
}

#[cfg(all(unix, not(any(target_os = "android", target_os = "linux"))))]
fn depths(_: &TcpStream) -> Option<&'static Depths<WriteHalf<TcpStream>>> {
    None
}

#[cfg(unix)]
type Halves =
    (ReadHalf<TcpStream>, WriteHalf<TcpStream>, Controls<ReadHalf<TcpStream>, WriteHalf<TcpStream>>);

#[cfg(unix)]
pub(super) fn split(stream: TcpStream) -> Halves {
    let depths = depths(&stream);
    let (read, write) = socket::split(stream);
    (read, write, Controls { depths, busy_poll: Some(ReadHalf::busy_poll) })
}

#[cfg(not(unix))]
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

#[cfg(not(unix))]
pub(super) fn split(
    stream: TcpStream,
) -> (OwnedReadHalf, OwnedWriteHalf, Controls<OwnedReadHalf, OwnedWriteHalf>) {
    let (read, write) = stream.into_split();
    (read, write, Controls::default())
}
