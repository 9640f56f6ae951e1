//! When attempts are made, exactly, and what giving up hands over.

use crate::support::errors::{abandoned, attempt_timeout};
use std::io::ErrorKind;
use std::time::Duration;

use http::{HeaderName, Request};
use http_body_util::BodyExt;
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};
use tower_http_retry::classify::Class;
use tower_http_retry::event::StopReason;
use tower_http_retry::{
    Attempt, Attempts, AttemptsHandle, Backoff, BoxError, Jitter, ReplayBody, RetryAfter,
    RetryLayer, RetryOverride,
};

use crate::support::upstream::Answer::{Error, Headers, Never, Status};
use crate::support::upstream::{Body, Upstream, after, full, get, post};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn exact() -> RetryLayer {
    RetryLayer::new()
        .backoff(Backoff::exponential(secs(1)).jitter(Jitter::None))
        .without_budget()
}

#[tokio::test(start_paused = true)]
async fn the_waits_are_exactly_1_2_4_8_and_16_seconds() {
    let upstream = Upstream::new([Status(503)]);
    let response = exact()
        .layer(upstream.clone())
        .oneshot(get())
        .await
        .unwrap();
    assert_eq!(upstream.seconds(), [0, 1, 3, 7, 15, 31]);
    assert_eq!(response.status(), 503);
}

#[tokio::test(start_paused = true)]
async fn the_default_waits_lie_between_half_a_step_and_the_step() {
    for _ in 0..50 {
        let upstream = Upstream::new([Status(500)]);
        let layer = RetryLayer::new();
        layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
        let at = upstream.millis();
        assert_eq!(at.len(), 6);
        for (step, pair) in at.windows(2).enumerate() {
            let full = 1_000 << step;
            let wait = pair[1] - pair[0];
            assert!(
                wait >= full / 2 && wait <= full + 1,
                "{wait} ms at step {step}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_requests_do_not_wait_the_same() {
    let service = RetryLayer::new().without_budget();
    let first_wait = async || {
        let upstream = Upstream::new([Status(500)]);
        service
            .layer(upstream.clone())
            .oneshot(get())
            .await
            .unwrap();
        upstream.seen()[1].at
    };
    let mut waits = Vec::new();
    for _ in 0..20 {
        waits.push(first_wait().await);
    }
    waits.sort();
    waits.dedup();
    assert!(waits.len() > 15, "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn a_seed_repeats_the_waits_of_all_requests() {
    let run = async |seed| {
        let layer = RetryLayer::new().without_budget().jitter_seed(seed);
        let mut at = Vec::new();
        for _ in 0..5 {
            let upstream = Upstream::new([Status(500)]);
            layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
            at.push(upstream.millis());
        }
        at
    };
    let (first, again, other) = (run(7).await, run(7).await, run(8).await);
    assert_eq!(first, again);
    assert_ne!(first, other);
    assert_ne!(first[0], first[1], "two requests share no sequence");
}

#[tokio::test(start_paused = true)]
async fn the_waits_of_a_seeded_request_do_not_depend_on_those_of_others() {
    let run = async |is_alone| {
        let layer = RetryLayer::new().without_budget().jitter_seed(7);
        let (first, second) = (Upstream::new([Status(500)]), Upstream::new([Status(500)]));
        let send = |upstream: &Upstream| layer.layer(upstream.clone()).oneshot(get());
        let start = Instant::now();
        let (sent, other) = (send(&first), send(&second));
        match is_alone {
            true => {
                sent.await.unwrap();
                drop(other);
            }
            false => {
                let (sent, other) = tokio::join!(sent, other);
                sent.and(other).unwrap();
                assert_eq!(second.count(), 6);
            }
        }
        assert!(start.elapsed() > secs(15));
        first.millis()
    };
    let alone = run(true).await;
    assert_eq!(alone, run(false).await);
    assert_eq!(alone.len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_request_without_jitter_takes_no_number_of_a_seed() {
    let run = async |comes_first| {
        let layer = RetryLayer::new().without_budget().jitter_seed(7);
        if comes_first {
            let mut exact = get();
            let backoff = Backoff::fixed(secs(1)).jitter(Jitter::None);
            exact
                .extensions_mut()
                .insert(RetryOverride::new().backoff(backoff));
            let upstream = Upstream::new([Status(500)]);
            layer.layer(upstream.clone()).oneshot(exact).await.unwrap();
            assert_eq!(upstream.seconds(), [0, 1, 2, 3, 4, 5]);
        }
        let upstream = Upstream::new([Status(500)]);
        layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
        upstream.millis()
    };
    assert_eq!(run(true).await, run(false).await);
}

#[tokio::test(start_paused = true)]
async fn after_a_time_out_the_wait_is_one_step_further_up() {
    let timeout = exact().attempt_timeout(secs(10));
    let cases = [
        (
            exact(),
            vec![Status(504), Status(503), Status(200)],
            vec![0, 2, 4],
        ),
        (
            exact(),
            vec![Error(ErrorKind::TimedOut), Status(200)],
            vec![0, 2],
        ),
        (
            exact(),
            vec![Status(503), Status(504), Status(503), Status(200)],
            vec![0, 1, 5, 9],
        ),
        (
            timeout,
            vec![Never, Status(503), Never, Status(200)],
            vec![0, 12, 14, 32],
        ),
    ];
    for (layer, plan, expected) in cases {
        let upstream = Upstream::new(plan.clone());
        let response = layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
        assert_eq!(upstream.seconds(), expected, "{plan:?}");
        assert_eq!(response.status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn no_attempt_starts_at_or_after_the_windows_end() {
    // Attempts at 0, 1, 3, 7: the next would start at 15.
    let cases = [
        (15_000, vec![0, 1, 3, 7]),
        (15_001, vec![0, 1, 3, 7, 15]),
        (14_999, vec![0, 1, 3, 7]),
        (1_000, vec![0]),
        (0, vec![0]),
    ];
    for (window, expected) in cases {
        let upstream = Upstream::new([Status(503)]);
        let layer = exact().window(Duration::from_millis(window));
        let start = Instant::now();
        let response = layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
        assert_eq!(upstream.seconds(), expected, "a window of {window} ms");
        assert_eq!(response.status(), 503);
        let ended = start.elapsed().as_secs();
        assert_eq!(Some(&ended), expected.last(), "giving up is at once");
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempts_own_time_counts_into_the_window() {
    let upstream = Upstream::new([after(secs(4), Status(503))]);
    let layer = exact().window(secs(12));
    layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
    // 4 s and 1 s, 4 s and 2 s: the third ends at 15 s.
    assert_eq!(upstream.seconds(), [0, 5, 11]);
}

#[tokio::test(start_paused = true)]
async fn duration_max_and_u32_max_are_no_limit() {
    let mut plan = vec![Status(503); 40];
    plan.push(Status(200));
    let upstream = Upstream::new(plan);
    let layer = exact()
        .backoff(Backoff::fixed(secs(3600)).jitter(Jitter::None))
        .window(Duration::MAX)
        .max_retries(u32::MAX)
        .attempt_timeout(Duration::MAX)
        .max_retry_after(Duration::MAX);
    let response = layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(upstream.seconds().last(), Some(&(40 * 3600)));
}

#[tokio::test(start_paused = true)]
async fn giving_up_hands_over_the_last_response_with_its_body_whole() {
    let plan = [
        Status(500),
        Status(502),
        Headers(503, vec![("x-last", "yes".into())]),
    ];
    let upstream = Upstream::new(plan);
    let service = exact().max_retries(2).layer(upstream.clone());
    let response = service.oneshot(get()).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["x-last"], "yes");
    let attempts = response.extensions().get::<Attempts>().copied().unwrap();
    assert_eq!((attempts.count, attempts.waited), (3, secs(3)));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "the body of a 503");
}

#[tokio::test(start_paused = true)]
async fn giving_up_hands_over_the_last_error_unwrapped() {
    #[derive(Debug)]
    struct TheirError(u32);
    impl std::fmt::Display for TheirError {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "number {}", self.0)
        }
    }
    impl std::error::Error for TheirError {}

    let mut number = 0;
    let service = tower::service_fn(move |_| {
        number += 1;
        let error = TheirError(number);
        async move { Err::<http::Response<Body>, _>(error) }
    });
    let layer = exact().classify_fn(|_| Class::Transient.into());
    let error = layer.layer(service).oneshot(get()).await.unwrap_err();
    let number = error.downcast::<TheirError>().unwrap().0;
    assert_eq!(
        number, 6,
        "the handle that made the call makes the retries, too"
    );
}

#[tokio::test(start_paused = true)]
async fn an_attempts_time_out_ends_with_the_response_head() {
    let upstream = Upstream::new([after(secs(9), Status(200))]);
    let layer = exact().attempt_timeout(secs(10));
    let response = layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
    tokio::time::advance(secs(60)).await;
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "the body of a 200"
    );
    assert_eq!(upstream.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_attempts_time_out_starts_with_its_call() {
    let upstream = Upstream::new([Never]);
    let layer = exact().max_retries(0).attempt_timeout(secs(10));
    let mut service = layer.layer(upstream);
    let ready = ServiceExt::<Request<Body>>::ready(&mut service)
        .await
        .unwrap();
    let future = ready.call(get());
    tokio::time::advance(secs(4)).await;
    let start = Instant::now();
    let error = future.await.unwrap_err();
    assert_eq!(start.elapsed(), secs(6));
    assert_eq!(attempt_timeout(&*error).unwrap(), secs(10));
}

#[tokio::test(start_paused = true)]
async fn the_last_time_out_is_handed_over() {
    let upstream = Upstream::new([Never]);
    let layer = exact().max_retries(1).attempt_timeout(secs(3));
    let error: BoxError = layer
        .layer(upstream.clone())
        .oneshot(get())
        .await
        .unwrap_err();
    assert!(attempt_timeout(&*error).is_some());
    assert_eq!(error.to_string(), "the attempt had no response within 3s");
    assert_eq!(upstream.seconds(), [0, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_request_can_say_otherwise() {
    let own = RetryOverride::new()
        .max_retries(2)
        .backoff(Backoff::fixed(secs(7)).jitter(Jitter::None));
    let cases = [
        (RetryOverride::new(), vec![0, 1, 3, 7, 15, 31]),
        (RetryOverride::once(), vec![0]),
        (own, vec![0, 7, 14]),
        (own.window(secs(14)), vec![0, 7]),
        (RetryOverride::new().window(secs(7)), vec![0, 1, 3]),
        (RetryOverride::new().repeatable(false), vec![0]),
    ];
    for (own, expected) in cases {
        let upstream = Upstream::new([Status(503)]);
        let mut request = get();
        request.extensions_mut().insert(own);
        exact()
            .layer(upstream.clone())
            .oneshot(request)
            .await
            .unwrap();
        assert_eq!(upstream.seconds(), expected, "{own:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_can_have_its_own_attempt_time_out() {
    let upstream = Upstream::new([Never]);
    let mut request = get();
    let own = RetryOverride::new().attempt_timeout(secs(2)).max_retries(1);
    request.extensions_mut().insert(own);
    let layer = exact().attempt_timeout(secs(50));
    let error = layer
        .layer(upstream.clone())
        .oneshot(request)
        .await
        .unwrap_err();
    assert_eq!(attempt_timeout(&*error).unwrap(), secs(2));
    assert_eq!(upstream.seconds(), [0, 4]);
}

#[tokio::test(start_paused = true)]
async fn each_retry_carries_what_it_is() {
    let upstream = Upstream::new([Status(503), Status(429), Status(200)]);
    let layer = exact().max_retries(2).window(secs(100)).mark_attempts();
    let start = Instant::now();
    layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
    let seen = upstream.seen();
    let attempt = |index: usize| seen[index].extensions.get::<Attempt>().copied();
    let (transient, refused) = (Some(Class::Transient), Some(Class::Refused));
    for (index, previous, is_last) in [(0, None, false), (1, transient, false), (2, refused, true)]
    {
        let attempt = attempt(index).unwrap();
        assert_eq!(attempt.number(), index as u32 + 1);
        assert_eq!(attempt.previous(), previous);
        assert_eq!(attempt.is_last(), is_last);
        assert_eq!(attempt.window_end(), Some(start + secs(100)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_knows_whether_any_attempt_before_may_have_been_acted_on() {
    for (plan, expected) in [
        ([Status(429), Status(503)], [false, true]),
        ([Status(503), Status(429)], [true, true]),
        (
            [Status(429), Error(ErrorKind::ConnectionRefused)],
            [false, false],
        ),
        (
            [Status(504), Error(ErrorKind::ConnectionReset)],
            [true, true],
        ),
    ] {
        let [first, second] = plan;
        let upstream = Upstream::new([first, second, Status(200)]);
        let layer = exact().mark_attempts();
        layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
        let seen = upstream.seen();
        let attempts = seen.iter().map(|seen| seen.extensions.get().unwrap());
        let told: Vec<_> = attempts.map(Attempt::may_have_been_acted_on).collect();
        assert_eq!(told, [&[false], &expected[..]].concat());
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_attempt_carries_what_it_is_where_asked() {
    let upstream = Upstream::new([Status(503), Status(200)]);
    let layer = exact().mark_attempts().window(Duration::MAX);
    layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
    let first = upstream.seen()[0]
        .extensions
        .get::<Attempt>()
        .copied()
        .unwrap();
    assert_eq!(
        (first.number(), first.previous(), first.is_last()),
        (1, None, false)
    );
    assert_eq!(first.window_end(), None);
    assert_eq!(
        upstream.seen()[1]
            .extensions
            .get::<Attempt>()
            .unwrap()
            .number(),
        2
    );
}

#[tokio::test(start_paused = true)]
async fn the_retry_count_header_counts_the_retries_and_is_absent_on_the_first_attempt() {
    let upstream = Upstream::new([Status(503), Status(503), Status(200)]);
    let name = http::HeaderName::from_static("x-retry-count");
    let mut request = get();
    request.headers_mut().insert(&name, "9".parse().unwrap());
    let layer = exact().retry_count_header(name.clone());
    layer
        .layer(upstream.clone())
        .oneshot(request)
        .await
        .unwrap();
    let seen = upstream.seen();
    let values: Vec<_> = seen.iter().map(|seen| seen.headers.get(&name)).collect();
    assert_eq!(values[0], None);
    assert_eq!(values[1].unwrap(), "1");
    assert_eq!(values[2].unwrap(), "2");
}

#[tokio::test(start_paused = true)]
async fn every_attempt_is_the_request_that_the_caller_sent() {
    let upstream = Upstream::new([Status(503), Status(503), Status(200)]);
    let mut request = get();
    *request.version_mut() = http::Version::HTTP_2;
    request.headers_mut().append("accept", "a".parse().unwrap());
    request.headers_mut().append("x-own", "1".parse().unwrap());
    request.headers_mut().append("accept", "b".parse().unwrap());
    request.extensions_mut().insert("their own");
    let headers = request.headers().clone();
    exact()
        .layer(upstream.clone())
        .oneshot(request)
        .await
        .unwrap();
    for seen in upstream.seen() {
        assert_eq!(seen.method, "GET");
        assert_eq!(seen.uri, "http://upstream.test/item?secret=1");
        assert_eq!(seen.headers, headers);
        assert_eq!(seen.extensions.get(), Some(&"their own"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_says_what_it_took_only_if_there_was_more_than_one_attempt() {
    let upstream = Upstream::new([Status(200), Status(503), Status(200)]);
    let service = exact().mark_responses().layer(upstream);
    let first = service.clone().oneshot(get()).await.unwrap();
    assert_eq!(first.extensions().get::<Attempts>(), None);
    let second = service.oneshot(get()).await.unwrap();
    assert_eq!(second.extensions().get::<Attempts>().unwrap().count, 2);
}

#[tokio::test(start_paused = true)]
async fn a_handle_is_filled_whatever_the_outcome() {
    let plans = [
        (vec![Status(200)], 1, 0),
        (vec![Status(503), Status(200)], 2, 1),
        (vec![Error(ErrorKind::ConnectionReset)], 6, 31),
        (
            vec![
                Error(ErrorKind::ConnectionRefused),
                Error(ErrorKind::InvalidData),
            ],
            2,
            1,
        ),
    ];
    for (plan, count, waited) in plans {
        let handle = AttemptsHandle::new();
        let mut request = get();
        request.extensions_mut().insert(handle.clone());
        let service = exact().layer(Upstream::new(plan.clone()));
        let _ = service.oneshot(request).await;
        let attempts = handle.get();
        assert_eq!(
            (attempts.count, attempts.waited),
            (count, secs(waited)),
            "{plan:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_handle_has_the_last_wait_of_a_request_that_was_abandoned() {
    let handle = AttemptsHandle::new();
    let request = || {
        let mut request = get();
        request.extensions_mut().insert(handle.clone());
        request
    };
    let taken = || (handle.get().count, handle.get().waited);
    // Its wait is late, and its window over.
    let layer = exact().window(secs(5));
    let service = layer.layer(Upstream::new([Status(503), Status(200)]));
    let mut late = tokio_test::task::spawn(service.clone().oneshot(request()));
    assert!(late.poll().is_pending());
    tokio::time::advance(secs(10)).await;
    assert!(abandoned(&late.await.unwrap_err()).is_some());
    assert_eq!(taken(), (1, secs(1)));
    // Its caller drops it in its second wait.
    let service = exact().layer(Upstream::new([Status(503)]));
    let dropped = tokio::time::timeout(secs(2), service.oneshot(request()));
    assert!(dropped.await.is_err());
    assert_eq!(taken(), (2, secs(1 + 2)));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_whose_headers_are_full_goes_without_the_retry_count_header() {
    let mut request = get();
    *request.headers_mut() = full();
    let number = request.headers().len();
    let upstream = Upstream::new([Status(503), Status(200)]);
    let name = HeaderName::from_static("x-retry-count");
    let service = exact()
        .retry_count_header(name.clone())
        .layer(upstream.clone());
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    for seen in upstream.seen() {
        assert_eq!(seen.headers.len(), number, "all of the caller's");
        assert!(!seen.headers.contains_key(&name));
    }
}

#[tokio::test(start_paused = true)]
async fn an_exact_hint_starts_the_series_again() {
    let retry_after = |seconds: &str| Headers(503, vec![("retry-after", seconds.into())]);
    let upstream = Upstream::new([
        Status(503),
        Status(503),
        retry_after("3"),
        Status(503),
        Status(503),
        Status(200),
    ]);
    let layer = exact().retry_after(RetryAfter::Exact);
    layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
    assert_eq!(upstream.seconds(), [0, 1, 3, 6, 7, 9]);
}

#[tokio::test(start_paused = true)]
async fn the_first_retry_at_once_waits_nothing_and_leaves_the_series_as_it_is() {
    let upstream = Upstream::new([Status(503)]);
    let layer = exact().classify_fn(|_| Class::Refused.at_once());
    layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
    assert_eq!(upstream.seconds(), [0, 0, 1, 3, 7, 15]);
}

#[tokio::test(start_paused = true)]
async fn a_floor_goes_on_with_the_series() {
    let asks = Headers(429, vec![("retry-after", "10".into())]);
    let upstream = Upstream::new([Status(503), asks, Status(503), Status(200)]);
    exact()
        .layer(upstream.clone())
        .oneshot(get())
        .await
        .unwrap();
    assert_eq!(upstream.seconds(), [0, 1, 11, 15]);
}

#[tokio::test(start_paused = true)]
async fn a_post_that_was_refused_waits_by_the_same_series() {
    let upstream = Upstream::new([
        Status(429),
        Error(ErrorKind::ConnectionRefused),
        Status(201),
    ]);
    let response = exact()
        .layer(upstream.clone())
        .oneshot(post())
        .await
        .unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(upstream.seconds(), [0, 1, 3]);
}

#[tokio::test(start_paused = true)]
async fn of_two_layers_each_tells_its_own() {
    let upstream = Upstream::new([
        Status(503),
        Status(503),
        Status(503),
        Status(503),
        Status(200),
    ]);
    let handle = AttemptsHandle::new();
    let mut request = get();
    request.extensions_mut().insert(handle.clone());
    let inner = exact().max_retries(1);
    let outer = exact().max_retries(2).mark_attempts().mark_responses();
    let service = tower::ServiceBuilder::new()
        .layer(outer)
        .layer(inner)
        .map_request(|request: Request<ReplayBody<ReplayBody<Body>>>| {
            request.map(|_| ReplayBody::<Body>::default())
        })
        .service(upstream.clone());
    let response = service.oneshot(request).await.unwrap();
    // The caller's handle and the response speak of the layer that the caller sees.
    let attempts = response.extensions().get::<Attempts>().copied().unwrap();
    assert_eq!((attempts.count, attempts.waited), (3, secs(1 + 2)));
    assert_eq!(handle.get().count, 3);
    let numbers: Vec<_> = upstream
        .seen()
        .iter()
        .map(|seen| seen.extensions.get::<Attempt>().map(Attempt::number))
        .collect();
    // The inner layer marks its attempts as the outer one does.
    assert_eq!(numbers, [1, 2, 1, 2, 1].map(Some));
}

#[tokio::test(start_paused = true)]
async fn waits_without_end_do_not_overflow() {
    let upstream = Upstream::new([Status(503)]);
    let layer = exact()
        .backoff(Backoff::fixed(Duration::MAX / 2).jitter(Jitter::None))
        .window(Duration::MAX);
    let response = layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
    assert_eq!(upstream.count(), 6);
    let attempts = response.extensions().get::<Attempts>().unwrap();
    assert_eq!(attempts.waited, Duration::MAX);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_late_starts_no_attempt_after_the_window() {
    let upstream = Upstream::new([Status(503), Status(200)]);
    let layer = exact().window(secs(5));
    let mut sending = tokio_test::task::spawn(layer.layer(upstream.clone()).oneshot(get()));
    assert!(sending.poll().is_pending());
    tokio::time::advance(secs(10)).await;
    let error = sending.await.unwrap_err();
    let (reason, last) = abandoned(&error).unwrap();
    assert_eq!((reason, upstream.count()), (StopReason::Window, 1));
    assert_eq!(last.unwrap().status(), 503);
    let shown = format!("{error:?}");
    assert_eq!(shown, "Abandoned { reason: Window, last: Ok(503) }");
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_ends_within_a_timers_tick_of_the_window_is_not_begun() {
    // Between 101 and 102 ms it depends on where the clock stands between two ticks.
    for micros in (100_000..101_000).chain(102_000..103_000).step_by(20) {
        let upstream = Upstream::new([Status(503), Status(200)]);
        let layer = exact()
            .backoff(Backoff::fixed(Duration::from_millis(100)).jitter(Jitter::None))
            .window(Duration::from_micros(micros));
        let response = layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
        let expected = if micros < 101_000 { 503 } else { 200 };
        assert_eq!(response.status(), expected, "a window of {micros} us");
        tokio::time::advance(Duration::from_micros(137)).await;
    }
}
