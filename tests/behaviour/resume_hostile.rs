//! What could make a download wrong, or stop one that could go on.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::{advance, timeout};
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_http_retry::resume::Unresumable;
use tower_http_retry::{Backoff, CommitLayer, ResumeLayer, RetryLayer};

use crate::support::download::{
    Got, Nothing, Piece, Server, all, answer, data, download, exact, fetch, get, part, read, reset,
};

const MODIFIED: &str = "Mon, 01 Jan 2024 00:00:00 GMT";
const SENT: &str = "Mon, 01 Jan 2024 00:10:00 GMT";

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn with(lines: &[(&'static str, &'static str)]) -> Request<Nothing> {
    let mut request = get();
    for (name, value) in lines {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    request
}

/// RFC 9110, section 13.1.4: beside an `If-Match`, `If-Unmodified-Since` is ignored.
#[tokio::test(start_paused = true)]
async fn the_callers_if_match_does_not_disable_the_date() {
    let lines = [
        ("content-length", "10"),
        ("last-modified", MODIFIED),
        ("date", SENT),
    ];
    let server = Server::new([
        answer(200, &lines, [data("01234"), reset()]),
        answer(412, &[], []),
    ]);
    let got = fetch(exact(), &server, with(&[("if-match", "*")])).await;
    assert_eq!(got.unresumable(), ("01234", Some(Unresumable::Changed)));
    assert_eq!(server.header("if-unmodified-since"), ["-", MODIFIED]);
    assert_eq!(server.header("if-match"), ["*", "-"]);
}

/// Two of them are no validator, but they are not none.
#[tokio::test(start_paused = true)]
async fn a_part_with_two_etags_is_not_taken_for_the_same_version() {
    let lines = [
        ("content-range", "bytes 5-9/10"),
        ("etag", "\"v2\""),
        ("etag", "\"v3\""),
    ];
    let server = Server::new([
        all([data("01234"), reset()]),
        answer(206, &lines, [data("fghij")]),
    ]);
    let got = download(exact(), &server).await;
    assert_eq!(got.data, "01234", "two versions in one body");
}

/// As `tower_http`'s `Decompression` and reqwest give it: the encoding and the length are removed, the
/// range is not. The range counts bytes of gzip, 25 of them for "hello".
#[tokio::test(start_paused = true)]
async fn a_part_that_was_decompressed_below_passes_through() {
    for text in ["hello", "a text that is longer than the part's gzip was"] {
        let lines = [("content-range", "bytes 0-24/25"), ("etag", "\"v1\"")];
        let server = Server::new([
            answer(206, &lines, [data(text)]),
            answer(206, &[("content-range", "bytes 5-24/25")], [Piece::Fail]),
        ]);
        let got = fetch(exact(), &server, with(&[("range", "bytes=0-")])).await;
        assert_eq!(got.whole(), text);
    }
}

/// `verify_prefix` asks for "everything again": then it has to be what was asked for first.
#[tokio::test(start_paused = true)]
async fn a_range_that_was_not_meant_for_this_version_is_not_asked_for_again() {
    let plain = [("content-length", "10")];
    let part = [("content-range", "bytes 4-9/10")];
    let server = Server::new([
        answer(200, &plain, [data("01234"), reset()]),
        answer(200, &plain, [data("0123456789")]),
    ]);
    let request = with(&[("range", "bytes=4-"), ("if-range", "\"old\"")]);
    let got = fetch(exact().verify_prefix(100), &server, request).await;
    assert_eq!(got.whole(), "0123456789");
    let conditions = server.header("if-range");
    let ranges = server.ranges();
    assert!(
        ranges[1] == "-" || conditions[1] == "\"old\"",
        "a server answers {part:?} to {ranges:?} with {conditions:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn with_verify_prefix_what_comes_before_the_part_is_skipped_up_to_the_limit_only() {
    const BEFORE: usize = 2 * 1024 * 1024;
    let range = format!("bytes {BEFORE}-{}/{}", BEFORE + 9, BEFORE + 10);
    let length = (BEFORE + 10).to_string();
    let server = Server::new([
        answer(
            206,
            &[("content-range", &range), ("content-length", "10")],
            [data("01234"), reset()],
        ),
        answer(
            200,
            &[("content-length", &length)],
            [
                Piece::Data(Bytes::from(vec![b'x'; BEFORE])),
                data("0123456789"),
            ],
        ),
    ]);
    let got = download(exact().verify_prefix(100).skip_limit(1024), &server).await;
    assert_eq!(
        got.unresumable(),
        ("01234", Some(Unresumable::RangeIgnored))
    );
}

/// "How long after the first response's head a resumption may start."
#[tokio::test(start_paused = true)]
async fn a_resumption_does_not_start_after_the_window_if_the_caller_reads_slowly() {
    let server = Server::new([
        all([data("0"), reset()]),
        part("bytes 1-9/10", [data("1"), reset()]),
        part("bytes 2-9/10", [data("23456789")]),
    ]);
    let layer = exact().window(secs(10));
    let response = layer.layer(server.clone()).oneshot(get()).await.unwrap();
    let mut body = Box::pin(response.into_body());
    for _ in 0..2 {
        body.frame().await.unwrap().unwrap();
    }
    // The wait of a second has begun.
    assert!(timeout(secs(0), body.frame()).await.is_err());
    advance(secs(3_600)).await;
    let got = read(body).await;
    assert_eq!(server.millis(), [0, 0], "a resumption after an hour");
    assert!(got.error.is_some());
}

/// Not ready again until the window has ended.
#[tokio::test(start_paused = true)]
async fn a_resumption_does_not_start_after_the_window_if_the_service_is_not_ready() {
    let server = Server::new([
        all([data("0"), reset()]),
        part("bytes 1-9/10", [data("123456789")]),
    ]);
    let service = tower::limit::ConcurrencyLimit::new(server.clone(), 1);
    let mut other = service.clone();
    let response = exact()
        .window(secs(10))
        .layer(service)
        .oneshot(get())
        .await
        .unwrap();
    // Another request has the only place, for an hour.
    ServiceExt::<Request<Nothing>>::ready(&mut other)
        .await
        .unwrap();
    let mut body = Box::pin(response.into_body());
    body.frame().await.unwrap().unwrap();
    assert!(timeout(secs(3_600), body.frame()).await.is_err());
    drop(other);
    let got = read(body).await;
    assert_eq!(server.millis(), [0], "a resumption after an hour");
    assert!(got.error.is_some());
}

/// A total time-out has to have its turn.
#[tokio::test(start_paused = true)]
async fn resumptions_without_waits_or_data_yield() {
    let parts = (0..10_000).map(|_| part("bytes 1-9/10", []));
    let server = Server::new(std::iter::once(all([data("0"), reset()])).chain(parts));
    let layer = ResumeLayer::new()
        .backoff(Backoff::fixed(Duration::ZERO))
        .max_resumes(9_000);
    let response = layer.layer(server.clone()).oneshot(get()).await.unwrap();
    let mut body = Box::pin(response.into_body());
    body.frame().await.unwrap().unwrap();
    poll_fn(|cx| {
        let _ = body.as_mut().poll_frame(cx);
        Poll::Ready(())
    })
    .await;
    let sent = server.asked().len();
    assert!(sent < 1_000, "{sent} requests in one poll");
}

/// The inner one has given up.
#[tokio::test(start_paused = true)]
async fn two_layers_do_not_multiply_the_resumptions() {
    let parts = (0..100).map(|_| part("bytes 1-9/10", []));
    let server = Server::new(std::iter::once(all([data("0"), reset()])).chain(parts));
    let service = ServiceBuilder::new()
        .layer(exact())
        .layer(exact())
        .service(server.clone());
    let response = service.oneshot(get()).await.unwrap();
    let got = read(response.into_body()).await;
    assert!(got.error.is_some());
    assert_eq!(server.asked().len(), 6);
}

/// What a caller reads of the outer error.
#[tokio::test(start_paused = true)]
async fn through_two_layers_a_change_is_still_told() {
    let other = [("content-length", "10"), ("etag", "\"v2\"")];
    let server = Server::new([
        all([data("01234"), reset()]),
        answer(200, &other, [data("abcdefghij")]),
    ]);
    let service = ServiceBuilder::new()
        .layer(exact())
        .layer(exact())
        .service(server.clone());
    let response = service.oneshot(get()).await.unwrap();
    let got = read(response.into_body()).await;
    assert_eq!(got.unresumable(), ("01234", Some(Unresumable::Changed)));
}

#[tokio::test(start_paused = true)]
async fn extreme_settings_are_harmless() {
    let layers = [
        exact().skip_limit(u64::MAX).verify_prefix(u64::MAX),
        exact().verify_prefix(0),
        exact().max_resumes(u32::MAX).window(Duration::MAX),
        exact().idle_timeout(Duration::from_secs(u64::MAX)),
        exact().window(Duration::from_secs(u64::MAX)),
        ResumeLayer::new().backoff(Backoff::fixed(Duration::MAX)),
    ];
    for layer in layers {
        let server = Server::new([
            all([data("01234"), reset()]),
            part("bytes 5-9/10", [Piece::Wait(secs(1)), data("56789")]),
        ]);
        assert_eq!(download(layer, &server).await.whole(), "0123456789");
    }
}

#[tokio::test(start_paused = true)]
async fn the_largest_lengths_do_not_overflow() {
    let length = u64::MAX.to_string();
    let range = format!("bytes {}-{}/{length}", u64::MAX - 10, u64::MAX - 1);
    let rest = format!("bytes {}-{}/{length}", u64::MAX - 5, u64::MAX - 1);
    let server = Server::new([
        answer(
            206,
            &[
                ("content-range", &range),
                ("content-length", "10"),
                ("etag", "\"v1\""),
            ],
            [data("01234"), reset()],
        ),
        answer(
            206,
            &[("content-range", &rest), ("etag", "\"v1\"")],
            [data("56789")],
        ),
    ]);
    assert_eq!(download(exact(), &server).await.whole(), "0123456789");
    let server = Server::new([
        answer(
            200,
            &[("content-length", &length), ("etag", "\"v1\"")],
            [data("01234"), reset()],
        ),
        answer(412, &[], []),
    ]);
    let got = download(exact(), &server).await;
    assert_eq!(got.unresumable(), ("01234", Some(Unresumable::Changed)));
    assert_eq!(got.resume_error().expected(), u64::MAX);
}

/// The retry below gives each resumption its commit point.
#[tokio::test(start_paused = true)]
async fn a_resumption_that_breaks_before_its_first_byte_belongs_to_the_retry() {
    let server = Server::new([
        all([data("01234"), reset()]),
        part("bytes 5-9/10", [reset()]),
        part("bytes 5-9/10", [data("56789")]),
    ]);
    let service = ServiceBuilder::new()
        .layer(exact().max_resumes(1))
        .layer(RetryLayer::new())
        .layer(CommitLayer::first_bytes())
        .service(server.clone());
    let response = service.oneshot(get()).await.unwrap();
    let got: Got = read(response.into_body()).await;
    assert_eq!(got.whole(), "0123456789");
}

/// Polled again and again after its end and after its error, it says the same.
#[tokio::test(start_paused = true)]
async fn after_the_end_and_after_an_error_there_is_nothing() {
    for last in [data("56789"), Piece::Fail] {
        let server = Server::new([all([data("01234"), last])]);
        let response = exact().layer(server).oneshot(get()).await.unwrap();
        let mut body = Box::pin(response.into_body());
        while body.frame().await.is_some() {}
        for _ in 0..3 {
            assert!(body.frame().await.is_none());
            assert!(body.is_end_stream());
            assert_eq!(body.size_hint().exact(), Some(0));
        }
    }
}

/// As of a layer below that compares a digest when it has read the last byte.
#[tokio::test(start_paused = true)]
async fn an_error_after_the_last_byte_that_is_no_break_is_handed_over() {
    let server = Server::new([all([data("0123456789"), Piece::Fail])]);
    let got = download(exact(), &server).await;
    assert_eq!(got.data, "0123456789");
    assert!(
        got.error.is_some(),
        "a bad digest is told as a good download"
    );
}

/// More was delivered than may be compared.
#[tokio::test(start_paused = true)]
async fn a_body_that_cannot_be_resumed_any_more_does_not_say_that_it_can() {
    let server = Server::new([answer(
        200,
        &[("content-length", "10")],
        [data("01234"), reset()],
    )]);
    let layer = exact().verify_prefix(2);
    let response = layer.layer(server).oneshot(get()).await.unwrap();
    let mut body = Box::pin(response.into_body());
    assert!(body.is_resumable());
    body.frame().await.unwrap().unwrap();
    assert!(!body.is_resumable());
}

/// Each poll is by another task, and only the last one is woken.
#[tokio::test(start_paused = true)]
async fn a_body_that_moves_from_task_to_task_wakes_the_last_one() {
    let server = Server::new([
        all([
            Piece::Wait(secs(1)),
            data("0"),
            Piece::Wait(secs(1)),
            reset(),
        ]),
        part("bytes 1-9/10", [reset()]),
        part(
            "bytes 1-9/10",
            [Piece::Wait(secs(1)), data("1"), Piece::Stall],
        ),
        part("bytes 2-9/10", [Piece::Wait(secs(1)), data("23456789")]),
    ]);
    let slow = tower::ServiceBuilder::new()
        .layer(exact().idle_timeout(secs(5)))
        .layer_fn(|inner| Slow { inner, timer: None })
        .service(server.clone());
    let response = slow.oneshot(get()).await.unwrap();
    let mut body = Box::pin(response.into_body());
    let mut text = String::new();
    loop {
        // A poll by this task, whose waker is of no use then.
        let waker = std::task::Waker::noop();
        let mut cx = std::task::Context::from_waker(waker);
        let polled = body.as_mut().poll_frame(&mut cx);
        let frame = match polled {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                let task = tokio::spawn(async move {
                    let frame = timeout(secs(600), body.frame()).await;
                    (frame.expect("a lost wake-up"), body)
                });
                let (frame, moved) = task.await.unwrap();
                body = moved;
                frame
            }
        };
        match frame {
            Some(frame) => {
                let data = frame.unwrap().into_data().unwrap();
                text += std::str::from_utf8(&data).unwrap();
            }
            None => break,
        }
    }
    assert_eq!(text, "0123456789");
    assert_eq!(server.asked().len(), 4);
}

/// Is ready after a second, and answers after another one.
struct Slow<S> {
    inner: S,
    timer: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl<S: Clone> Clone for Slow<S> {
    fn clone(&self) -> Self {
        let inner = self.inner.clone();
        Self { inner, timer: None }
    }
}

impl<S> Service<Request<Nothing>> for Slow<S>
where
    S: Service<Request<Nothing>, Future: Send + 'static>,
    S::Response: 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> Poll<Result<(), S::Error>> {
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(secs(1))));
        std::task::ready!(timer.as_mut().poll(cx));
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Nothing>) -> Self::Future {
        assert!(self.timer.take().is_some_and(|timer| timer.is_elapsed()));
        let call = self.inner.call(request);
        Box::pin(async move {
            tokio::time::sleep(secs(1)).await;
            call.await
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_buffer_and_a_limit_below_are_asked_as_they_want_to_be() {
    let server = Server::new([
        all([data("0"), reset()]),
        part("bytes 1-9/10", [data("1"), reset()]),
        part("bytes 2-9/10", [data("23456789")]),
    ]);
    let service = ServiceBuilder::new()
        .layer(exact())
        .buffer(1)
        .concurrency_limit(1)
        .service(server.clone());
    let request: Request<Nothing> = get();
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(read(response.into_body()).await.whole(), "0123456789");
}

/// As a file on a server that is copied to another one keeps its date: it can be older.
#[tokio::test(start_paused = true)]
async fn an_older_version_that_meets_the_date_is_another_version() {
    let first = [
        ("content-length", "10"),
        ("last-modified", MODIFIED),
        ("date", SENT),
    ];
    let older = [
        ("content-range", "bytes 5-9/10"),
        ("content-length", "5"),
        ("date", SENT),
    ];
    let server = Server::new([
        answer(200, &first, [data("01234"), reset()]),
        answer(206, &older, [data("fghij")]),
    ]);
    let got = download(exact(), &server).await;
    assert_eq!(got.data, "01234", "two versions in one body");
}
