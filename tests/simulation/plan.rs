//! What a seed stands for: the caller's layers and requests, what each attempt meets at its server, and
//! what befalls the network. The same seed is the same plan.

use std::ops::RangeInclusive;
use std::time::Duration;

use fastrand::Rng;

use super::answer::{Answer, Does, Form};
use super::ask::{Ask, Limits};
use super::failure::Overtaken;
use super::policy::{Hedge, Policy};
use super::sabotage::Sabotage;
use super::trouble::Trouble;

/// How many servers there are.
pub const SERVERS: u64 = 2;
/// The hedge of an attempt has this much more for its number.
pub const HEDGES: u32 = 1 << 12;
/// A resumption has this much more for its number than the request, or the resumption, before it.
pub const RESUMPTION: u32 = 1 << 8;
/// What a redirect leads to has this much more for its number than the request that was redirected.
pub const TARGETS: u32 = 1 << 16;

#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub protocol: Protocol,
    pub policy: Policy,
    pub requests: Vec<Ask>,
    pub troubles: Vec<Trouble>,
    pub connections_end: bool,
    /// Whether some requests are redirected, which the client under the layer follows.
    pub redirects: bool,
    /// Whether a lost connection is told as QUIC's is.
    pub is_quic_like: bool,
    /// How many requests may be under way at once on a connection of HTTP/2.
    pub streams: Option<u32>,
    /// No message takes longer, unless there is trouble.
    pub latency: Duration,
    /// What is done wrong on purpose, to see that it is found.
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
            // Nothing is learned within a second.
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

    /// The caller's request of this number, or the one that is resumed by it.
    pub fn ask(&self, id: u32) -> &Ask {
        &self.requests[(id % RESUMPTION) as usize]
    }

    pub fn limits(&self, id: u32) -> Limits {
        self.ask(id).limits(&self.policy)
    }

    /// What this attempt meets, of a request or of what it was redirected to.
    pub fn answer(&self, id: u32, attempt: u32) -> Answer {
        let mut random = self.of_one(id, attempt);
        let mut answer = Answer::draw(&mut random, self.protocol);
        if self.ask(id).file.is_some() {
            if answer.is_status() && random.bool() {
                answer.does = Does::Answer(200);
            }
            // An answer with a file has the file's `Date`.
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

    /// The number of what answers this attempt in the end: its own, or a redirect's target's.
    pub fn answers(&self, id: u32, attempt: u32) -> u32 {
        match self.answer(id, attempt).does {
            Does::Redirect => TARGETS + id,
            _ => id,
        }
    }

    /// What the caller sees of this attempt's answer.
    pub fn last_answer(&self, id: u32, attempt: u32) -> Answer {
        self.answer(self.answers(id, attempt), attempt)
    }

    /// How hyper fails this attempt, if it does, although its server has it all.
    pub fn overtakes(&self, id: u32, attempt: u32) -> Option<Overtaken> {
        let random = &mut self.of_one(id, u32::MAX - attempt);
        let by = either(random, Overtaken::ByGoAway, Overtaken::ByEndedTask);
        let may_be = self.protocol == Protocol::Http2 && self.ask(id).body.is_none();
        // Most often where it matters.
        let times = if self.limits(id).may_be_repeated {
            16
        } else {
            3
        };
        one_in(random, times, by).filter(|_| may_be)
    }

    /// When a server's connection ends, if it does, and whether the server says so before.
    pub fn lifetime(&self, server: u64, connection: u32) -> Option<(Duration, bool)> {
        let mut random = self.of_one(u32::MAX - connection, server as u32);
        let lifetime = (millis(&mut random, 20..=1_500), random.bool());
        (self.connections_end && random.u8(..10) < 7).then_some(lifetime)
    }

    /// A generator for one thing, whatever else was drawn before.
    fn of_one(&self, one: u32, other: u32) -> Rng {
        let one = u64::from(one) << 32 | u64::from(other);
        let mut random = Rng::with_seed(self.seed ^ one.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        random.fork()
    }
}

pub fn millis(random: &mut Rng, range: RangeInclusive<u64>) -> Duration {
    Duration::from_millis(random.u64(range))
}

/// This, one time in so many.
pub fn one_in<T>(random: &mut Rng, times: u32, this: T) -> Option<T> {
    (random.u32(..times) == 0).then_some(this)
}

fn either<T>(random: &mut Rng, this: T, that: T) -> T {
    if random.bool() { this } else { that }
}
