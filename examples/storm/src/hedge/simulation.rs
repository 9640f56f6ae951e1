//! A simulation of clients that hedge and the service that they call, on a paused clock.

use std::cell::RefCell;
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use http::{Request, Response};
use http_body_util::Empty;
use tokio::time::{Instant, sleep_until};
use tower::timeout::TimeoutLayer;
use tower::{Layer, Service, ServiceExt};
use tower_http_retry::{BoxError, HedgeLayer};

use super::backup::Backup;
use super::log::{Log, Record, sending};
use super::peers::{Bhope, Failsafe, Finagle, Fixed, TowerHedge};
use super::server::{MISS, Server};
use super::{Course, Hedging, SHARE, Workload};
use crate::simulation::{ATTEMPT_TIMEOUT, on_paused_clock, send_at_random};

/// The share of requests that are misses, in the workload that has misses.
const MISSES: f64 = 0.2;

/// Runs a simulation. The same seed gives the same record.
pub fn simulate(workload: &'static Workload, hedging: Hedging, seed: u64) -> Record {
    on_paused_clock(day(workload, hedging, Rng::with_seed(seed)))
}

async fn day(workload: &'static Workload, hedging: Hedging, mut rng: Rng) -> Record {
    let log = Log::start(workload);
    let server = Server::start(workload, log.clone(), rng.fork());
    let attempt = TimeoutLayer::new(attempt_timeout(workload)).layer(server);
    let mut seeds = rng.fork();
    let each = 0..workload.clients;
    let each = each.map(|_| (attempt.clone(), seeds.u64(..)));
    let run = Run { workload, log, rng };
    match hedging {
        Hedging::Never => run.drive(each.map(|(attempt, _)| attempt)).await,
        Hedging::Fixed => {
            let rule = || Fixed(workload.p95);
            run.drive(each.map(|(attempt, _)| Backup::new(attempt, rule())))
                .await
        }
        Hedging::Tower => {
            run.drive(each.map(|(attempt, _)| TowerHedge::new(attempt)))
                .await
        }
        Hedging::Finagle => {
            let rule = Finagle::new;
            run.drive(each.map(|(attempt, _)| Backup::new(attempt, rule())))
                .await
        }
        Hedging::Failsafe => {
            let rule = Failsafe::new;
            run.drive(each.map(|(attempt, _)| Backup::new(attempt, rule())))
                .await
        }
        Hedging::Bhope => {
            let rule = || Bhope::new(workload.rate / workload.clients as f64);
            run.drive(each.map(|(attempt, _)| Backup::new(attempt, rule())))
                .await
        }
        Hedging::Layer | Hedging::Defaults => {
            let layer = layer(hedging);
            let client = |(attempt, seed)| layer().control_seed(seed).layer(attempt);
            run.drive(each.map(client)).await
        }
    }
}

/// Returns a function that creates the layer of each client.
fn layer(hedging: Hedging) -> fn() -> HedgeLayer {
    match hedging {
        Hedging::Defaults => HedgeLayer::new,
        _ => || HedgeLayer::new().extra_load(SHARE),
    }
}

/// Returns the time-out of attempts. In a brown-out it is that of the storms. In the other workloads, it is
/// too long to be reached.
fn attempt_timeout(workload: &Workload) -> Duration {
    match workload.course {
        Course::BrownOut => ATTEMPT_TIMEOUT,
        _ => Duration::from_secs(60),
    }
}

struct Run {
    workload: &'static Workload,
    log: Log,
    rng: Rng,
}

impl Run {
    /// Sends requests until the end of the simulation.
    async fn drive<S>(self, clients: impl Iterator<Item = S>) -> Record
    where
        S: Service<Request<Empty<Bytes>>, Response = Response<Empty<Bytes>>, Error = BoxError>,
        S: Clone + Send + 'static,
        S::Future: Send,
    {
        let Self {
            workload,
            log,
            mut rng,
        } = self;
        let clients: Vec<S> = clients.collect();
        let end = Instant::now() + sending(workload);
        let targets = RefCell::new(rng.fork());
        let send = |client| {
            let is_miss = workload.course == Course::Misses && targets.borrow_mut().f64() < MISSES;
            request(client, if is_miss { MISS } else { "/" }, log.clone())
        };
        send_at_random(&clients, end, |_| workload.rate, rng, send).await;
        sleep_until(end).await;
        log.record().clone()
    }
}

async fn request<S>(client: S, path: &'static str, log: Log)
where
    S: Service<Request<Empty<Bytes>>, Response = Response<Empty<Bytes>>>,
{
    let start = log.request_started();
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = http::Uri::from_static(path);
    let outcome = client.oneshot(request).await;
    if outcome.is_ok_and(|response| response.status().is_success()) {
        log.request_answered(start);
    }
}
