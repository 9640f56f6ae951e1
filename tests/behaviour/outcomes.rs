//! What is sent again, and what is handed over.

use http::StatusCode;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, service_fn};
use tower_http_retry::classify::{BodyProgress, Class, Classify, Outcome, RequestHead, Verdict};
use tower_http_retry::verify::Verified;
use tower_http_retry::{
    Backoff, BoxError, Budget, ByStatus, Idempotency, Jitter, ReplayBody, RetryLayer, RetryOverride,
};

use crate::support::upstream::Answer::{Error, Headers, Status};
use crate::support::upstream::{Answer, Body, Upstream, get, post, request};

fn at_once() -> RetryLayer {
    RetryLayer::new()
        .backoff(Backoff::fixed(Duration::ZERO))
        .without_budget()
}

async fn attempts(
    layer: impl Layer<Upstream, Service = tower_http_retry::Retry<Upstream>>,
    method: Method,
    first: Answer,
) -> usize {
    let upstream = Upstream::new([first, Status(200)]);
    let _ = layer.layer(upstream.clone()).oneshot(request(method)).await;
    upstream.count()
}

#[tokio::test(start_paused = true)]
async fn every_5xx_and_429_are_retried_and_nothing_else_is() {
    for status in 100..=999 {
        let expected = if (500..600).contains(&status) || status == 429 {
            2
        } else {
            1
        };
        let count = attempts(at_once(), Method::GET, Status(status)).await;
        assert_eq!(count, expected, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_can_be_excepted_or_added() {
    let layer = || {
        at_once().classify(
            ByStatus::new()
                .except(StatusCode::NOT_IMPLEMENTED)
                .also(StatusCode::REQUEST_TIMEOUT)
                .also(StatusCode::MISDIRECTED_REQUEST)
                .also(StatusCode::NOT_FOUND),
        )
    };
    for (status, expected) in [(500, 2), (501, 1), (408, 2), (421, 2), (404, 2), (403, 1)] {
        assert_eq!(
            attempts(layer(), Method::GET, Status(status)).await,
            expected,
            "{status}"
        );
    }
    // 421 says that nobody acted; 408 and 404 do not.
    for (status, expected) in [(408, 1), (421, 2), (404, 1)] {
        assert_eq!(
            attempts(layer(), Method::POST, Status(status)).await,
            expected,
            "{status}"
        );
    }
    let last = StatusCode::from_u16(999).unwrap();
    assert_eq!(attempts(at_once(), Method::GET, Status(999)).await, 1);
    let with_last = at_once().classify(ByStatus::new().also(last));
    assert_eq!(attempts(with_last, Method::GET, Status(999)).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_switch_of_protocols_and_an_answer_to_connect_are_final() {
    let with_101 = at_once().classify(ByStatus::new().also(StatusCode::SWITCHING_PROTOCOLS));
    assert_eq!(attempts(with_101, Method::GET, Status(101)).await, 1);
    for status in [200, 429, 500, 503] {
        assert_eq!(
            attempts(at_once(), Method::CONNECT, Status(status)).await,
            1,
            "{status}"
        );
        let any = at_once().idempotency(Idempotency::any());
        assert_eq!(
            attempts(any, Method::CONNECT, Status(status)).await,
            1,
            "{status}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_to_upgrade_that_may_have_been_acted_on_is_not_sent_again() {
    let upstream = Upstream::new([Status(503), Status(101)]);
    let mut request = get();
    request
        .headers_mut()
        .insert("upgrade", "websocket".parse().unwrap());
    request
        .extensions_mut()
        .insert(RetryOverride::new().repeatable(true));
    let response = at_once()
        .layer(upstream.clone())
        .oneshot(request)
        .await
        .unwrap();
    assert_eq!((response.status().as_u16(), upstream.count()), (503, 1));
}

#[tokio::test(start_paused = true)]
async fn no_word_makes_a_connect_or_an_upgrade_repeatable() {
    let mut upgrade = get();
    let websocket = "websocket".parse().unwrap();
    upgrade.headers_mut().insert("upgrade", websocket);
    for request in [request(Method::CONNECT), upgrade] {
        let upstream = Upstream::new([Status(503), Status(200)]);
        let layer = at_once().classify_fn(|_| Class::Transient.repeatable());
        let service = layer.layer(upstream.clone());
        service.oneshot(request).await.unwrap();
        assert_eq!(upstream.count(), 1);
    }
}

#[test]
fn an_answer_to_connect_is_classed_by_its_series() {
    let class = |status: u16| {
        let response = http::Response::builder().status(status).body(()).unwrap();
        let request = request(Method::CONNECT);
        let outcome = Outcome::response(&request, &response);
        ByStatus::new().classify(&outcome).class()
    };
    let classes = [200, 301, 429, 503].map(class);
    let expected = [
        Class::Success,
        Class::Success,
        Class::Permanent,
        Class::Permanent,
    ];
    assert_eq!(classes, expected);
}

#[test]
fn each_status_can_be_added_to_none_and_excepted_again() {
    for number in 100..1_000 {
        let status = StatusCode::from_u16(number).unwrap();
        let with = ByStatus::none().also(status);
        assert_ne!(with, ByStatus::none(), "{status}");
        assert_eq!(with.except(status), ByStatus::none(), "{status}");
    }
}

/// Has a word in all that a classifier is asked.
struct Own;

impl Classify for Own {
    fn classify(&self, outcome: &Outcome<'_>) -> Verdict {
        ByStatus::new().classify(outcome)
    }

    fn overrides(&self, _: &RequestHead<'_>) -> RetryOverride {
        RetryOverride::new().max_retries(1)
    }

    fn renew(&self, headers: &mut HeaderMap, _: Duration) {
        headers.insert("x-renewed", 1.into());
    }
}

#[tokio::test(start_paused = true)]
async fn a_classifier_can_be_boxed_or_shared() {
    async fn check(classify: impl Classify + Send + Sync + 'static) {
        let upstream = Upstream::new([Status(503)]);
        let service = at_once().classify(classify).layer(upstream.clone());
        assert_eq!(service.oneshot(get()).await.unwrap().status(), 503);
        assert_eq!(upstream.count(), 2);
        assert_eq!(upstream.seen()[1].headers["x-renewed"], "1");
    }
    check(Own).await;
    let boxed: Box<dyn Classify + Send + Sync> = Box::new(Own);
    check(boxed).await;
    let shared: Arc<dyn Classify + Send + Sync> = Arc::new(Own);
    check(shared).await;
}

#[test]
fn a_requests_head_tells_all_but_headers_that_are_no_text() {
    let request = Request::put("http://upstream.test/item")
        .header("x-text", "a\tb ~")
        .header("x-other", "\u{e9}")
        .extension(7_u8);
    let request = request.body(()).unwrap();
    let head = RequestHead::of(&request);
    assert_eq!(head.method(), Method::PUT);
    assert_eq!(head.uri(), "http://upstream.test/item");
    assert_eq!(head.header("x-text"), Some("a\tb ~"));
    assert_eq!(head.header("x-other"), None);
    assert_eq!(head.header("x-none"), None);
    assert_eq!(head.extensions().get(), Some(&7_u8));
}

#[tokio::test(start_paused = true)]
async fn a_post_that_may_have_been_acted_on_is_not_sent_again() {
    for first in [
        Status(500),
        Status(503),
        Status(504),
        Error(ErrorKind::ConnectionReset),
    ] {
        assert_eq!(
            attempts(at_once(), Method::POST, first.clone()).await,
            1,
            "{first:?}"
        );
        assert_eq!(
            attempts(at_once(), Method::PATCH, first.clone()).await,
            1,
            "{first:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_server_says_is_retryable_is_so_by_all_other_rules() {
    let layer = || {
        let by_status = ByStatus::none().should_retry_header(ByStatus::STRIPE_SHOULD_RETRY);
        at_once().classify(by_status)
    };
    let said = |status| Headers(status, vec![("stripe-should-retry", "true".into())]);
    for status in [400, 409, 429, 500, 503] {
        let sent = async |layer, method| attempts(layer, method, said(status)).await;
        assert_eq!(sent(layer(), Method::GET).await, 2, "{status}");
        assert_eq!(
            sent(layer(), Method::POST).await,
            1,
            "the server may have acted: {status}"
        );
        assert_eq!(
            sent(layer().max_retries(0), Method::GET).await,
            1,
            "{status}"
        );
        assert_eq!(
            sent(layer().window(Duration::ZERO), Method::GET).await,
            1,
            "{status}"
        );
        assert_eq!(
            sent(layer().budget(spent()), Method::GET).await,
            1,
            "{status}"
        );
        assert_eq!(sent(layer(), Method::CONNECT).await, 1, "{status}");
    }
}

/// A budget that covers nothing.
fn spent() -> Budget {
    let budget = Budget::throttle(1, 0.001);
    assert_eq!(budget.tokens(), Some(1.0));
    budget
}

#[tokio::test(start_paused = true)]
async fn a_post_that_nobody_acted_on_is_sent_again() {
    for first in [Status(429), Error(ErrorKind::ConnectionRefused)] {
        assert_eq!(
            attempts(at_once(), Method::POST, first.clone()).await,
            2,
            "{first:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn idempotent_methods_are_sent_again() {
    for method in ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "QUERY"] {
        let method: Method = method.parse().unwrap();
        assert_eq!(
            attempts(at_once(), method.clone(), Status(503)).await,
            2,
            "{method}"
        );
    }
    for method in ["POST", "PATCH", "MKCOL", "get"] {
        let method: Method = method.parse().unwrap();
        assert_eq!(
            attempts(at_once(), method.clone(), Status(503)).await,
            1,
            "{method}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_post_with_an_idempotency_key_is_sent_again() {
    for name in ["idempotency-key", "x-idempotency-key"] {
        let upstream = Upstream::new([Status(503), Status(201)]);
        let mut request = post();
        request
            .headers_mut()
            .insert(name, "8e03978e".parse().unwrap());
        let response = at_once()
            .layer(upstream.clone())
            .oneshot(request)
            .await
            .unwrap();
        assert_eq!(
            (response.status().as_u16(), upstream.count()),
            (201, 2),
            "{name}"
        );
        assert_eq!(upstream.seen()[1].headers[name], "8e03978e");
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_idempotency_key_is_none() {
    for (first, second, expected) in [("", "", 1), (" ", "\t", 1), ("", "8e03978e", 2)] {
        let upstream = Upstream::new([Status(503), Status(201)]);
        let mut request = post();
        let headers = request.headers_mut();
        headers.insert("idempotency-key", HeaderValue::from_static(first));
        headers.insert("x-idempotency-key", HeaderValue::from_static(second));
        let service = at_once().layer(upstream.clone());
        service.oneshot(request).await.unwrap();
        assert_eq!(upstream.count(), expected, "{first:?} {second:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_409_to_a_keyed_retry_says_that_the_first_attempt_is_still_at_work() {
    const TOKEN: HeaderName = HeaderName::from_static("client-token");
    let own_key = || at_once().idempotency(Idempotency::new().key(TOKEN));
    let never = || at_once().classify(ByStatus::new().except(StatusCode::CONFLICT));
    let plan = |first| [Status(first), Status(409), Status(409), Status(201)];
    let cases = [
        // After an attempt that may have been acted on, by any key of the layer.
        (at_once(), "idempotency-key", "7", plan(503), 4),
        (at_once(), "x-idempotency-key", "7", plan(504), 4),
        (own_key(), "client-token", "7", plan(503), 4),
        // After one that nobody acted on, or none, it is a conflict like any other.
        (at_once(), "idempotency-key", "7", plan(429), 2),
        (at_once(), "idempotency-key", "7", plan(409), 1),
        // So it is without a key, and where the layer says so.
        (at_once(), "client-token", "7", plan(503), 1),
        (never(), "idempotency-key", "7", plan(503), 2),
    ];
    for (layer, name, key, plan, expected) in cases {
        let upstream = Upstream::new(plan);
        let mut request = post();
        request.headers_mut().insert(name, key.parse().unwrap());
        let service = layer.layer(upstream.clone());
        service.oneshot(request).await.unwrap();
        assert_eq!(upstream.count(), expected, "{name}: {key}");
    }
    // A PUT may be repeated by itself, but its conflict is one.
    let upstream = Upstream::new(plan(503));
    let put = request(Method::PUT);
    let service = at_once().layer(upstream.clone());
    assert_eq!(service.oneshot(put).await.unwrap().status(), 409);
    assert_eq!(upstream.count(), 2);
}

#[test]
fn an_outcome_that_is_built_says_what_it_is_told() {
    let mut request = post();
    request
        .headers_mut()
        .insert("idempotency-key", HeaderValue::from_static("7"));
    let response = Response::builder().status(409).body(()).unwrap();
    let class = |outcome: Outcome<'_>| ByStatus::new().classify(&outcome).class();
    let outcome = || Outcome::response(&request, &response).on_attempt(2);
    assert!(outcome().has_idempotency_key() && !outcome().may_have_been_acted_on());
    assert_eq!(class(outcome()), Class::Permanent);
    assert_eq!(class(outcome().acted_on_before()), Class::Transient);
    // What a verify layer has found out is no word of the service on its first attempt.
    let mut conflict = Response::builder().status(409).body(()).unwrap();
    conflict.extensions_mut().insert(Verified::Conflict);
    let outcome = Outcome::response(&request, &conflict).on_attempt(2);
    assert_eq!(class(outcome.acted_on_before()), Class::Permanent);
    let (keyless, error) = (post(), std::fmt::Error);
    let outcome = Outcome::error(&keyless, &error).with_request_body(BodyProgress::Unread);
    assert!(!outcome.has_idempotency_key());
    assert_eq!(outcome.request_body(), BodyProgress::Unread);
}

#[tokio::test(start_paused = true)]
async fn a_classifier_sees_how_far_the_body_was_read() {
    let seen = Mutex::new(Vec::new());
    let classify = |outcome: &Outcome<'_>| {
        seen.lock().unwrap().push(outcome.request_body());
        ByStatus::new().classify(outcome)
    };
    let attempts = AtomicU32::new(0);
    let read_on_the_second = async |request: Request<ReplayBody<Body>>| {
        if attempts.fetch_add(1, Ordering::Relaxed) == 1 {
            request.into_body().collect().await?;
        }
        Ok::<_, BoxError>(Response::builder().status(503).body(Body::default())?)
    };
    let service = at_once()
        .max_retries(2)
        .classify_fn(classify)
        .layer(service_fn(read_on_the_second));
    let body = Body::from("item");
    let put = Request::put("http://upstream.test/item")
        .body(body)
        .unwrap();
    service.clone().oneshot(put).await.unwrap();
    let (unread, begun) = (BodyProgress::Unread, BodyProgress::Begun);
    assert_eq!(seen.lock().unwrap().split_off(0), [unread, begun, unread]);
    service.oneshot(get()).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [BodyProgress::Empty; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_request_can_declare_whether_it_may_be_repeated() {
    for (repeatable, make, expected) in [(true, post as fn() -> _, 2), (false, get, 1)] {
        let upstream = Upstream::new([Status(503), Status(200)]);
        let mut request = make();
        request
            .extensions_mut()
            .insert(RetryOverride::new().repeatable(repeatable));
        at_once()
            .layer(upstream.clone())
            .oneshot(request)
            .await
            .unwrap();
        assert_eq!(upstream.count(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_requests_own_no_goes_before_the_verdicts_yes() {
    for (own, expected) in [(None, 2), (Some(true), 2), (Some(false), 1)] {
        let upstream = Upstream::new([Status(503), Status(200)]);
        let mut request = post();
        if let Some(own) = own {
            let own = RetryOverride::new().repeatable(own);
            request.extensions_mut().insert(own);
        }
        let layer = at_once().classify_fn(|outcome| match outcome.status() {
            Some(status) if status.is_success() => Class::Success.into(),
            _ => Class::Transient.repeatable(),
        });
        let response = layer.layer(upstream.clone()).oneshot(request);
        response.await.unwrap();
        assert_eq!(upstream.count(), expected, "{own:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_layer_can_declare_what_may_be_repeated() {
    let cases = [
        (Idempotency::any(), Method::POST, 2),
        (Idempotency::new().also(Method::PATCH), Method::PATCH, 2),
        (Idempotency::new().except(Method::PUT), Method::PUT, 1),
    ];
    for (idempotency, method, expected) in cases {
        let layer = at_once().idempotency(idempotency);
        assert_eq!(
            attempts(layer, method.clone(), Status(503)).await,
            expected,
            "{method}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_verdict_can_declare_what_may_be_repeated() {
    let upstream = Upstream::new([Status(503), Status(201)]);
    let layer = at_once().classify_fn(|outcome| match outcome.status() {
        Some(status) if status.is_server_error() => Class::Transient.repeatable(),
        _ => ByStatus::new().classify(outcome),
    });
    layer.layer(upstream.clone()).oneshot(post()).await.unwrap();
    assert_eq!(upstream.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_classifier_sees_the_request_the_outcome_the_number_and_the_time() {
    let upstream = Upstream::new([Status(503), Error(ErrorKind::Other), Status(200)]);
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = seen.clone();
    let layer = RetryLayer::new()
        .backoff(Backoff::exponential(Duration::from_secs(1)).jitter(Jitter::None))
        .classify_fn(move |outcome| {
            let own = outcome.headers()["x-own"].to_str().unwrap().to_owned();
            let extension = *outcome.extensions().get::<u8>().unwrap();
            let result = outcome
                .result()
                .map(|head| head.status().as_u16())
                .map_err(ToString::to_string);
            let head = (
                outcome.method().clone(),
                outcome.uri().path().to_owned(),
                own,
                extension,
            );
            noted.lock().unwrap().push((
                head,
                result,
                outcome.attempt(),
                outcome.elapsed().as_secs(),
            ));
            match outcome.status() {
                Some(status) if status == 200 => Class::Success.into(),
                _ => Class::Transient.into(),
            }
        });
    let mut request = request(Method::PUT);
    request
        .headers_mut()
        .insert("x-own", "kept".parse().unwrap());
    request.extensions_mut().insert(7_u8);
    layer.layer(upstream).oneshot(request).await.unwrap();
    let head = (Method::PUT, "/item".to_owned(), "kept".to_owned(), 7);
    let expected = [
        (head.clone(), Ok(503), 1, 0),
        (head.clone(), Err("other error".to_owned()), 2, 1),
        (head, Ok(200), 3, 3),
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn github_waits_for_the_reset_where_nothing_remains_and_hands_over_a_plain_403() {
    let layer = || {
        RetryLayer::new().classify_fn(|outcome| {
            let limited = outcome.result().ok().filter(|head| {
                matches!(head.status().as_u16(), 403 | 429)
                    && head.header("x-ratelimit-remaining") == Some("0")
            });
            let reset = limited.and_then(|head| head.header("x-ratelimit-reset")?.parse().ok());
            match reset.map(|unix| SystemTime::UNIX_EPOCH + Duration::from_secs(unix)) {
                Some(reset) => Class::Refused.retry_at(reset),
                None => ByStatus::new().classify(outcome),
            }
        })
    };
    let in_a_minute = SystemTime::now() + Duration::from_secs(60);
    let unix = in_a_minute
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let limited = vec![
        ("x-ratelimit-remaining", "0".into()),
        ("x-ratelimit-reset", unix.to_string()),
    ];
    let upstream = Upstream::new([Headers(403, limited), Status(201)]);
    let response = layer()
        .layer(upstream.clone())
        .oneshot(post())
        .await
        .unwrap();
    assert_eq!(response.status(), 201);
    // The reset is in whole seconds of a clock that went on meanwhile; it is never early.
    let waited = upstream.seen()[1].at;
    assert!(
        waited >= Duration::from_secs(55) && waited <= Duration::from_secs(91),
        "{waited:?}"
    );

    let upstream = Upstream::new([Status(403)]);
    let response = layer()
        .layer(upstream.clone())
        .oneshot(get())
        .await
        .unwrap();
    assert_eq!((response.status().as_u16(), upstream.count()), (403, 1));
}

#[tokio::test(start_paused = true)]
async fn x_should_retry_is_heeded_where_the_layer_is_told_to() {
    let heeding = || {
        at_once().classify(
            ByStatus::new().should_retry_header(HeaderName::from_static("x-should-retry")),
        )
    };
    let said = |status, value: &str| Headers(status, vec![("x-should-retry", value.into())]);
    let cases = [
        (heeding(), said(503, "false"), 1),
        (heeding(), said(503, "true"), 2),
        (heeding(), said(503, "maybe"), 2),
        (heeding(), said(429, "false"), 1),
        // A 4xx that the server says may pass; what is no failure is none.
        (heeding(), said(400, "true"), 2),
        (heeding(), said(400, "false"), 1),
        (heeding(), said(400, "True"), 1),
        (heeding(), said(302, "true"), 1),
        (heeding(), said(200, "true"), 1),
        (at_once(), said(503, "false"), 2),
        (at_once(), said(400, "true"), 1),
    ];
    for (layer, first, expected) in cases {
        assert_eq!(
            attempts(layer, Method::GET, first.clone()).await,
            expected,
            "{first:?}"
        );
    }
}
