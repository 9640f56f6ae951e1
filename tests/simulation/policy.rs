//! The settings of the caller's layers.

use std::time::Duration;

use fastrand::Rng;
use tower_http_retry::{
    Backoff, CommitLayer, HedgeLayer, Idempotency, Jitter, ResumeLayer, RetryAfter,
};

use super::plan::{millis, one_in};

/// The settings of the retry layer, and of the layers below and above it.
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
    /// The maximum number of attempts in flight, if there is one.
    pub concurrency: Option<usize>,
    pub commit: Option<Commit>,
    pub resume: Option<Resume>,
    pub hedge: Option<Hedge>,
}

/// The settings of the hedge layer, which is below the commit layer.
#[derive(Clone, Copy, Debug)]
pub struct Hedge {
    /// `None` if the delay is learned.
    pub delay: Option<Duration>,
    pub extra_load: f64,
    pub withheld: f64,
    /// How long an attempt that did not win may continue, if it may.
    pub keeps: Option<Duration>,
    /// Whether all idempotent requests may be hedged, and not only safe ones.
    pub is_wide: bool,
    pub has_retry_budget: bool,
    pub is_per_server: bool,
}

/// The settings of the commit layer, which is below the retry layer.
#[derive(Clone, Copy, Debug)]
pub struct Commit {
    pub point: Point,
    pub reads_failures: bool,
    /// How long a body may take to reach the commit point.
    pub timeout: Option<Duration>,
}

/// The commit point of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    FirstBytes,
    /// Its end, if it has at most this many bytes.
    Whole(usize),
}

/// The settings of the resume layer, which is above the retry layer.
#[derive(Clone, Copy, Debug)]
pub struct Resume {
    pub max_resumes: u32,
    pub window: Option<Duration>,
    pub base: Duration,
    pub jitter: Jitter,
    pub idle_timeout: Option<Duration>,
    pub skip_limit: Option<u64>,
    pub verify_prefix: Option<u64>,
}

impl Policy {
    pub fn draw(random: &mut Rng) -> Self {
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
            commit: (random.u8(..5) < 2).then(|| Commit::draw(random)),
            resume: (random.u8(..5) < 3).then(|| Resume::draw(random)),
            hedge: None,
        }
    }

    /// Whether a response without a validator may be resumed.
    pub fn compares(&self) -> bool {
        let resume = self.resume.as_ref();
        resume.is_some_and(|resume| resume.verify_prefix.is_some())
    }
}

impl Commit {
    fn draw(random: &mut Rng) -> Self {
        let whole = Point::Whole(random.usize(500..20_000));
        let timeout = millis(random, 20..=200);
        Self {
            point: if random.bool() {
                Point::FirstBytes
            } else {
                whole
            },
            reads_failures: random.u8(..4) == 0,
            timeout: one_in(random, 4, timeout),
        }
    }

    pub fn layer(self) -> CommitLayer {
        let layer = match self.point {
            Point::FirstBytes => CommitLayer::first_bytes(),
            Point::Whole(limit) => CommitLayer::whole(limit),
        };
        layer
            .read_failures(self.reads_failures)
            .timeout(self.timeout.unwrap_or(Duration::MAX))
    }

    /// Returns the number of bytes beyond which a response is not held back.
    pub fn limit(self) -> Option<u64> {
        match self.point {
            Point::FirstBytes => None,
            Point::Whole(limit) => Some(limit as u64),
        }
    }
}

impl Hedge {
    /// Draws the settings. Half of the callers have a hedge layer.
    pub fn draw(random: &mut Rng) -> Option<Self> {
        let is_there = random.bool();
        let learns = random.u8(..5) == 0;
        let delay = match random.u8(..6) {
            0 => Duration::ZERO,
            _ => millis(random, 1..=120),
        };
        let shares = [0.05, 0.25, 0.5, 1.0];
        let keeps = millis(random, 0..=400);
        is_there.then(|| Self {
            delay: (!learns).then_some(delay),
            // With this share, a few requests are enough to learn a delay.
            extra_load: if learns {
                1.0
            } else {
                shares[random.usize(..shares.len())]
            },
            withheld: one_in(random, 3, 0.5).unwrap_or(0.0),
            keeps: one_in(random, 3, keeps),
            is_wide: random.bool(),
            has_retry_budget: random.u8(..4) == 0,
            is_per_server: random.u8(..3) == 0,
        })
    }

    pub fn layer(self, seed: u64) -> HedgeLayer {
        let layer = HedgeLayer::new()
            .extra_load(self.extra_load)
            .control(self.withheld)
            .control_seed(seed);
        let layer = match self.delay {
            Some(delay) => layer.after(delay),
            None => layer.stragglers(1.0),
        };
        let layer = match self.is_wide {
            true => layer.idempotency(Idempotency::new()),
            false => layer,
        };
        match self.is_per_server {
            true => layer.per_authority(10),
            false => layer,
        }
    }
}

impl Resume {
    fn draw(random: &mut Rng) -> Self {
        let (window, idle_timeout) = (millis(random, 200..=1_500), millis(random, 60..=400));
        let (skip_limit, verify_prefix) = (random.u64(0..10_000), random.u64(0..100_000));
        let jitters = [Jitter::None, Jitter::Full, Jitter::Decorrelated];
        Self {
            max_resumes: random.u32(1..=5),
            window: one_in(random, 4, window),
            base: millis(random, 5..=60),
            jitter: jitters[random.usize(..jitters.len())],
            idle_timeout: Some(idle_timeout).filter(|_| random.u8(..5) > 0),
            skip_limit: one_in(random, 4, skip_limit),
            verify_prefix: one_in(random, 4, verify_prefix),
        }
    }

    pub fn layer(self, seed: u64) -> ResumeLayer {
        let layer = ResumeLayer::new()
            .max_resumes(self.max_resumes)
            .window(self.window.unwrap_or(Duration::MAX))
            .backoff(Backoff::exponential(self.base).jitter(self.jitter))
            .idle_timeout(self.idle_timeout.unwrap_or(Duration::MAX))
            .jitter_seed(seed);
        let layer = match self.skip_limit {
            Some(bytes) => layer.skip_limit(bytes),
            None => layer,
        };
        match self.verify_prefix {
            Some(bytes) => layer.verify_prefix(bytes),
            None => layer,
        }
    }
}
