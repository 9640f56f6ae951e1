//! How to watch retries: tracing, spans, events, and metrics with queries and alerts.
//!
//! - [Tracing events](#tracing-events)
//! - [A span for each request and each attempt](#a-span-for-each-request-and-each-attempt)
//! - [Events by a callback](#events-by-a-callback)
//! - [Metrics](#metrics)
//! - [Queries for a dashboard](#queries-for-a-dashboard)
//! - [Why requests stop](#why-requests-stop)
//! - [Alerts](#alerts)
//!
//! # Tracing events
//!
//! With the feature `tracing` (on by default), the layers emit events with the target `tower_http_retry`:
//!
//! | message | level | when |
//! |---|---|---|
//! | `retrying` | `DEBUG` | an attempt failed, and another one follows after `wait_ms` |
//! | `gave up` | `WARN` | a failure is returned |
//! | `the quota is used up: requests are held` | `WARN` | a cooldown starts |
//! | `requests are no longer held` | `INFO` | a cooldown ends |
//! | `held`, `not sent` | `DEBUG` | a cooldown holds a request; the request cannot wait for the end of the hold |
//! | `hedging`, `the hedge was faster` | `DEBUG` | a hedge is sent; its response is returned |
//! | `resuming` | `DEBUG` | a download that broke off is continued |
//!
//! A success emits nothing, and neither does a first attempt with a permanent failure such as a 404.
//!
//! | field | value |
//! |---|---|
//! | `http.request.method` | the method |
//! | `http.request.resend_count` | for `retrying`, the number of the next retry; for `gave up`, the number of retries that were sent |
//! | `http.response.status_code` | the status, if there was a response |
//! | `server.address`, `server.port` | the host, and the port if the URI has one |
//! | `error.type` | the status; for an error, `timeout`, `refused` or `_OTHER` |
//! | `wait_ms`, `waited_ms`, `left_ms` | the next wait, the sum of all waits, the time that is left of a hold |
//! | `reason` | for `retrying`, what determined the wait; for `gave up`, why there is no further attempt |
//!
//! The names are those of OpenTelemetry, if it defines one. No field contains a path, a query or a header.
//!
//! Filter by the target. This subscriber shows warnings of all crates, and each retry:
//!
#![cfg_attr(feature = "tracing", doc = "```")]
#![cfg_attr(not(feature = "tracing"), doc = "```ignore")]
//! use tracing_subscriber::filter::Targets;
//! use tracing_subscriber::layer::SubscriberExt;
//! use tracing_subscriber::util::SubscriberInitExt;
//!
//! # use std::sync::{Arc, Mutex};
//! # #[derive(Clone, Default)]
//! # struct Log(Arc<Mutex<Vec<u8>>>);
//! # impl std::io::Write for Log {
//! #     fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
//! #         self.0.lock().unwrap().write(bytes)
//! #     }
//! #     fn flush(&mut self) -> std::io::Result<()> {
//! #         Ok(())
//! #     }
//! # }
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), tower_http_retry::BoxError> {
//! let filter: Targets = "warn,tower_http_retry=debug".parse()?;
//! # let _ = |filter: Targets| {
//! tracing_subscriber::registry().with(tracing_subscriber::fmt::layer()).with(filter).init();
//! # };
//! # let log = Log::default();
//! # let writer = log.clone();
//! # let print = tracing_subscriber::fmt::layer()
//! #     .with_ansi(false)
//! #     .without_time()
//! #     .with_writer(move || writer.clone());
//! # let _guard = tracing_subscriber::registry().with(print).with(filter).set_default();
//! # use http::{Request, Response};
//! # use http_body_util::Empty;
//! # use std::time::Duration;
//! # use tower::ServiceBuilder;
//! # use tower_http_retry::{Backoff, BoxError, Jitter, ReplayBody, RetryLayer};
//! # let backoff = Backoff::exponential(Duration::from_millis(683)).jitter(Jitter::None);
//! # let client = ServiceBuilder::new()
//! #     .layer(RetryLayer::new().max_retries(1).backoff(backoff))
//! #     .service_fn(async |_: Request<ReplayBody<Empty<bytes::Bytes>>>| {
//! #         tracing::debug!("of another crate");
//! #         Ok::<_, BoxError>(Response::builder().status(503).body(Empty::<bytes::Bytes>::new())?)
//! #     });
//! # client.send(Request::get("http://items.test/7?secret").body(Empty::new())?).await?;
//! # let log = String::from_utf8(std::mem::take(&mut *log.0.lock().unwrap()))?;
//! # let lines: Vec<_> = log.lines().map(str::trim_start).collect();
//! # let retrying = "DEBUG tower_http_retry: retrying http.request.method=\"GET\" \
//! #     http.request.resend_count=1 http.response.status_code=503 server.address=\"items.test\" \
//! #     error.type=\"503\" wait_ms=683 reason=back-off";
//! # let gave_up = "WARN tower_http_retry: gave up http.request.method=\"GET\" \
//! #     http.request.resend_count=1 http.response.status_code=503 server.address=\"items.test\" \
//! #     error.type=\"503\" waited_ms=683 reason=the retries are used up";
//! # assert_eq!(lines, [retrying, gave_up]);
//! # Ok(())
//! # }
//! ```
//!
//! ```text
//! DEBUG tower_http_retry: retrying http.request.method="GET" http.request.resend_count=1
//!     http.response.status_code=503 server.address="items.test" error.type="503" wait_ms=683 reason=back-off
//!  WARN tower_http_retry: gave up http.request.method="GET" http.request.resend_count=1
//!     http.response.status_code=503 server.address="items.test" error.type="503" waited_ms=683
//!     reason=the retries are used up
//! ```
//!
//! # A span for each request and each attempt
//!
//! Put tower-http's `TraceLayer` above the retry for a span of the request, which covers all its attempts and
//! waits. Put another one below the retry for a span of each attempt. The spans of the attempts and the
//! events of the retry are inside the span of the request. OpenTelemetry specifies a span for each attempt,
//! with `http.request.resend_count` on all but the first. Layers below the retry read the number of the
//! attempt from the [`Attempt`](crate::Attempt) that [`mark_attempts`](crate::RetryLayer::mark_attempts) adds
//! to the request.
//!
//! ```
//! use std::time::Duration;
//!
//! use http::{Request, Response};
//! use tower::ServiceBuilder;
//! use tower_http::trace::{DefaultOnFailure, TraceLayer};
//! use tower_http_retry::{Attempt, RetryLayer};
//! use tracing::field::Empty;
//! use tracing::{Level, Span, info_span};
//!
//! fn request_span<B>(request: &Request<B>) -> Span {
//!     info_span!(
//!         "request",
//!         http.request.method = %request.method(),
//!         server.address = request.uri().host(),
//!     )
//! }
//!
//! fn attempt_span<B>(request: &Request<B>) -> Span {
//!     let number = request.extensions().get().map_or(1, Attempt::number);
//!     info_span!(
//!         "attempt",
//!         otel.kind = "client",
//!         http.request.method = %request.method(),
//!         http.request.resend_count = (number > 1).then(|| i64::from(number - 1)),
//!         http.response.status_code = Empty,
//!         server.address = request.uri().host(),
//!     )
//! }
//!
//! fn record_status<R>(response: &Response<R>, _: Duration, span: &Span) {
//!     span.record("http.response.status_code", i64::from(response.status().as_u16()));
//! }
//!
//! # use std::sync::{Arc, Mutex};
//! # use tower_http_retry::{BoxError, ReplayBody};
//! # use tracing_subscriber::fmt::format::FmtSpan;
//! # #[derive(Clone, Default)]
//! # struct Log(Arc<Mutex<Vec<u8>>>);
//! # impl std::io::Write for Log {
//! #     fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
//! #         self.0.lock().unwrap().write(bytes)
//! #     }
//! #     fn flush(&mut self) -> std::io::Result<()> {
//! #         Ok(())
//! #     }
//! # }
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), BoxError> {
//! # let log = Log::default();
//! # let writer = log.clone();
//! # let subscriber = tracing_subscriber::fmt()
//! #     .with_writer(move || writer.clone())
//! #     .with_span_events(FmtSpan::CLOSE)
//! #     .with_ansi(false)
//! #     .without_time()
//! #     .with_target(false)
//! #     .finish();
//! # let _guard = tracing::subscriber::set_default(subscriber);
//! # type Body = http_body_util::Empty<bytes::Bytes>;
//! # let hyper = tower::service_fn(async |request: Request<ReplayBody<Body>>| {
//! #     let status = if request.body().attempt().number() == 1 { 503 } else { 200 };
//! #     Ok::<_, BoxError>(Response::builder().status(status).body(Body::new())?)
//! # });
//! let client = ServiceBuilder::new()
//!     .layer(TraceLayer::new_for_http().make_span_with(request_span))
//!     .layer(RetryLayer::new().mark_attempts())
//!     .layer(
//!         TraceLayer::new_for_http()
//!             .make_span_with(attempt_span)
//!             .on_response(record_status)
//!             .on_failure(DefaultOnFailure::new().level(Level::DEBUG)),
//!     )
//!     .service(hyper);
//! # use tower::ServiceExt;
//! # use http_body_util::BodyExt;
//! # let response = client.oneshot(Request::get("http://items.test/7").body(Body::new())?).await?;
//! # response.into_body().collect().await?;
//! # let log = String::from_utf8(std::mem::take(&mut *log.0.lock().unwrap()))?;
//! # let lines: Vec<_> = log.lines().filter(|line| line.contains(": close")).collect();
//! # let fields = |line: &str| {
//! #     let (_, attempt) = line.split_once("attempt{").unwrap();
//! #     attempt.split_once('}').unwrap().0.to_owned()
//! # };
//! # assert!(lines[0].contains("request{") && lines[1].contains("request{"), "{log}");
//! # let common = r#"otel.kind="client" http.request.method=GET"#;
//! # let server = r#"server.address="items.test""#;
//! # assert_eq!(fields(lines[0]), format!("{common} {server} http.response.status_code=503"));
//! # assert_eq!(
//! #     fields(lines[1]),
//! #     format!("{common} http.request.resend_count=1 {server} http.response.status_code=200"),
//! # );
//! # assert!(lines.iter().any(|line| line.contains("request{") && !line.contains("attempt{")), "{log}");
//! # Ok(())
//! # }
//! ```
//!
//! Two attempts of one request have these spans:
//!
//! ```text
//! request{http.request.method=GET server.address="items.test"}
//!     attempt{otel.kind="client" http.request.method=GET server.address="items.test"
//!         http.response.status_code=503}
//!     attempt{otel.kind="client" http.request.method=GET http.request.resend_count=1
//!         server.address="items.test" http.response.status_code=200}
//! ```
//!
//! - `otel.kind` is a field that the crate tracing-opentelemetry reads. If a layer sends the trace context to
//!   the server, in the header `traceparent`, put it below the second `TraceLayer`. The spans of the server
//!   are then children of the span of the attempt.
//! - A hedge has the number of the attempt beside which it was sent.
//!   [`Attempt::is_hedge`](crate::Attempt::is_hedge) tells them apart.
//! - A failure of an attempt is logged at `DEBUG` here, since it may be retried. The upper `TraceLayer` logs
//!   the failures that the caller gets.
//!
//! # Events by a callback
//!
//! [`RetryLayer::on_event`](crate::RetryLayer::on_event) calls a closure for each
//! [`Event`](crate::event::Event). Use it for data that tracing and metrics do not have, such as your own
//! counters. The closure is called while the request is polled, so it must not block. To identify the
//! request, use the extensions of [`Event::request`](crate::event::Event::request).
//!
//! ```
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicU64, Ordering};
//!
//! use tower_http_retry::RetryLayer;
//! use tower_http_retry::event::{EventKind, StopReason};
//!
//! /// How many requests succeeded, and how many of them only after a retry.
//! #[derive(Default)]
//! struct Successes {
//!     all: AtomicU64,
//!     by_retry: AtomicU64,
//! }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), tower_http_retry::BoxError> {
//! let successes = Arc::new(Successes::default());
//! let counts = successes.clone();
//! let retry = RetryLayer::new().on_event(move |event| {
//!     if event.kind() == EventKind::Stopped(StopReason::Success) {
//!         counts.all.fetch_add(1, Ordering::Relaxed);
//!         if event.attempt() > 1 {
//!             counts.by_retry.fetch_add(1, Ordering::Relaxed);
//!         }
//!     }
//! });
//! # use http::{Request, Response};
//! # use tower::ServiceBuilder;
//! # use tower_http_retry::{BoxError, ReplayBody};
//! # type Body = http_body_util::Empty<bytes::Bytes>;
//! # let client = ServiceBuilder::new().layer(retry).service_fn(async |request: Request<ReplayBody<Body>>| {
//! #     let status = match (request.uri().path(), request.body().attempt().number()) {
//! #         ("/fails", _) | ("/flaky", 1) => 503,
//! #         _ => 200,
//! #     };
//! #     Ok::<_, BoxError>(Response::builder().status(status).body(Body::new())?)
//! # });
//! # for path in ["/works", "/flaky", "/works", "/fails"] {
//! #     client.send(Request::get(path).body(Body::new())?).await?;
//! # }
//! # assert_eq!(successes.all.load(Ordering::Relaxed), 3);
//! # assert_eq!(successes.by_retry.load(Ordering::Relaxed), 1);
//! # Ok(())
//! # }
//! ```
//!
//! [`HedgeLayer::on_event`](crate::HedgeLayer::on_event) calls a closure for each step of a hedge:
//! [`HedgeEventKind`](crate::hedge::HedgeEventKind) lists them.
//!
//! # Metrics
//!
//! With the feature `metrics`, all layers record counters, histograms and gauges through the crate
//! [metrics](https://docs.rs/metrics). The module `metrics` of this crate lists them, with their labels and
//! units. To export them to Prometheus, install a recorder when the program starts. Set buckets: without
//! them, the exporter makes summaries, which cannot be aggregated over several instances. This example needs
//! `cargo add metrics@0.24 metrics-exporter-prometheus@0.18`:
//!
#![cfg_attr(feature = "metrics", doc = "```")]
#![cfg_attr(not(feature = "metrics"), doc = "```ignore")]
//! use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
//! use tower_http_retry::RetryLayer;
//! use tower_http_retry::event::{EventKind, StopReason};
//!
//! const SECONDS: &[f64] = &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
//!
//! /// Installs the recorder. A route for Prometheus returns `handle.render()`.
//! fn install() -> Result<PrometheusHandle, BuildError> {
//!     let handle = PrometheusBuilder::new().set_buckets(SECONDS)?.install_recorder()?;
//!     tower_http_retry::metrics::describe();
//!     Ok(handle)
//! }
//!
//! /// Counts the requests that succeed only after a retry. The layer has no metric for them.
//! fn retry() -> RetryLayer {
//!     RetryLayer::new().on_event(|event| {
//!         if event.kind() == EventKind::Stopped(StopReason::Success) && event.attempt() > 1 {
//!             metrics::counter!("my_client_saved_by_retry_total").increment(1);
//!         }
//!     })
//! }
//! # use std::time::Duration;
//! # use http::{Request, Response};
//! # use tokio::time::sleep;
//! # use tower::{ServiceBuilder, ServiceExt};
//! # use tower_http_retry::hedge::{HedgeBody, HedgeEventKind};
//! # use tower_http_retry::{BoxError, Cooldown, HedgeLayer, ReplayBody};
//! #
//! # type Body = http_body_util::Empty<bytes::Bytes>;
//! #
//! # /// Every metric of retries, cooldowns and hedges is recorded.
//! # async fn record_all() -> Result<(), BoxError> {
//! #     let client = ServiceBuilder::new()
//! #         .layer(retry().rate_limit_headers(true).cooldown(Cooldown::new()))
//! #         .service_fn(async |request: Request<ReplayBody<Body>>| {
//! #             let is_first = request.body().attempt().number() == 1;
//! #             let response = match request.uri().path() {
//! #                 "/flaky" if is_first => Response::builder().status(503),
//! #                 "/quota" => Response::builder().header("ratelimit", r#""default";r=0;t=3"#),
//! #                 _ => Response::builder(),
//! #             };
//! #             Ok::<_, BoxError>(response.body(Body::new())?)
//! #         });
//! #     for path in ["/flaky", "/quota", "/works"] {
//! #         client.send(Request::get(path).body(Body::new())?).await?;
//! #     }
//! #     // Enough hedges win for the time that they save to be known.
//! #     let hedge = HedgeLayer::new().after(Duration::from_millis(100)).extra_load(1.0);
//! #     let hedged = ServiceBuilder::new().layer(hedge.control(0.5).control_seed(1)).service_fn(
//! #         async |request: Request<HedgeBody<Body>>| {
//! #             let is_slow = request.uri().path() == "/slow" && !request.body().is_hedge();
//! #             sleep(Duration::from_millis(if is_slow { 300 } else { 10 })).await;
//! #             Ok::<_, BoxError>(Response::new(Body::new()))
//! #         },
//! #     );
//! #     for _ in 0..300 {
//! #         hedged.clone().oneshot(Request::get("/slow").body(Body::new())?).await?;
//! #         hedged.clone().oneshot(Request::get("/works").body(Body::new())?).await?;
//! #     }
//! #     Ok(())
//! # }
//! #
//! # /// The metrics that are named in a text: each name, and the text after it.
//! # fn named(text: &str) -> Vec<(&str, &str)> {
//! #     let mut named = Vec::new();
//! #     for prefix in ["tower_http_retry_", "my_client_"] {
//! #         for (start, _) in text.match_indices(prefix) {
//! #             let text = &text[start..];
//! #             let is_of_name = |c: char| c.is_ascii_lowercase() || c == '_';
//! #             named.push(text.split_at(text.find(|c| !is_of_name(c)).unwrap()));
//! #         }
//! #     }
//! #     named
//! # }
//! #
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), BoxError> {
//! # let handle = install()?;
//! # record_all().await?;
//! # let page = handle.render();
//! # let source = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/observability.rs"));
//! # let (_, queries) = source.rsplit_once("//! # Queries for a dashboard").unwrap();
//! # let named = named(queries);
//! # assert!(named.len() > 25, "{}", named.len());
//! # let reasons = [
//! #     StopReason::Success, StopReason::Permanent, StopReason::Attempts, StopReason::NotReplayable,
//! #     StopReason::NotIdempotent, StopReason::ServerSaidNo, StopReason::RetryAfterTooLong,
//! #     StopReason::Window, StopReason::Budget, StopReason::SwitchedOff, StopReason::NotReady,
//! #     StopReason::CoolingDown,
//! # ].map(|reason| reason.as_str());
//! # let results = [HedgeEventKind::Sent, HedgeEventKind::Won].map(|result| result.as_str());
//! # let mut labels = 0;
//! # for (name, rest) in named {
//! #     let lines: Vec<_> = page.lines().filter(|line| line.starts_with(name)).collect();
//! #     let of_name = |line: &&&str| line[name.len()..].starts_with(['{', ' ']);
//! #     let line = lines.iter().find(of_name);
//! #     let line = line.unwrap_or_else(|| panic!("{name} is not in {page}"));
//! #     // Its labels, and the values that they are compared with.
//! #     let Some(selector) = rest.strip_prefix('{') else { continue };
//! #     let (selector, _) = selector.split_once('}').unwrap();
//! #     for (label, values) in selector.split(',').map(|part| part.split_once(['=', '!']).unwrap()) {
//! #         assert!(line.contains(&format!("{label}=\"")), "{label} is not in {line}");
//! #         let known = match (label, name.contains("stops"), name.contains("hedges")) {
//! #             ("reason", true, _) => &reasons[..],
//! #             ("status", true, _) => &["4xx"],
//! #             ("result", _, true) => &results[..],
//! #             _ => panic!("{label} of {name}"),
//! #         };
//! #         for value in values.trim_start_matches(['=', '~']).trim_matches('"').split('|') {
//! #             assert!(known.contains(&value), "{value} of {name}");
//! #             labels += 1;
//! #         }
//! #     }
//! # }
//! # assert!(labels > 10, "{labels}");
//! # // The table of reasons has all of them, once each.
//! # let rows = queries.lines().filter_map(|line| line.strip_prefix("//! | `")?.split('`').next());
//! # let mut rows: Vec<_> = rows.collect();
//! # rows.retain(|row| reasons.contains(row));
//! # assert_eq!(rows, reasons);
//! # Ok(())
//! # }
//! ```
//!
//! All layers of a process are counted together. `RetryLayer::metrics_by_authority` counts each
//! [upstream](#by-upstream) separately.
//!
//! # Queries for a dashboard
//!
//! A request is counted when it ends (`stops_total`), an attempt when it starts (`attempts_total`).
//!
//! The number of retries per request. 0 means that nothing is retried:
//!
//! ```text
//! sum(rate(tower_http_retry_retries_total[5m])) / sum(rate(tower_http_retry_stops_total[5m]))
//! ```
//!
//! The share of the successful requests that succeed only after a retry. This query needs the counter from
//! above:
//!
//! ```text
//! sum(rate(my_client_saved_by_retry_total[5m]))
//!   / sum(rate(tower_http_retry_stops_total{reason="success"}[5m]))
//! ```
//!
//! The share of the requests that fail in the end. A 4xx that is not retried, such as a 404, is left out:
//!
//! ```text
//! sum(
//!     rate(tower_http_retry_stops_total{reason!~"success|permanent"}[5m])
//!     or rate(tower_http_retry_stops_total{reason="permanent",status!="4xx"}[5m])
//! ) / sum(rate(tower_http_retry_stops_total[5m]))
//! ```
//!
//! Requests that stop with a failure, by [reason](#why-requests-stop):
//!
//! ```text
//! sum by (reason) (rate(tower_http_retry_stops_total{reason!="success"}[5m]))
//! ```
//!
//! The rate of retries, by the class of the status:
//!
//! ```text
//! sum by (status) (rate(tower_http_retry_retries_total[5m]))
//! ```
//!
//! The average time that a request spends waiting between its attempts, and the 95th percentile of a single
//! wait, by the reason for its length (`backoff`, `timed_out`, `server`, ..):
//!
//! ```text
//! sum(rate(tower_http_retry_wait_seconds_sum[5m])) / sum(rate(tower_http_retry_stops_total[5m]))
//!
//! histogram_quantile(0.95, sum by (le, reason) (rate(tower_http_retry_wait_seconds_bucket[5m])))
//! ```
//!
//! The 99th percentile of the time that an attempt takes, by the class of the status. Set `attempt_timeout`
//! well above the normal value:
//!
//! ```text
//! histogram_quantile(0.99, sum by (le, status) (rate(tower_http_retry_attempt_duration_seconds_bucket[5m])))
//! ```
//!
//! The lowest number of tokens that an instance has left in its budget. At 0, the instance retries nothing:
//!
//! ```text
//! min(tower_http_retry_budget_tokens)
//! ```
//!
//! The number of hedges per attempt, the share of the hedges that were faster, and the average time that a
//! hedge saves:
//!
//! ```text
//! sum(rate(tower_http_retry_hedges_total{result="sent"}[5m]))
//!   / sum(rate(tower_http_retry_attempts_total[5m]))
//!
//! sum(rate(tower_http_retry_hedges_total{result="won"}[5m]))
//!   / sum(rate(tower_http_retry_hedges_total{result="sent"}[5m]))
//!
//! avg(tower_http_retry_hedge_saved_seconds)
//! ```
//!
//! How many requests are held by cooldowns each second, and how many instances currently hold requests:
//!
//! ```text
//! sum(rate(tower_http_retry_held_total[5m]))
//!
//! count(tower_http_retry_cooling_down > 0)
//! ```
//!
//! If an upstream hangs, and a time-out above the retry ends the requests, they are dropped and do not count
//! as stops. The number of attempts per finished request shows this:
//!
//! ```text
//! sum(rate(tower_http_retry_attempts_total[5m])) / sum(rate(tower_http_retry_stops_total[5m]))
//! ```
//!
//! ## By upstream
//!
//! `RetryLayer::metrics_by_authority` adds the label `authority` to these metrics, except for those of
//! hedges. In the queries, write `sum by (authority)` instead of `sum`, and `min by (authority)` instead of
//! `min`. Use this setting only if the number of upstreams is bounded.
//!
//! # Why requests stop
//!
//! | `reason` | what it means | what can be done |
//! |---|---|---|
//! | `success` | a success | |
//! | `permanent` | a failure that is not retried, such as a 404 | check the request; change [`classify`](crate::RetryLayer::classify) if it should be retried |
//! | `attempts` | the retries are used up | raise [`max_retries`](crate::RetryLayer::max_retries), if the faults of this upstream last longer |
//! | `not_replayable` | the body is too long to be recorded, or its source failed | raise [`max_replay_bytes`](crate::RetryLayer::max_replay_bytes) |
//! | `not_idempotent` | the server may have acted on a request that is not safe to repeat, such as a POST | use an [idempotency key](crate::RetryLayer::idempotency_key), or a [`VerifyLayer`](crate::VerifyLayer) |
//! | `server_said_no` | the server, or a classifier, asks not to retry | nothing |
//! | `retry_after_too_long` | the server asks for a longer wait than allowed | raise [`max_retry_after`](crate::RetryLayer::max_retry_after) and the window, or send fewer requests |
//! | `window` | the next wait would end after the window | raise [`window`](crate::RetryLayer::window), or shorten the back-off |
//! | `budget` | the budget is spent, because too few requests succeed | the upstream is overloaded or down: retries would make it worse |
//! | `switched_off` | the [`Switch`](crate::Switch) is off | turn it on |
//! | `not_ready` | the service below failed before a retry could be sent | check the error, which is that of the service below |
//! | `cooling_down` | a [`Cooldown`](crate::Cooldown) held the request for longer than it could wait | raise `max_hold`, or send fewer requests |
//!
//! # Alerts
//!
//! Some retries are normal, and not a reason for an alert. Alert on failures that callers see, and on signs
//! that retries do not help. The thresholds below are a starting point: adjust them to the normal values of
//! your client.
//!
//! ```text
//! groups:
//!   - name: http-client
//!     rules:
//!       # Callers see failures.
//!       - alert: RequestsFail
//!         expr: |
//!           sum(
//!               rate(tower_http_retry_stops_total{reason!~"success|permanent"}[5m])
//!               or rate(tower_http_retry_stops_total{reason="permanent",status!="4xx"}[5m])
//!           ) / sum(rate(tower_http_retry_stops_total[5m])) > 0.01
//!         for: 5m
//!       # Requests are no longer retried, because retries did not help.
//!       - alert: RetryBudgetIsSpent
//!         expr: sum(rate(tower_http_retry_stops_total{reason="budget"}[5m])) > 0
//!         for: 10m
//!       # Callers see longer waits instead of failures, and the upstream gets unnecessary requests.
//!       - alert: ManyRetries
//!         expr: |
//!           sum(rate(tower_http_retry_retries_total[15m]))
//!             / sum(rate(tower_http_retry_stops_total[15m])) > 0.2
//!         for: 15m
//!       # A client needs other settings: see the table of reasons.
//!       - alert: RetriesAreMisconfigured
//!         expr: |
//!           sum(rate(tower_http_retry_stops_total{reason=~"not_replayable|retry_after_too_long"}[1h])) > 0
//!         for: 1h
//!       # Retries were turned off, and not on again. This alert fires only if requests fail.
//!       - alert: RetriesAreSwitchedOff
//!         expr: sum(rate(tower_http_retry_stops_total{reason="switched_off"}[15m])) > 0
//!         for: 1h
//! ```
