//! The plan of a seed: the caller's layers and requests, the answer to each attempt, and the faults of the
//! network. The same seed gives the same plan.

use std::ops::RangeInclusive;
use std::time::Duration;

use fastrand::Rng;

use super::answer::{Answer, Does, Form};
use super::ask::{Ask, Limits};
use super::failure::Overtaken;
use super::policy::{Hedge, Policy};
use super::sabotage::Sabotage;
use super::trouble::Trouble;

/// The number of servers.
pub const SERVERS: u64 = 2;
/// Added to the number of an attempt for its hedge.
pub const HEDGES: u32 = 1 << 12;
/// Added to the number of a request, or of a resumption, for the next resumption.
pub const RESUMPTION: u32 = 1 << 8;
/// Added to the number of a redirected request for the target of the redirect.
pub const TARGETS: u32 = 1 << 16;

#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub protocol: Protocol,
    pub policy: Policy,
    pub requests: Vec<Ask>,
    pub troubles: Vec<Trouble>,
    pub connections_end: bool,
    /// Whether some requests are redirected, which a layer below follows.
    pub redirects: bool,
    /// Whether a lost connection is reported as with QUIC.
    pub is_quic_like: bool,
    /// The maximum number of concurrent streams on an HTTP/2 connection, if there is one.
    pub streams: Option<u32>,
    /// The maximum latency of a message, except in trouble.
    pub latency: Duration,
    /// A deliberate mistake, which a law has to find.
    pub sabotage: Option<Sabotage>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http2,
}

impl Plan {
    pub fn of(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let random = &mut random;
        let protocol = either(random, Protocol::Http1, Protocol::Http2);
        let policy = Policy::draw(random);
        let requests = (0..random.u32(1..=8))
            .map(|id| Ask::draw(random, id, &policy))
            .collect();
        let troubles = (0..SERVERS)
            .flat_map(|server| Trouble::draw(random, server))
            .collect();
        let mut plan = Self {
            seed,
            protocol,
            policy,
            requests,
            troubles,
            connections_end: random.bool(),
            latency: millis(random, 1..=30),
            redirects: random.u8(..3) == 0,
            is_quic_like: random.u8(..4) == 0,
            streams: (random.u8(..2) == 0).then(|| random.u32(1..=2)),
            sabotage: None,
        };
        plan.policy.hedge = Hedge::draw(&mut plan.of_one(u32::MAX, u32::MAX));
        if plan.policy.hedge.is_some_and(|hedge| hedge.delay.is_none()) {
            // The layer needs more than a second to learn a delay.
            plan.requests.iter_mut().for_each(|ask| ask.at *= 3);
        }
        plan
    }

    pub fn with(self, sabotage: Sabotage) -> Self {
        Self {
            sabotage: Some(sabotage),
            ..self
        }
    }

    /// Whether connections may break.
    pub fn has_trouble(&self) -> bool {
        !self.troubles.is_empty() || self.connections_end
    }

    /// Returns the caller's request for the number of a request or of a resumption.
    pub fn ask(&self, id: u32) -> &Ask {
        &self.requests[(id % RESUMPTION) as usize]
    }

    pub fn limits(&self, id: u32) -> Limits {
        self.ask(id).limits(&self.policy)
    }

    /// Returns the answer to an attempt of a request, or of the target of a redirect.
    pub fn answer(&self, id: u32, attempt: u32) -> Answer {
        let mut random = self.of_one(id, attempt);
        let mut answer = Answer::draw(&mut random, self.protocol);
        if self.ask(id).file.is_some() {
            if answer.is_status() && random.bool() {
                answer.does = Does::Answer(200);
            }
            // A response with a file has the `Date` of the file.
            answer.hint = answer.hint.filter(|(form, _)| *form != Form::Date);
        }
        if self.policy.commit.is_some() && random.u8(..5) == 0 {
            answer.body = answer.body.broken(&mut random);
        }
        let is_other = answer.is_status() && random.u8(..3) == 0;
        match (is_other, id) {
            (true, TARGETS..) => answer.does = Does::Answer(429),
            (true, _) if self.redirects => (answer.does, answer.hint) = (Does::Redirect, None),
            _ => {}
        }
        answer
    }

    /// Returns the number whose answer the caller gets for this attempt: that of the request, or that of the
    /// target of a redirect.
    pub fn answers(&self, id: u32, attempt: u32) -> u32 {
        match self.answer(id, attempt).does {
            Does::Redirect => TARGETS + id,
            _ => id,
        }
    }

    /// Returns the answer to this attempt after redirects.
    pub fn last_answer(&self, id: u32, attempt: u32) -> Answer {
        self.answer(self.answers(id, attempt), attempt)
    }

    /// Returns how hyper fails this attempt although the server receives all of it, if it does.
    pub fn overtakes(&self, id: u32, attempt: u32) -> Option<Overtaken> {
        let random = &mut self.of_one(id, u32::MAX - attempt);
        let by = either(random, Overtaken::ByGoAway, Overtaken::ByEndedTask);
        let may_be = self.protocol == Protocol::Http2 && self.ask(id).body.is_none();
        // It is most frequent for requests that must not be repeated.
        let times = if self.limits(id).may_be_repeated {
            16
        } else {
            3
        };
        one_in(random, times, by).filter(|_| may_be)
    }

    /// Returns when a connection of a server ends, if it does, and whether it is shut down gracefully.
    pub fn lifetime(&self, server: u64, connection: u32) -> Option<(Duration, bool)> {
        let mut random = self.of_one(u32::MAX - connection, server as u32);
        let lifetime = (millis(&mut random, 20..=1_500), random.bool());
        (self.connections_end && random.u8(..10) < 7).then_some(lifetime)
    }

    /// Returns a generator for one decision, independent of what was drawn before.
    fn of_one(&self, one: u32, other: u32) -> Rng {
        let one = u64::from(one) << 32 | u64::from(other);
        let mut random = Rng::with_seed(self.seed ^ one.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        random.fork()
    }
}

pub fn millis(random: &mut Rng, range: RangeInclusive<u64>) -> Duration {
    Duration::from_millis(random.u64(range))
}

/// Returns `this` one time in `times`.
pub fn one_in<T>(random: &mut Rng, times: u32, this: T) -> Option<T> {
    (random.u32(..times) == 0).then_some(this)
}

fn either<T>(random: &mut Rng, this: T, that: T) -> T {
    if random.bool() { this } else { that }
}
