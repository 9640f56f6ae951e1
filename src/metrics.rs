//! What is counted and measured, through the facade of the crate [metrics]: feature `metrics`.
//!
//! Every layer tells it, and it costs little while no recorder is installed. Names, units and labels
//! are a part of this crate's interface:
//!
//! | metric | kind | unit | labels | what |
//! |---|---|---|---|---|
//! | `tower_http_retry_attempts_total` | counter | attempts | `method` | attempts that were started, the first ones and the retries |
//! | `tower_http_retry_attempt_duration_seconds` | histogram | seconds | `method`, `status` | from an attempt's start to its outcome: a response's head, or an error |
//! | `tower_http_retry_retries_total` | counter | retries | `method`, `status`, `reason` | outcomes that were let go, for another attempt after a wait |
//! | `tower_http_retry_wait_seconds` | histogram | seconds | `method`, `status`, `reason` | that wait, as it was decided |
//! | `tower_http_retry_stops_total` | counter | requests | `method`, `status`, `reason` | requests that ended, and why |
//! | `tower_http_retry_held_total` | counter | requests | `method` | requests and retries that a [`Cooldown`](crate::Cooldown) held |
//! | `tower_http_retry_cooldowns_total` | counter | cooldowns | none | cooldowns that started because of responses |
//! | `tower_http_retry_cooling_down` | gauge | cooldowns | none | cooldowns that have started and not ended. A cooldown ends with a response, so this does not fall while no request is sent, nor if the state of its upstream is replaced |
//! | `tower_http_retry_budget_tokens` | gauge | tokens | none | what is left in the budget |
//! | `tower_http_retry_hedges_total` | counter | hedges | `method`, `result` | hedges that were due, and what became of them: those that were sent count twice, when they are sent and when the request ends |
//! | `tower_http_retry_hedge_delay_seconds` | histogram | seconds | `method` | from the first attempt's start until its hedge was sent |
//! | `tower_http_retry_hedge_saved_seconds` | gauge | seconds | none | how much a hedge [saves](crate::hedge#what-it-saves) on average, as far as it is known; of the layer which told it last |
//!
//! With feature `grpc` there are also those of [gRFC A96], for gRPC calls: requests whose `content-type`
//! begins with `application/grpc`. They are told once, when a call ends that was sent more than once or
//! had to wait, and never of zero. What a retry tells is without what a hedge under it tells.
//!
//! | metric | kind | unit | labels | what |
//! |---|---|---|---|---|
//! | `grpc.client.call.retries` | histogram | retries | `grpc.method`, `grpc.target` | retries of the call, without the transparent ones; buckets of 1, 2, 3, 4, 5 are recommended |
//! | `grpc.client.call.transparent_retries` | histogram | retries | `grpc.method`, `grpc.target` | transparent retries of the call, and hedges in the place of an attempt that was refused; buckets of 1, 2, 3, 4, 5, 10 |
//! | `grpc.client.call.hedges` | histogram | hedges | `grpc.method`, `grpc.target` | hedges of the call, without those; buckets of 1, 2, 3, 4, 5 |
//! | `grpc.client.call.retry_delay` | histogram | seconds | `grpc.method`, `grpc.target` | time in which a retry waited, in sum, and in which a [`Cooldown`](crate::Cooldown) held the call |
//!
//! | label | values |
//! |---|---|
//! | `method` | a method of RFC 9110, `PATCH` or `QUERY`; else `_OTHER`, as OpenTelemetry has it |
//! | `status` | the class of the response's status, `1xx` to `5xx`; of an error [`Event::error_type`]: `timeout`, `refused`; else `_OTHER` |
//! | `reason` | of a retry [`WaitReason::as_str`], of a stop [`StopReason::name`] |
//! | `result` | [`HedgeEventKind::as_str`](crate::hedge::HedgeEventKind::as_str) |
//! | `grpc.method` | the path of the request's URI, without its first slash: `hello.Greeter/SayHello` |
//! | `grpc.target` | the scheme and authority of the request's URI: `http://greeter.test:50051`; empty without one, as in calls of a generated client that was not made with its origin |
//! | `authority` | the host of the request's URI, with its port if that is not the scheme's own: `http` and `https` of a host share one, and requests without a host have an empty one. On all metrics but gRPC's, and only where [`RetryLayer::metrics_by_authority`] asks for it |
//!
//! An attempt is counted when it starts, as gRPC's `grpc.client.attempt.started` is ([gRFC A66]), and
//! a request when it ends. So while an upstream hangs and a time-out above the layer cuts requests
//! short, attempts go on to be counted, although neither durations nor stops are. But for those, for
//! retries that could not start after their wait, and for requests that were held and not sent (stops
//! of reason `cooling_down`), attempts are retries plus stops. With gRPC, the
//! status is the one of HTTP.
//!
//! The budget's level is told with every retry and with every failure that was to be retried; after
//! other outcomes, by each thread, only if it has not told it in the last 100 ms: what they earn last
//! may be missing. With the label `authority` it is told always; without it, a budget for each
//! upstream ([`Budget::per_authority`](crate::Budget::per_authority)) is not told. Where a process has
//! several layers, they count together, and the level is that of the layer which told it last: ask for
//! the authority there.
//!
//! Some exporters make summaries of histograms, which cannot be added up, unless they are given
//! buckets, as with `PrometheusBuilder::set_buckets`.
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
//! // A program has one recorder, for all threads: `install_recorder()`.
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
//! [`StopReason::name`]: crate::event::StopReason::as_str

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

/// A thread tells the budget's level after what is no concern of retries no more often than this: it
/// takes a lock, and a look at what all threads have earned.
const LEVEL_EVERY: Duration = Duration::from_millis(100);

/// Tells the recorder what the metrics are, with their units: once, when it is installed.
///
/// The [module](self) has an example.
pub fn describe() {
    describe_counter!(ATTEMPTS.name, Unit::Count, "Attempts that were started.");
    describe_histogram!(
        ATTEMPT_DURATION.name,
        Unit::Seconds,
        "Time from an attempt's start to its outcome."
    );
    describe_counter!(
        RETRIES.name,
        Unit::Count,
        "Outcomes that were let go, for another attempt after a wait."
    );
    describe_histogram!(WAIT.name, Unit::Seconds, "Wait before a retry.");
    describe_counter!(STOPS.name, Unit::Count, "Requests that ended, and why.");
    describe_counter!(
        HELD.name,
        Unit::Count,
        "Requests and retries that had to wait as requests were held."
    );
    describe_counter!(COOLDOWNS.name, Unit::Count, "Cooldowns that started.");
    describe_gauge!(
        COOLING_DOWN.name,
        Unit::Count,
        "Cooldowns that have started, and not ended yet."
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

/// An attempt has ended; or, without a class, the wait for one that could not start.
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

/// That of a budget for all, unless nothing but a success or the like has come since it was told.
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
