//! The simulated server, which limits the attempts in each window.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use tokio::time::{Instant, sleep};
use tower::Service;

use super::Quota;
use super::simulation::Record;
use crate::simulation::add;

/// The latency from the client to the server, and back.
pub const ONE_WAY: Duration = Duration::from_millis(10);

/// How long a client is blocked.
const BLOCKED: Duration = Duration::from_secs(60);

/// The server, as one client calls it. The windows of all clients begin at the same time.
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
    caller: usize,
}

struct Shared {
    quota: Quota,
    start: Instant,
    state: Mutex<State>,
}

struct State {
    /// One count for all clients, or one for each client.
    counts: Vec<Count>,
    record: Record,
}

/// The numbers of attempts in the latest window.
#[derive(Clone, Default)]
struct Count {
    window: u128,
    let_through: u32,
    refused: u32,
    blocked_until: Option<Duration>,
}

impl Server {
    pub fn start(quota: &Quota, clients: usize, record: Record) -> Self {
        let quotas = if quota.is_own { clients } else { 1 };
        let state = State {
            counts: vec![Count::default(); quotas],
            record,
        };
        let shared = Shared {
            quota: *quota,
            start: Instant::now(),
            state: Mutex::new(state),
        };
        Self {
            shared: Arc::new(shared),
            caller: 0,
        }
    }

    /// Returns the same server for the client with this number.
    pub fn called_by(&self, caller: usize) -> Self {
        let shared = Arc::clone(&self.shared);
        Self { shared, caller }
    }

    /// Reads or updates the record.
    pub fn record<T>(&self, with: impl FnOnce(&mut Record, Duration) -> T) -> T {
        let now = self.shared.start.elapsed();
        with(&mut self.shared.lock().record, now)
    }
}

impl Shared {
    fn arrive(&self, caller: usize) -> Response<Empty<Bytes>> {
        let now = self.start.elapsed();
        let quota = &self.quota;
        let (window, left) = window(now, quota.window);
        let mut state = self.lock();
        let State { counts, record } = &mut *state;
        let count = &mut counts[if quota.is_own { caller } else { 0 }];
        if count.window != window {
            (count.window, count.let_through, count.refused) = (window, 0, 0);
        }
        let mut response = Response::builder();
        let is_blocked = count.blocked_until.is_some_and(|until| now < until);
        if count.let_through < quota.limit && !is_blocked {
            count.let_through += 1;
            add(&mut record.served, now);
        } else {
            count.refused += 1;
            add(&mut record.refused, now);
            if quota.blocks_after == Some(count.refused) && !is_blocked {
                // A client is counted only when it is blocked for the first time.
                record.blocked += u32::from(count.blocked_until.is_none());
                count.blocked_until = Some(now + BLOCKED);
            }
            let wait = quota.retry_after.unwrap_or(left);
            response = response
                .status(StatusCode::TOO_MANY_REQUESTS)
                .header(RETRY_AFTER, seconds(wait));
        }
        if quota.says_remaining {
            let remaining = quota.limit - count.let_through;
            let field = format!(r#""default";r={remaining};t={}"#, seconds(left));
            response = response.header("ratelimit", field);
        }
        let response = response.body(Empty::new());
        response.expect("these headers are valid")
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the number of the window that contains a time, and the rest of the window.
fn window(now: Duration, length: Duration) -> (u128, Duration) {
    let number = now.as_millis() / length.as_millis();
    let passed = now.as_millis() % length.as_millis();
    (number, length - Duration::from_millis(passed as u64))
}

/// Rounds a wait up to whole seconds, so that a client that waits for it is not too early.
fn seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1_000) as u64
}

impl<B> Service<Request<B>> for Server {
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        let Self { shared, caller } = self.clone();
        Box::pin(async move {
            sleep(ONE_WAY).await;
            let response = shared.arrive(caller);
            sleep(ONE_WAY).await;
            Ok(response)
        })
    }
}
