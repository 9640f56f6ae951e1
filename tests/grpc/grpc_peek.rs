//! A status that comes in trailers right after the head.
use crate::support::errors::attempt_timeout;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Empty};
use tokio::time::Instant;
use tower::limit::{ConcurrencyLimit, ConcurrencyLimitLayer};
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_http_retry::classify::{Class, Classify};
use tower_http_retry::grpc::{ByGrpcStatus, PeekTrailers, PeekTrailersLayer, PeekedTrailers};
use tower_http_retry::{Attempts, BoxError, RetryLayer};

use crate::support::body::{Broken, Does, Source, data, trailers};
use crate::support::scripted::{Scripted, Upstream, call, exact, grpc, status, streamed};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Through the retry and the layer under it.
fn stacked(
    layer: RetryLayer<ByGrpcStatus>,
    upstream: &Upstream,
) -> impl Service<
    Request<Empty<Bytes>>,
    Response = Response<impl Body<Data = Bytes, Error = Broken> + Unpin + use<>>,
    Error = BoxError,
> + use<> {
    layer.layer(PeekTrailersLayer::new().layer(upstream.clone()))
}

/// Without the retry.
async fn peeked(
    response: Response<Scripted>,
) -> Response<impl Body<Data = Bytes, Error = Broken> + Unpin> {
    let service = PeekTrailersLayer::new().layer(Upstream::new([response]));
    service.oneshot(call()).await.unwrap()
}

/// Each frame to the end, in order: its data, its trailers, or "the source is broken".
async fn frames<R>(mut body: R) -> Vec<String>
where
    R: Body<Data = Bytes, Error = Broken> + Unpin,
{
    let mut frames = Vec::new();
    while let Some(frame) = body.frame().await {
        frames.push(match frame {
            Ok(frame) => match frame.into_data() {
                Ok(data) => format!("{data:?}"),
                Err(frame) => format!("{:?}", frame.into_trailers().unwrap()),
            },
            Err(error) => {
                frames.push(error.to_string());
                return frames;
            }
        });
    }
    frames
}

fn text(headers: &HeaderMap) -> String {
    format!("{headers:?}")
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_trailers_say_unavailable_is_sent_again() {
    let upstream = Upstream::new([
        streamed([status("14")]),
        streamed([Does::Pending, status("14")]),
        streamed([data("message"), status("0")]),
    ]);
    let response = stacked(exact().mark_responses(), &upstream)
        .oneshot(call())
        .await
        .unwrap();
    assert_eq!(upstream.seconds(), [0, 1, 3]);
    assert_eq!(response.extensions().get::<Attempts>().unwrap().count, 3);
    let expected = trailers([("grpc-status", "0")]);
    let expected = ["b\"message\"".to_owned(), text(&expected)];
    assert_eq!(frames(response.into_body()).await, expected);
}

#[tokio::test(start_paused = true)]
async fn without_the_layer_such_a_call_is_committed() {
    let upstream = Upstream::new([streamed([status("14")])]);
    let service = exact().layer(upstream.clone());
    let response = service.oneshot(call()).await.unwrap();
    assert_eq!(upstream.seconds(), [0]);
    assert_eq!(response.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn after_data_a_call_is_committed_and_every_frame_is_handed_over_in_order() {
    let last = trailers([("grpc-status", "14"), ("x-a", "1"), ("x-a", "2")]);
    let script = [
        data("one"),
        Does::Pending,
        data("two"),
        data(""),
        Does::Trailers(last.clone()),
    ];
    let upstream = Upstream::new([streamed(script)]);
    let response = stacked(exact(), &upstream).oneshot(call()).await.unwrap();
    assert_eq!(upstream.seconds(), [0]);
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-from"], "upstream");
    let expected = ["b\"one\"", "b\"two\"", "b\"\"", &text(&last)];
    assert_eq!(frames(response.into_body()).await, expected);
}

#[tokio::test(start_paused = true)]
async fn trailers_that_came_first_are_handed_over_as_they_came() {
    let last = trailers([
        ("grpc-status", "14"),
        ("grpc-message", "no"),
        ("x-a", "1"),
        ("x-a", "2"),
    ]);
    let upstream = Upstream::new([streamed([Does::Trailers(last.clone())])]);
    let response = stacked(exact().max_retries(0), &upstream);
    let response = response.oneshot(call()).await.unwrap();
    assert!(!response.headers().contains_key("grpc-status"));
    assert_eq!(frames(response.into_body()).await, [text(&last)]);
}

#[tokio::test(start_paused = true)]
async fn what_the_trailers_say_is_what_a_head_would_say() {
    let pushed = |code, pushback| {
        let lines = [("grpc-status", code), ("grpc-retry-pushback-ms", pushback)];
        streamed([Does::Trailers(trailers(lines))])
    };
    let at = async |first: Response<Scripted>| {
        let upstream = Upstream::new([first, streamed([status("0")])]);
        stacked(exact(), &upstream).oneshot(call()).await.unwrap();
        upstream.seconds()
    };
    assert_eq!(at(streamed([status("14")])).await, [0, 1]);
    assert_eq!(at(streamed([status("13")])).await, [0]);
    assert_eq!(at(streamed([status("0")])).await, [0]);
    assert_eq!(at(pushed("14", "5000")).await, [0, 5]);
    assert_eq!(at(pushed("14", "-1")).await, [0]);
    assert_eq!(at(pushed("13", "5000")).await, [0]);
    // Without a status, the trailers are those of a call that is committed.
    let without = Does::Trailers(trailers([("x-checksum", "7")]));
    assert_eq!(at(streamed([without])).await, [0]);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_empty_is_handed_over_empty_and_polled_once() {
    let body = Scripted::new(Source::streamed([]));
    let polls = body.polls();
    let upstream = Upstream::new([grpc(body)]);
    let response = stacked(exact(), &upstream).oneshot(call()).await.unwrap();
    assert_eq!(upstream.seconds(), [0]);
    let mut body = response.into_body();
    assert!(body.is_end_stream());
    for _ in 0..3 {
        assert!(body.frame().await.is_none());
    }
    assert_eq!(*polls.lock().unwrap(), 1);
    // One that says so beforehand is not even polled.
    let body = Scripted::new(Source::sized([]));
    let polls = body.polls();
    assert!(peeked(grpc(body)).await.body().is_end_stream());
    assert_eq!(*polls.lock().unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_first_is_handed_over_with_its_error() {
    let upstream = Upstream::new([streamed([Does::Fail])]);
    let response = stacked(exact(), &upstream).oneshot(call()).await.unwrap();
    assert_eq!(upstream.seconds(), [0]);
    let told = frames(response.into_body()).await;
    assert_eq!(told, ["the source is broken"]);
}

#[tokio::test(start_paused = true)]
async fn the_head_is_handed_over_when_the_first_frame_comes_and_no_later() {
    let start = Instant::now();
    let late = Scripted::late(secs(3), Source::streamed([data("one"), data("two")]));
    let polls = late.polls();
    let response = peeked(grpc(late)).await;
    assert_eq!(start.elapsed(), secs(3));
    assert_eq!(*polls.lock().unwrap(), 2, "pending, then the first frame");
    assert_eq!(frames(response.into_body()).await.len(), 2);
    // The retry is counted from there, too.
    let late = Scripted::late(secs(3), Source::streamed([status("14")]));
    let upstream = Upstream::new([grpc(late), streamed([status("0")])]);
    stacked(exact(), &upstream).oneshot(call()).await.unwrap();
    assert_eq!(upstream.seconds(), [0, 4]);
}

#[tokio::test(start_paused = true)]
async fn only_the_first_frame_is_waited_for() {
    let body = Scripted::new(Source::streamed([data("one"), Does::Panic]));
    let polls = body.polls();
    let response = peeked(grpc(body)).await;
    assert_eq!(*polls.lock().unwrap(), 1);
    let first = response.into_body().frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "one");
}

#[tokio::test(start_paused = true)]
async fn an_attempts_time_out_holds_while_the_first_frame_is_waited_for() {
    let late = Scripted::late(secs(3), Source::streamed([status("0")]));
    let polls = late.polls();
    let upstream = Upstream::new([grpc(late)]);
    let layer = exact().attempt_timeout(secs(1)).max_retries(0);
    let service = stacked(layer, &upstream);
    let Err(error) = service.oneshot(call()).await else {
        panic!("the attempt took 3 s");
    };
    assert!(attempt_timeout(&*error).is_some(), "{error}");
    assert_eq!(upstream.start.elapsed(), secs(1));
    assert_eq!(Arc::strong_count(&polls), 1, "its body is dropped");
}

#[tokio::test(start_paused = true)]
async fn only_the_body_of_a_grpc_call_without_a_status_in_its_head_is_waited_for() {
    let never = || Scripted::late(Duration::MAX, Source::streamed([status("14")]));
    let waits = async |response: Response<Scripted>| {
        let polls = response.body().polls();
        let peeked = tokio::time::timeout(secs(1), peeked(response)).await;
        let polled = *polls.lock().unwrap() > 0;
        assert_eq!(peeked.is_err(), polled, "it is polled to wait for it");
        polled
    };
    let of = |kind: &str| {
        let head = Response::builder().header("content-type", kind);
        head.body(never()).unwrap()
    };
    for kind in [
        "application/grpc",
        "application/grpc+proto",
        "application/grpc;a=b",
    ] {
        assert!(waits(of(kind)).await, "{kind}");
    }
    for kind in [
        "application/json",
        "text/plain",
        "grpc",
        "x/application/grpc",
        "",
    ] {
        assert!(!waits(of(kind)).await, "{kind}");
    }
    assert!(!waits(Response::new(never())).await, "no content type");
    for code in ["0", "14"] {
        let mut trailers_only = grpc(never());
        let code = code.parse().unwrap();
        trailers_only.headers_mut().insert("grpc-status", code);
        assert!(!waits(trailers_only).await, "a status in the head");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_tells_its_size_and_end_as_exactly_as_before() {
    let mut body = peeked(grpc(Scripted::new(Source::sized([
        data("ab"),
        data("cde"),
        status("0"),
    ]))))
    .await
    .into_body();
    for left in [5, 3, 0] {
        assert_eq!(body.size_hint().exact(), Some(left));
        assert!(!body.is_end_stream(), "{left} bytes and the trailers");
        body.frame().await.unwrap().unwrap();
    }
    assert_eq!(body.size_hint().exact(), Some(0));
    assert!(body.is_end_stream());
}

#[tokio::test(start_paused = true)]
async fn a_body_tells_its_size_and_end_whatever_came_first() {
    // Before and after the first frame: the bytes at least, at most, and whether it is the end.
    let told = async |source: Source| {
        let mut body = peeked(grpc(Scripted::new(source))).await.into_body();
        let told = |body: &dyn Body<Data = Bytes, Error = Broken>| {
            let hint = body.size_hint();
            (hint.lower(), hint.upper(), body.is_end_stream())
        };
        let before = told(&body);
        let _ = body.frame().await;
        [before, told(&body)]
    };
    #[rustfmt::skip]
    let cases = [
        (Source::sized([data("abc")]), [(3, Some(3), false), (0, Some(0), true)]),
        (Source::sized([status("0")]), [(0, Some(0), false), (0, Some(0), true)]),
        (Source::sized([Does::Fail]), [(0, Some(0), false), (0, Some(0), true)]),
        (Source::streamed([data("abc")]), [(3, None, false), (0, None, false)]),
        (Source::streamed([status("0")]), [(0, None, false), (0, None, false)]),
        (Source::sized([Does::Pending]), [(0, Some(0), true); 2]),
    ];
    for (index, (source, expected)) in cases.into_iter().enumerate() {
        assert_eq!(told(source).await, expected, "case {index}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_stays_at_its_end_and_nobody_is_asked_again() {
    for script in [
        vec![data("one"), status("0")],
        vec![status("0")],
        vec![data("one")],
    ] {
        // The source panics when it is polled after its end.
        let source = Source::streamed(script);
        let mut body = peeked(grpc(Scripted::new(source))).await.into_body();
        while body.frame().await.is_some() {}
        for _ in 0..3 {
            assert!(body.frame().await.is_none());
            assert!(body.is_end_stream());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn empty_data_frames_before_the_trailers_do_not_hide_them() {
    for script in [
        vec![data(""), status("14")],
        vec![data(""), data(""), Does::Pending, data(""), status("14")],
        vec![Does::Pending, data(""), status("14")],
    ] {
        let upstream = Upstream::new([streamed(script), streamed([status("0")])]);
        let response = stacked(exact(), &upstream).oneshot(call()).await.unwrap();
        assert_eq!(upstream.seconds(), [0, 1]);
        let expected = [text(&trailers([("grpc-status", "0")]))];
        assert_eq!(frames(response.into_body()).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn of_what_comes_after_empty_data_frames_nothing_is_lost() {
    let one = "b\"one\"".to_owned();
    let last = text(&trailers([("grpc-status", "14")]));
    let broken = Broken.to_string();
    #[rustfmt::skip]
    let cases = [
        (vec![data(""), data("one"), data(""), status("14")], vec![one, "b\"\"".to_owned(), last.clone()]),
        (vec![data(""), status("14")], vec![last]),
        (vec![data(""), Does::Fail], vec![broken]),
        (vec![data(""), data("")], vec![]),
    ];
    for (script, expected) in cases {
        let response = peeked(streamed(script.clone())).await;
        assert_eq!(frames(response.into_body()).await, expected, "{script:?}");
        let response = peeked(grpc(Scripted::new(Source::sized(script.clone())))).await;
        assert_eq!(frames(response.into_body()).await, expected, "{script:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_tells_its_size_and_end_after_empty_data_frames() {
    let sized = async |script: &[Does]| {
        let source = Source::sized(script.to_vec());
        peeked(grpc(Scripted::new(source))).await.into_body()
    };
    let mut body = sized(&[data(""), data("abc"), status("0")]).await;
    assert_eq!(
        (body.size_hint().exact(), body.is_end_stream()),
        (Some(3), false)
    );
    body.frame().await.unwrap().unwrap();
    assert_eq!(
        (body.size_hint().exact(), body.is_end_stream()),
        (Some(0), false)
    );
    body.frame().await.unwrap().unwrap();
    assert!(body.is_end_stream());
    // The end that comes with an empty frame is seen, and not asked for.
    let body = Scripted::new(Source::sized([data("")]));
    let polls = body.polls();
    let mut body = peeked(grpc(body)).await.into_body();
    assert_eq!(
        (body.size_hint().exact(), body.is_end_stream()),
        (Some(0), true)
    );
    assert!(body.frame().await.is_none());
    assert_eq!(*polls.lock().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_sends_nothing_but_empty_data_frames_is_not_read_for_ever() {
    let mut script = vec![data(""); 100];
    script.push(status("14"));
    let body = Scripted::new(Source::streamed(script));
    let polls = body.polls();
    let upstream = Upstream::new([grpc(body)]);
    let response = stacked(exact(), &upstream).oneshot(call()).await.unwrap();
    assert_eq!((upstream.seconds(), *polls.lock().unwrap()), (vec![0], 65));
    // 64 of them are left out.
    assert_eq!(frames(response.into_body()).await.len(), 101 - 64);
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_is_told_so_hands_each_head_over_at_once() {
    let layer = PeekTrailersLayer::new().wait_for_first_frame(false);
    let late = Scripted::late(secs(3), Source::streamed([status("14")]));
    let polls = late.polls();
    let upstream = Upstream::new([grpc(late), streamed([status("14")])]);
    let service = exact().layer(layer.layer(upstream.clone()));
    let response = service.clone().oneshot(call()).await.unwrap();
    assert_eq!(
        (upstream.start.elapsed(), *polls.lock().unwrap()),
        (Duration::ZERO, 0)
    );
    let last = text(&trailers([("grpc-status", "14")]));
    assert_eq!(
        frames(response.into_body()).await,
        std::slice::from_ref(&last)
    );
    // Nor is what is there already looked at: the call is committed.
    let response = service.oneshot(call()).await.unwrap();
    assert_eq!(upstream.seconds(), [0, 3]);
    assert!(response.extensions().get::<PeekedTrailers>().is_none());
    assert_eq!(frames(response.into_body()).await, [last]);
}

#[tokio::test(start_paused = true)]
async fn other_classifiers_can_read_the_trailers_that_came_first() {
    let lines = [("grpc-status", "8"), ("x-shed", "1"), ("x-shed", "2")];
    let shed = || streamed([data(""), Does::Trailers(trailers(lines))]);
    let upstream = Upstream::new([shed(), shed(), streamed([status("0")])]);
    let layer = exact().classify_fn(move |outcome| {
        let head = outcome.result().unwrap();
        match head.extensions().get::<PeekedTrailers>() {
            Some(peeked) if peeked.trailers() == &trailers(lines) => Class::Refused.into(),
            Some(_) | None => ByGrpcStatus::new().classify(outcome),
        }
    });
    let service = layer.layer(PeekTrailersLayer::new().layer(upstream.clone()));
    let response = service.oneshot(call()).await.unwrap();
    assert_eq!(upstream.seconds(), [0, 1, 3]);
    let seen = response.extensions().get::<PeekedTrailers>().unwrap();
    assert_eq!(seen.trailers(), &trailers([("grpc-status", "0")]));
    assert_eq!(format!("{seen:?}"), "PeekedTrailers { .. }");
    // There are none where something came before them.
    let response = peeked(streamed([data("one"), status("0")])).await;
    assert!(response.extensions().get::<PeekedTrailers>().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_while_it_waits_drops_the_body() {
    let late = Scripted::late(secs(3), Source::streamed([status("14")]));
    let polls = late.polls();
    let upstream = Upstream::new([grpc(late)]);
    let mut future = Box::pin(stacked(exact(), &upstream).oneshot(call()));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut cx).is_pending());
    assert_eq!((*polls.lock().unwrap(), Arc::strong_count(&polls)), (1, 2));
    drop(future);
    assert_eq!(Arc::strong_count(&polls), 1);
    assert_eq!(upstream.seconds(), [0]);
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_head_is_there_holds_no_permit() {
    let late = grpc(Scripted::late(secs(5), Source::streamed([status("0")])));
    let upstream = Upstream::new([late, streamed([status("0")])]);
    let service = ServiceBuilder::new()
        .layer(PeekTrailersLayer::new())
        .layer(ConcurrencyLimitLayer::new(1))
        .service(upstream);
    let start = Instant::now();
    let answered = async |service: PeekTrailers<ConcurrencyLimit<Upstream>>| {
        service.oneshot(call()).await.unwrap();
        start.elapsed()
    };
    let ended = tokio::join!(answered(service.clone()), answered(service));
    assert_eq!(ended, (secs(5), Duration::ZERO));
}

#[test]
fn the_service_under_it_can_be_reached() {
    let mut service = PeekTrailersLayer::new().layer(1);
    *service.get_mut() += 1;
    assert_eq!((*service.get_ref(), service.into_inner()), (2, 2));
}
