//! What is printed of public types: enough to know them by, and no header, query or body of a request.

use std::fmt::{Debug, Write};
use std::future::{Pending, pending};
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use http::{Request, Response, StatusCode};
use tower::{Layer, Service, ServiceExt};
use tower_http_retry::classify::{Class, Outcome, RequestHead};
use tower_http_retry::event::{StopReason, WaitReason};
use tower_http_retry::{
    BoxError, ByStatus, CommitLayer, Cooldown, HedgeLayer, ReplayBody, ResumeLayer, RetryLayer,
    VerifyLayer,
};

use crate::support::stops;
use crate::support::upstream::{Body, post};

/// Never answers.
#[derive(Clone, Debug)]
struct Silent;

impl<B> Service<Request<B>> for Silent {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pending<Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        pending()
    }
}

fn assert_printed(printed: &[&dyn Debug], expected: &[&str]) {
    let mut lines = String::new();
    for value in printed {
        writeln!(lines, "{value:?}").unwrap();
    }
    assert_eq!(lines.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_layer_and_its_service_print_their_settings() {
    let layer = RetryLayer::new()
        .max_retries(2)
        .classify_fn(|_: &Outcome<'_>| Class::Success.into());
    let mut service = layer.layer(Silent);
    let future = service.call(post());
    let settings = "settings: Settings { classify: ClassifyFn { .. }, \
        limits: Limits { max_retries: 2, window: 300s, \
        backoff: Backoff { base: 1s, factor: 2.0, max_wait: 18446744073709551615.999999999s, jitter: Equal }, \
        backoff_after_refusal: None, max_retry_after: 300s, attempt_timeout: None, max_replay_bytes: 1048576 }, \
        idempotency: Idempotency { methods: Idempotent, also: [], except: [], \
        keys: [\"idempotency-key\", \"x-idempotency-key\"] }, retry_after: Minimum, \
        rate_limit_headers: false, budget: Default(Budget { kind: \"bucket\", tokens: Some(6.0) }), \
        cooldown: None, switch: None, \
        max_drain_bytes: 65536, retry_count_header: None, deadline_header: None, .. }";
    assert_printed(
        &[&layer, &service, &future],
        &[
            &format!("RetryLayer {{ {settings} }}"),
            &format!("Retry {{ inner: Silent, {settings} }}"),
            "ResponseFuture { .. }",
        ],
    );
}

#[test]
fn a_verify_layer_and_its_service_print_their_settings() {
    let layer = VerifyLayer::new();
    let mut service = layer.layer(Silent);
    let future = service.call(Request::new(ReplayBody::<Body>::default()));
    let settings =
        "settings: Settings { method: None, put_creates: false, conflict_statuses: [], .. }";
    assert_printed(
        &[&layer, &service, &future],
        &[
            &format!("VerifyLayer {{ {settings} }}"),
            &format!("Verify {{ inner: Silent, {settings} }}"),
            "VerifyFuture { .. }",
        ],
    );
}

#[test]
fn a_commit_layer_and_its_service_print_their_settings() {
    let layer = CommitLayer::whole(1_000);
    let mut service = layer.layer(Silent);
    let future = service.call(Request::new(ReplayBody::<Body>::default()));
    let settings = "settings: Settings { point: Whole { limit: 1000 }, reads_failures: false, \
        timeout: 18446744073709551615.999999999s }";
    assert_printed(
        &[&layer, &service, &future],
        &[
            &format!("CommitLayer {{ {settings} }}"),
            &format!("Commit {{ inner: Silent, {settings} }}"),
            "CommitFuture { .. }",
        ],
    );
}

#[test]
fn a_resume_layer_and_its_service_print_their_settings() {
    let layer = ResumeLayer::new()
        .classify_fn(|_: &Outcome<'_>| Class::Success.into())
        .on_resume(|_| {});
    let mut service = layer.layer(Silent);
    let future = service.call(Request::new(ReplayBody::<Body>::default()));
    let settings = "settings: Settings { classify: ClassifyFn { .. }, \
        limits: Limits { max_resumes: 5, window: 18446744073709551615.999999999s, \
        backoff: Backoff { base: 1s, factor: 2.0, max_wait: 18446744073709551615.999999999s, jitter: Equal }, \
        idle_timeout: 18446744073709551615.999999999s, skip_limit: 1048576, verify_prefix: None }, .. }";
    assert_printed(
        &[&layer, &service, &future],
        &[
            &format!("ResumeLayer {{ {settings} }}"),
            &format!("Resume {{ inner: Silent, {settings} }}"),
            "ResumeFuture { .. }",
        ],
    );
}

#[test]
fn a_hedge_layer_and_its_service_print_their_settings() {
    let layer = HedgeLayer::new()
        .classify_fn(|_: &Outcome<'_>| Class::Success.into())
        .on_event(|_| {});
    let mut service = layer.layer(Silent);
    let future = service.call(Request::new(ReplayBody::<Body>::default()));
    let settings = "settings: Settings { classify: ClassifyFn { .. }, terms: Terms { \
        extra_load: 0.05, stragglers: 2.0, fixed: None, withheld: 0.0625, seed: None }, \
        idempotency: Idempotency { methods: Safe, also: [], except: [], keys: [] }, \
        retry_budget: None, cooldown: None, .. }, losers: DropLosers";
    assert_printed(
        &[&layer, &service, &future],
        &[
            &format!("HedgeLayer {{ {settings} }}"),
            &format!("Hedge {{ inner: Silent, {settings} }}"),
            "HedgeFuture { .. }",
        ],
    );
}

#[test]
fn classifiers_print_what_they_retry() {
    let but_one = ByStatus::none()
        .also(StatusCode::CONFLICT)
        .also(StatusCode::NOT_FOUND)
        .should_retry_header(ByStatus::X_SHOULD_RETRY);
    assert_printed(
        &[&ByStatus::new(), &but_one],
        &[
            "ByStatus { retried: [429, 5xx], should_retry_header: None, keyed_conflict: true }",
            "ByStatus { retried: [404, 409], should_retry_header: Some(\"x-should-retry\"), keyed_conflict: false }",
        ],
    );
    #[cfg(feature = "grpc")]
    {
        use tower_http_retry::grpc::ByGrpcStatus;
        let all = (0..17).fold(ByGrpcStatus::none(), ByGrpcStatus::also);
        assert_printed(
            &[&ByGrpcStatus::new(), &all.except(1).except(2)],
            &[
                "ByGrpcStatus { retried: [UNAVAILABLE] }",
                "ByGrpcStatus { retried: [INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND, ALREADY_EXISTS, \
                PERMISSION_DENIED, RESOURCE_EXHAUSTED, FAILED_PRECONDITION, ABORTED, OUT_OF_RANGE, \
                UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS, UNAUTHENTICATED] }",
            ],
        );
    }
}

#[test]
fn an_outcome_prints_no_header() {
    let request = Request::post("http://user:secret@upstream.test/item?secret=1")
        .header("authorization", "secret")
        .body(())
        .unwrap();
    let response = Response::builder()
        .status(503)
        .header("set-cookie", "secret");
    let response = response.body(()).unwrap();
    let error = io::Error::from(ErrorKind::TimedOut);
    let outcome = Outcome::response(&request, &response).on_attempt(2);
    assert_printed(
        &[
            &RequestHead::of(&request),
            &outcome,
            &outcome.result(),
            &Outcome::error(&request, &error),
        ],
        &[
            "RequestHead { method: POST, path: \"/item\", .. }",
            "Outcome { method: POST, result: Ok(ResponseHead { status: 503, version: HTTP/1.1, .. }), attempt: 2, .. }",
            "Ok(ResponseHead { status: 503, version: HTTP/1.1, .. })",
            "Outcome { method: POST, result: Err(Kind(TimedOut)), attempt: 1, .. }",
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_and_a_body_print_no_more_than_they_have_to() {
    let printed = Arc::new(Mutex::new(Vec::new()));
    let print = printed.clone();
    let layer =
        RetryLayer::new().on_event(move |event| print.lock().unwrap().push(format!("{event:?}")));
    let bodies = printed.clone();
    let service = layer.layer(tower::service_fn(
        move |request: Request<ReplayBody<Body>>| {
            bodies.lock().unwrap().push(format!("{:?}", request.body()));
            std::future::ready(Ok::<_, BoxError>(Response::new(Body::default())))
        },
    ));
    service.clone().oneshot(post()).await.unwrap();
    service
        .oneshot(post().map(|_| Body::from("secret")))
        .await
        .unwrap();
    let event = |step, outcome| {
        let of = "method: POST, host: \"upstream.test\", attempt: 1";
        format!("Event {{ kind: {step}, {of}, {outcome}, .. }}")
    };
    let sent = event("AttemptStarted", "class: None, status: None");
    let stopped = event(
        "Stopped(Success)",
        "class: Some(Success), status: Some(200)",
    );
    let body = |is_empty| format!("ReplayBody {{ is_empty: {is_empty}, .. }}");
    let expected = [&sent, &body(true), &stopped, &sent, &body(false), &stopped];
    assert!(printed.lock().unwrap().iter().eq(expected), "{printed:#?}");
}

#[test]
fn a_stop_and_a_reason_print_as_a_sentence() {
    let stops = [&stops::ALL[..], &[StopReason::CoolingDown]].concat();
    let stops: Vec<_> = stops.iter().map(ToString::to_string).collect();
    let sentences = [
        "success",
        "a retry would not help",
        "the retries are used up",
        "the body cannot be sent again",
        "the server may have acted on the request, which is not safe to repeat",
        "the server asks not to retry the request",
        "the server asks for a longer wait than allowed",
        "the window ends before the next retry",
        "the budget does not cover a retry",
        "retries are switched off",
        "the service failed before it was ready for a retry",
        "not sent: requests are held by a cooldown",
    ];
    assert_eq!(stops, sentences);
    let reasons = [
        (WaitReason::Backoff, "back-off"),
        (
            WaitReason::TimedOut,
            "back-off, one step up after a time-out",
        ),
        (WaitReason::Server, "requested by the server"),
        (WaitReason::Cooldown, "requests are held by a cooldown"),
        (WaitReason::AtOnce, "retried immediately"),
        (
            WaitReason::Transparent,
            "not processed by the server, retried transparently",
        ),
    ];
    for (reason, sentence) in reasons {
        assert_eq!(reason.to_string(), sentence);
    }
}

#[test]
fn a_cooldown_prints_its_settings_and_its_error_what_is_left() {
    let each = Cooldown::per_authority(9).max_hold(std::time::Duration::from_secs(1));
    let settings = "max_waiting: 1024, longest: 300s, ..";
    let expected = [
        &*format!("Cooldown {{ kind: \"for all\", max_hold: 5s, {settings} }}"),
        &*format!("Cooldown {{ kind: \"per authority\", max_hold: 1s, {settings} }}"),
    ];
    assert_printed(&[&Cooldown::default(), &each], &expected);
}

#[tokio::test]
async fn the_parts_of_the_layers_under_the_retry_print_their_names() {
    let mut service =
        VerifyLayer::new().layer(tower::service_fn(async |_: Request<ReplayBody<Body>>| {
            Ok::<_, BoxError>(Response::new(Body::from("secret")))
        }));
    let request = || Request::new(ReplayBody::<Body>::default());
    let response = service.call(request()).await.unwrap();
    assert_printed(&[&response.into_body()], &["VerifyBody { .. }"]);
    #[cfg(feature = "grpc")]
    {
        let mut service = tower_http_retry::grpc::PeekTrailersLayer::new().layer(service);
        let future = service.call(request());
        assert_printed(&[&future], &["PeekFuture { .. }"]);
        let response = future.await.unwrap();
        assert_printed(&[&response.into_body()], &["PeekedBody { .. }"]);
    }
}
