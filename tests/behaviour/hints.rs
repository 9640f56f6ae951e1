//! What the server asks for: never early, never without bound.

use std::time::Duration;

use tokio::time::Instant;
use tower::{Layer, ServiceExt};
use tower_http_retry::classify::Class;
use tower_http_retry::{Backoff, Jitter, RetryAfter, RetryLayer};

use crate::support::upstream::Answer::{Error, Headers, Status};
use crate::support::upstream::{Answer, Upstream, get};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn exact() -> RetryLayer {
    RetryLayer::new().backoff(Backoff::exponential(secs(1)).jitter(Jitter::None))
}

fn asks(headers: &[(&'static str, &str)]) -> Answer {
    let owned = headers
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    Headers(429, owned.collect())
}

/// When the second attempt came, in milliseconds.
async fn wait(layer: RetryLayer, first: Answer) -> u128 {
    let upstream = Upstream::new([first, Status(200)]);
    let response = layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
    assert_eq!(response.status(), 200);
    upstream.millis()[1]
}

#[tokio::test(start_paused = true)]
async fn every_form_of_a_hint_is_a_floor() {
    let at = "Sun, 06 Nov 1994 08:49:37 GMT";
    type Case<'a> = (&'a [(&'static str, &'a str)], u128);
    let cases: &[Case<'_>] = &[
        (&[("retry-after", "7")], 7_000),
        (&[("retry-after-ms", "1500")], 1_500),
        (&[("x-ms-retry-after-ms", "1500")], 1_500),
        (
            &[
                ("retry-after-ms", "1500"),
                ("x-ms-retry-after-ms", "9000"),
                ("retry-after", "9"),
            ],
            1_500,
        ),
        (
            &[("x-ms-retry-after-ms", "1500"), ("retry-after", "9")],
            1_500,
        ),
        // The three forms of a date, from a server whose clock is decades off.
        (
            &[
                ("date", at),
                ("retry-after", "Sun, 06 Nov 1994 08:49:44 GMT"),
            ],
            7_000,
        ),
        (
            &[
                ("date", at),
                ("retry-after", "Sunday, 06-Nov-94 08:49:44 GMT"),
            ],
            7_000,
        ),
        (
            &[("date", at), ("retry-after", "Sun Nov  6 08:49:44 1994")],
            7_000,
        ),
        // No floor: zero, past; and no hint: malformed.
        (&[("retry-after", "0")], 1_000),
        (
            &[
                ("date", at),
                ("retry-after", "Sun, 06 Nov 1994 07:49:37 GMT"),
            ],
            1_000,
        ),
        (&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")], 1_000),
        (&[("retry-after", "-7")], 1_000),
        (&[("retry-after", "7,5")], 1_000),
        (&[("retry-after", "soon")], 1_000),
        (&[("retry-after-ms", "soon"), ("retry-after", "7")], 7_000),
        // Real servers send decimals.
        (&[("retry-after", "2.0")], 2_000),
        (&[("retry-after", "7.0001")], 7_001),
        (&[("retry-after-ms", "1500.2")], 1_501),
        // Zero does not hide what another header asks for.
        (&[("retry-after-ms", "0"), ("retry-after", "120")], 120_000),
        // A cache has kept the response for two of the seven seconds.
        (
            &[
                ("date", at),
                ("age", "2"),
                ("retry-after", "Sun, 06 Nov 1994 08:49:44 GMT"),
            ],
            5_000,
        ),
        (
            &[
                ("date", at),
                ("retry-after", "Sun, 06 Nov 1994 08:49:60 GMT"),
            ],
            23_000,
        ),
        // Shorter than the step.
        (&[("retry-after-ms", "200")], 1_000),
    ];
    for (headers, expected) in cases {
        assert_eq!(wait(exact(), asks(headers)).await, *expected, "{headers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_date_an_hour_off_is_measured_against_the_servers_own_clock() {
    let now = std::time::SystemTime::now();
    for skew in [0, 3600] {
        let date = httpdate::fmt_http_date(now + secs(skew));
        let until = httpdate::fmt_http_date(now + secs(skew + 7));
        let first = asks(&[("date", &date), ("retry-after", &until)]);
        assert_eq!(wait(exact(), first).await, 7_000, "{skew} s ahead");
        let date = httpdate::fmt_http_date(now - secs(skew));
        let until = httpdate::fmt_http_date(now - secs(skew) + secs(7));
        let first = asks(&[("date", &date), ("retry-after", &until)]);
        assert_eq!(wait(exact(), first).await, 7_000, "{skew} s behind");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hint_is_never_early_and_adds_at_most_half_over_10_000_draws() {
    let layer = RetryLayer::new().without_budget().jitter_seed(2_026);
    let mut waits = Vec::new();
    for _ in 0..10_000 {
        waits.push(wait(layer.clone(), asks(&[("retry-after", "10")])).await);
    }
    assert!(waits.iter().all(|wait| (10_000..=15_001).contains(wait)));
    let mut distinct = waits.clone();
    distinct.sort();
    distinct.dedup();
    assert!(distinct.len() > 4_000, "{} distinct waits", distinct.len());
}

#[tokio::test(start_paused = true)]
async fn a_hint_that_is_longer_than_allowed_hands_the_response_over_at_once() {
    let cases = [
        (exact(), "301"),
        (exact(), "1000000000000000000000000000000"),
        (exact().max_retry_after(secs(30)), "31"),
        (
            exact().max_retry_after(Duration::MAX),
            "1000000000000000000000000000000",
        ),
        (exact().window(secs(60)), "60"),
        (exact().retry_after(RetryAfter::Exact), "301"),
    ];
    for (layer, seconds) in cases {
        let upstream = Upstream::new([asks(&[("retry-after", seconds)]), Status(200)]);
        let start = Instant::now();
        let response = layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
        assert_eq!(response.headers()["retry-after"], seconds);
        assert_eq!(
            (upstream.count(), start.elapsed()),
            (1, Duration::ZERO),
            "{seconds}"
        );
    }
    let allowed = exact().max_retry_after(secs(30));
    assert_eq!(wait(allowed, asks(&[("retry-after", "30")])).await, 30_000);
}

#[tokio::test(start_paused = true)]
async fn hints_can_be_exact_or_ignored() {
    let jittered = RetryLayer::new().retry_after(RetryAfter::Exact);
    assert_eq!(wait(jittered, asks(&[("retry-after-ms", "40")])).await, 40);
    let ignored = exact().retry_after(RetryAfter::Ignore);
    assert_eq!(
        wait(ignored.clone(), asks(&[("retry-after", "7")])).await,
        1_000
    );
    // Nor does one that is longer than allowed end the request.
    let long = asks(&[("retry-after", "86400")]);
    assert_eq!(wait(ignored, long).await, 1_000);
}

#[tokio::test(start_paused = true)]
async fn a_hint_makes_nothing_retryable() {
    let plan = [Headers(404, vec![("retry-after", "1".into())]), Status(200)];
    let upstream = Upstream::new(plan);
    let response = exact()
        .layer(upstream.clone())
        .oneshot(get())
        .await
        .unwrap();
    assert_eq!((response.status().as_u16(), upstream.count()), (404, 1));
}

#[tokio::test(start_paused = true)]
async fn after_a_time_out_the_longer_of_hint_and_step_counts() {
    let late = |seconds: &str| Headers(504, vec![("retry-after", seconds.into())]);
    assert_eq!(wait(exact(), late("1")).await, 2_000);
    assert_eq!(wait(exact(), late("3")).await, 3_000);
}

#[tokio::test(start_paused = true)]
async fn a_classifier_can_speak_for_the_server() {
    let verdicts = [
        (Class::Transient.retry_after(secs(5)), 5),
        (Class::Transient.retry_after_exactly(Duration::ZERO), 0),
        (Class::Transient.ignore_retry_after(), 1),
        (Class::Transient.into(), 9),
    ];
    for (verdict, expected) in verdicts {
        let plan = [Headers(503, vec![("retry-after", "9".into())]), Status(200)];
        let upstream = Upstream::new(plan);
        let layer = exact().classify_fn(move |outcome| match outcome.attempt() {
            1 => verdict,
            _ => Class::Success.into(),
        });
        layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
        assert_eq!(upstream.seconds(), [0, expected], "{verdict:?}");
    }
    let upstream = Upstream::new([Status(503)]);
    let layer = exact().classify_fn(|_| Class::Transient.no_retry());
    layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
    assert_eq!(upstream.count(), 1, "the server said no");
}

#[tokio::test(start_paused = true)]
async fn an_error_has_no_hint() {
    let refused = Error(std::io::ErrorKind::ConnectionRefused);
    assert_eq!(wait(exact(), refused).await, 1_000);
}
