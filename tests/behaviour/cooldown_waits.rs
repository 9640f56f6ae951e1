//! Who is held, who is not sent, and what retries do meanwhile.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full};
use tokio::time::Instant;
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_http_retry::event::{StopReason, WaitReason};
use tower_http_retry::{
    Attempts, AttemptsHandle, BoxError, Budget, Cooldown, ReplayBody, RetryError, RetryLayer,
    RetryOverride, VerifyLayer,
};

use crate::support::cooling::{
    Client, OK, cooling_down, enough, layer, millis, pass, refused, secs, settle, status, told,
    upstream_uri,
};
use crate::support::step::Step;
use crate::support::upstream::Answer::{self, Status};
use crate::support::upstream::{Body, Upstream, after, get, request};

/// A client that is held for so long from now on, and is served then.
fn held(cooldown: Cooldown, time: Duration) -> Client {
    let client = Client::new(cooldown, [OK]);
    client.cooldown.hold(&upstream_uri(), time);
    client
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_if_no_more_is_left_than_max_hold() {
    for (max_hold, cooldown) in [
        (secs(5), Cooldown::new()),
        (secs(9), Cooldown::new().max_hold(secs(9))),
    ] {
        let client = held(cooldown.clone(), max_hold);
        assert_eq!(client.send().await.0, max_hold);
        let longer = max_hold + millis(1);
        let client = held(cooldown, longer);
        assert_eq!(cooling_down(client.send().await), longer);
        assert_eq!(client.sent_at(), []);
        assert_eq!(client.waiting(), 0);
        // When less is left, it waits.
        pass(millis(1)).await;
        assert_eq!(client.send().await.0, max_hold);
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_fails_when_it_is_held_for_longer_than_max_hold() {
    let client = held(Cooldown::new(), secs(4));
    let waiting = client.spawn_each(2).await;
    pass(secs(1)).await;
    client.cooldown.hold(&upstream_uri(), secs(5));
    settle().await;
    assert_eq!(client.waiting(), 2);
    client.cooldown.hold(&upstream_uri(), secs(6));
    for request in waiting {
        let outcome = request.await.unwrap();
        assert_eq!(outcome.0, secs(1));
        assert_eq!(cooling_down(outcome), secs(6));
    }
    assert_eq!(client.sent_at(), []);
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_only_inside_its_window() {
    let send = async |window, held_for| {
        let cooldown = Cooldown::new().max_hold(Duration::MAX);
        let upstream = Upstream::new([OK]);
        let service = layer(&cooldown).window(window).layer(upstream.clone());
        cooldown.hold(&upstream_uri(), held_for);
        let outcome = service.send(get()).await;
        (outcome, upstream.millis())
    };
    let (outcome, sent_at) = send(secs(10), secs(10)).await;
    assert_eq!(cooling_down((secs(0), outcome)), secs(10));
    assert_eq!(sent_at, []);
    let (outcome, sent_at) = send(secs(10), millis(9_999)).await;
    assert!(outcome.is_ok());
    assert_eq!(sent_at, [9_999]);
    let (outcome, sent_at) = send(Duration::MAX, secs(100_000)).await;
    assert!(outcome.is_ok());
    assert_eq!(sent_at, [100_000_000]);
}

#[tokio::test(start_paused = true)]
async fn its_own_window_goes_before_the_layers() {
    let client = held(Cooldown::new(), secs(3));
    let mut impatient = get();
    impatient
        .extensions_mut()
        .insert(RetryOverride::new().window(secs(2)));
    let outcome = client.service.send(impatient).await;
    assert_eq!(cooling_down((secs(0), outcome)), secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_window_that_ends_in_the_queue_ends_the_request() {
    // The first that goes is never answered, so that the second waits for its turn.
    let cooldown = Cooldown::new();
    let layer = layer(&cooldown).window(millis(3_500));
    let client = Client::with(layer, cooldown, [Answer::Never]);
    client.cooldown.hold(&upstream_uri(), secs(3));
    let waiting = client.spawn_each(2).await;
    for request in waiting.into_iter().skip(1) {
        let outcome = request.await.unwrap();
        assert_eq!(outcome.0, millis(3_500));
        assert_eq!(cooling_down(outcome), Duration::ZERO);
    }
    assert_eq!(client.sent_at(), [3_000]);
}

#[tokio::test(start_paused = true)]
async fn the_time_in_the_queue_is_a_part_of_the_window_of_retries() {
    let cooldown = Cooldown::new();
    // Three retries after 1 s, 2 s and 4 s fit into 8 s, and two if 2 s are over.
    for (held_for, attempts) in [(0, 4), (2, 3)] {
        let layer = layer(&cooldown).max_retries(9).window(secs(8));
        let client = Client::with(layer, cooldown.clone(), [Status(503)]);
        client.cooldown.hold(&upstream_uri(), secs(held_for));
        let outcome = client.send().await;
        assert_eq!(status(outcome), 503);
        assert_eq!(client.sent_at().len(), attempts);
    }
}

#[tokio::test(start_paused = true)]
async fn at_most_so_many_wait() {
    let client = held(Cooldown::new().max_waiting(3), secs(4));
    let waiting = client.spawn_each(3).await;
    let outcome = client.send().await;
    assert_eq!(cooling_down(outcome), secs(4));
    assert_eq!(client.waiting(), 3);
    for request in waiting {
        request.await.unwrap().1.unwrap();
    }
    // By default it is 1,024.
    let client = held(Cooldown::new(), secs(4));
    let waiting = client.spawn_each(1_025).await;
    assert_eq!(client.waiting(), 1_024);
    let mut failed = 0;
    for request in waiting {
        failed += usize::from(request.await.unwrap().1.is_err());
    }
    assert_eq!(failed, 1);
}

#[tokio::test(start_paused = true)]
async fn an_error_for_want_of_room_says_so() {
    let client = Client::new(Cooldown::new().max_waiting(0), [after(secs(9), OK)]);
    client.cooldown.hold(&upstream_uri(), secs(1));
    pass(secs(1)).await;
    let _first = client.spawn_each(1).await;
    let (_, outcome) = client.send().await;
    let error = outcome.unwrap_err().to_string();
    assert_eq!(
        error,
        "not sent: other requests wait to be sent first, after a cooldown"
    );
}

#[tokio::test(start_paused = true)]
async fn requests_go_in_the_order_in_which_they_came() {
    let client = held(Cooldown::new(), secs(4));
    let mut waiting = Vec::new();
    for number in 0..50 {
        let mut request = get();
        *request.uri_mut() = format!("http://upstream.test/{number}").parse().unwrap();
        waiting.push(tokio::spawn(client.service.clone().oneshot(request)));
        settle().await;
        // Some have gone away meanwhile.
        if number % 7 == 3 {
            waiting.pop().unwrap().abort();
            settle().await;
        }
    }
    for request in waiting {
        request.await.unwrap().unwrap();
    }
    let seen = client.upstream.seen();
    let number = |uri: &Uri| uri.path()[1..].parse::<u32>().unwrap();
    let numbers: Vec<_> = seen.iter().map(|seen| number(&seen.uri)).collect();
    let expected: Vec<_> = (0..50).filter(|number| number % 7 != 3).collect();
    assert_eq!(numbers, expected);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_dropped_while_it_waits_leaves_no_trace() {
    let client = held(Cooldown::new(), secs(4));
    let waiting = client.spawn_each(3).await;
    assert_eq!(client.waiting(), 3);
    for request in &waiting {
        request.abort();
    }
    settle().await;
    assert_eq!(client.waiting(), 0);
    assert_eq!(client.sent_at(), []);
    // The next one is the first, and goes when the time has come.
    assert_eq!(client.send().await.0, secs(4));
    assert_eq!(client.left(), None);
}

#[tokio::test(start_paused = true)]
async fn no_readied_handle_is_held_by_a_request_that_waits() {
    let cooldown = Cooldown::per_authority(2);
    let upstream = Upstream::new([OK]);
    let service = ServiceBuilder::new()
        .layer(layer(&cooldown))
        .layer(ConcurrencyLimitLayer::new(1))
        .service(upstream.clone());
    cooldown.hold(&upstream_uri(), secs(4));
    // Ready, and so with the only permit, when it is called.
    let mut ready = service.clone();
    ServiceExt::<Request<Body>>::ready(&mut ready)
        .await
        .unwrap();
    let waiting = tokio::spawn(ready.call(get()));
    settle().await;
    assert_eq!(cooldown.waiting(&upstream_uri()), 1);
    // Others need the permit meanwhile.
    let mut other = get();
    *other.uri_mut() = Uri::from_static("http://other.test/");
    service.oneshot(other).await.unwrap();
    assert_eq!(upstream.millis(), [0]);
    waiting.await.unwrap().unwrap();
    assert_eq!(upstream.millis(), [0, 4_000]);
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_begins_while_a_request_waits_to_be_ready_holds_it_and_its_permit_is_free() {
    let cooldown = Cooldown::per_authority(2);
    let upstream = Upstream::new([after(secs(6), OK), OK]);
    let service = ServiceBuilder::new()
        .layer(layer(&cooldown))
        .layer(ConcurrencyLimitLayer::new(1))
        .service(upstream.clone());
    let slow = tokio::spawn(service.clone().oneshot(to_other()));
    settle().await;
    cooldown.hold(&upstream_uri(), secs(1));
    let mut held = service.clone();
    // Called without having been ready: nothing is sent before it is.
    let held = tokio::spawn(async move {
        std::future::poll_fn(|_| std::task::Poll::Ready(held.call(get())))
            .await
            .await
    });
    pass(secs(2)).await;
    cooldown.hold(&upstream_uri(), secs(5));
    slow.await.unwrap().unwrap();
    settle().await;
    // It was ready at 6 s, and is held until 7 s.
    assert_eq!(upstream.millis(), [0]);
    service.oneshot(to_other()).await.unwrap();
    held.await.unwrap().unwrap();
    assert_eq!(upstream.millis(), [0, 6_000, 7_000]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_may_go_waits_for_the_service_as_one_that_was_not_held() {
    let cooldown = Cooldown::per_authority(2);
    let upstream = Upstream::new([after(secs(6), OK), OK]);
    let service = ServiceBuilder::new()
        .layer(layer(&cooldown).window(secs(3)))
        .layer(ConcurrencyLimitLayer::new(1))
        .service(upstream.clone());
    let held = service.clone();
    cooldown.hold(&upstream_uri(), secs(1));
    let mut held = tokio_test::task::spawn(held.send(get()));
    assert!(held.poll().is_pending());
    let slow = tokio::spawn(service.clone().oneshot(to_other()));
    settle().await;
    pass(secs(1)).await;
    assert!(held.poll().is_pending());
    slow.await.unwrap().unwrap();
    held.await.unwrap();
    assert_eq!(upstream.millis(), [0, 6_000]);
}

fn to_other() -> Request<Full<Bytes>> {
    let mut other = get();
    *other.uri_mut() = Uri::from_static("http://other.test/");
    other
}

#[tokio::test(start_paused = true)]
async fn two_upstreams_do_not_hold_each_other_and_share_one_unless_told_to() {
    for (cooldown, is_shared) in [(Cooldown::new(), true), (Cooldown::per_authority(9), false)] {
        let plan = [vec![told(200, 0, 4)], vec![OK]].concat();
        let client = Client::new(cooldown, plan);
        client.send_each(1).await;
        assert_eq!(client.left(), Some(secs(4)));
        let start = Instant::now();
        client.service.send(to_other()).await.unwrap();
        let expected = if is_shared { secs(4) } else { Duration::ZERO };
        assert_eq!(start.elapsed(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstream_is_the_same_for_each_way_to_write_it() {
    let cooldown = Cooldown::per_authority(9);
    cooldown.hold(&Uri::from_static("http://UPSTREAM.test:80/a"), secs(4));
    assert_eq!(cooldown.left(&upstream_uri()), Some(secs(4)));
    assert_eq!(
        cooldown.left(&Uri::from_static("https://upstream.test/")),
        None
    );
    assert_eq!(
        cooldown.waiting(&Uri::from_static("https://upstream.test/")),
        0
    );
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_is_no_longer_kept_lets_those_go_that_wait_for_it() {
    let client = held(Cooldown::per_authority(1), secs(4));
    let waiting = client.spawn_each(3).await;
    client.service.send(to_other()).await.unwrap();
    assert_eq!(client.left(), None);
    assert_eq!(client.send().await.0, Duration::ZERO);
    for request in waiting {
        assert_eq!(request.await.unwrap().0, secs(4));
    }
    assert_eq!(client.cooldown.left(&to_other().uri().clone()), None);
}

#[tokio::test(start_paused = true)]
async fn to_keep_an_upstream_no_longer_holds_and_releases_no_other() {
    let cooldown = Cooldown::per_authority(1);
    let [first, second] = ["http://a.test/", "http://b.test/"].map(Uri::from_static);
    for _ in 0..3 {
        cooldown.hold(&first, secs(4));
        assert_eq!(cooldown.left(&first), Some(secs(4)));
        cooldown.release(&first);
        cooldown.hold(&second, secs(4));
        assert_eq!(cooldown.left(&second), Some(secs(4)));
        assert_eq!(cooldown.left(&first), None);
    }
}

#[tokio::test(start_paused = true)]
async fn clones_hold_together_and_have_their_own_limits() {
    let cooldown = Cooldown::new();
    let patient = cooldown.clone().max_hold(secs(60));
    let (here, there) = (
        Client::new(cooldown, [told(200, 0, 9), OK]),
        Client::new(patient, [OK]),
    );
    here.send_each(1).await;
    assert_eq!(cooling_down(here.send().await), secs(9));
    assert_eq!(there.send().await.0, secs(9));
    assert_eq!(here.left(), None);
}

#[tokio::test(start_paused = true)]
async fn a_held_request_is_sent_as_it_was() {
    let cooldown = Cooldown::new();
    let service = layer(&cooldown).mark_attempts().service_for_bodies();
    cooldown.hold(&upstream_uri(), secs(4));
    let request = Request::put("http://upstream.test/item?secret=1")
        .header("x-one", "1")
        .extension(7_u8)
        .body(Full::from("the body"))
        .unwrap();
    let seen = service.oneshot(request).await.unwrap();
    assert_eq!(seen, "PUT /item?secret=1 x-one=1 7 attempt 1: the body");
}

trait ServiceForBodies {
    fn service_for_bodies(
        self,
    ) -> impl Service<Request<Full<Bytes>>, Response = String, Error = BoxError, Future: Send>;
}

impl ServiceForBodies for RetryLayer {
    /// Answers with what it was sent.
    fn service_for_bodies(
        self,
    ) -> impl Service<Request<Full<Bytes>>, Response = String, Error = BoxError, Future: Send> {
        let retry = self.layer(tower::service_fn(
            async |request: Request<ReplayBody<Full<Bytes>>>| {
                let (head, body) = request.into_parts();
                let attempt = head.extensions.get::<tower_http_retry::Attempt>().unwrap();
                let body = body.collect().await?.to_bytes();
                let text = format!(
                    "{} {} x-one={} {} attempt {}: {}",
                    head.method,
                    head.uri.path_and_query().unwrap(),
                    head.headers["x-one"].to_str().unwrap(),
                    head.extensions.get::<u8>().unwrap(),
                    attempt.number(),
                    String::from_utf8(body.to_vec()).unwrap(),
                );
                Ok::<_, BoxError>(http::Response::new(Full::<Bytes>::from(text)))
            },
        ));
        retry.and_then(async |response: http::Response<Full<Bytes>>| {
            let body = response.into_body().collect().await?.to_bytes();
            Ok(String::from_utf8(body.to_vec())?)
        })
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_sent_is_no_attempt_and_costs_and_earns_nothing() {
    let cooldown = Cooldown::new();
    let budget = Budget::earning(2);
    let layer = layer(&cooldown).budget(budget.clone());
    let client = Client::with(layer, cooldown, [OK]);
    client.cooldown.hold(&upstream_uri(), secs(60));
    let handle = AttemptsHandle::new();
    let mut request = get();
    request.extensions_mut().insert(handle.clone());
    let outcome = client.service.send(request).await;
    cooling_down((secs(0), outcome));
    let Attempts { count, stopped, .. } = handle.get();
    assert_eq!((count, stopped), (0, Some(StopReason::CoolingDown)));
    assert_eq!(budget.tokens(), Some(6.0));
    assert_eq!(client.sent_at(), []);
    assert_eq!(client.told(), []);
}

#[tokio::test(start_paused = true)]
async fn retries_wait_for_the_end_of_the_hold_and_take_no_second_token() {
    let cooldown = Cooldown::new();
    let budget = Budget::earning(2);
    let layer = layer(&cooldown).max_retries(1).budget(budget.clone());
    let plan = [vec![Status(503), told(429, 0, 7)], vec![OK]].concat();
    let client = Client::with(layer, cooldown, plan);
    // One that failed waits 1 s by itself, and one that holds all the others has its own wait.
    let waiting = client.spawn_each(2).await;
    for request in waiting {
        assert_eq!(request.await.unwrap().0, secs(7));
    }
    assert_eq!(client.sent_at(), [0, 0, 7_000, 7_000]);
    let left = secs(7);
    let expected = [
        Step::Retry {
            after: secs(1),
            reason: WaitReason::Backoff,
        },
        Step::CooldownStarted { left },
        Step::Retry {
            after: left,
            reason: WaitReason::Server,
        },
        // When its own wait is over, it is held, and after that for its turn.
        Step::Held { left: secs(6) },
        Step::Held {
            left: Duration::ZERO,
        },
        Step::CooldownEnded,
    ];
    assert_eq!(client.told(), expected);
    // Two retries of one token each, both of which helped.
    assert_eq!(budget.tokens(), Some(6.0));
}

#[tokio::test(start_paused = true)]
async fn a_retry_of_another_request_waits_for_what_holds_when_it_fails() {
    let cooldown = Cooldown::new();
    let slow = after(secs(1), Status(503));
    let failing = Client::with(client_layer(&cooldown), cooldown.clone(), [slow, OK]);
    let failed = failing.spawn_each(1).await.remove(0);
    let telling = Client::new(cooldown, [told(200, 0, 7)]);
    telling.send_each(1).await;
    assert_eq!(failed.await.unwrap().0, secs(7));
    let retry = Step::Retry {
        after: secs(6),
        reason: WaitReason::Cooldown,
    };
    assert_eq!(failing.told()[0], retry);
}

fn client_layer(cooldown: &Cooldown) -> RetryLayer {
    layer(cooldown).max_retries(1)
}

#[tokio::test(start_paused = true)]
async fn a_hold_beyond_the_window_returns_the_last_outcome_at_once() {
    let cooldown = Cooldown::new();
    let layer = layer(&cooldown).max_retries(1).window(secs(6));
    let client = Client::with(layer, cooldown, [told(429, 0, 7)]);
    let (took, outcome) = client.send().await;
    assert_eq!(took, Duration::ZERO);
    assert_eq!(status((took, outcome)), 429);
    // And one that is held for longer only when its wait is over.
    let cooldown = Cooldown::new();
    let layer = client_layer(&cooldown).window(secs(6));
    let client = Client::with(layer, cooldown, [refused(3), OK]);
    let waiting = client.spawn_each(1).await.remove(0);
    pass(secs(1)).await;
    client.cooldown.hold(&upstream_uri(), secs(60));
    let (took, outcome) = waiting.await.unwrap();
    assert_eq!(took, secs(3));
    match outcome.unwrap_err().downcast_ref() {
        Some(RetryError::Abandoned { reason, last, .. }) => {
            assert_eq!(*reason, StopReason::Window);
            assert_eq!(last.as_ref().unwrap().status(), 429);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(client.sent_at(), [0]);
}

#[tokio::test(start_paused = true)]
async fn a_probe_is_sent_when_its_retry_is() {
    let cooldown = Cooldown::new();
    let upstream = Upstream::new([Status(503), Status(404), Status(204)]);
    let service = ServiceBuilder::new()
        .layer(client_layer(&cooldown))
        .layer(VerifyLayer::new())
        .service(upstream.clone());
    let waiting = tokio::spawn(service.oneshot(request(Method::DELETE)));
    settle().await;
    cooldown.hold(&upstream_uri(), secs(7));
    // The item is gone, so that nothing is deleted again.
    assert_eq!(waiting.await.unwrap().unwrap().status(), 204);
    let seen = upstream.seen();
    let sent: Vec<_> = seen.iter().map(|seen| (&seen.method, seen.at)).collect();
    let expected = [(&Method::DELETE, Duration::ZERO), (&Method::GET, secs(7))];
    assert_eq!(sent, expected);
}

#[tokio::test(start_paused = true)]
async fn retries_wait_in_any_number_and_for_longer_than_max_hold() {
    let cooldown = Cooldown::new().max_waiting(0).max_hold(Duration::ZERO);
    let plan = [vec![Status(503); 20], vec![OK]].concat();
    let client = Client::with(client_layer(&cooldown), cooldown, plan);
    let waiting = client.spawn_each(20).await;
    client.cooldown.hold(&upstream_uri(), secs(100));
    for request in waiting {
        let (took, outcome) = request.await.unwrap();
        assert!(outcome.is_ok());
        assert_eq!(took, secs(100));
    }
}

#[tokio::test(start_paused = true)]
async fn methods_and_bodies_make_no_difference_to_who_is_held() {
    for method in [Method::GET, Method::POST, Method::DELETE] {
        let client = held(Cooldown::new(), secs(4));
        let start = Instant::now();
        client.service.send(request(method)).await.unwrap();
        assert_eq!(start.elapsed(), secs(4));
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_again_by_a_hold() {
    let client = Client::new(Cooldown::new(), [enough(2), vec![OK]].concat());
    client.send_each(8).await;
    let waiting = client.spawn_each(40).await;
    for request in waiting {
        assert_eq!(status(request.await.unwrap()), 200);
    }
    assert_eq!(client.sent_at().len(), 48);
}
