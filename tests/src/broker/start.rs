//! A place and a group go in; processes come out that answer, or the reason why they do not.

use std::fs::{self, DirEntry};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use super::group::Group;
use super::place::Place;

/// A start takes about 5 s.
pub(super) const LIMIT: Duration = Duration::from_secs(120);

/// The name service of Erlang. One that we start ends with us; one that Erlang starts never does.
pub(super) fn start_epmd(group: &Group, place: &Place) -> Result<Child, String> {
    let mut epmd = place.start_epmd(group);
    let answer = within(LIMIT, || match exit_status(&mut epmd) {
        Some(status) => Some(Err(format!("epmd ended with {status}; it wrote:\n{}", place.log_tail()))),
        None => TcpStream::connect((Ipv4Addr::LOCALHOST, place.ports.epmd)).ok().map(|_| Ok(())),
    });
    answer.unwrap_or_else(|| Err(format!("epmd did not listen within {LIMIT:?}")))?;
    Ok(epmd)
}

pub(super) fn wait_until_ready(server: &mut Child, place: &Place) -> Result<(), String> {
    let answer = within(LIMIT, || match exit_status(server) {
        Some(status) => Some(Err(format!("it ended with {status}"))),
        None => (greets(place.ports.amqp) && speaks_tls_if_it_should(place)).then_some(Ok(())),
    });
    let answer = answer.unwrap_or_else(|| Err(format!("it did not answer within {LIMIT:?}")));
    answer.map_err(|reason| format!("{reason}; it wrote:\n{}", place.log_tail()))
}

/// Whether an AMQP server answers: with a frame of methods, whose first byte is 1.
fn greets(port: u16) -> bool {
    let greeting = || {
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        socket.write_all(b"AMQP\x00\x00\x09\x01")?;
        let mut first = [0];
        socket.read_exact(&mut first).map(|()| first)
    };
    greeting().is_ok_and(|first: [u8; 1]| first == [1])
}

/// It listens there a moment later.
fn speaks_tls_if_it_should(place: &Place) -> bool {
    !place.has_tls || TcpStream::connect((Ipv4Addr::LOCALHOST, place.ports.tls)).is_ok()
}

pub(super) fn exit_status(child: &mut Child) -> Option<ExitStatus> {
    child.try_wait().expect("a child can be waited for")
}

/// All threads of it. The state stands behind the name, which is in parentheses.
pub(super) fn is_stopped(process: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let state = |thread: DirEntry| fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
    threads.map(state).all(|state| state.rsplit_once(") ").is_none_or(|(_, state)| state.starts_with('T')))
}

/// Asks again and again.
pub(super) fn within<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() > deadline {
            return None;
        }
        thread::sleep(Duration::from_millis(20));
    }
}
