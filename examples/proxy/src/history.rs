//! The events of the retry layer over the last minutes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tower_http::request_id::RequestId;
use tower_http_retry::event::{Event, EventKind, StopReason};

/// The time span that the page shows.
const SPAN: Duration = Duration::from_secs(5 * 60);

/// How many of the last requests that were retried or failed are kept.
const RECENT: usize = 12;

/// How many latencies of the last requests are kept.
const LATENCIES: usize = 1_000;

/// How often something happened, by its name.
type Counts = BTreeMap<&'static str, u64>;

pub(crate) struct History {
    start: Instant,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    attempts: u64,
    retries: Counts,
    /// The number of retries that were scheduled, but not sent after their wait.
    unsent_retries: u64,
    stops: Counts,
    /// The number of tokens that are left.
    budget: Option<f64>,
    /// The seconds with events, the oldest first.
    seconds: VecDeque<Second>,
    /// The end and the latency of each request, the oldest first.
    latencies: VecDeque<(Duration, Duration)>,
    /// The start and the end of the demonstration's outage.
    outage: Option<(Duration, Option<Duration>)>,
    /// The requests that were retried or failed, the last one first.
    recent: VecDeque<Value>,
}

#[derive(Default)]
struct Second {
    second: u64,
    retries: Counts,
    stops: Counts,
    budget: Option<f64>,
}

impl History {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            told: Mutex::default(),
        }
    }

    pub(crate) fn hear(&self, event: &Event<'_>) {
        let now = self.start.elapsed();
        let mut told = self.told();
        told.budget = event.budget_tokens();
        match event.kind() {
            EventKind::AttemptStarted => told.attempts += 1,
            EventKind::RetryScheduled { reason, .. } => {
                count(&mut told.retries, reason.as_str());
                count(&mut told.second(now).retries, reason.as_str());
            }
            EventKind::Stopped(stop) => {
                count(&mut told.stops, stop.as_str());
                count(&mut told.second(now).stops, stop.as_str());
                // Without a class, there was no outcome: a scheduled retry was not sent.
                if event.class().is_none() && event.attempt() > 0 {
                    told.unsent_retries += 1;
                }
                if stop.is_failure() || event.attempt() > 1 {
                    told.recent.push_front(ended(event, stop, now));
                    told.recent.truncate(RECENT);
                }
            }
            // `EventKind` is non-exhaustive.
            _ => {}
        }
    }

    /// Records the latency of a request, including its waits.
    pub(crate) fn took(&self, latency: Duration) {
        let end = self.start.elapsed();
        let latencies = &mut self.told().latencies;
        if latencies.len() == LATENCIES {
            latencies.pop_front();
        }
        latencies.push_back((end, latency));
    }

    /// Records the start or the end of the demonstration's outage.
    pub(crate) fn outage(&self, is_there: bool) {
        let now = self.start.elapsed();
        let outage = &mut self.told().outage;
        match outage {
            None if is_there => *outage = Some((now, None)),
            Some((_, end @ None)) if !is_there => *end = Some(now),
            _ => {}
        }
    }

    /// Returns the whole history as JSON.
    pub(crate) fn status(&self) -> Value {
        let now = self.start.elapsed();
        let mut told = self.told();
        told.forget(now);
        json!({
            "uptime_seconds": now.as_secs_f64(),
            "span_seconds": SPAN.as_secs(),
            "totals": {
                "requests": sum(&told.stops),
                "attempts": told.attempts,
                "retries": told.retries,
                "unsent_retries": told.unsent_retries,
                "stops": told.stops,
            },
            "success_rate": told.success_rate(),
            "p95_seconds": told.p95().map(|p95| p95.as_secs_f64()),
            "outage": told.outage.map(|(start, end)| json!({
                "from_seconds": start.as_secs_f64(),
                "to_seconds": end.map(|end| end.as_secs_f64()),
            })),
            "budget": told.budget,
            "seconds": told.seconds.iter().map(Second::status).collect::<Vec<_>>(),
            "recent": told.recent,
        })
    }

    pub(crate) fn summary(&self) -> String {
        let told = self.told();
        let requests = sum(&told.stops);
        let served = told.stops.get(StopReason::Success.as_str()).copied();
        format!(
            "{requests} requests, {} attempts, {} retries, {} failures",
            told.attempts,
            sum(&told.retries) - told.unsent_retries,
            requests - served.unwrap_or_default(),
        )
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    /// Returns the entry of the current second, and updates its budget.
    fn second(&mut self, now: Duration) -> &mut Second {
        let second = now.as_secs();
        if self.seconds.back().is_none_or(|last| last.second < second) {
            self.forget(now);
            self.seconds.push_back(Second {
                second,
                ..Second::default()
            });
        }
        let last = self.seconds.len() - 1;
        self.seconds[last].budget = self.budget;
        &mut self.seconds[last]
    }

    /// The success rate of the requests that ended in the seconds that are kept.
    fn success_rate(&self) -> Option<f64> {
        let stops = || self.seconds.iter().map(|second| &second.stops);
        let all: u64 = stops().map(sum).sum();
        let served = stops().filter_map(|stops| stops.get(StopReason::Success.as_str()));
        (all > 0).then(|| served.sum::<u64>() as f64 / all as f64)
    }

    /// The 95th percentile of the last latencies.
    fn p95(&self) -> Option<Duration> {
        let mut latencies: Vec<_> = self.latencies.iter().map(|(_, latency)| *latency).collect();
        latencies.sort_unstable();
        let rank = (latencies.len() * 95).div_ceil(100);
        latencies.get(rank.checked_sub(1)?).copied()
    }

    fn forget(&mut self, now: Duration) {
        let start = now.saturating_sub(SPAN);
        while self.latencies.front().is_some_and(|(end, _)| *end < start) {
            self.latencies.pop_front();
        }
        let first = start.as_secs();
        while self.seconds.front().is_some_and(|old| old.second < first) {
            self.seconds.pop_front();
        }
    }
}

impl Second {
    fn status(&self) -> Value {
        json!({
            "second": self.second,
            "retries": self.retries,
            "stops": self.stops,
            "budget": self.budget,
        })
    }
}

/// The entry of a request that has ended. Its query is not shown, because it may contain credentials.
fn ended(event: &Event<'_>, stop: StopReason, now: Duration) -> Value {
    let id = event.request().extensions().get::<RequestId>();
    let id = id.and_then(|id| id.header_value().to_str().ok());
    json!({
        "at_seconds": now.as_secs_f64(),
        "id": id.unwrap_or_default(),
        "method": event.method().as_str(),
        "path": event.path(),
        "attempts": event.attempt(),
        "waited_seconds": event.waited().as_secs_f64(),
        "status": event.status().map(|status| status.as_u16()),
        "stop": stop.as_str(),
    })
}

fn count(counts: &mut Counts, name: &'static str) {
    *counts.entry(name).or_default() += 1;
}

fn sum(counts: &Counts) -> u64 {
    counts.values().sum()
}
