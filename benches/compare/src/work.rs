//! The name of a workload ⇄ what is to be done.

use std::fmt;

use crate::call::Load;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A record is echoed.
    Echo(Load),
    /// A record is thrown.
    Throw(Load),
    /// 1 MiB without a format is echoed.
    Carry(Load),
    /// A record is echoed, 64 at once on one of so many connections. The others are idle.
    Idle(usize),
    /// A record is echoed, once each millisecond.
    Aside(Beside),
}

/// What goes on while small calls are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    Nothing,
    /// No processor ever sleeps: those that are at work lose them to others more often.
    Awake,
    /// 64 MiB are echoed on the same connection, again and again.
    Huge,
}

impl Work {
    /// `64`: so many calls in flight on one connection; `64x1`: so many connections, and so many calls in flight on
    /// each. `throw-64` and `carry-1`: the same with throws, and with 1 MiB. `idle-10000`: so many connections.
    pub fn named(name: &str) -> Self {
        match name.split_once('-') {
            Some(("throw", load)) => Self::Throw(Load::named(load)),
            Some(("carry", load)) => Self::Carry(Load::named(load)),
            Some(("idle", connections)) => Self::Idle(connections.parse().expect("a number of connections")),
            None if name == "alone" => Self::Aside(Beside::Nothing),
            None if name == "awake" => Self::Aside(Beside::Awake),
            None if name == "aside" => Self::Aside(Beside::Huge),
            _ => Self::Echo(Load::named(name)),
        }
    }
}

impl Work {
    /// Open at once between the two processes.
    pub fn connections(self) -> usize {
        match self {
            Self::Echo(load) | Self::Throw(load) | Self::Carry(load) => load.connections,
            Self::Idle(connections) => connections,
            Self::Aside(_) => 1,
        }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Echo(load) => write!(f, "{load}"),
            Self::Throw(load) => write!(f, "throw-{load}"),
            Self::Carry(load) => write!(f, "carry-{load}"),
            Self::Idle(connections) => write!(f, "idle-{connections}"),
            Self::Aside(Beside::Nothing) => f.write_str("alone"),
            Self::Aside(Beside::Awake) => f.write_str("awake"),
            Self::Aside(Beside::Huge) => f.write_str("aside"),
        }
    }
}
