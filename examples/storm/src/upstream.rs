//! The simulated upstream: a queue, servers, and a fault.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Empty;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, sleep};
use tower::Service;

use super::scenario::{COLD_START, FAULT, Fault, WARM_UP, in_fault};
use super::simulation::Record;

pub const SERVERS: usize = 20;

/// How long a server works on one attempt.
pub const WORK: Duration = Duration::from_millis(20);

/// The maximum number of attempts that wait for a server. Further ones are answered 503 immediately.
pub const QUEUE: usize = 1_000;

/// How many requests per second the servers can answer.
pub const CAPACITY: f64 = SERVERS as f64 * 1_000.0 / WORK.as_millis() as f64;

/// All servers of one service. They answer attempts in the order of their arrival. They also work on
/// attempts that the client has dropped, because a server does not notice that.
#[derive(Clone)]
pub struct Upstream {
    shared: Arc<Shared>,
}

struct Shared {
    fault: Fault,
    start: Instant,
    state: Mutex<State>,
    waiting: Semaphore,
}

struct State {
    rng: Rng,
    queue: VecDeque<Job>,
    /// The last second in which attempts were counted, and their number.
    limited: (u64, f64),
    record: Record,
}

struct Job {
    answer: oneshot::Sender<StatusCode>,
    status: StatusCode,
}

/// What happens to an attempt when it arrives.
enum Arrival {
    Answered(StatusCode),
    Queued(oneshot::Receiver<StatusCode>),
    Lost,
}

impl Upstream {
    /// Starts the servers on the current runtime.
    pub fn start(fault: Fault, record: Record, rng: Rng) -> Self {
        let state = State {
            rng,
            queue: VecDeque::with_capacity(QUEUE),
            limited: (0, 0.0),
            record,
        };
        let shared = Arc::new(Shared {
            fault,
            start: Instant::now(),
            state: Mutex::new(state),
            waiting: Semaphore::new(0),
        });
        for number in 0..SERVERS {
            tokio::spawn(shared.clone().serve(number));
        }
        Self { shared }
    }

    /// Reads or updates the record.
    pub fn record<T>(&self, with: impl FnOnce(&mut Record, Duration) -> T) -> T {
        let now = self.shared.start.elapsed();
        with(&mut self.shared.lock().record, now)
    }
}

impl<B> Service<Request<B>> for Upstream {
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        let arrival = self.shared.arrive();
        Box::pin(async move {
            let status = match arrival {
                Arrival::Answered(status) => status,
                // When the simulation ends, the servers stop without answering.
                Arrival::Queued(answer) => match answer.await {
                    Ok(status) => status,
                    Err(_) => std::future::pending().await,
                },
                Arrival::Lost => std::future::pending().await,
            };
            let mut response = Response::new(Empty::new());
            *response.status_mut() = status;
            if status == StatusCode::TOO_MANY_REQUESTS {
                let second = HeaderValue::from_static("1");
                response.headers_mut().insert(RETRY_AFTER, second);
            }
            Ok(response)
        })
    }
}

impl Shared {
    fn arrive(&self) -> Arrival {
        let now = self.start.elapsed();
        let mut state = self.lock();
        state.record.sent(now);
        let in_fault = in_fault(now);
        let mut status = StatusCode::OK;
        match self.fault {
            Fault::Outage | Fault::ColdStart if in_fault => {
                return Arrival::Answered(StatusCode::SERVICE_UNAVAILABLE);
            }
            Fault::Background(share) if state.rng.f64() < share => {
                return Arrival::Answered(StatusCode::SERVICE_UNAVAILABLE);
            }
            Fault::BadReplicas(share) if in_fault && state.rng.f64() < share => {
                return Arrival::Answered(StatusCode::SERVICE_UNAVAILABLE);
            }
            Fault::BlackHoles(share) if in_fault && state.rng.f64() < share => {
                return Arrival::Lost;
            }
            Fault::Limited(share) if in_fault && state.over_limit(now, share) => {
                return Arrival::Answered(StatusCode::TOO_MANY_REQUESTS);
            }
            Fault::Costly(share) if in_fault && state.rng.f64() < share => {
                status = StatusCode::SERVICE_UNAVAILABLE;
            }
            _ => {}
        }
        if state.queue.len() >= QUEUE {
            return Arrival::Answered(StatusCode::SERVICE_UNAVAILABLE);
        }
        let (answer, answered) = oneshot::channel();
        state.queue.push_back(Job { answer, status });
        drop(state);
        self.waiting.add_permits(1);
        Arrival::Queued(answered)
    }

    /// Runs one server.
    async fn serve(self: Arc<Self>, number: usize) {
        loop {
            let Ok(next) = self.waiting.acquire().await else {
                return;
            };
            let (servers, work) = self.capacity();
            if number >= servers {
                drop(next);
                sleep(Duration::from_millis(100)).await;
                continue;
            }
            next.forget();
            let Some(job) = self.lock().queue.pop_front() else {
                continue;
            };
            sleep(work).await;
            // The client may have dropped the attempt.
            let _ = job.answer.send(job.status);
        }
    }

    /// Returns how many servers there are now, and how long they work on one attempt.
    fn capacity(&self) -> (usize, Duration) {
        let now = self.start.elapsed();
        let end = WARM_UP + FAULT;
        let in_fault = in_fault(now);
        match self.fault {
            Fault::Capacity(share) if in_fault => ((SERVERS as f64 * share) as usize, WORK),
            Fault::Slow(times) if in_fault => (SERVERS, WORK * times),
            Fault::ColdStart if now >= end && now < end + COLD_START => {
                let warm = (now - end).as_secs_f64() / COLD_START.as_secs_f64();
                (SERVERS, WORK.div_f64(0.1 + 0.9 * warm))
            }
            _ => (SERVERS, WORK),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts an attempt, and returns whether there are more than the limit in this second.
    fn over_limit(&mut self, now: Duration, share: f64) -> bool {
        let (second, count) = &mut self.limited;
        if *second != now.as_secs() {
            (*second, *count) = (now.as_secs(), 0.0);
        }
        *count += 1.0;
        *count > CAPACITY * share
    }
}
