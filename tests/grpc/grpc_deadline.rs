//! A call's deadline is its window, and what a classifier says of a request instead of the layer.
use crate::support::errors::attempt_timeout;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Request};
use tokio::time::{Instant, timeout_at};
use tower::{Layer, ServiceExt};
use tower_http_retry::classify::{Classify, Outcome, RequestHead, Verdict};
use tower_http_retry::grpc::ByGrpcStatus;
use tower_http_retry::{
    Attempt, Backoff, ByStatus, Cooldown, Idempotency, Jitter, RetryLayer, RetryOverride,
};

use crate::support::upstream::Answer::{Headers, Never, Status};
use crate::support::upstream::{Answer, Body, Seen, Upstream, after, get, post};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn doubling() -> Backoff {
    Backoff::exponential(secs(1)).jitter(Jitter::None)
}

/// Waits of exactly 1, 2, 4, 8 seconds.
fn exact() -> RetryLayer<ByGrpcStatus> {
    RetryLayer::grpc().backoff(doubling()).without_budget()
}

fn code(code: u16) -> Answer {
    Headers(200, vec![("grpc-status", code.to_string())])
}

fn unavailable() -> Answer {
    code(14)
}

fn call(timeout: &str) -> Request<Body> {
    let mut request = post();
    let value = timeout.parse().unwrap();
    request.headers_mut().insert("grpc-timeout", value);
    request
}

fn timeouts(upstream: &Upstream) -> Vec<String> {
    let timeout = |seen: &Seen| seen.headers["grpc-timeout"].to_str().unwrap().to_owned();
    upstream.seen().iter().map(timeout).collect()
}

/// Sends it, and says when each attempt came and when the call ended, in milliseconds.
async fn sent<C>(
    layer: RetryLayer<C>,
    plan: Vec<Answer>,
    request: Request<Body>,
) -> (Vec<u128>, u128)
where
    C: Classify,
{
    let start = Instant::now();
    let upstream = Upstream::new(plan);
    let _ = layer.layer(upstream.clone()).oneshot(request).await;
    (upstream.millis(), start.elapsed().as_millis())
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_would_reach_the_deadline_ends_the_call_at_once_with_the_last_status() {
    // Without a deadline, attempts at 0, 1, 3, 7, 15 seconds.
    let cases = [
        ("15S", vec![0, 1_000, 3_000, 7_000]),
        ("15001m", vec![0, 1_000, 3_000, 7_000, 15_000]),
        ("14999m", vec![0, 1_000, 3_000, 7_000]),
        ("3S", vec![0, 1_000]),
        ("2999999u", vec![0, 1_000]),
        ("99999999n", vec![0]),
        ("1S", vec![0]),
        ("0S", vec![0]),
        ("1H", vec![0, 1_000, 3_000, 7_000, 15_000]),
        // What is no time-out is none.
        ("soon", vec![0, 1_000, 3_000, 7_000, 15_000]),
        ("-1S", vec![0, 1_000, 3_000, 7_000, 15_000]),
    ];
    for (timeout, expected) in cases {
        let upstream = Upstream::new([code(14), code(14)]);
        let start = Instant::now();
        let service = exact().layer(upstream.clone());
        let response = service.oneshot(call(timeout)).await.unwrap();
        assert_eq!(upstream.millis(), expected, "a deadline of {timeout}");
        assert_eq!(response.headers()["grpc-status"], "14");
        let ended = start.elapsed().as_millis();
        assert_eq!(Some(&ended), expected.last(), "giving up is at once");
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_of_an_attempt_counts_into_the_deadline() {
    let slow = after(millis(1_500), unavailable());
    let (at, ended) = sent(exact(), vec![slow], call("10S")).await;
    // Attempts end at 1.5, 4, 7.5; the next would start at 11.5.
    assert_eq!((at, ended), (vec![0, 2_500, 6_000], 7_500));
}

#[tokio::test(start_paused = true)]
async fn a_pushback_that_would_reach_the_deadline_ends_the_call_at_once() {
    let pushed = |wait: u16| {
        let pushback = ("grpc-retry-pushback-ms", wait.to_string());
        let status = ("grpc-status", "14".to_owned());
        vec![Headers(200, vec![status, pushback]), code(0)]
    };
    let at = async |wait| sent(exact(), pushed(wait), call("5S")).await;
    assert_eq!(at(4_998).await, (vec![0, 4_998], 4_998));
    assert_eq!(at(5_000).await, (vec![0], 0));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_does_not_lift_the_layers_window() {
    let plan = vec![after(secs(400), unavailable()), code(0)];
    for request in [call("1H"), post()] {
        let (at, _) = sent(exact(), plan.clone(), request).await;
        assert_eq!(at, [0], "the call ends in five minutes");
    }
    let patient = exact().window(secs(3_600));
    let (at, _) = sent(patient, plan, call("1H")).await;
    assert_eq!(at, [0, 401_000]);
}

#[tokio::test(start_paused = true)]
async fn each_retry_is_told_exactly_what_is_left_and_the_first_attempt_what_the_caller_said() {
    #[rustfmt::skip]
    let cases = [
        ("20S", ["20S", "19000000u", "17000000u", "13000000u", "5000000u"]),
        ("20000m", ["20000m", "19000000u", "17000000u", "13000000u", "5000000u"]),
        ("15002m", ["15002m", "14002000u", "12002000u", "8002000u", "2000000n"]),
        ("2M", ["2M", "119000m", "117000m", "113000m", "105000m"]),
        ("100H", ["100H", "359999S", "359997S", "359993S", "359985S"]),
        ("whenever", ["whenever"; 5]),
    ];
    for (timeout, expected) in cases {
        let upstream = Upstream::new([unavailable()]);
        let service = exact().layer(upstream.clone());
        service.oneshot(call(timeout)).await.unwrap();
        assert_eq!(timeouts(&upstream), expected, "{timeout}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_left_counts_from_the_first_attempts_start_and_through_attempts() {
    let slow = after(millis(250), unavailable());
    let upstream = Upstream::new([slow]);
    let service = exact().max_retries(2).layer(upstream.clone());
    service.oneshot(call("9S")).await.unwrap();
    assert_eq!(upstream.millis(), [0, 1_250, 3_500]);
    assert_eq!(timeouts(&upstream), ["9S", "7750000u", "5500000u"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_deadline_is_sent_without_one() {
    let upstream = Upstream::new([unavailable()]);
    let service = exact().layer(upstream.clone());
    service.oneshot(post()).await.unwrap();
    assert_eq!(upstream.count(), 5);
    for seen in upstream.seen() {
        assert!(!seen.headers.contains_key("grpc-timeout"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_can_make_its_deadline_shorter_but_not_longer() {
    let own = async |timeout: Option<&str>, within: Duration| {
        let mut request = timeout.map_or_else(post, call);
        let own = RetryOverride::new().window(within);
        request.extensions_mut().insert(own);
        sent(exact(), vec![unavailable()], request).await.0
    };
    assert_eq!(own(Some("3S"), secs(60)).await, [0, 1_000]);
    assert_eq!(own(Some("3S"), Duration::MAX).await, [0, 1_000]);
    assert_eq!(own(Some("60S"), secs(3)).await, [0, 1_000]);
    assert_eq!(own(Some("60S"), secs(1)).await, [0]);
    // Where there is no deadline, its own word counts.
    assert_eq!(own(None, secs(4)).await, [0, 1_000, 3_000]);
    // What else a call says leaves its deadline as it is.
    let mut request = call("3S");
    let own = RetryOverride::new().max_retries(9).backoff(doubling());
    request.extensions_mut().insert(own);
    let (at, _) = sent(exact(), vec![unavailable()], request).await;
    assert_eq!(at, [0, 1_000]);
}

#[tokio::test(start_paused = true)]
async fn each_attempt_knows_the_deadline_as_the_windows_end() {
    let start = Instant::now();
    let upstream = Upstream::new([unavailable()]);
    let service = exact().mark_attempts().layer(upstream.clone());
    service.oneshot(call("4S")).await.unwrap();
    let end = |seen: &Seen| seen.extensions.get::<Attempt>().unwrap().window_end();
    let ends: Vec<_> = upstream.seen().iter().map(end).collect();
    assert_eq!(ends, [Some(start + secs(4)); 3]);
}

#[tokio::test(start_paused = true)]
async fn the_other_headers_are_sent_again_and_the_first_of_two_deadlines_counts() {
    let mut request = call("3S");
    let headers = request.headers_mut();
    headers.append("grpc-timeout", "30S".parse().unwrap());
    headers.append("x-tenant", "a".parse().unwrap());
    let upstream = Upstream::new([unavailable()]);
    let service = exact().layer(upstream.clone());
    service.oneshot(request).await.unwrap();
    assert_eq!(upstream.seconds(), [0, 1]);
    for seen in upstream.seen() {
        assert_eq!(seen.headers["x-tenant"], "a");
    }
    assert_eq!(timeouts(&upstream), ["3S", "2000000u"]);
}

/// Says of every request the same, and counts the milliseconds in a header.
#[derive(Clone, Copy, Debug)]
struct Says(RetryOverride);

impl Classify for Says {
    fn classify(&self, outcome: &Outcome<'_>) -> Verdict {
        ByStatus::new().classify(outcome)
    }

    fn overrides(&self, request: &RequestHead<'_>) -> RetryOverride {
        match request.header("x-plain") {
            Some(_) => RetryOverride::new(),
            None => self.0,
        }
    }

    fn renew(&self, headers: &mut HeaderMap, elapsed: Duration) {
        headers.insert("x-elapsed", (elapsed.as_millis() as u64).into());
    }
}

fn layer() -> RetryLayer {
    RetryLayer::new().backoff(doubling()).without_budget()
}

fn says(says: RetryOverride) -> RetryLayer<Says> {
    layer().classify(Says(says))
}

fn with(own: RetryOverride, mut request: Request<Body>) -> Request<Body> {
    request.extensions_mut().insert(own);
    request
}

#[tokio::test(start_paused = true)]
async fn a_classifiers_number_of_retries_goes_before_the_layers_and_the_requests_before_both() {
    let (new, failing) = (RetryOverride::new(), vec![Status(503)]);
    let once = says(RetryOverride::once()).max_retries(3);
    let more = says(new.max_retries(6)).max_retries(3);
    let own = with(new.max_retries(1), get());
    let mut plain = get();
    plain.headers_mut().insert("x-plain", "".parse().unwrap());
    assert_eq!(sent(once.clone(), failing.clone(), get()).await.0.len(), 1);
    assert_eq!(sent(more.clone(), failing.clone(), get()).await.0.len(), 7);
    assert_eq!(sent(once, failing.clone(), own.clone()).await.0.len(), 2);
    assert_eq!(sent(more.clone(), failing.clone(), own).await.0.len(), 2);
    assert_eq!(sent(more, failing, plain).await.0.len(), 4, "nothing said");
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_the_last_by_the_classifiers_number() {
    let upstream = Upstream::new([Status(503)]);
    let service = says(RetryOverride::new().max_retries(2)).mark_attempts();
    let service = service.layer(upstream.clone());
    service.oneshot(get()).await.unwrap();
    let is_last = |seen: &Seen| seen.extensions.get::<Attempt>().unwrap().is_last();
    let last: Vec<_> = upstream.seen().iter().map(is_last).collect();
    assert_eq!(last, [false, false, true]);
}

#[tokio::test(start_paused = true)]
async fn a_classifiers_back_off_goes_before_the_layers_and_the_requests_before_both() {
    let fixed = |wait| RetryOverride::new().backoff(Backoff::fixed(wait).jitter(Jitter::None));
    let layer = says(fixed(secs(3))).max_retries(2);
    let (at, _) = sent(layer.clone(), vec![Status(503)], get()).await;
    assert_eq!(at, [0, 3_000, 6_000]);
    let own = with(fixed(millis(5)), get());
    let (at, _) = sent(layer, vec![Status(503)], own).await;
    assert_eq!(at, [0, 5, 10]);
}

#[tokio::test(start_paused = true)]
async fn of_the_classifiers_window_and_the_layers_the_shorter_holds_and_the_first_bounds_the_requests()
 {
    let within = |window| RetryOverride::new().window(window);
    let short = says(within(secs(3))).window(secs(60));
    let long = says(within(secs(60))).window(secs(3));
    let at = async |layer, request| sent(layer, vec![Status(503)], request).await.0.len();
    assert_eq!(at(short.clone(), get()).await, 2);
    assert_eq!(at(long.clone(), get()).await, 2);
    assert_eq!(at(long.clone(), with(within(secs(60)), get())).await, 6);
    assert_eq!(at(short, with(within(secs(60)), get())).await, 2);
    assert_eq!(at(long, with(within(secs(3)), get())).await, 2);
}

#[tokio::test(start_paused = true)]
async fn what_a_classifier_says_of_repeating_goes_before_the_layers_and_after_the_requests() {
    let repeatable = |says| RetryOverride::new().repeatable(says);
    let count = async |layer, request| sent(layer, vec![Status(503)], request).await.0.len();
    assert_eq!(count(says(RetryOverride::new()), post()).await, 1);
    assert_eq!(count(says(repeatable(true)), post()).await, 6);
    assert_eq!(count(says(repeatable(false)), get()).await, 1);
    let any = says(repeatable(false)).idempotency(Idempotency::any());
    assert_eq!(count(any, post()).await, 1);
    let (own_yes, own_no) = (
        with(repeatable(true), post()),
        with(repeatable(false), get()),
    );
    assert_eq!(count(says(repeatable(false)), own_yes).await, 6);
    assert_eq!(count(says(repeatable(true)), own_no).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_classifiers_attempt_time_out_goes_before_the_layers_and_the_requests_before_both() {
    let timeout = |timeout| RetryOverride::new().attempt_timeout(timeout);
    let once = says(timeout(secs(2))).max_retries(0);
    let ended = async |layer: RetryLayer<Says>, request| {
        let start = Instant::now();
        let service = layer.layer(Upstream::new([Never]));
        let ended = timeout_at(start + secs(60), service.oneshot(request)).await;
        let error = ended.expect("it ends").unwrap_err();
        assert!(attempt_timeout(&*error).is_some(), "{error}");
        start.elapsed()
    };
    assert_eq!(ended(once.clone(), get()).await, secs(2));
    let longer = once.clone().attempt_timeout(secs(1));
    assert_eq!(ended(longer, get()).await, secs(2));
    assert_eq!(
        ended(once.clone(), with(timeout(secs(5)), get())).await,
        secs(5)
    );
    // No limit is one, too.
    let none = says(timeout(Duration::MAX)).attempt_timeout(secs(1));
    let late = vec![after(secs(100), Status(200))];
    assert_eq!(sent(none, late, get()).await, (vec![0], 100_000));
}

#[tokio::test(start_paused = true)]
async fn the_headers_are_renewed_for_each_retry_and_not_for_the_first_attempt() {
    let upstream = Upstream::new([Status(503)]);
    let name = "x-attempt".parse().unwrap();
    let service = says(RetryOverride::new())
        .max_retries(3)
        .retry_count_header(name);
    service
        .layer(upstream.clone())
        .oneshot(get())
        .await
        .unwrap();
    let seen = upstream.seen();
    let all = |name| -> Vec<_> { seen.iter().map(|seen| seen.headers.get(name)).collect() };
    let elapsed: Vec<_> = all("x-elapsed").into_iter().flatten().collect();
    assert_eq!(seen[0].headers.get("x-elapsed"), None);
    assert_eq!(elapsed, ["1000", "3000", "7000"]);
    let attempts: Vec<_> = all("x-attempt").into_iter().flatten().collect();
    assert_eq!(attempts, ["1", "2", "3"]);
}

#[tokio::test(start_paused = true)]
async fn a_box_and_an_arc_forward_all_that_a_classifier_says() {
    let inner = Says(RetryOverride::new().max_retries(1).repeatable(true));
    let boxed: Box<dyn Classify> = Box::new(inner);
    let shared: Arc<dyn Classify> = Arc::new(inner);
    forwards(layer().classify(inner)).await;
    forwards(layer().classify(boxed)).await;
    forwards(layer().classify(shared)).await;
    forwards(layer().classify(Arc::new(Box::new(inner)))).await;
}

async fn forwards<C: Classify>(layer: RetryLayer<C>) {
    let upstream = Upstream::new([Status(503)]);
    let service = layer.layer(upstream.clone());
    let response = service.oneshot(post()).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(upstream.seconds(), [0, 1]);
    assert_eq!(upstream.seen()[1].headers["x-elapsed"], "1000");
}

fn pushed_back(code: u16, millis: &str) -> Answer {
    let headers = [
        ("grpc-status", code.to_string()),
        ("grpc-retry-pushback-ms", millis.into()),
    ];
    Headers(200, headers.to_vec())
}

#[tokio::test(start_paused = true)]
async fn a_pushback_is_evidence_that_a_quota_is_used_up() {
    for (answer, expected) in [
        (pushed_back(14, "4000"), Some(secs(4))),
        // No more calls of this one; nothing is said of others.
        (pushed_back(14, "-1"), None),
        // No code that is retried, and no wait.
        (pushed_back(13, "4000"), None),
        (unavailable(), None),
        (code(8), None),
    ] {
        let cooldown = Cooldown::new();
        let layer = exact().max_retries(0).cooldown(cooldown.clone());
        let service = layer.layer(Upstream::new([answer.clone()]));
        for _ in 0..8 {
            service.send(post()).await.unwrap();
        }
        assert_eq!(cooldown.left(post().uri()), expected, "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_held_has_the_rest_of_its_deadline() {
    let held_for = async |seconds| {
        let cooldown = Cooldown::new();
        let upstream = Upstream::new([unavailable(), code(0)]);
        let service = exact().cooldown(cooldown.clone()).layer(upstream.clone());
        cooldown.hold(post().uri(), secs(seconds));
        let outcome = service.send(call("5S")).await;
        (outcome.is_ok(), upstream)
    };
    let (is_ok, upstream) = held_for(2).await;
    assert!(is_ok);
    assert_eq!(upstream.millis(), [2_000, 3_000]);
    assert_eq!(timeouts(&upstream), ["3000000u", "2000000u"]);
    // The second attempt would not start in time, and then not the first one.
    let (is_ok, upstream) = held_for(4).await;
    assert!(is_ok);
    assert_eq!(upstream.millis(), [4_000]);
    let (is_ok, upstream) = held_for(5).await;
    assert!(!is_ok);
    assert_eq!(upstream.millis(), []);
}
