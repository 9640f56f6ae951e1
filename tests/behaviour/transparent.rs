//! The retry that does not count: of a request that nobody has seen.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::level::Level;
use crate::support::step::Step;
use http::HeaderName;
use tower::{Layer, ServiceExt};
use tower_http_retry::classify::{Class, Classify, ClassifyFn, Outcome, Verdict};
use tower_http_retry::event::{StopReason, WaitReason};
use tower_http_retry::{
    Attempt, Attempts, AttemptsHandle, Backoff, Budget, ByStatus, Jitter, RetryLayer, RetryOverride,
};

use crate::support::upstream::Answer::{Headers, Status};
use crate::support::upstream::{Answer, Seen, Upstream, after, get, post};

/// Nobody has seen the request.
const UNSEEN: Answer = Status(421);
const FAILED: Answer = Status(503);
const SLOW: Answer = Status(504);
const SERVED: Answer = Status(200);

const ATTEMPT: HeaderName = HeaderName::from_static("x-attempt");

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

type Layer421 = RetryLayer<ClassifyFn<fn(&Outcome<'_>) -> Verdict>>;

fn layer() -> Layer421 {
    let classify: fn(&Outcome<'_>) -> Verdict = |outcome| match outcome.status() {
        Some(status) if status == 421 => Class::Refused.transparent(),
        _ => ByStatus::new().classify(outcome),
    };
    RetryLayer::new()
        .classify_fn(classify)
        .backoff(Backoff::exponential(secs(1)).jitter(Jitter::None))
        .retry_count_header(ATTEMPT)
        .without_budget()
}

/// When each attempt came, and what its header said of those before it.
async fn sent(layer: Layer421, plan: impl Into<Vec<Answer>>) -> Vec<(u64, Option<String>)> {
    let upstream = Upstream::new(plan);
    layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
    let header = |seen: &Seen| Some(seen.headers.get(ATTEMPT)?.to_str().unwrap().to_owned());
    let headers: Vec<_> = upstream.seen().iter().map(header).collect();
    upstream.seconds().into_iter().zip(headers).collect()
}

fn at(second: u64) -> (u64, Option<String>) {
    (second, None)
}

fn counted(second: u64, retries: u32) -> (u64, Option<String>) {
    (second, Some(retries.to_string()))
}

#[tokio::test(start_paused = true)]
async fn it_is_sent_at_once_and_the_header_does_not_count_it() {
    assert_eq!(sent(layer(), [UNSEEN, SERVED]).await, [at(0), at(0)]);
    // The back-off starts from its first step after it.
    let first = [UNSEEN, FAILED, FAILED, SERVED];
    let expected = [at(0), at(0), counted(1, 1), counted(3, 2)];
    assert_eq!(sent(layer(), first).await, expected);
    let later = [FAILED, UNSEEN, FAILED, SERVED];
    let expected = [at(0), counted(1, 1), counted(1, 1), counted(3, 2)];
    assert_eq!(sent(layer(), later).await, expected);
}

#[tokio::test(start_paused = true)]
async fn the_second_one_of_a_request_counts_and_waits() {
    let expected = [at(0), at(0), counted(1, 1), counted(3, 2)];
    assert_eq!(sent(layer().max_retries(2), [UNSEEN]).await, expected);
}

#[tokio::test(start_paused = true)]
async fn it_is_sent_beyond_the_number_of_retries_but_not_where_there_are_none() {
    let count = async |layer: Layer421, plan: &[Answer]| sent(layer, plan).await.len();
    assert_eq!(count(layer(), &[FAILED]).await, 6);
    assert_eq!(count(layer(), &[UNSEEN, FAILED]).await, 7);
    let late = [FAILED, FAILED, FAILED, FAILED, FAILED, UNSEEN, FAILED];
    assert_eq!(count(layer(), &late).await, 7);
    assert_eq!(count(layer().max_retries(1), &[UNSEEN, FAILED]).await, 3);
    assert_eq!(count(layer().max_retries(0), &[UNSEEN, SERVED]).await, 1);

    let upstream = Upstream::new([UNSEEN, SERVED]);
    let mut once = get();
    once.extensions_mut().insert(RetryOverride::once());
    let response = layer().layer(upstream.clone()).oneshot(once).await.unwrap();
    assert_eq!((response.status().as_u16(), upstream.count()), (421, 1));
}

#[tokio::test(start_paused = true)]
async fn a_post_is_sent_again_too_and_a_window_that_is_over_ends_it() {
    let upstream = Upstream::new([UNSEEN, SERVED]);
    let service = layer().layer(upstream.clone());
    assert_eq!(service.oneshot(post()).await.unwrap().status(), 200);
    let late = [after(secs(2), UNSEEN), SERVED];
    assert_eq!(sent(layer().window(secs(2)), late.clone()).await, [at(0)]);
    let in_time = sent(layer().window(secs(3)), late).await;
    assert_eq!(in_time, [at(0), at(2)]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_the_last_by_the_retries_that_count() {
    let marks = async |plan: &[Answer]| {
        let upstream = Upstream::new(plan);
        let layer = layer().max_retries(1).mark_attempts();
        layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
        let mark = |seen: &Seen| {
            let attempt = seen.extensions.get::<Attempt>().unwrap();
            (attempt.number(), attempt.is_last())
        };
        upstream.seen().iter().map(mark).collect::<Vec<_>>()
    };
    let first = [(1, false), (2, false), (3, true)];
    assert_eq!(marks(&[UNSEEN, FAILED]).await, first);
    let later = [(1, false), (2, true), (3, true)];
    assert_eq!(marks(&[FAILED, UNSEEN, FAILED]).await, later);
}

#[tokio::test(start_paused = true)]
async fn the_request_was_not_acted_on_before_it() {
    let upstream = Upstream::new([UNSEEN, FAILED, SERVED]);
    let service = layer().mark_attempts().layer(upstream.clone());
    service.oneshot(get()).await.unwrap();
    let acted_on = |seen: &Seen| {
        let attempt = seen.extensions.get::<Attempt>()?;
        Some((attempt.previous()?, attempt.may_have_been_acted_on()))
    };
    let seen: Vec<_> = upstream.seen().iter().map(acted_on).collect();
    let (unseen, failed) = ((Class::Refused, false), (Class::Transient, true));
    assert_eq!(seen, [None, Some(unseen), Some(failed)]);
}

#[tokio::test(start_paused = true)]
async fn the_number_of_attempts_is_how_often_the_request_was_sent() {
    let handle = AttemptsHandle::new();
    let mut request = get();
    request.extensions_mut().insert(handle.clone());
    let layer = || layer().mark_responses();
    let service = layer().layer(Upstream::new([UNSEEN, FAILED, SERVED]));
    let response = service.oneshot(request).await.unwrap();
    let attempts = *response.extensions().get::<Attempts>().unwrap();
    assert_eq!((attempts.count, attempts.waited), (3, secs(1)));
    assert_eq!(handle.get(), attempts);

    let service = layer().layer(Upstream::new([UNSEEN, SERVED]));
    let response = service.oneshot(get()).await.unwrap();
    let attempts = response.extensions().get::<Attempts>().unwrap();
    assert_eq!((attempts.count, attempts.waited), (2, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn it_is_told_as_transparent_with_each_step() {
    let steps = Arc::new(Mutex::new(Vec::new()));
    let told = steps.clone();
    let layer = layer().on_event(move |event| {
        told.lock()
            .unwrap()
            .push((event.attempt(), Step::from(event.kind())));
    });
    let upstream = Upstream::new([UNSEEN, UNSEEN, SERVED]);
    layer.layer(upstream).oneshot(get()).await.unwrap();
    let retry = |seconds, reason| Step::Retry {
        after: secs(seconds),
        reason,
    };
    let expected = [
        (1, Step::Sent),
        (1, retry(0, WaitReason::Transparent)),
        (2, Step::Sent),
        (2, retry(1, WaitReason::Backoff)),
        (3, Step::Sent),
        (3, Step::Stop(StopReason::Success)),
    ];
    assert_eq!(*steps.lock().unwrap(), expected);
}

/// What is left of this budget at each outcome, in thousandths.
async fn levels(budget: Budget, plan: &[Answer]) -> Vec<u64> {
    let levels = Arc::new(Mutex::new(Vec::new()));
    let told = levels.clone();
    let layer = layer().budget(budget.clone()).on_event(move |event| {
        if Step::from(event.kind()) != Step::Sent {
            told.lock().unwrap().push(event.level().unwrap());
        }
    });
    let service = layer.layer(Upstream::new(plan));
    service.oneshot(get()).await.unwrap();
    let levels = levels.lock().unwrap().clone();
    assert_eq!(budget.level(), levels.last().copied());
    levels
}

#[tokio::test(start_paused = true)]
async fn a_budget_is_neither_asked_nor_told_of_it() {
    let all = [10_000, 10_000];
    assert_eq!(levels(Budget::earning(5), &[UNSEEN, SERVED]).await, all);
    assert_eq!(levels(Budget::ratio(0.5), &[UNSEEN, SERVED]).await, all);
    assert_eq!(
        levels(Budget::throttle(10, 0.1), &[UNSEEN, SERVED]).await,
        all
    );
    // The attempt that takes its place pays, and is the first one for the budget.
    let failed = [UNSEEN, FAILED, SERVED];
    let earning = levels(Budget::earning(5), &failed).await;
    assert_eq!(earning, [10_000, 9_000, 10_000]);
    let throttle = levels(Budget::throttle(10, 0.1), &failed).await;
    assert_eq!(throttle, [10_000, 9_000, 9_100]);
    // The second time, it is a failure like any other.
    let twice = levels(Budget::throttle(10, 0.1), &[UNSEEN, UNSEEN, SERVED]).await;
    assert_eq!(twice, [10_000, 9_000, 9_100]);
}

#[tokio::test(start_paused = true)]
async fn an_empty_budget_does_not_forbid_it() {
    let budget = Budget::throttle(1, 0.1);
    // Empties it: one failure leaves nothing of one token.
    let upstream = Upstream::new([FAILED]);
    let service = layer().budget(budget.clone()).layer(upstream.clone());
    service.oneshot(get()).await.unwrap();
    assert_eq!((upstream.count(), budget.level()), (1, Some(0)));
    let upstream = Upstream::new([UNSEEN, UNSEEN, SERVED]);
    let service = layer().budget(budget).layer(upstream.clone());
    let response = service.oneshot(get()).await.unwrap();
    assert_eq!(response.status(), 421, "the second one is not covered");
    assert_eq!(upstream.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_that_follows_a_paid_retry_leaves_what_was_paid_for() {
    // After a time-out a retry costs 2, and 4 come back if it is served in half the time.
    let slow = after(secs(10), SLOW);
    let without = levels(Budget::earning(5), &[slow.clone(), SERVED]).await;
    let with = levels(Budget::earning(20), &[slow, UNSEEN, SERVED]).await;
    assert_eq!(without, [8_000, 10_000]);
    assert_eq!(with, [38_000, 38_000, 40_000]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_to_wait_each_time_is_not_asked_without_end() {
    let asks = Headers(421, vec![("retry-after", "1".to_owned())]);
    let upstream = Upstream::new([asks]);
    let service = layer().max_retries(2).layer(upstream.clone());
    service.oneshot(get()).await.unwrap();
    assert_eq!(upstream.seconds(), [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_not_made_after_all_is_a_failure_for_the_budget() {
    // No retries at all; or a window that is over.
    for layer in [layer().max_retries(0), layer().window(Duration::ZERO)] {
        let budget = Budget::throttle(10, 0.1);
        let upstream = Upstream::new([UNSEEN]);
        let layer = layer.budget(budget.clone());
        layer.layer(upstream.clone()).oneshot(get()).await.unwrap();
        assert_eq!((upstream.count(), budget.level()), (1, Some(9_000)));
    }
}
