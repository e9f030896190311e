//! Numbers from the command line → what is sent, what goes wrong, and how long it may take.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use communica::{
    AnyConnector, FaultConnector, Faults, Limits, LocalConnector, MemoryConnector, TcpConnector,
};
use serde::{Deserialize, Serialize};

use super::parcel::{Direction, Parcel};

/// How the two sides reach each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Road {
    /// A Unix socket.
    Local,
    /// A port of the loopback.
    Tcp,
    /// Queues of this process.
    Memory,
}

impl FromStr for Road {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "local" => Ok(Self::Local),
            "tcp" => Ok(Self::Tcp),
            "memory" => Ok(Self::Memory),
            other => Err(format!("there is no road {other:?}: take local, tcp or memory")),
        }
    }
}

/// Everything about one run. Both sides are given the same.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// Where all chance comes from.
    pub seed: u64,
    /// The road they meet on.
    pub road: Road,
    /// Requests and throws that each side sends.
    pub messages: u32,
    /// Cuts, by both sides together.
    pub cuts: u64,
    /// Tasks of each side that send.
    pub lanes: u32,
}

/// A payload above this goes in pieces, where the road wants pieces.
pub(super) const CHUNK: usize = 4096;

impl Plan {
    /// With as many tasks as a run should have.
    #[must_use]
    pub fn new(road: Road, seed: u64, messages: u32, cuts: u64) -> Self {
        Self { seed, road, messages, cuts, lanes: 16 }
    }

    /// Messages of one lane, first to last.
    pub(super) fn of_lane(&self, lane: u32) -> u32 {
        self.messages / self.lanes + u32::from(lane < self.messages % self.lanes)
    }

    pub(super) fn limits(&self) -> Limits {
        let limits = Limits::new().chunk_size(CHUNK);
        // Each side waits for the other to say what came.
        if self.is_narrow() { limits.unacknowledged(20, 3 * CHUNK) } else { limits }
    }

    fn is_narrow(&self) -> bool {
        self.seed & 4 == 4
    }

    /// Requests of a lane that wait for their answers. Calls that wait for room have no place in the order yet: where that
    /// happens, each has to end before the next.
    pub(super) fn under_way(&self) -> usize {
        if self.is_narrow() { 1 } else { 8 }
    }

    /// An address that nobody has.
    pub(super) fn address(&self) -> AnyConnector {
        match self.road {
            Road::Local => AnyConnector::new(LocalConnector::new(crate::scratch::unique("chaos"))),
            Road::Tcp => AnyConnector::new(TcpConnector::new("127.0.0.1", 0)),
            Road::Memory => AnyConnector::new(MemoryConnector::unique()),
        }
    }

    /// The road with this side's faults. Both sides cut, each half of the cuts.
    pub(super) fn faulty(&self, road: AnyConnector, sends: Direction) -> FaultConnector {
        let (seed, cuts) = match sends {
            Direction::Up => (self.seed, self.cuts / 2),
            Direction::Down => (self.seed + 1_000_000_000, self.cuts - self.cuts / 2),
        };
        if self.cuts == 0 {
            return FaultConnector::new(road, Faults::seeded(seed));
        }
        // The first of two cuts counts, so on average a link lives for two thirds of the mean. What is repeated comes on
        // top, so the cuts are used up well before the messages are.
        let mean = (self.bytes() / self.cuts).max(1000);
        let mut faults = Faults::seeded(seed)
            .cut_after(1..=mean * 2)
            .at_most(cuts)
            .fail_connects(0.03)
            .stall(1..=mean * 40, Duration::from_millis(20));
        if self.seed & 1 == 1 {
            faults = faults.delay(Duration::ZERO..=Duration::from_millis(2));
        }
        if self.seed & 2 == 2 {
            faults = faults.short_writes(1..=2000);
        }
        FaultConnector::new(road, faults)
    }

    /// About what goes over the wire if all goes well.
    fn bytes(&self) -> u64 {
        let sent_by = |direction| {
            let lanes = (0..self.lanes).flat_map(|lane| (0..self.of_lane(lane)).map(move |n| (lane, n)));
            lanes.map(|(lane, n)| Parcel::new(self.seed, direction, lane, n).wire_len()).sum::<u64>()
        };
        sent_by(Direction::Up) + sent_by(Direction::Down)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, road, messages, cuts, .. } = self;
        write!(f, "{road:?}, seed {seed}, {messages} messages each way, {cuts} cuts")
    }
}
