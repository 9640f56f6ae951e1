//! What a committed call, whose status comes in trailers, is for gRPC's throttle.

use crate::support::level::{Level, level_of};
use crate::support::step::Step;
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, StreamBody};
use tonic::codegen::tokio_stream;
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_http_retry::classify::{Class, Classify, Outcome, Verdict};
use tower_http_retry::grpc::{ByGrpcStatus, PeekTrailers, PeekTrailersLayer, PeekedBody};
use tower_http_retry::{BoxError, Budget, Retry, RetryLayer};

use crate::support::body::{Broken, Does, Source, data, trailers};
use crate::support::scripted::{Scripted, Upstream, call, exact, grpc, status, streamed};

/// The levels after a failure that counts, after nothing, and after a success.
const LOST: u64 = 8_000;
const SAME: u64 = 9_000;
const WON: u64 = 9_100;

/// Ten tokens, one of which a call has taken, so that a success can be seen.
async fn budget() -> Budget {
    let budget = Budget::throttle(10, 0.1);
    fail(&budget, call()).await;
    assert_eq!(budget.level(), Some(SAME));
    budget
}

/// A call that fails by its head, and is not retried.
async fn fail(budget: &Budget, call: Request<Empty<Bytes>>) {
    let layer = exact().max_retries(0).budget(budget.clone());
    let service = layer.layer(Upstream::new([head("14")]));
    service.oneshot(call).await.unwrap();
}

/// Trailers-Only.
fn head(code: &str) -> Response<Scripted> {
    let mut response = streamed([]);
    let code = code.parse().unwrap();
    response.headers_mut().insert("grpc-status", code);
    response
}

fn sized(script: impl IntoIterator<Item = Does>) -> Response<Scripted> {
    grpc(Scripted::new(Source::sized(script)))
}

fn pushed(code: &'static str, pushback: &'static str) -> Does {
    let lines = [("grpc-status", code), ("grpc-retry-pushback-ms", pushback)];
    Does::Trailers(trailers(lines))
}

fn stacked<C: Classify>(
    layer: RetryLayer<C>,
    peek: PeekTrailersLayer,
    responses: impl IntoIterator<Item = Response<Scripted>>,
) -> Retry<PeekTrailers<Upstream>, C> {
    layer.layer(peek.layer(Upstream::new(responses)))
}

/// Reads as a careful caller does: to the end or to an error, and not beyond a known end.
async fn read(mut body: impl Body<Data = Bytes, Error = Broken> + Unpin) {
    while !body.is_end_stream() {
        let Some(Ok(_)) = body.frame().await else {
            break;
        };
    }
}

/// What is left of 9,000 when such a call's head has come, and when its body was read.
async fn levels<C: Classify>(
    classify: C,
    peek: PeekTrailersLayer,
    response: Response<Scripted>,
) -> [u64; 2] {
    let budget = budget().await;
    let layer = exact().classify(classify).max_retries(0);
    let service = stacked(layer.budget(budget.clone()), peek, [response]);
    let response = service.oneshot(call()).await.unwrap();
    let before = budget.level().unwrap();
    read(response.into_body()).await;
    [before, budget.level().unwrap()]
}

#[tokio::test(start_paused = true)]
async fn a_committed_call_is_counted_by_its_status_and_not_at_its_head() {
    #[rustfmt::skip]
    let cases = [
        (vec![data("one"), status("0")], WON),
        (vec![data("one"), data("two"), Does::Pending, status("0")], WON),
        (vec![data("one"), status("14")], LOST),
        (vec![data("one"), status("10")], LOST),
        // INVALID_ARGUMENT and INTERNAL say nothing of the server's health.
        (vec![data("one"), status("3")], SAME),
        (vec![data("one"), status("13")], SAME),
        (vec![data("one"), pushed("14", "0")], LOST),
        (vec![data("one"), pushed("13", "0")], SAME),
        (vec![data("one"), pushed("13", "-1")], LOST),
        (vec![data("one"), pushed("13", "soon")], LOST),
        (vec![data("one"), pushed("0", "-1")], WON),
        // UNAVAILABLE.
        (vec![data("one"), Does::Fail], LOST),
        // UNKNOWN.
        (vec![data("one")], SAME),
        (vec![data("one"), Does::Trailers(trailers([("x-checksum", "7")]))], SAME),
        (vec![data("one"), Does::Trailers(trailers([("grpc-status", "99")]))], SAME),
    ];
    for waits in [true, false] {
        let peek = PeekTrailersLayer::new().wait_for_first_frame(waits);
        for (script, expected) in &cases {
            let classify = ByGrpcStatus::new().also(10);
            let levels = levels(classify, peek, streamed(script.clone())).await;
            assert_eq!(levels, [SAME, *expected], "{waits} {script:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_without_a_status_is_unknown_however_it_is_seen() {
    let unknown = || ByGrpcStatus::new().also(2);
    let only = || Does::Trailers(trailers([("x-checksum", "7")]));
    let peek = PeekTrailersLayer::new();
    for response in [
        streamed([data("one")]),
        streamed([data("one"), only()]),
        streamed([data("one"), status("99")]),
        sized([data("one"), data("two")]),
    ] {
        assert_eq!(levels(unknown(), peek, response).await, [SAME, LOST]);
    }
    // All of it is there with the head.
    for response in [
        streamed([]),
        sized([]),
        streamed([data("")]),
        sized([data("one")]),
        streamed([only()]),
    ] {
        assert_eq!(levels(unknown(), peek, response).await, [LOST; 2]);
    }
    let peek = peek.wait_for_first_frame(false);
    assert_eq!(levels(unknown(), peek, sized([])).await, [LOST; 2]);
    let one = sized([data("one")]);
    assert_eq!(levels(unknown(), peek, one).await, [SAME, LOST]);
    assert_eq!(levels(unknown(), peek, streamed([])).await, [SAME, LOST]);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_is_a_failure_only_where_unavailable_is_retried() {
    let peek = PeekTrailersLayer::new();
    let broken = || streamed([data("one"), Does::Fail]);
    let classify = || ByGrpcStatus::new().except(14).also(2);
    assert_eq!(levels(classify(), peek, broken()).await, [SAME; 2]);
    assert_eq!(
        levels(ByGrpcStatus::new(), peek, broken()).await,
        [SAME, LOST]
    );
    // One that breaks first has broken with its head.
    let broken = streamed([Does::Fail]);
    assert_eq!(levels(ByGrpcStatus::new(), peek, broken).await, [LOST; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_status_right_after_the_head_is_counted_once() {
    let peek = PeekTrailersLayer::new();
    let at_once = peek.wait_for_first_frame(false);
    for (code, expected) in [("0", WON), ("14", LOST), ("13", SAME)] {
        let response = || streamed([status(code)]);
        let seen = levels(ByGrpcStatus::new(), peek, response()).await;
        assert_eq!(seen, [expected; 2]);
        let seen = levels(ByGrpcStatus::new(), at_once, response()).await;
        assert_eq!(seen, [SAME, expected]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_dropped_before_its_end_counts_as_nothing() {
    for code in ["0", "14"] {
        let budget = budget().await;
        let script = [data("one"), data("two"), status(code)];
        let layer = exact().budget(budget.clone());
        let service = stacked(layer, PeekTrailersLayer::new(), [streamed(script)]);
        let mut body = service.oneshot(call()).await.unwrap().into_body();
        for _ in 0..2 {
            body.frame().await.unwrap().unwrap();
        }
        drop(body);
        assert_eq!(budget.level(), Some(SAME));
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_layer_a_head_without_a_status_is_a_success() {
    for code in ["0", "14"] {
        let budget = budget().await;
        let upstream = Upstream::new([streamed([data("one"), status(code)])]);
        let service = exact().budget(budget.clone()).layer(upstream);
        let response = service.oneshot(call()).await.unwrap();
        assert_eq!(budget.level(), Some(WON));
        read(response.into_body()).await;
        assert_eq!(budget.level(), Some(WON));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_grpc_is_counted_at_its_head() {
    let mut other = streamed([data("one"), status("14")]);
    let kind = "application/json".parse().unwrap();
    other.headers_mut().insert("content-type", kind);
    let peek = PeekTrailersLayer::new();
    assert_eq!(levels(ByGrpcStatus::new(), peek, other).await, [WON; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_is_committed_is_counted_by_its_status() {
    for (code, expected) in [("0", 8_100), ("14", 7_000)] {
        let budget = budget().await;
        let plan = [head("14"), streamed([data("one"), status(code)])];
        let layer = exact().budget(budget.clone());
        let service = stacked(layer, PeekTrailersLayer::new(), plan);
        let response = service.oneshot(call()).await.unwrap();
        assert_eq!(budget.level(), Some(8_000));
        read(response.into_body()).await;
        assert_eq!(budget.level(), Some(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn a_classifier_around_grpcs_own_counts_the_codes_that_it_asks_for() {
    struct Mine(ByGrpcStatus);
    impl Classify for Mine {
        fn classify(&self, outcome: &Outcome<'_>) -> Verdict {
            self.0.classify(outcome).ignore_retry_after()
        }
    }
    let peek = PeekTrailersLayer::new();
    let aborted = || streamed([data("one"), status("10")]);
    let mine = Mine(ByGrpcStatus::new().also(10));
    assert_eq!(levels(mine, peek, aborted()).await, [SAME, LOST]);
    let mine = Mine(ByGrpcStatus::new());
    assert_eq!(levels(mine, peek, aborted()).await, [SAME; 2]);
    // One that says by itself what a success is, means it.
    struct Other;
    impl Classify for Other {
        fn classify(&self, _: &Outcome<'_>) -> Verdict {
            Class::Success.into()
        }
    }
    assert_eq!(levels(Other, peek, aborted()).await, [WON; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_a_classifier_retries_at_its_head_is_counted_there_alone() {
    let budget = budget().await;
    let classify = |outcome: &Outcome<'_>| match outcome.attempt() {
        1 => Class::Transient.repeatable(),
        _ => ByGrpcStatus::new().classify(outcome),
    };
    let layer = exact().classify_fn(classify).budget(budget.clone());
    let plan = ["14", "0"].map(|code| streamed([data("one"), status(code)]));
    let service = stacked(layer, PeekTrailersLayer::new(), plan);
    // The first one's trailers are drained in the wait.
    let response = service.oneshot(call()).await.unwrap();
    assert_eq!(budget.level(), Some(8_000));
    read(response.into_body()).await;
    assert_eq!(budget.level(), Some(8_100));
}

#[tokio::test(start_paused = true)]
async fn a_head_without_a_status_is_the_same_verdict_as_any_success() {
    let (request, response) = (call(), streamed([]).map(|_| ()));
    let outcome = Outcome::response(&request, &response);
    let verdict = ByGrpcStatus::new().classify(&outcome);
    assert_eq!(verdict, Class::Success.into());
}

#[cfg(feature = "tower")]
#[tokio::test(start_paused = true)]
async fn a_budget_of_another_kind_counts_the_head() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Counts what is deposited.
    #[derive(Clone, Default)]
    struct Deposits(Arc<AtomicUsize>);

    impl tower::retry::budget::Budget for Deposits {
        fn deposit(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }

        fn withdraw(&self) -> bool {
            true
        }
    }

    let deposits = Deposits::default();
    let layer = exact().budget(Budget::tower(deposits.clone()));
    let plan = [streamed([data("one"), status("14")])];
    let service = stacked(layer, PeekTrailersLayer::new(), plan);
    let response = service.oneshot(call()).await.unwrap();
    assert_eq!(deposits.0.load(Ordering::Relaxed), 1);
    read(response.into_body()).await;
    assert_eq!(deposits.0.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn of_two_retries_the_lower_one_waits_for_the_status_and_the_upper_one_counts_the_head() {
    let (upper, lower) = (budget().await, budget().await);
    let levels = || [upper.level().unwrap(), lower.level().unwrap()];
    let response = || streamed([data("one"), status("14")]);
    let service = ServiceBuilder::new()
        .layer(exact().budget(upper.clone()))
        .layer(exact().budget(lower.clone()))
        .layer(PeekTrailersLayer::new())
        .service(Upstream::new([response()]));
    let response_body = service.oneshot(call()).await.unwrap().into_body();
    assert_eq!(levels(), [WON, SAME]);
    read(response_body).await;
    assert_eq!(levels(), [WON, LOST]);
    // What is known with the head is counted there by both, by each in its way.
    let service = ServiceBuilder::new()
        .layer(exact().budget(upper.clone()))
        .layer(exact().budget(lower.clone()))
        .layer(PeekTrailersLayer::new())
        .service(Upstream::new([streamed([Does::Fail])]));
    read(service.oneshot(call()).await.unwrap().into_body()).await;
    assert_eq!(levels(), [WON + 100, LOST - 1_000]);
    // One without a throttle leaves the call to the one above it.
    let service = ServiceBuilder::new()
        .layer(exact().budget(upper.clone()))
        .layer(exact())
        .layer(PeekTrailersLayer::new())
        .service(Upstream::new([response()]));
    let response_body = service.oneshot(call()).await.unwrap().into_body();
    assert_eq!(upper.level(), Some(WON + 100));
    read(response_body).await;
    assert_eq!(upper.level(), Some(WON + 100 - 1_000));
}

/// Hands a response over when all of it is there.
async fn whole(
    response: Response<PeekedBody<Scripted>>,
) -> Result<Response<impl Body<Data = Bytes, Error = Broken> + Unpin>, BoxError> {
    let (head, body) = response.into_parts();
    let body = body.collect().await?;
    let last = body.trailers().cloned().unwrap();
    let frames = [Frame::data(body.to_bytes()), Frame::trailers(last)];
    let frames = tokio_stream::iter(frames.map(Ok));
    Ok(Response::from_parts(head, StreamBody::new(frames)))
}

#[tokio::test(start_paused = true)]
async fn a_status_that_a_layer_in_between_has_read_is_counted_with_the_head() {
    for (code, expected) in [("0", WON), ("14", LOST), ("13", SAME)] {
        let budget = budget().await;
        let service = ServiceBuilder::new()
            .layer(exact().budget(budget.clone()))
            .and_then(whole)
            .layer(PeekTrailersLayer::new())
            .service(Upstream::new([streamed([data("one"), status(code)])]));
        let response = service.oneshot(call()).await.unwrap();
        assert_eq!(budget.level(), Some(expected));
        read(response.into_body()).await;
        assert_eq!(budget.level(), Some(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn each_upstreams_throttle_counts_its_own_calls() {
    let budget = Budget::per_authority_with(10, || Budget::throttle(10, 0.1));
    let to = |uri: &'static str| {
        let mut request = call();
        *request.uri_mut() = Uri::from_static(uri);
        request
    };
    let uris = ["http://good.test/a.B/C", "http://bad.test/a.B/C"];
    for uri in uris {
        fail(&budget, to(uri)).await;
    }
    let mut bodies = Vec::new();
    for (uri, code) in uris.into_iter().zip(["0", "14"]) {
        let layer = exact().budget(budget.clone());
        let plan = [streamed([data("one"), status(code)])];
        let service = stacked(layer, PeekTrailersLayer::new(), plan);
        bodies.push(service.oneshot(to(uri)).await.unwrap().into_body());
    }
    let levels = || uris.map(|uri| level_of(&budget, &Uri::from_static(uri)).unwrap());
    assert_eq!(levels(), [SAME; 2]);
    for body in bodies {
        read(body).await;
    }
    assert_eq!(levels(), [WON, LOST]);
}

#[tokio::test(start_paused = true)]
async fn committed_failures_end_the_retries_and_committed_successes_bring_them_back() {
    let budget = Budget::throttle(10, 0.1);
    let attempts = async |plan: Vec<Response<Scripted>>| {
        let layer = exact().budget(budget.clone());
        let upstream = Upstream::new(plan);
        let service = layer.layer(PeekTrailersLayer::new().layer(upstream.clone()));
        let response = service.oneshot(call()).await.unwrap();
        read(response.into_body()).await;
        upstream.seconds().len()
    };
    let committed = |code| streamed([data("one"), status(code)]);
    for left in [9_000, 8_000, 7_000, 6_000] {
        assert_eq!(attempts(vec![committed("14")]).await, 1);
        assert_eq!(budget.level(), Some(left));
    }
    // The next failure leaves half, which is not enough.
    assert_eq!(attempts(vec![head("14")]).await, 1);
    assert_eq!(budget.level(), Some(5_000));
    for _ in 0..11 {
        assert_eq!(attempts(vec![committed("0")]).await, 1);
    }
    assert_eq!(budget.level(), Some(6_100));
    assert_eq!(attempts(vec![head("14"), committed("0")]).await, 2);
    assert_eq!(budget.level(), Some(5_200));
}

#[tokio::test(start_paused = true)]
async fn with_a_service_config_the_codes_that_count_are_those_of_the_method() {
    use tower_http_retry::event::StopReason;
    use tower_http_retry::grpc::{RetryPolicy, ServiceConfig};
    let policy = |code: i32| {
        let policy = RetryPolicy::new().max_attempts(2);
        policy.retryable_status_codes([code])
    };
    let config = ServiceConfig::builder()
        .service("a.B", policy(14))
        .service("d.E", policy(10))
        .retry_throttling(10.0, 0.5)
        .build()
        .unwrap();
    #[rustfmt::skip]
    let calls = [
        ("/a.B/C", status("14"), 9_000),
        ("/a.B/C", status("10"), 9_000),
        ("/d.E/F", status("10"), 8_000),
        ("/d.E/F", status("14"), 8_000),
        ("/d.E/F", Does::Fail, 8_000),
        ("/a.B/C", Does::Fail, 7_000),
        // No policy, no code: but a success, and a server that says no.
        ("/other/F", status("14"), 7_000),
        ("/other/F", pushed("13", "-1"), 6_000),
        ("/other/F", status("0"), 6_500),
        // Half is left, and that is not enough for a retry.
        ("/d.E/F", pushed("3", "-1"), 5_500),
        ("/a.B/C", status("14"), 4_500),
    ];
    let (noted, told) = std::sync::mpsc::channel();
    let layer = RetryLayer::grpc().service_config(config);
    let layer = layer.on_event(move |event| {
        if let Step::Stop(stop) = Step::from(event.kind()) {
            noted.send((stop, event.level().unwrap())).unwrap();
        }
    });
    let send = async |path: &str, response| {
        let service = stacked(layer.clone(), PeekTrailersLayer::new(), [response]);
        let mut request = call();
        *request.uri_mut() = format!("http://upstream.test{path}").parse().unwrap();
        read(service.oneshot(request).await.unwrap().into_body()).await;
    };
    let mut level = 10_000;
    for (path, last, after) in calls {
        send(path, streamed([data("one"), last])).await;
        // It is told with the head what was left before.
        assert_eq!(told.recv().unwrap(), (StopReason::Success, level), "{path}");
        level = after;
    }
    send("/a.B/C", head("14")).await;
    assert_eq!(told.recv().unwrap(), (StopReason::Budget, level - 1_000));
}
