//! What a seed stands for: the caller's layer and requests, what each attempt meets at its server, and
//! what befalls the network. The same seed is the same plan.

use std::ops::RangeInclusive;
use std::time::Duration;

use fastrand::Rng;
use http::Method;
use tower_http_retry::{Jitter, RetryAfter, RetryOverride};

use super::answer::{Answer, Does};
use super::failure::Overtaken;
use super::payload::Shape;
use super::sabotage::Sabotage;
use super::trouble::Trouble;

/// How many servers there are.
pub const SERVERS: u64 = 2;
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

/// The layer's settings.
#[derive(Clone, Debug)]
pub struct Policy {
    pub max_retries: u32,
    pub window: Duration,
    pub attempt_timeout: Duration,
    pub base: Duration,
    pub jitter: Jitter,
    pub max_replay_bytes: usize,
    pub max_retry_after: Duration,
    pub hints: RetryAfter,
    pub has_budget: bool,
    /// How many attempts may be under way at once.
    pub concurrency: Option<usize>,
}

/// A request of the caller's.
#[derive(Clone, Debug)]
pub struct Ask {
    pub id: u32,
    pub at: Duration,
    pub server: u64,
    pub method: Method,
    pub has_key: bool,
    pub body: Shape,
    pub own: Own,
    /// After so long the caller drops the future.
    pub gives_up: Option<Duration>,
}

/// What a request wants otherwise than its layer.
#[derive(Clone, Copy, Debug)]
pub enum Own {
    Nothing,
    Once,
    Repeatable(bool),
    Retries(u32),
    Within(Duration),
    AttemptTimeout(Duration),
}

/// What holds for one request, by its layer and by itself.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub max_retries: u32,
    pub window: Duration,
    pub attempt_timeout: Duration,
    pub may_be_repeated: bool,
}

impl Plan {
    pub fn of(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let random = &mut random;
        let protocol = either(random, Protocol::Http1, Protocol::Http2);
        let policy = Policy::draw(random);
        let requests = (0..random.u32(1..=8))
            .map(|id| Ask::draw(random, id))
            .collect();
        let troubles = (0..SERVERS)
            .flat_map(|server| Trouble::draw(random, server))
            .collect();
        Self {
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
        }
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

    pub fn ask(&self, id: u32) -> &Ask {
        &self.requests[id as usize]
    }

    pub fn limits(&self, id: u32) -> Limits {
        self.ask(id).limits(&self.policy)
    }

    /// What this attempt meets, of a request or of what it was redirected to.
    pub fn answer(&self, id: u32, attempt: u32) -> Answer {
        let mut random = self.of_one(id, attempt);
        let mut answer = Answer::draw(&mut random, self.protocol);
        let is_other = matches!(answer.does, Does::Answer(_)) && random.u8(..3) == 0;
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

impl Policy {
    fn draw(random: &mut Rng) -> Self {
        let concurrency = random.usize(1..=3);
        let jitters = [
            Jitter::None,
            Jitter::Full,
            Jitter::Equal,
            Jitter::Decorrelated,
        ];
        Self {
            max_retries: random.u32(0..=6),
            window: millis(random, 300..=2_500),
            attempt_timeout: millis(random, 60..=500),
            base: millis(random, 5..=100),
            jitter: jitters[random.usize(..jitters.len())],
            max_replay_bytes: one_in(random, 6, 2_000).unwrap_or(1 << 20),
            max_retry_after: one_in(random, 3, Duration::from_millis(300))
                .unwrap_or(Duration::from_secs(300)),
            hints: match random.u8(..8) {
                0 => RetryAfter::Ignore,
                1 | 2 => RetryAfter::Exact,
                _ => RetryAfter::Minimum,
            },
            has_budget: random.bool(),
            concurrency: one_in(random, 4, concurrency),
        }
    }
}

impl Ask {
    fn draw(random: &mut Rng, id: u32) -> Self {
        let methods = [
            Method::GET,
            Method::PUT,
            Method::DELETE,
            Method::PATCH,
            Method::POST,
            Method::POST,
        ];
        let method = methods[random.usize(..methods.len())].clone();
        let has_none = [Method::GET, Method::DELETE].contains(&method) || random.u8(..6) == 0;
        let body = if has_none {
            Shape::empty()
        } else {
            Shape::draw(random)
        };
        let gives_up = millis(random, 1..=900);
        Self {
            id,
            at: millis(random, 0..=800),
            server: random.u64(..SERVERS),
            method,
            has_key: random.u8(..4) == 0,
            body,
            own: Own::draw(random),
            gives_up: one_in(random, 8, gives_up),
        }
    }

    fn limits(&self, policy: &Policy) -> Limits {
        let repeatable = [Method::GET, Method::PUT, Method::DELETE].contains(&self.method);
        let mut limits = Limits {
            max_retries: policy.max_retries,
            window: policy.window,
            attempt_timeout: policy.attempt_timeout,
            may_be_repeated: repeatable || self.has_key,
        };
        match self.own {
            Own::Nothing => {}
            Own::Once => limits.max_retries = 0,
            Own::Repeatable(repeatable) => limits.may_be_repeated = repeatable,
            Own::Retries(retries) => limits.max_retries = retries,
            Own::Within(window) => limits.window = window,
            Own::AttemptTimeout(timeout) => limits.attempt_timeout = timeout,
        }
        limits
    }
}

impl Own {
    fn draw(random: &mut Rng) -> Self {
        match random.u8(..24) {
            0 => Self::Once,
            1 | 2 => Self::Repeatable(random.bool()),
            3 => Self::Retries(random.u32(0..=8)),
            4 => Self::Within(millis(random, 0..=3_000)),
            5 => Self::AttemptTimeout(millis(random, 1..=800)),
            _ => Self::Nothing,
        }
    }

    pub fn over(self) -> Option<RetryOverride> {
        let own = RetryOverride::new();
        match self {
            Self::Nothing => None,
            Self::Once => Some(RetryOverride::once()),
            Self::Repeatable(repeatable) => Some(own.repeatable(repeatable)),
            Self::Retries(retries) => Some(own.max_retries(retries)),
            Self::Within(window) => Some(own.window(window)),
            Self::AttemptTimeout(timeout) => Some(own.attempt_timeout(timeout)),
        }
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
