//! Metrics, recorded through the facade of the crate [metrics] (feature `metrics`).
//!
//! All layers record these metrics. As long as no recorder is installed, this costs little. Call [`describe`]
//! once to register descriptions and units. Names, units and labels are part of this crate's public
//! interface.
//!
//! | metric | kind | unit | labels | meaning |
//! |---|---|---|---|---|
//! | `tower_http_retry_attempts_total` | counter | attempts | `method` | attempts that were started: first attempts and retries |
//! | `tower_http_retry_attempt_duration_seconds` | histogram | seconds | `method`, `status` | time from the start of an attempt to its outcome: a response head, or an error |
//! | `tower_http_retry_retries_total` | counter | retries | `method`, `status`, `reason` | retries that were scheduled, with the status of the previous outcome |
//! | `tower_http_retry_wait_seconds` | histogram | seconds | `method`, `status`, `reason` | scheduled wait before a retry |
//! | `tower_http_retry_stops_total` | counter | requests | `method`, `status`, `reason` | requests that ended, by the reason for not retrying |
//! | `tower_http_retry_held_total` | counter | requests | `method` | requests and retries that a [`Cooldown`](crate::Cooldown) held |
//! | `tower_http_retry_cooldowns_total` | counter | cooldowns | none | cooldowns that responses started |
//! | `tower_http_retry_cooling_down` | gauge | cooldowns | none | cooldowns that have started and not ended |
//! | `tower_http_retry_budget_tokens` | gauge | tokens | none | tokens that are left in the budget |
//! | `tower_http_retry_hedges_total` | counter | hedges | `method`, `result` | steps of hedges, by result |
//! | `tower_http_retry_hedge_delay_seconds` | histogram | seconds | `method` | time from the start of the first attempt until its hedge was sent |
//! | `tower_http_retry_hedge_saved_seconds` | gauge | seconds | none | time that a hedge [saves](crate::guide::hedging#what-it-saves) on average, once it is known |
//!
//! - The end of a cooldown is recorded when a response arrives. `tower_http_retry_cooling_down` therefore
//!   does not decrease while no requests are sent, or if the state of an upstream is replaced.
//! - `tower_http_retry_hedges_total` counts each step of a hedge: when it is withheld, sent or not sent,
//!   and, if it was sent, when the request ends. To count hedges, use the result `sent`.
//! - If a process has several layers, their values are added up. Only the tokens and the saved time have the
//!   value of the layer that recorded last. Set the label `authority` to distinguish the tokens.
//! - Some exporters turn histograms into summaries, which cannot be aggregated, unless buckets are
//!   configured, for example with `PrometheusBuilder::set_buckets`.
//!
//! # gRPC
//!
//! With the feature `grpc`, the metrics of [gRFC A96] are recorded for gRPC calls, which are requests whose
//! `content-type` begins with `application/grpc`. They are recorded when a call ends that was sent more than
//! once or had to wait. Values of zero are not recorded. A [`RetryLayer`](crate::RetryLayer) and a
//! [`HedgeLayer`](crate::HedgeLayer) below it record their values separately.
//!
//! | metric | kind | unit | labels | meaning | buckets |
//! |---|---|---|---|---|---|
//! | `grpc.client.call.retries` | histogram | retries | `grpc.method`, `grpc.target` | retries of the call, without transparent ones | 1, 2, 3, 4, 5 |
//! | `grpc.client.call.transparent_retries` | histogram | retries | `grpc.method`, `grpc.target` | transparent retries of the call, and hedges that replaced a refused attempt | 1, 2, 3, 4, 5, 10 |
//! | `grpc.client.call.hedges` | histogram | hedges | `grpc.method`, `grpc.target` | other hedges of the call | 1, 2, 3, 4, 5 |
//! | `grpc.client.call.retry_delay` | histogram | seconds | `grpc.method`, `grpc.target` | total time that the call waited for a retry or was held by a [`Cooldown`](crate::Cooldown) | |
//!
//! The buckets are recommendations.
//!
//! # Labels
//!
//! | label | values |
//! |---|---|
//! | `method` | a method of RFC 9110, `PATCH` or `QUERY`; otherwise `_OTHER`, following OpenTelemetry |
//! | `status` | the class of the response status, `1xx` to `5xx`, or the [`Event::error_type`] of an error, `timeout` or `refused`; otherwise `_OTHER`. For gRPC calls, it is the HTTP status |
//! | `reason` | [`WaitReason::as_str`] for a retry, [`StopReason::as_str`] for a request that ended |
//! | `result` | [`HedgeEventKind::as_str`](crate::hedge::HedgeEventKind::as_str) |
//! | `grpc.method` | the path of the request's URI without the leading slash: `hello.Greeter/SayHello` |
//! | `grpc.target` | the scheme and authority of the request's URI: `http://greeter.test:50051`. Empty if the URI has no scheme, as in calls of a generated client that was created without an origin |
//! | `authority` | the host of the request's URI, with its port unless it is the default port of the scheme. `http` and `https` on the same host share a value. Empty without a host |
//!
//! All metrics except those of gRPC and of hedges have the label `authority` if
//! [`RetryLayer::metrics_by_authority`] is set.
//!
//! # When values are recorded
//!
//! An attempt is counted when it starts, like gRPC's `grpc.client.attempt.started` ([gRFC A66]). A request is
//! counted when it ends. Attempts therefore equal retries plus stops, except for:
//!
//! - requests that a time-out above the layer cancels: while an upstream hangs, their attempts are counted,
//!   but neither durations nor stops;
//! - retries that could not start after their wait;
//! - requests that were held and never sent (stops with the reason `cooling_down`).
//!
//! The budget's tokens are recorded with each retry, and with each failure that would have been retried.
//! After other outcomes, each thread records them at most once in 100 ms, so the last increase may be
//! missing. With the label `authority`, they are recorded after each outcome. Without this label, a budget
//! for each upstream ([`Budget::per_authority`](crate::Budget::per_authority)) is not recorded.
//!
//! # Example
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! use http::{Request, Response, StatusCode};
//! use http_body_util::Empty;
//! use metrics_exporter_prometheus::PrometheusBuilder;
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_http_retry::{BoxError, ReplayBody, RetryLayer};
//!
//! // A program usually installs one global recorder with `install_recorder()`.
//! let recorder = PrometheusBuilder::new().build_recorder();
//! let _guard = metrics::set_default_local_recorder(&recorder);
//! tower_http_retry::metrics::describe();
//!
//! type Body = Empty<bytes::Bytes>;
//! let client = ServiceBuilder::new()
//!     .layer(RetryLayer::new())
//!     .service_fn(async |request: Request<ReplayBody<Body>>| {
//!         let mut response = Response::new(Body::new());
//!         if request.body().attempt().number() == 1 {
//!             *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
//!         }
//!         Ok::<_, BoxError>(response)
//!     });
//! client.oneshot(Request::new(Body::new())).await.unwrap();
//!
//! let page = recorder.handle().render();
//! for line in [
//!     "# HELP tower_http_retry_attempts_total Attempts that were started.",
//!     r#"tower_http_retry_attempts_total{method="GET"} 2"#,
//!     r#"tower_http_retry_retries_total{method="GET",status="5xx",reason="backoff"} 1"#,
//!     r#"tower_http_retry_stops_total{method="GET",status="2xx",reason="success"} 1"#,
//!     "tower_http_retry_budget_tokens 10",
//! ] {
//!     assert!(page.lines().any(|found| found == line), "{line} is not in {page}");
//! }
//! # }
//! ```
//!
//! [metrics]: https://docs.rs/metrics
//! [gRFC A96]: https://github.com/grpc/proposal/blob/master/A96-retry-otel-stats.md
//! [gRFC A66]: https://github.com/grpc/proposal/blob/master/A66-otel-stats.md
//! [`Event::error_type`]: crate::event::Event::error_type
//! [`RetryLayer::metrics_by_authority`]: crate::RetryLayer::metrics_by_authority
//! [`WaitReason::as_str`]: crate::event::WaitReason::as_str
//! [`StopReason::as_str`]: crate::event::StopReason::as_str

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use metrics::{
    Key, SharedString, Unit, describe_counter, describe_gauge, describe_histogram, with_recorder,
};
use tokio::time::Instant;

use crate::authority::Authority;
use crate::event::{Event, EventKind, StopReason};

#[cfg(feature = "grpc")]
mod calls;
mod family;
mod hedges;
mod label;

#[cfg(feature = "grpc")]
pub(crate) use calls::{retell as retell_call, retell_hedge as retell_hedged_call};
use family::{Family, METADATA, authority_label};
pub(crate) use hedges::retell as retell_hedge;
use label::{METHOD, Place, RETRY, STATUS, STOP, method, status};

static ATTEMPTS: Family<1> = Family::new("tower_http_retry_attempts_total", [METHOD]);

static ATTEMPT_DURATION: Family<2> = Family::new(
    "tower_http_retry_attempt_duration_seconds",
    [METHOD, STATUS],
);

static RETRIES: Family<3> = Family::new("tower_http_retry_retries_total", [METHOD, STATUS, RETRY]);

static WAIT: Family<3> = Family::new("tower_http_retry_wait_seconds", [METHOD, STATUS, RETRY]);

static STOPS: Family<3> = Family::new("tower_http_retry_stops_total", [METHOD, STATUS, STOP]);

static HELD: Family<1> = Family::new("tower_http_retry_held_total", [METHOD]);

static COOLDOWNS: Family<0> = Family::new("tower_http_retry_cooldowns_total", []);

static COOLING_DOWN: Family<0> = Family::new("tower_http_retry_cooling_down", []);

const BUDGET: &str = "tower_http_retry_budget_tokens";

/// The shortest time between two records of the budget's tokens by a thread, after successes and permanent
/// failures. Reading the tokens takes a lock and a sum over all threads.
const LEVEL_EVERY: Duration = Duration::from_millis(100);

/// Registers the descriptions and units of all metrics with the current recorder.
///
/// Call it once, after a recorder is installed. The [module](self#example) has an example.
pub fn describe() {
    describe_counter!(ATTEMPTS.name, Unit::Count, "Attempts that were started.");
    describe_histogram!(
        ATTEMPT_DURATION.name,
        Unit::Seconds,
        "Time from an attempt's start to its outcome."
    );
    describe_counter!(RETRIES.name, Unit::Count, "Retries that were scheduled.");
    describe_histogram!(WAIT.name, Unit::Seconds, "Wait before a retry.");
    describe_counter!(STOPS.name, Unit::Count, "Requests that ended, by reason.");
    describe_counter!(
        HELD.name,
        Unit::Count,
        "Requests and retries that a cooldown held."
    );
    describe_counter!(COOLDOWNS.name, Unit::Count, "Cooldowns that started.");
    describe_gauge!(
        COOLING_DOWN.name,
        Unit::Count,
        "Cooldowns that have started and not ended."
    );
    describe_gauge!(BUDGET, "Tokens that are left in the retry budget.");
    hedges::describe();
    #[cfg(feature = "grpc")]
    calls::describe();
}

pub(crate) fn retell(event: &Event<'_>, by_authority: bool) {
    let authority = by_authority.then(|| {
        let authority = Authority::of(event.request.uri).to_string();
        SharedString::from_shared(Arc::from(authority))
    });
    let authority = authority.as_ref();
    let method = method(event.request.method);
    match event.kind {
        EventKind::AttemptStarted => ATTEMPTS.count([method], authority),
        EventKind::RetryScheduled { after, reason } => {
            let status = status(event);
            let labels = [method, status, RETRY.place(reason.as_str())];
            RETRIES.count(labels, authority);
            WAIT.record(labels, authority, after);
            ended(event, [method, status], authority);
        }
        EventKind::Stopped(stop) => {
            let status = status(event);
            STOPS.count([method, status, STOP.place(stop.as_str())], authority);
            ended(event, [method, status], authority);
        }
        EventKind::Held { .. } => HELD.count([method], authority),
        EventKind::CooldownStarted { .. } => {
            COOLDOWNS.count([], authority);
            COOLING_DOWN.raise([], authority, 1.0);
        }
        EventKind::CooldownEnded => COOLING_DOWN.raise([], authority, -1.0),
    }
}

/// Records the end of an attempt. If the event has no class, there was a wait, but the attempt could not
/// start.
fn ended(event: &Event<'_>, labels: [Place; 2], authority: Option<&SharedString>) {
    let now = Instant::now();
    if event.class.is_some() {
        let took = now.duration_since(event.attempt_started);
        ATTEMPT_DURATION.record(labels, authority, took);
    }
    tell_level(event, authority, now);
}

fn tell_level(event: &Event<'_>, authority: Option<&SharedString>, now: Instant) {
    let tokens = match authority {
        Some(_) => event.budget_tokens(),
        None => due_tokens(event, now),
    };
    let Some(tokens) = tokens else {
        return;
    };
    let key = match authority {
        Some(authority) => Key::from_parts(BUDGET, vec![authority_label(authority)]),
        None => const { Key::from_static_name(BUDGET) },
    };
    with_recorder(|recorder| recorder.register_gauge(&key, &METADATA).set(tokens));
}

/// Returns the tokens of a budget that all requests share, unless this thread has recorded them recently and
/// the outcome is routine.
fn due_tokens(event: &Event<'_>, now: Instant) -> Option<f64> {
    thread_local! {
        static TOLD: Cell<Option<Instant>> = const { Cell::new(None) };
    }
    let is_routine = matches!(
        event.kind,
        EventKind::Stopped(StopReason::Success | StopReason::Permanent)
    );
    let since = TOLD.get().and_then(|told| now.checked_duration_since(told));
    if is_routine && since.is_some_and(|since| since < LEVEL_EVERY) {
        return None;
    }
    let tokens = event.budget?.tokens()?;
    TOLD.set(Some(now));
    Some(tokens)
}
