//! What callers, listeners and servers do with requests that are held, and that none is forgotten.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Uri};
use tokio::time::{Instant, sleep};
use tower::limit::ConcurrencyLimit;
use tower::{Layer, Service, ServiceExt};
use tower_http_retry::{AttemptsHandle, BoxError, Cooldown, ReplayBody};

use crate::support::cooling::{
    Client, OK, cooling_down, layer, millis, pass, refused, secs, settle, status, told,
    upstream_uri,
};
use crate::support::step::Step;
use crate::support::upstream::Answer::Status;
use crate::support::upstream::{Body, Upstream, after, get};

/// A request has its turn in one slow start, and waits for a permit that another one has until 11 s;
/// what happens at 2.5 s and at 4 s is told. When the permit is there, it is sent.
async fn sent_after(cooldown: Cooldown, acts: [&dyn Fn(&Cooldown); 2]) {
    let upstream = Upstream::new([after(secs(10), OK), OK]);
    let limited = layer(&cooldown).layer(ConcurrencyLimit::new(upstream.clone(), 1));
    cooldown.hold(&upstream_uri(), secs(1));
    let slow = tokio::spawn(limited.clone().oneshot(get()));
    settle().await;
    let waiting = tokio::spawn(limited.oneshot(get()));
    settle().await;
    for (act, wait) in acts.into_iter().zip([2_500, 1_500]) {
        sleep(millis(wait)).await;
        act(&cooldown);
    }
    slow.await.unwrap().unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(upstream.millis(), [1_000, 11_000]);
}

#[tokio::test(start_paused = true)]
async fn a_turn_of_an_earlier_slow_start_is_asked_for_again() {
    let uri = upstream_uri();
    let hold = |cooldown: &Cooldown| cooldown.hold(&uri, secs(1));
    let release = |cooldown: &Cooldown| {
        // Another slow start, which ends.
        assert_eq!(cooldown.left(&uri), None);
        cooldown.release(&uri);
    };
    sent_after(Cooldown::new(), [&hold, &release]).await;
    sent_after(Cooldown::new(), [&hold, &|_| {}]).await;
    let forget = |cooldown: &Cooldown| {
        cooldown.hold(&uri, secs(60));
        cooldown.hold(&Uri::from_static("http://other.test/"), secs(0));
    };
    sent_after(Cooldown::per_authority(1), [&forget, &|_| {}]).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_is_not_polled_keeps_nobody_back_and_has_its_place_again() {
    let client = Client::new(Cooldown::new(), [after(secs(60), OK)]);
    client.cooldown.hold(&upstream_uri(), secs(3));
    let mut absent = tokio_test::task::spawn(client.service.send(get()));
    assert!(absent.poll().is_pending());
    let waiting = client.spawn_each(3).await;
    // A second later than it could have gone, the next one goes instead, and the others as after it.
    client.at(millis(3_999)).await;
    assert_eq!(client.sent_at(), []);
    client.at(secs(5)).await;
    assert_eq!(client.sent_at(), [4_000, 5_000]);
    // It is before those that came later.
    assert!(absent.poll().is_pending());
    let last = client.spawn_each(1).await;
    client.at(secs(6)).await;
    assert_eq!(client.sent_at().len(), 2);
    assert!(absent.poll().is_pending());
    settle().await;
    assert_eq!(client.sent_at().len(), 2 + 2);
    assert_eq!(client.waiting(), 1);
    absent.await.unwrap();
    for request in waiting.into_iter().chain(last) {
        request.await.unwrap().1.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_not_polled_until_its_window_is_over_is_not_sent() {
    let cooldown = Cooldown::new();
    let client = Client::with(layer(&cooldown).window(secs(10)), cooldown, [OK]);
    client.cooldown.hold(&upstream_uri(), secs(3));
    let mut absent = tokio_test::task::spawn(client.service.send(get()));
    assert!(absent.poll().is_pending());
    client.at(secs(10)).await;
    let outcome = absent.await;
    assert_eq!(cooling_down((secs(0), outcome)), Duration::ZERO);
    assert_eq!(client.sent_at(), []);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_dropped_between_its_turn_and_the_service_lets_another_go() {
    let cooldown = Cooldown::new();
    let upstream = Upstream::new([after(millis(500), OK)]);
    let limited = layer(&cooldown).layer(ConcurrencyLimit::new(upstream.clone(), 1));
    cooldown.hold(&upstream_uri(), secs(1));
    let mut requests = Vec::new();
    for _ in 0..3 {
        requests.push(tokio::spawn(limited.clone().oneshot(get())));
        settle().await;
    }
    // At 1.5 s the first is served; two have their turn then, and one of them the permit.
    sleep(millis(1_600)).await;
    requests.remove(2).abort();
    for request in requests {
        request.await.unwrap().unwrap();
    }
    assert_eq!(upstream.millis(), [1_000, 1_500]);
    assert_eq!(cooldown.left(&upstream_uri()), None);
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_service_or_a_classifier_lets_another_go() {
    #[derive(Clone)]
    struct Panics(Upstream, Arc<AtomicUsize>);
    impl Service<Request<ReplayBody<Body>>> for Panics {
        type Response = http::Response<Body>;
        type Error = BoxError;
        type Future = <Upstream as Service<Request<ReplayBody<Body>>>>::Future;

        fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Service::<Request<ReplayBody<Body>>>::poll_ready(&mut self.0, cx)
        }

        fn call(&mut self, request: Request<ReplayBody<Body>>) -> Self::Future {
            let number = self.1.fetch_add(1, Ordering::Relaxed);
            assert_ne!(number, 0, "the service");
            self.0.call(request)
        }
    }
    let cooldown = Cooldown::new();
    let outcomes = AtomicUsize::new(0);
    let layer = layer(&cooldown).classify_fn(move |outcome| {
        let number = outcomes.fetch_add(1, Ordering::Relaxed);
        assert_ne!(number, 0, "the classifier");
        outcome.by_status()
    });
    let service = layer.layer(Panics(Upstream::new([OK]), Arc::default()));
    cooldown.hold(&upstream_uri(), secs(1));
    let start = Instant::now();
    let requests: Vec<_> = (0..6)
        .map(|_| tokio::spawn(service.clone().oneshot(get())))
        .collect();
    let mut served = 0;
    for request in requests {
        served += usize::from(request.await.is_ok());
    }
    assert_eq!((served, start.elapsed()), (4, secs(1)));
}

#[tokio::test(start_paused = true)]
async fn a_listener_may_use_the_switch() {
    let cooldown = Cooldown::new();
    let (switch, number) = (cooldown.clone(), AtomicUsize::new(0));
    let layer = layer(&cooldown).on_event(move |event| {
        let uri = event.request().uri();
        switch.left(uri);
        switch.waiting(uri);
        match number.fetch_add(1, Ordering::Relaxed) % 4 {
            0 => switch.hold(uri, secs(1)),
            1 => switch.release(uri),
            2 => switch.hold(uri, secs(0)),
            _ => {}
        }
    });
    let service = layer.layer(Upstream::new([told(200, 0, 3), OK, told(200, 0, 3), OK]));
    let requests: Vec<_> = (0..50)
        .map(|_| tokio::spawn(service.clone().oneshot(get())))
        .collect();
    for request in requests {
        request.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_future_may_be_moved_to_another_task_while_it_waits() {
    let client = Client::new(Cooldown::new(), [OK]);
    client.cooldown.hold(&upstream_uri(), secs(3));
    let mut requests: Vec<_> = (0..5)
        .map(|_| tokio_test::task::spawn(client.service.clone().oneshot(get())))
        .collect();
    for request in &mut requests {
        assert!(request.poll().is_pending());
    }
    requests.reverse();
    let moved = requests
        .into_iter()
        .map(|request| tokio::spawn(request.into_inner()));
    for request in moved.collect::<Vec<_>>() {
        request.await.unwrap().unwrap();
    }
    assert_eq!(client.sent_at(), [3_000; 5]);
}

#[tokio::test(start_paused = true)]
async fn the_longest_bounds_what_one_in_the_slow_start_asks_for() {
    for asked in [86_400, u64::MAX] {
        let cooldown = Cooldown::new().longest(secs(10)).max_hold(Duration::MAX);
        let client = Client::new(cooldown, [told(200, 0, 3), refused(asked), OK]);
        client.send_each(2).await;
        assert_eq!(client.left(), Some(secs(10)));
        assert_eq!(client.send().await.0, secs(10));
    }
}

#[tokio::test(start_paused = true)]
async fn in_doubt_a_refusal_in_the_slow_start_asks_for_a_second() {
    let plan = [refused(30), OK, told(200, 0, 3), refused(60), OK];
    let client = Client::new(Cooldown::new(), plan);
    client.send_each(1).await;
    pass(secs(1)).await;
    client.send_each(3).await;
    assert_eq!(client.left(), Some(secs(1)));
}

#[tokio::test(start_paused = true)]
async fn in_doubt_an_old_refusal_extends_nothing_and_what_is_told_does() {
    for (late, expected) in [(refused(60), secs(2)), (told(200, 0, 60), secs(60))] {
        let plan = [refused(30), OK, after(secs(2), late), told(200, 0, 3), OK];
        let client = Client::new(Cooldown::new(), plan);
        client.send_each(1).await;
        pass(secs(1)).await;
        client.send_each(1).await;
        let slow = client.spawn_each(1).await.remove(0);
        pass(secs(1)).await;
        client.send_each(1).await;
        assert_eq!(client.left(), Some(secs(3)));
        slow.await.unwrap().1.unwrap();
        assert_eq!(client.left(), Some(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_is_over_is_not_extended_whether_or_not_somebody_looked() {
    for looks in [true, false] {
        let plan = [after(secs(10), told(200, 0, 60)), told(200, 0, 1), OK];
        let client = Client::new(Cooldown::new(), plan);
        let slow = client.spawn_each(1).await.remove(0);
        client.send_each(1).await;
        pass(secs(5)).await;
        if looks {
            client.left();
        }
        slow.await.unwrap().1.unwrap();
        assert_eq!(client.left(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn starts_and_ends_are_told_in_pairs() {
    let pairs = |client: &Client| {
        let told = client.told().into_iter();
        let told = told.filter(|step| !matches!(step, Step::Held { .. }));
        told.collect::<Vec<_>>()
    };
    let started = Step::CooldownStarted { left: secs(3) };
    // It begins again before it has ended.
    let client = Client::new(Cooldown::new(), [told(200, 0, 3), told(200, 0, 3), OK]);
    client.send_each(4).await;
    assert_eq!(pairs(&client), [started, Step::CooldownEnded]);
    // It is ended from outside, which is told when a request is served.
    let client = Client::new(Cooldown::new(), [told(200, 0, 3), OK]);
    client.send_each(1).await;
    client.cooldown.release(&upstream_uri());
    assert_eq!(client.left(), None);
    client.send_each(2).await;
    assert_eq!(pairs(&client), [started, Step::CooldownEnded]);
    assert_eq!(client.sent_at(), [0; 3]);
}

#[tokio::test(start_paused = true)]
async fn no_more_are_sent_than_remain_however_long_the_answers_take() {
    let slow = |answer| after(secs(8), answer);
    let plan = [
        told(200, 0, 1),
        told(200, 2, 60),
        slow(told(200, 1, 60)),
        slow(told(200, 0, 60)),
        OK,
    ];
    let client = Client::new(Cooldown::new(), plan);
    client.send_each(1).await;
    let waiting = client.spawn_each(40).await;
    client.at(millis(8_999)).await;
    assert_eq!(client.sent_at(), [0, 1_000, 1_000, 1_000]);
    drop(waiting);
    // If they do not come, more are sent after half a minute.
    let client = Client::new(
        Cooldown::new(),
        [told(200, 0, 1), told(200, 1, 60), after(secs(99), OK)],
    );
    client.send_each(1).await;
    let _waiting = client.spawn_each(3).await;
    client.at(secs(32)).await;
    assert_eq!(client.sent_at(), [0, 1_000, 1_000, 31_000]);
}

#[tokio::test(start_paused = true)]
async fn failures_for_other_reasons_end_a_hold() {
    let client = Client::new(
        Cooldown::new(),
        [told(200, 0, 3), after(millis(200), Status(500))],
    );
    client.send_each(1).await;
    let mut requests = Vec::new();
    for _ in 0..2_000 {
        requests.push(client.spawn());
        sleep(millis(10)).await;
    }
    // Those that wait at first, and are sent within a second after it.
    for (number, request) in requests.into_iter().enumerate() {
        let outcome = request.await.unwrap();
        assert!(outcome.0 < secs(5), "{number}: {:?}", outcome.0);
        assert_eq!(status(outcome), 500);
    }
    assert_eq!(client.left(), None);
}

#[tokio::test(start_paused = true)]
async fn what_a_retry_was_held_for_is_a_part_of_what_it_waited() {
    let cooldown = Cooldown::new();
    let layer = layer(&cooldown).max_retries(2);
    let client = Client::with(layer, cooldown, [refused(2), OK]);
    let handle = AttemptsHandle::new();
    let mut request = get();
    request.extensions_mut().insert(handle.clone());
    let request = tokio::spawn(client.service.clone().oneshot(request));
    settle().await;
    client.at(millis(500)).await;
    client.cooldown.hold(&upstream_uri(), secs(9));
    request.await.unwrap().unwrap();
    assert_eq!(client.sent_at(), [0, 9_500]);
    assert_eq!(handle.get().waited, millis(9_500));
    // And what a first attempt was held for.
    let seen = Arc::<Mutex<Vec<Duration>>>::default();
    let waited = seen.clone();
    let cooldown = Cooldown::new();
    let layer = crate::support::cooling::layer(&cooldown)
        .on_event(move |event| waited.lock().unwrap().push(event.waited()));
    cooldown.hold(&upstream_uri(), secs(4));
    layer.layer(Upstream::new([OK])).send(get()).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [secs(0), secs(4), secs(4)]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_is_held_twice_has_waited_once() {
    let cooldown = Cooldown::per_authority(9);
    let upstream = Upstream::new([Status(503), after(secs(5), OK), OK]);
    let limited = layer(&cooldown)
        .max_retries(1)
        .layer(ConcurrencyLimit::new(upstream.clone(), 1));
    let handle = AttemptsHandle::new();
    let mut request = get();
    request.extensions_mut().insert(handle.clone());
    let retried = tokio::spawn(limited.clone().oneshot(request));
    settle().await;
    cooldown.hold(&upstream_uri(), secs(3));
    // Another upstream's has the permit until 5 s, so that the turn at 3 s comes to nothing.
    let mut other = get();
    *other.uri_mut() = Uri::from_static("http://other.test/");
    let other = tokio::spawn(limited.oneshot(other));
    sleep(secs(4)).await;
    cooldown.hold(&upstream_uri(), secs(5));
    other.await.unwrap().unwrap();
    retried.await.unwrap().unwrap();
    assert_eq!(upstream.millis(), [0, 0, 9_000]);
    assert_eq!(handle.get().waited, secs(9));
}

#[cfg(feature = "tower-http")]
#[tokio::test(start_paused = true)]
async fn what_another_upstream_answered_after_a_redirect_is_not_heard() {
    use tower_http::follow_redirect::RequestUri;
    for (answered, expected) in [
        ("http://files.test/x", None),
        ("http://upstream.test/item?secret=1", Some(secs(60))),
    ] {
        let cooldown = Cooldown::per_authority(9);
        let service = layer(&cooldown).layer(tower::service_fn(
            move |_: Request<ReplayBody<Body>>| async move {
                let response = http::Response::builder().header("ratelimit", r#""d";r=0;t=60"#);
                let response = response.extension(RequestUri(Uri::from_static(answered)));
                Ok::<_, BoxError>(response.body(Body::default())?)
            },
        ));
        service.oneshot(get()).await.unwrap();
        assert_eq!(cooldown.left(&upstream_uri()), expected, "{answered}");
    }
}
