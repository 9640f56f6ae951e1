//! What the layers below a retry, its caller, and a retry above it learn of the attempts.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tower::{Layer, ServiceExt, service_fn};
use tower_http_retry::classify::Class;
use tower_http_retry::event::StopReason;
use tower_http_retry::{
    Attempt, Attempts, AttemptsHandle, Backoff, BoxError, Jitter, ReplayBody, RetryLayer,
    RetryOverride,
};

use crate::support::upstream::Answer::{Error, Never, Status};
use crate::support::upstream::{Answer, Body, Upstream, get, post};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn layer() -> RetryLayer {
    RetryLayer::new().backoff(Backoff::fixed(secs(1)).jitter(Jitter::None))
}

/// A POST that may be repeated.
fn repeatable() -> Request<Body> {
    let mut request = post();
    let repeatable = RetryOverride::new().repeatable(true);
    request.extensions_mut().insert(repeatable);
    request
}

#[tokio::test(start_paused = true)]
async fn by_default_no_extension_is_put_anywhere() {
    let upstream = Upstream::new([Status(503), Status(429), Status(200)]);
    let response = layer().layer(upstream.clone()).oneshot(get()).await;
    assert!(response.unwrap().extensions().is_empty());
    assert_eq!(upstream.count(), 3);
    assert!(
        upstream
            .seen()
            .iter()
            .all(|seen| seen.extensions.is_empty())
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_knows_its_attempt() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (statuses, kept) = ([429, 503, 503, 200], seen.clone());
    let service = service_fn(move |request: Request<ReplayBody<Full<Bytes>>>| {
        let mut kept = kept.lock().unwrap();
        let status = statuses[kept.len()];
        kept.push(request.into_body().attempt());
        let response = Response::builder().status(status).body(Body::default());
        async move { response.map_err(BoxError::from) }
    });
    for body in ["", "an item"] {
        seen.lock().unwrap().clear();
        let client = layer().max_retries(3).layer(service.clone());
        let request = Request::put("/").body(Full::from(body)).unwrap();
        client.oneshot(request).await.unwrap();
        let told = |attempt: &Attempt| {
            assert_eq!(attempt.window_end(), None);
            let acted_on = attempt.may_have_been_acted_on();
            (
                attempt.number(),
                attempt.previous(),
                acted_on,
                attempt.is_last(),
            )
        };
        let (refused, transient) = (Some(Class::Refused), Some(Class::Transient));
        let expected = [
            (1, None, false, false),
            (2, refused, false, false),
            (3, transient, true, false),
            (4, transient, true, true),
        ];
        let seen = seen.lock().unwrap();
        assert_eq!(
            seen.iter().map(told).collect::<Vec<_>>(),
            expected,
            "{body:?}"
        );
    }
}

/// A refusal that is returned after an attempt that the server may have acted on: a retry above would
/// repeat the request whatever its method.
#[tokio::test(start_paused = true)]
async fn a_failure_after_an_attempt_that_may_have_been_acted_on_says_so_without_being_asked() {
    let cases: [(&[Answer], bool); 5] = [
        (&[Status(503), Status(429)], true),
        (&[Status(503), Status(503)], true),
        (&[Status(503), Status(404)], true),
        (&[Status(429), Status(429)], false),
        (&[Status(503), Status(200)], false),
    ];
    for (plan, is_marked) in cases {
        let client = layer().max_retries(1).layer(Upstream::new(plan));
        let response = client.oneshot(repeatable()).await.unwrap();
        let attempts = response.extensions().get::<Attempts>();
        assert_eq!(attempts.is_some(), is_marked, "{plan:?}");
        assert!(attempts.is_none_or(|attempts| attempts.count == 2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_below_one_that_marks_its_attempts_marks_its_own() {
    let upstream = Upstream::new([Status(503), Status(503), Status(200)]);
    let client = tower::ServiceBuilder::new()
        .layer(layer().max_retries(1).mark_attempts())
        .layer(layer().max_retries(1))
        .service(upstream.clone());
    client.oneshot(get()).await.unwrap();
    let mark = |seen: &crate::support::upstream::Seen| {
        let attempt = seen.extensions.get::<Attempt>().unwrap();
        (attempt.number(), attempt.may_have_been_acted_on())
    };
    let seen: Vec<_> = upstream.seen().iter().map(mark).collect();
    assert_eq!(seen, [(1, false), (2, true), (1, true)]);
}

#[tokio::test(start_paused = true)]
async fn a_handle_says_why_a_request_stopped() {
    use StopReason::{Attempts, NotIdempotent, Permanent, Success, Window};
    let refused = Error(ErrorKind::ConnectionRefused);
    let window = || layer().window(secs(1));
    #[rustfmt::skip]
    let cases = [
        (layer(), get(), Status(200), 1, Success),
        (layer(), get(), Status(404), 1, Permanent),
        (layer(), post(), Status(503), 1, NotIdempotent),
        (layer().max_retries(2), post(), refused, 3, Attempts),
        (window(), get(), Status(503), 1, Window),
    ];
    for (layer, mut request, answer, count, reason) in cases {
        let handle = AttemptsHandle::new();
        assert_eq!(handle.get().stopped, None);
        request.extensions_mut().insert(handle.clone());
        let client = layer.layer(Upstream::new([answer]));
        let _ = client.oneshot(request).await;
        let attempts = handle.get();
        assert_eq!((attempts.count, attempts.stopped), (count, Some(reason)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_handle_of_a_request_that_is_under_way_or_was_dropped_has_no_reason() {
    let handle = AttemptsHandle::new();
    let mut request = get();
    request.extensions_mut().insert(handle.clone());
    let client = layer().layer(Upstream::new([Status(503), Never]));
    let sending = tokio::time::timeout(secs(5), client.oneshot(request));
    assert!(sending.await.is_err());
    assert_eq!((handle.get().count, handle.get().stopped), (2, None));
}

#[tokio::test(start_paused = true)]
async fn a_response_says_why_there_was_no_further_attempt() {
    let plan = [Status(503), Status(200)];
    let client = layer().mark_responses().layer(Upstream::new(plan));
    let response = client.oneshot(get()).await.unwrap();
    let attempts = response.extensions().get::<Attempts>().unwrap();
    assert_eq!(attempts.stopped, Some(StopReason::Success));
}
