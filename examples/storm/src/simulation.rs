//! A simulation of many clients and the service that they call, on a paused clock.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use http::{Request, Response};
use http_body_util::Empty;
use tokio::time::{Instant, sleep_until};
use tower::retry::budget::TpsBudget;
use tower::timeout::TimeoutLayer;
use tower::{Layer, Service, ServiceExt};
use tower_http_retry::{Backoff, BoxError, Budget, Jitter, RetryLayer};

use super::peers::{AwsBucket, Bucket, Peer};
use super::scenario::{AFTER, FAULT, Fault, Scenario, WARM_UP, in_fault};
use super::upstream::{CAPACITY, Upstream};

/// The time-out of each attempt.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(500);

/// The length of a slot. Events are counted by slot.
pub const SLOT: Duration = Duration::from_millis(500);

pub const SLOTS: usize = slot(WARM_UP) + slot(FAULT) + slot(AFTER);

/// Returns the number of the slot that contains a time. The first slot is 0.
pub const fn slot(at: Duration) -> usize {
    (at.as_millis() / SLOT.as_millis()) as usize
}

/// How the clients retry. Except with [`Variant::Defaults`], they retry up to twice, with full jitter on
/// 100 ms and 200 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    NoRetry,
    /// `Budget::earning`, the default budget of a layer.
    Earning,
    /// `RetryLayer::new()` with its defaults: five retries, after 1 s, 2 s, 4 s, ..
    Defaults,
    WithoutBudget,
    Ratio,
    Tps,
    Throttle,
    Aws,
}

pub const VARIANTS: [Variant; 8] = [
    Variant::NoRetry,
    Variant::Earning,
    Variant::Defaults,
    Variant::WithoutBudget,
    Variant::Ratio,
    Variant::Tps,
    Variant::Throttle,
    Variant::Aws,
];

/// The number of clients, and the load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    pub clients: usize,
    /// The share of the capacity that the requests need.
    pub share: f64,
}

/// The numbers of events in each slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Requests that started.
    pub started: Vec<u32>,
    /// Those of them that succeeded, however late, in the slot of their start.
    pub answered: Vec<u32>,
    /// Attempts that were sent.
    pub sent: Vec<u32>,
    /// Requests that succeeded, in the slot of their success.
    pub succeeded: Vec<u32>,
}

impl Record {
    pub fn new() -> Self {
        let none = vec![0; SLOTS];
        Self {
            started: none.clone(),
            answered: none.clone(),
            sent: none.clone(),
            succeeded: none,
        }
    }

    pub fn sent(&mut self, now: Duration) {
        add(&mut self.sent, now);
    }

    fn settled(&mut self, start: Duration, now: Duration) {
        add(&mut self.answered, start);
        add(&mut self.succeeded, now);
    }
}

/// Counts an event. Events after the last slot are ignored.
pub fn add(slots: &mut [u32], at: Duration) {
    if let Some(count) = slots.get_mut(slot(at)) {
        *count += 1;
    }
}

/// Runs a simulation. The same seed gives the same record.
pub fn simulate(scenario: &Scenario, variant: Variant, load: Load, seed: u64) -> Record {
    on_paused_clock(day(scenario.fault, variant, load, Rng::with_seed(seed)))
}

/// Runs a future to its end on a paused clock, so that waiting takes no time.
pub fn on_paused_clock<T>(day: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O");
    runtime.block_on(day)
}

async fn day(fault: Fault, variant: Variant, load: Load, mut rng: Rng) -> Record {
    let upstream = Upstream::start(fault, Record::new(), rng.fork());
    let attempt = TimeoutLayer::new(ATTEMPT_TIMEOUT).layer(upstream.clone());
    let mut seeds = rng.fork();
    let each = 0..load.clients;
    match client(variant) {
        Client::Plain => {
            let clients = each.map(|_| attempt.clone()).collect();
            drive(upstream, clients, load, fault, rng).await
        }
        Client::Layer(layer) => {
            let client = |_| {
                let layer = layer().jitter_seed(seeds.u64(..));
                layer.layer(attempt.clone())
            };
            drive(upstream, each.map(client).collect(), load, fault, rng).await
        }
        Client::Tower(bucket) => {
            let client = |_| {
                let policy = Peer::new(bucket(), seeds.u64(..));
                tower::retry::Retry::new(policy, attempt.clone())
            };
            drive(upstream, each.map(client).collect(), load, fault, rng).await
        }
    }
}

/// A function that creates what each client has separately: a layer with its budget, or the budget of a
/// `tower::retry`.
enum Client {
    Plain,
    Layer(fn() -> RetryLayer),
    Tower(fn() -> Bucket),
}

fn client(variant: Variant) -> Client {
    match variant {
        Variant::NoRetry => Client::Plain,
        Variant::Earning => Client::Layer(twice),
        Variant::Defaults => Client::Layer(RetryLayer::new),
        Variant::WithoutBudget => Client::Layer(|| twice().without_budget()),
        Variant::Ratio => Client::Layer(|| twice().budget(Budget::ratio(0.2))),
        Variant::Tps => Client::Tower(|| Bucket::Tps(TpsBudget::default())),
        Variant::Throttle => Client::Layer(|| twice().budget(Budget::throttle(10, 0.1))),
        Variant::Aws => Client::Tower(|| Bucket::Aws(AwsBucket::new())),
    }
}

pub fn twice() -> RetryLayer {
    let backoff = Backoff::exponential(Duration::from_millis(100)).jitter(Jitter::Full);
    RetryLayer::new().max_retries(2).backoff(backoff)
}

/// Sends requests until the end of the simulation.
async fn drive<S>(upstream: Upstream, clients: Vec<S>, load: Load, fault: Fault, rng: Rng) -> Record
where
    S: Service<Request<Empty<Bytes>>, Response = Response<Empty<Bytes>>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
{
    let end = Instant::now() + WARM_UP + FAULT + AFTER;
    let rate = |at| match fault {
        Fault::Spike(times) if in_fault(at) => CAPACITY * load.share * times,
        _ => CAPACITY * load.share,
    };
    let send = |client| request(client, upstream.clone());
    send_at_random(&clients, end, rate, rng, send).await;
    sleep_until(end).await;
    upstream.record(|record, _| record.clone())
}

/// Sends requests at random times until the end, each from a random client. The rate is the number of
/// requests per second at a time.
pub async fn send_at_random<S, F>(
    clients: &[S],
    end: Instant,
    rate: impl Fn(Duration) -> f64,
    mut rng: Rng,
    send: impl Fn(S) -> F,
) where
    S: Clone,
    F: Future<Output = ()> + Send + 'static,
{
    let start = Instant::now();
    let mut next = Duration::ZERO;
    loop {
        next += Duration::from_secs_f64(-(1.0 - rng.f64()).ln() / rate(next));
        if start + next >= end {
            return;
        }
        sleep_until(start + next).await;
        let client = clients[rng.usize(..clients.len())].clone();
        tokio::spawn(send(client));
    }
}

async fn request<S>(client: S, upstream: Upstream)
where
    S: Service<Request<Empty<Bytes>>, Response = Response<Empty<Bytes>>>,
{
    let start = upstream.record(|record, now| {
        add(&mut record.started, now);
        now
    });
    if succeeds(client).await {
        upstream.record(|record, now| record.settled(start, now));
    }
}

/// Sends a request, and returns whether it succeeds.
pub async fn succeeds<S>(client: S) -> bool
where
    S: Service<Request<Empty<Bytes>>, Response = Response<Empty<Bytes>>>,
{
    let outcome = client.oneshot(Request::new(Empty::new())).await;
    outcome.is_ok_and(|response| response.status().is_success())
}
