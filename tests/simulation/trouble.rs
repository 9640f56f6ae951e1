//! Faults of the servers and of the network.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::sync::Notify;
use turmoil::Sim;

use super::plan::{Plan, millis};
use super::upstream::name;
use super::world::CALLER;

/// A fault of a server, or of the network between it and the caller.
#[derive(Clone, Copy, Debug)]
pub struct Trouble {
    pub from: Duration,
    pub until: Duration,
    pub server: u64,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// All messages are lost.
    Partition,
    /// Messages to the server are lost.
    PartitionThere,
    /// Messages from the server are lost.
    PartitionBack,
    /// All messages are held, and delivered at the end.
    Hold,
    /// The server crashes with all its connections, and restarts at the end.
    Crash,
    /// The server shuts down its connections gracefully, and continues to accept new ones.
    ShutDown,
    /// One message in this many is lost, together with the others in flight.
    Loss(u32),
    /// Messages take up to this long.
    Delay(Duration),
}

impl Trouble {
    /// Draws the faults of a server, which do not overlap.
    pub fn draw(random: &mut Rng, server: u64) -> Vec<Self> {
        let (count, mut until) = (random.u32(0..=3), Duration::ZERO);
        let next = |_| {
            let from = until + millis(random, 1..=800);
            until = from + millis(random, 10..=700);
            let kind = Kind::draw(random);
            Self {
                from,
                until,
                server,
                kind,
            }
        };
        (0..count).map(next).collect()
    }

    pub fn start(&self, sim: &mut Sim<'_>, shut_down: &[Arc<Notify>]) {
        let server = name(self.server);
        match self.kind {
            Kind::Partition => sim.partition(CALLER, server),
            Kind::PartitionThere => sim.partition_oneway(CALLER, server),
            Kind::PartitionBack => sim.partition_oneway(server, CALLER),
            Kind::Hold => sim.hold(CALLER, server),
            Kind::Crash => sim.crash(server),
            Kind::ShutDown => shut_down[self.server as usize].notify_waiters(),
            Kind::Loss(one_in) => sim.set_link_fail_rate(CALLER, server, 1.0 / f64::from(one_in)),
            Kind::Delay(latency) => sim.set_link_max_message_latency(CALLER, server, latency),
        }
    }

    pub fn end(&self, sim: &mut Sim<'_>, plan: &Plan) {
        let server = name(self.server);
        match self.kind {
            Kind::Partition => sim.repair(CALLER, server),
            Kind::PartitionThere => sim.repair_oneway(CALLER, server),
            Kind::PartitionBack => sim.repair_oneway(server, CALLER),
            Kind::Hold => sim.release(CALLER, server),
            Kind::Crash => sim.bounce(server),
            Kind::ShutDown => {}
            Kind::Loss(_) => sim.set_link_fail_rate(CALLER, server, 0.0),
            Kind::Delay(_) => sim.set_link_max_message_latency(CALLER, server, plan.latency),
        }
    }
}

impl Kind {
    fn draw(random: &mut Rng) -> Self {
        match random.u8(..10) {
            0 => Self::Partition,
            1 => Self::PartitionThere,
            2 => Self::PartitionBack,
            3 | 4 => Self::Hold,
            5 => Self::Crash,
            6 => Self::Loss(random.u32(5..=40)),
            7 | 8 => Self::ShutDown,
            _ => Self::Delay(millis(random, 50..=400)),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Partition => "partition",
            Self::PartitionThere => "partition there",
            Self::PartitionBack => "partition back",
            Self::Hold => "hold",
            Self::Crash => "crash",
            Self::ShutDown => "shut down",
            Self::Loss(_) => "loss",
            Self::Delay(_) => "delay",
        }
    }
}
