//! A simulation of many clients and a server that limits them, on a paused clock.

use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use http::{Request, Response};
use http_body_util::Empty;
use tokio::time::{Instant, sleep_until};
use tower::{Layer, Service};
use tower_http_retry::{BoxError, Cooldown};

use super::hold::Hold;
use super::server::Server;
use super::{Manner, Quota};
use crate::scenario::{FAULT, WARM_UP, in_fault};
use crate::simulation::{Load, add, on_paused_clock, send_at_random, slot, succeeds, twice};

/// The factor by which the requests increase in the fault, and the load if each client has a separate
/// quota.
pub const SURPLUS: f64 = 1.5;

/// For how long requests are sent if each client has a separate quota.
pub const OWN_TIME: Duration = Duration::from_secs(60);

/// For how long requests are sent after the fault, if there is one.
pub const AFTER: Duration = Duration::from_secs(40);

/// The time after the last request, in which requests end that are held or wait for a retry.
const REST: Duration = Duration::from_secs(15);

/// The numbers of events in each slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Requests that started.
    pub started: Vec<u32>,
    /// Those of them that succeeded, however late, in the slot of their start.
    pub answered: Vec<u32>,
    /// Attempts that the server accepted.
    pub served: Vec<u32>,
    /// Attempts that the server answered 429.
    pub refused: Vec<u32>,
    /// The number of clients that were blocked, in all slots.
    pub blocked: u32,
}

impl Record {
    fn new(time: Duration) -> Self {
        let none = vec![0; slot(time)];
        Self {
            started: none.clone(),
            answered: none.clone(),
            served: none.clone(),
            refused: none,
            blocked: 0,
        }
    }
}

/// Returns for how long requests are sent.
pub fn sending(quota: &Quota) -> Duration {
    match quota.is_own {
        true => OWN_TIME,
        false => WARM_UP + FAULT + AFTER,
    }
}

/// Runs a simulation. The same seed gives the same record.
pub fn simulate(quota: &Quota, manner: Manner, load: Load, seed: u64) -> Record {
    on_paused_clock(day(quota, manner, load, Rng::with_seed(seed)))
}

async fn day(quota: &Quota, manner: Manner, load: Load, mut rng: Rng) -> Record {
    let record = Record::new(sending(quota) + REST);
    let server = Server::start(quota, load.clients, record);
    let mut seeds = rng.fork();
    // `RateLimit` headers are only read if the server sends them.
    let mut layer = || {
        let layer = twice().rate_limit_headers(quota.says_remaining);
        layer.jitter_seed(seeds.u64(..))
    };
    let ways = (0..load.clients).map(|number| server.called_by(number));
    match manner {
        Manner::Earning => {
            let clients = ways.map(|way| layer().layer(way)).collect();
            drive(&server, clients, quota, load, rng).await
        }
        Manner::Cooldown => {
            let mut layer = || layer().cooldown(Cooldown::new());
            let clients = ways.map(|way| layer().layer(way)).collect();
            drive(&server, clients, quota, load, rng).await
        }
        Manner::HoldOnFirst429 => {
            let clients = ways.map(|way| layer().layer(Hold::new(way))).collect();
            drive(&server, clients, quota, load, rng).await
        }
    }
}

/// Returns the number of requests per second at this time, from all clients.
fn rate(quota: &Quota, load: Load, at: Duration) -> f64 {
    let limit = f64::from(quota.limit) / quota.window.as_secs_f64();
    match quota.is_own {
        true => limit * load.share * load.clients as f64,
        false if in_fault(at) => limit * load.share * SURPLUS,
        false => limit * load.share,
    }
}

/// Sends requests, and waits until the end of the simulation.
async fn drive<S>(server: &Server, clients: Vec<S>, quota: &Quota, load: Load, rng: Rng) -> Record
where
    S: Service<Request<Empty<Bytes>>, Response = Response<Empty<Bytes>>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
{
    let end = Instant::now() + sending(quota);
    let send = |client| request(client, server.clone());
    send_at_random(&clients, end, |at| rate(quota, load, at), rng, send).await;
    sleep_until(end + REST).await;
    server.record(|record, _| record.clone())
}

async fn request<S>(client: S, server: Server)
where
    S: Service<Request<Empty<Bytes>>, Response = Response<Empty<Bytes>>>,
{
    let start = server.record(|record, now| {
        add(&mut record.started, now);
        now
    });
    if succeeds(client).await {
        server.record(|record, _| add(&mut record.answered, start));
    }
}
