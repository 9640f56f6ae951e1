//! When a hedge is sent, and whose outcome the caller gets.

use std::io::ErrorKind;

use http::{Method, StatusCode};
use tower_http_retry::hedge::{HedgeEventKind, Hedged, NotSent};
use tower_http_retry::{BoxError, Idempotency, RetryOverride};

use crate::support::hedging::{Ended, exact, millis, noting, send};
use crate::support::upstream::Answer::{Error, Headers, Never, Status};
use crate::support::upstream::{Answer, Upstream, after, get, request};

fn status(ended: &Ended) -> u16 {
    ended.0.as_ref().expect("a response").status().as_u16()
}

fn hedged(ended: &Ended) -> Option<(u32, bool)> {
    let response = ended.0.as_ref().expect("a response");
    let hedged = response.extensions().get::<Hedged>();
    hedged.map(|hedged| (hedged.sent, hedged.won))
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_answered_before_the_delay_is_not_hedged() {
    let upstream = Upstream::new([after(millis(99), Status(200))]);
    let (layer, told) = noting(exact());
    let ended = send(&layer, &upstream, get()).await;
    assert_eq!((status(&ended), ended.1), (200, 99));
    assert_eq!((upstream.millis(), hedged(&ended)), (vec![0], None));
    assert_eq!(*told.lock().unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_hedge_is_sent_when_the_delay_ends_and_wins_if_it_is_faster() {
    let upstream = Upstream::new([Never, after(millis(20), Status(200))]);
    let (layer, told) = noting(exact());
    let ended = send(&layer, &upstream, get()).await;
    assert_eq!((status(&ended), ended.1), (200, 120));
    assert_eq!(
        (upstream.millis(), hedged(&ended)),
        (vec![0, 100], Some((1, true)))
    );
    assert_eq!(
        *told.lock().unwrap(),
        [HedgeEventKind::Sent, HedgeEventKind::Won]
    );
}

#[tokio::test(start_paused = true)]
async fn the_first_attempt_wins_if_it_is_faster_than_its_hedge() {
    let upstream = Upstream::new([
        after(millis(110), Status(200)),
        after(millis(20), Status(200)),
    ]);
    let (layer, told) = noting(exact());
    let ended = send(&layer, &upstream, get()).await;
    assert_eq!((status(&ended), ended.1), (200, 110));
    assert_eq!(hedged(&ended), Some((1, false)));
    assert_eq!(
        *told.lock().unwrap(),
        [HedgeEventKind::Sent, HedgeEventKind::Lost]
    );
}

#[tokio::test(start_paused = true)]
async fn of_two_successes_at_once_the_first_attempts_is_taken() {
    let upstream = Upstream::new([
        after(millis(120), Status(200)),
        after(millis(20), Status(204)),
    ]);
    let ended = send(&exact(), &upstream, get()).await;
    assert_eq!((status(&ended), ended.1), (200, 120));
}

#[tokio::test(start_paused = true)]
async fn one_hedge_is_sent_and_no_more() {
    let upstream = Upstream::new([Never, Never, after(millis(1), Status(200))]);
    let layer = exact();
    let request = send(&layer, &upstream, get());
    assert!(tokio::time::timeout(millis(10_000), request).await.is_err());
    assert_eq!(upstream.millis(), [0, 100]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_before_the_delay_is_handed_up() {
    for answer in [
        Status(503),
        Status(429),
        Status(404),
        Error(ErrorKind::ConnectionRefused),
    ] {
        let upstream = Upstream::new([after(millis(50), answer.clone()), Status(200)]);
        let (layer, told) = noting(exact());
        let ended = send(&layer, &upstream, get()).await;
        assert_eq!((upstream.count(), ended.1), (1, 50), "{answer:?}");
        match answer {
            Answer::After(..) | Answer::Never | Headers(..) => unreachable!(),
            Status(code) => assert_eq!(status(&ended), code),
            Error(kind) => assert_eq!(kind_of(ended), kind),
        }
        assert_eq!(*told.lock().unwrap(), []);
    }
}

fn kind_of(ended: Ended) -> ErrorKind {
    let error: BoxError = ended.0.expect_err("an error");
    error
        .downcast_ref::<std::io::Error>()
        .expect("the service's own")
        .kind()
}

#[tokio::test(start_paused = true)]
async fn a_transient_failure_never_beats_a_success() {
    for failure in [Status(503), Status(429), Error(ErrorKind::ConnectionReset)] {
        // Whichever of the two fails, and so first.
        let slow = after(millis(300), Status(200));
        let plans = [
            (
                [
                    after(millis(150), failure.clone()),
                    after(millis(200), Status(200)),
                ],
                true,
            ),
            ([slow, after(millis(10), failure.clone())], false),
        ];
        for (plan, won) in plans {
            let upstream = Upstream::new(plan);
            let ended = send(&exact(), &upstream, get()).await;
            assert_eq!((status(&ended), ended.1), (200, 300), "{failure:?}");
            assert_eq!(hedged(&ended), Some((1, won)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn if_both_failed_the_first_attempts_outcome_is_handed_up() {
    let plans = [
        [
            after(millis(150), Status(503)),
            after(millis(100), Status(502)),
        ],
        [
            after(millis(250), Status(503)),
            after(millis(10), Status(502)),
        ],
    ];
    for plan in plans {
        let upstream = Upstream::new(plan);
        let (layer, told) = noting(exact());
        let ended = send(&layer, &upstream, get()).await;
        assert_eq!((status(&ended), hedged(&ended)), (503, Some((1, false))));
        assert_eq!(
            *told.lock().unwrap(),
            [HedgeEventKind::Sent, HedgeEventKind::Failed]
        );
    }
    let plan = [
        after(millis(150), Error(ErrorKind::ConnectionReset)),
        Status(502),
    ];
    let ended = send(&exact(), &Upstream::new(plan), get()).await;
    assert_eq!((ended.1, kind_of(ended)), (150, ErrorKind::ConnectionReset));
}

/// A retry above would take the request for one that nobody acted on.
#[tokio::test(start_paused = true)]
async fn a_refusal_is_not_handed_up_if_the_server_may_have_acted_on_the_other_attempt() {
    let plans = [
        [
            after(millis(150), Status(429)),
            after(millis(100), Status(502)),
        ],
        [
            after(millis(250), Status(429)),
            after(millis(10), Status(502)),
        ],
    ];
    for plan in plans {
        let ended = send(&exact(), &Upstream::new(plan), get()).await;
        assert_eq!(status(&ended), 502);
    }
    let both = [
        after(millis(150), Status(429)),
        after(millis(100), Error(ErrorKind::ConnectionRefused)),
    ];
    let ended = send(&exact(), &Upstream::new(both), get()).await;
    assert_eq!(status(&ended), 429);
}

#[tokio::test(start_paused = true)]
async fn a_permanent_failure_ends_the_request_at_once() {
    let plans = [
        (
            [
                after(millis(150), Status(404)),
                after(millis(200), Status(200)),
            ],
            150,
        ),
        (
            [
                after(millis(500), Status(200)),
                after(millis(10), Status(404)),
            ],
            110,
        ),
    ];
    for (plan, at) in plans {
        let ended = send(&exact(), &Upstream::new(plan), get()).await;
        assert_eq!((status(&ended), ended.1), (404, at));
    }
}

#[tokio::test(start_paused = true)]
async fn only_requests_with_a_safe_method_are_hedged() {
    for (method, hedges) in [
        (Method::GET, 1),
        (Method::HEAD, 1),
        (Method::OPTIONS, 1),
        (Method::from_bytes(b"QUERY").unwrap(), 1),
        (Method::PUT, 0),
        (Method::DELETE, 0),
        (Method::POST, 0),
        (Method::PATCH, 0),
        (Method::CONNECT, 0),
    ] {
        let upstream = Upstream::new([after(millis(300), Status(200))]);
        let mut request = request(method.clone());
        let key = "idempotency-key".parse::<http::HeaderName>().unwrap();
        request.headers_mut().insert(key, "7".parse().unwrap());
        let (layer, told) = noting(exact());
        let ended = send(&layer, &upstream, request).await;
        assert_eq!((status(&ended), ended.1), (200, 300), "{method}");
        assert_eq!(upstream.count(), 1 + hedges, "{method}");
        assert_eq!(told.lock().unwrap().len(), 2 * hedges, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_user_may_allow_others() {
    for (method, hedges) in [(Method::PUT, 1), (Method::POST, 0)] {
        let upstream = Upstream::new([after(millis(300), Status(200))]);
        let layer = exact().idempotency(Idempotency::new());
        send(&layer, &upstream, request(method)).await.0.unwrap();
        assert_eq!(upstream.count(), 1 + hedges);
    }
}

#[tokio::test(start_paused = true)]
async fn upgrades_and_streams_of_events_are_never_hedged() {
    for (name, value) in [
        ("upgrade", "websocket"),
        ("accept", "text/event-stream"),
        ("accept", "application/json, Text/Event-Stream;q=0.5"),
    ] {
        let upstream = Upstream::new([after(millis(300), Status(200))]);
        let mut request = get();
        let name = http::HeaderName::from_static(name);
        request.headers_mut().insert(name, value.parse().unwrap());
        let layer = exact().idempotency(Idempotency::any());
        send(&layer, &upstream, request).await.0.unwrap();
        assert_eq!(upstream.count(), 1, "{value}");
    }
}

#[tokio::test(start_paused = true)]
async fn streams_of_events_are_recognized_in_any_line() {
    let upstream = Upstream::new([after(millis(300), Status(200))]);
    let mut request = get();
    for accepted in ["application/json", "text/event-stream"] {
        request
            .headers_mut()
            .append(http::header::ACCEPT, accepted.parse().unwrap());
    }
    send(&exact(), &upstream, request).await.0.unwrap();
    assert_eq!(upstream.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_says_so_itself_is_sent_once() {
    for own in [
        RetryOverride::once(),
        RetryOverride::new().repeatable(false),
    ] {
        let upstream = Upstream::new([after(millis(300), Status(200))]);
        let mut request = get();
        request.extensions_mut().insert(own);
        send(&exact(), &upstream, request).await.0.unwrap();
        assert_eq!(upstream.count(), 1, "{own:?}");
    }
    // What it allows is what the layer allows.
    let upstream = Upstream::new([after(millis(300), Status(200))]);
    let mut request = request(Method::POST);
    request
        .extensions_mut()
        .insert(RetryOverride::new().repeatable(true));
    send(&exact(), &upstream, request).await.0.unwrap();
    assert_eq!(upstream.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hedge_is_the_same_request() {
    let upstream = Upstream::new([Never, Status(200)]);
    let mut request = get();
    *request.version_mut() = http::Version::HTTP_2;
    request
        .headers_mut()
        .insert("x-tenant", "a".parse().unwrap());
    request.extensions_mut().insert(7_u8);
    send(&exact(), &upstream, request).await.0.unwrap();
    let [first, hedge] = &upstream.seen()[..] else {
        panic!("two attempts");
    };
    assert_eq!((&first.method, &first.uri), (&hedge.method, &hedge.uri));
    assert_eq!(
        (first.version, hedge.version),
        (http::Version::HTTP_2, first.version)
    );
    assert_eq!(first.headers, hedge.headers);
    assert_eq!(hedge.extensions.get::<u8>(), Some(&7));
}

#[tokio::test(start_paused = true)]
async fn successes_earn_what_hedges_cost() {
    // 0.25 each; the first one is there from the start.
    let layer = exact().extra_load(0.25);
    let (layer, told) = noting(layer);
    let slow = || Upstream::new([after(millis(300), Status(200))]);
    let fast = Upstream::new([Status(200)]);
    send(&layer, &slow(), get()).await.0.unwrap();
    // That one earned a quarter itself.
    for _ in 0..2 {
        send(&layer, &fast, get()).await.0.unwrap();
    }
    let unpaid = slow();
    let ended = send(&layer, &unpaid, get()).await;
    assert_eq!((ended.1, unpaid.count()), (300, 1));
    let paid = slow();
    send(&layer, &paid, get()).await.0.unwrap();
    assert_eq!(paid.count(), 2);
    let no_budget = HedgeEventKind::NotSent(NotSent::Budget);
    let (sent, lost) = (HedgeEventKind::Sent, HedgeEventKind::Lost);
    assert_eq!(*told.lock().unwrap(), [sent, lost, no_budget, sent, lost]);
}

#[tokio::test(start_paused = true)]
async fn failures_earn_nothing_and_neither_does_time() {
    let layer = exact().extra_load(1.0);
    let slow = Upstream::new([after(millis(300), Status(503))]);
    send(&layer, &slow, get()).await.0.unwrap();
    assert_eq!(slow.count(), 2);
    tokio::time::sleep(millis(3_600_000)).await;
    let later = Upstream::new([after(millis(300), Status(503))]);
    send(&layer, &later, get()).await.0.unwrap();
    assert_eq!(later.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_more_is_kept_than_a_second_earns_or_three() {
    let layer = exact().extra_load(1.0);
    let fast = Upstream::new([Status(200)]);
    for _ in 0..50 {
        send(&layer, &fast, get()).await.0.unwrap();
    }
    let hedges = async |layer: &tower_http_retry::HedgeLayer| {
        let slow = Upstream::new([after(millis(300), Status(404))]);
        for _ in 0..20 {
            send(layer, &slow, get()).await.0.unwrap();
        }
        slow.count() - 20
    };
    assert_eq!(hedges(&layer).await, 3);
    // 10 in a second: there is room for what these earn from when that is known.
    for _ in 0..10 {
        send(
            &layer,
            &Upstream::new([after(millis(99), Status(200))]),
            get(),
        )
        .await
        .0
        .unwrap();
    }
    tokio::time::sleep(millis(10)).await;
    for _ in 0..50 {
        send(&layer, &fast, get()).await.0.unwrap();
    }
    let hedges = hedges(&layer).await;
    assert!((8..=10).contains(&hedges), "{hedges}");
}

#[tokio::test(start_paused = true)]
async fn without_a_share_nothing_is_hedged() {
    for share in [0.0, -1.0, f64::NAN] {
        let upstream = Upstream::new([after(millis(300), Status(200))]);
        let layer = exact().extra_load(share);
        for _ in 0..30 {
            send(&layer, &upstream, get()).await.0.unwrap();
        }
        assert_eq!(upstream.count(), 30, "{share}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_permanent_failure_keeps_its_status() {
    let upstream = Upstream::new([Never, Status(410)]);
    let ended = send(&exact(), &upstream, get()).await;
    assert_eq!(ended.0.unwrap().status(), StatusCode::GONE);
}
