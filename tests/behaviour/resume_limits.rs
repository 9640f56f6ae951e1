//! How often a body is resumed, how long that takes, and what stops it.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::Instant;
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_http_retry::event::StopReason;
use tower_http_retry::resume::Unresumable;
use tower_http_retry::{Backoff, Jitter, ResumeLayer, RetryError, RetryLayer};

use crate::support::download::{
    Piece, Pieces, Server, all, answer, data, download, exact, fetch, get, part, read, reset,
};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Answers that each bring one byte more, and break.
fn one_by_one(count: usize) -> impl Iterator<Item = Response<Pieces>> {
    const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    (0..count).map(|number| {
        let pieces = [data(DIGITS[number]), reset()];
        match number {
            0 => all(pieces),
            _ => part(&format!("bytes {number}-9/10"), pieces),
        }
    })
}

#[tokio::test(start_paused = true)]
async fn five_resumptions_without_progress_are_made_and_no_more() {
    let server = Server::new(one_by_one(6));
    let got = download(exact(), &server).await;
    assert_eq!(got.broken(), ("012345", ErrorKind::ConnectionReset));
    let error = got.resume_error();
    assert_eq!(error.reason(), StopReason::Attempts);
    let used_up = "the response body ended after 6 of 10 bytes, and no resumptions are left";
    assert_eq!(error.to_string(), used_up);
    // The first one at once, and then by the back-off.
    assert_eq!(server.millis(), [0, 0, 1_000, 3_000, 7_000, 15_000]);
}

#[tokio::test(start_paused = true)]
async fn the_number_of_resumptions_can_be_set() {
    for count in [0, 1, 3, 9] {
        let server = Server::new(one_by_one(count as usize + 1));
        let got = download(exact().max_resumes(count), &server).await;
        let delivered = &"0123456789"[..=count as usize];
        match count {
            // All was delivered: the break after it is none.
            9 => assert_eq!(got.whole(), delivered),
            _ => assert_eq!(got.broken(), (delivered, ErrorKind::ConnectionReset)),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_ended_early_is_told_as_that() {
    let server = Server::new([all([data("012")])]);
    let got = download(exact().max_resumes(0), &server).await;
    assert_eq!(got.broken(), ("012", ErrorKind::UnexpectedEof));
}

/// An answer that begins at a place of a large body, gives so many bytes in pieces of 16 KiB, and breaks.
fn large(start: usize, total: usize, bytes: usize) -> Response<Pieces> {
    let piece = |at: usize| Piece::Data(Bytes::from(vec![b'x'; (bytes - at).min(16 * 1024)]));
    let pieces = (0..bytes).step_by(16 * 1024).map(piece).chain([reset()]);
    let range = format!("bytes {start}-{}/{total}", total - 1);
    let length = total.to_string();
    let lines = [("content-length", &*length), ("etag", "\"v1\"")];
    match start {
        0 => answer(200, &lines, pieces),
        _ => part(&range, pieces),
    }
}

#[tokio::test(start_paused = true)]
async fn sixty_four_kibibytes_of_new_data_are_progress() {
    let (kib, total) = (1024, 1024 * 1024);
    for (bytes, is_progress) in [(64 * kib, true), (64 * kib - 1, false)] {
        let at = |number: usize| large(number * bytes, total, bytes);
        let server = Server::new((0..4).map(at));
        let response = exact().max_resumes(1).layer(server.clone());
        let mut body = response.oneshot(get()).await.unwrap().into_body();
        let mut delivered = 0;
        while delivered < 3 * bytes {
            match body.frame().await.unwrap() {
                Ok(frame) => delivered += frame.into_data().unwrap().len(),
                Err(_) => break,
            }
        }
        // The one resumption is made again and again, at once; or only once.
        match is_progress {
            true => assert_eq!((delivered, server.millis()), (3 * bytes, vec![0, 0, 0])),
            false => assert_eq!((delivered, server.millis()), (2 * bytes, vec![0, 0])),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_skipped_is_no_progress() {
    let total = 1024 * 1024;
    let again = || {
        let bytes = Bytes::from(vec![b'x'; 128 * 1024]);
        part("bytes 0-1048575/1048576", [Piece::Data(bytes), reset()])
    };
    let server = Server::new([large(0, total, 128 * 1024), again(), again(), again()]);
    let got = download(exact().max_resumes(2), &server).await;
    assert_eq!(got.broken().0.len(), 128 * 1024);
    assert_eq!(server.millis(), [0, 0, 1_000]);
}

#[tokio::test(start_paused = true)]
async fn new_data_over_a_second_is_progress() {
    for (millis, is_progress) in [(1_000, true), (999, false)] {
        let wait = || Piece::Wait(Duration::from_millis(millis));
        let server = Server::new([
            all([data("0"), wait(), data("1"), reset()]),
            part("bytes 2-9/10", [data("2"), wait(), data("3"), reset()]),
            part("bytes 4-9/10", [data("4"), wait(), data("5"), reset()]),
            part("bytes 6-9/10", [data("6789")]),
        ]);
        let got = download(exact().max_resumes(1), &server).await;
        match is_progress {
            true => {
                assert_eq!(got.whole(), "0123456789");
                assert_eq!(server.millis(), [0, 1_000, 2_000, 3_000]);
            }
            false => assert_eq!(got.broken(), ("0123", ErrorKind::ConnectionReset)),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stall_before_or_after_the_data_is_no_progress() {
    let server = Server::new([
        all([
            Piece::Wait(secs(5)),
            data("0"),
            Piece::Wait(secs(5)),
            reset(),
        ]),
        part(
            "bytes 1-9/10",
            [
                Piece::Wait(secs(5)),
                data("1"),
                Piece::Wait(secs(5)),
                reset(),
            ],
        ),
    ]);
    let got = download(exact().max_resumes(1), &server).await;
    assert_eq!(got.broken(), ("01", ErrorKind::ConnectionReset));
}

#[tokio::test(start_paused = true)]
async fn progress_starts_the_back_off_again() {
    let wait = || Piece::Wait(secs(1));
    let server = Server::new([
        all([reset()]),
        all([reset()]),
        all([reset()]),
        all([data("0"), wait(), data("1"), reset()]),
        part("bytes 2-9/10", [reset()]),
        part("bytes 2-9/10", [data("23456789")]),
    ]);
    assert_eq!(download(exact(), &server).await.whole(), "0123456789");
    // 0, 1, 2 s; a second of data; and 0, 1 s.
    assert_eq!(server.millis(), [0, 0, 1_000, 3_000, 4_000, 5_000]);
}

#[tokio::test(start_paused = true)]
async fn the_waits_are_jittered_and_a_seed_repeats_them() {
    let millis = async |seed| {
        let server = Server::new(one_by_one(6));
        download(ResumeLayer::new().jitter_seed(seed), &server).await;
        server.millis()
    };
    let first = millis(1).await;
    assert_eq!(first, millis(1).await);
    assert_ne!(first, millis(2).await);
    let waits: Vec<_> = first.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits[0], 0);
    for (wait, step) in waits[1..].iter().zip([1_000, 2_000, 4_000, 8_000]) {
        assert!((step / 2..=step).contains(wait), "{waits:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_resumption_starts_at_the_windows_end_or_later() {
    for (window, resumptions) in [(3_001, 3), (3_000, 2), (0, 0)] {
        let server = Server::new(one_by_one(resumptions + 1));
        let layer = exact().window(Duration::from_millis(window));
        let start = Instant::now();
        let got = download(layer, &server).await;
        assert_eq!(got.broken().0.len(), resumptions + 1);
        assert_eq!(got.resume_error().reason(), StopReason::Window);
        // At once: the wait is not slept out.
        assert_eq!(
            start.elapsed().as_millis(),
            *server.millis().last().unwrap()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_gives_nothing_for_too_long_is_broken() {
    let server = Server::new([
        all([data("0"), Piece::Wait(secs(29)), data("1"), Piece::Stall]),
        part("bytes 2-9/10", [Piece::Stall]),
        part("bytes 2-9/10", [Piece::Wait(secs(29)), data("23456789")]),
    ]);
    let got = download(exact().idle_timeout(secs(30)), &server).await;
    assert_eq!(got.whole(), "0123456789");
    // The second data is 29 s of progress.
    assert_eq!(server.millis(), [0, 59_000, 90_000]);
    // At its end it is told as what it was.
    let server = Server::new([all([data("0"), Piece::Stall])]);
    let got = download(exact().idle_timeout(secs(30)).max_resumes(0), &server).await;
    assert_eq!(got.broken(), ("0", ErrorKind::TimedOut));
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_does_not_read_is_not_idle() {
    let server = Server::new([all([data("01234"), data("56789")])]);
    let layer = exact().idle_timeout(secs(30));
    let response = layer.layer(server.clone()).oneshot(get()).await.unwrap();
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    tokio::time::advance(secs(3_600)).await;
    assert_eq!(read(body).await.whole(), "56789");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_whole_and_does_not_end_is_at_its_end_when_it_is_idle() {
    let server = Server::new([all([data("0123456789"), Piece::Stall])]);
    let got = download(exact().idle_timeout(secs(30)), &server).await;
    assert_eq!(got.whole(), "0123456789");
}

#[tokio::test(start_paused = true)]
async fn a_prefix_that_is_the_same_goes_on_without_a_validator() {
    let plain = [("content-length", "10")];
    let server = Server::new([
        answer(200, &plain, [data("01"), data("2"), reset()]),
        answer(200, &plain, [data("0"), data("123"), data("4"), reset()]),
        answer(200, &plain, [data("0123456789")]),
    ]);
    let got = download(exact().verify_prefix(10), &server).await;
    assert_eq!(got.whole(), "0123456789");
    // As the caller asked.
    assert_eq!(server.ranges(), ["-", "-", "-"]);
    assert_eq!(server.header("if-match"), ["-", "-", "-"]);
}

#[tokio::test(start_paused = true)]
async fn a_prefix_that_differs_in_a_byte_is_another_version() {
    let plain = [("content-length", "10")];
    for second in ["x123456789", "01x3456789"] {
        let server = Server::new([
            answer(200, &plain, [data("012"), reset()]),
            answer(200, &plain, [data(second)]),
        ]);
        let got = download(exact().verify_prefix(10), &server).await;
        assert_eq!(got.unresumable(), ("012", Some(Unresumable::Changed)));
    }
    // Where they begin alike, the caller gets the newer one, whole.
    let server = Server::new([
        answer(200, &plain, [data("012"), reset()]),
        answer(200, &plain, [data("012xxxxxxx")]),
    ]);
    let got = download(exact().verify_prefix(10), &server).await;
    assert_eq!(got.whole(), "012xxxxxxx");
}

#[tokio::test(start_paused = true)]
async fn another_length_is_another_version_whatever_the_prefix() {
    for length in ["9", "11"] {
        let server = Server::new([
            answer(200, &[("content-length", "10")], [data("012"), reset()]),
            answer(200, &[("content-length", length)], [data("012")]),
        ]);
        let got = download(exact().verify_prefix(10), &server).await;
        assert_eq!(got.unresumable(), ("012", Some(Unresumable::Changed)));
    }
    // Nor is one whose length is not said.
    let server = Server::new([
        answer(200, &[("content-length", "10")], [data("012"), reset()]),
        answer(200, &[], [data("0123456789")]),
    ]);
    let got = download(exact().verify_prefix(10), &server).await;
    assert_eq!(got.unresumable(), ("012", Some(Unresumable::RangeIgnored)));
}

#[tokio::test(start_paused = true)]
async fn more_than_the_limit_of_a_prefix_is_not_read_again() {
    for (limit, is_whole) in [(3, true), (2, false)] {
        let plain = [("content-length", "10")];
        let mut plan = vec![answer(200, &plain, [data("012"), reset()])];
        if is_whole {
            plan.push(answer(200, &plain, [data("0123456789")]));
        }
        let server = Server::new(plan);
        let got = download(exact().verify_prefix(limit), &server).await;
        match is_whole {
            true => assert_eq!(got.whole(), "0123456789"),
            false => {
                assert_eq!(got.broken(), ("012", ErrorKind::ConnectionReset));
                assert_eq!(got.resume_error().reason(), StopReason::NotReplayable);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_200_of_another_validator_the_prefix_decides_and_the_new_one_counts() {
    let second = [("content-length", "10"), ("etag", "\"v2\"")];
    let third = [("content-range", "bytes 5-9/10"), ("etag", "\"v2\"")];
    let server = Server::new([
        all([data("012"), reset()]),
        answer(200, &second, [data("01"), data("234"), reset()]),
        answer(206, &third, [data("56789")]),
    ]);
    let got = download(exact().verify_prefix(10), &server).await;
    assert_eq!(got.whole(), "0123456789");
    assert_eq!(server.header("if-match"), ["-", "\"v1\"", "\"v2\""]);
    assert_eq!(server.ranges(), ["-", "bytes=3-9", "bytes=5-9"]);
}

#[tokio::test(start_paused = true)]
async fn a_validator_counts_only_once_the_prefix_is_compared() {
    let second = [("content-length", "10"), ("etag", "\"v2\"")];
    let server = Server::new([
        all([data("012"), reset()]),
        answer(200, &second, [data("01"), reset()]),
        part("bytes 3-9/10", [data("3456789")]),
    ]);
    let got = download(exact().verify_prefix(10), &server).await;
    assert_eq!(got.whole(), "0123456789");
    assert_eq!(server.header("if-match"), ["-", "\"v1\"", "\"v1\""]);
}

#[tokio::test(start_paused = true)]
async fn a_part_without_a_validator_is_asked_for_again_and_compared() {
    let range = ("content-range", "bytes 2-7/10");
    let length = ("content-length", "6");
    for second in [
        answer(206, &[range], [data("2345"), data("67")]),
        answer(
            206,
            &[("content-range", "bytes 0-7/10")],
            [data("01234567")],
        ),
        answer(200, &[("content-length", "10")], [data("0123456789")]),
    ] {
        let mut request = get();
        request
            .headers_mut()
            .insert("range", "bytes=2-7".parse().unwrap());
        let server = Server::new([
            answer(206, &[range, length], [data("234"), reset()]),
            second,
        ]);
        let got = fetch(exact().verify_prefix(10), &server, request).await;
        assert_eq!(got.whole(), "234567");
        assert_eq!(server.ranges(), ["bytes=2-7", "bytes=2-7"]);
    }
    // A later start leaves nothing to compare.
    let server = Server::new([
        answer(206, &[range, length], [data("234"), reset()]),
        answer(206, &[("content-range", "bytes 3-7/10")], [data("34567")]),
    ]);
    let got = download(exact().verify_prefix(10), &server).await;
    assert_eq!(got.unresumable(), ("234", Some(Unresumable::WrongRange)));
}

#[tokio::test(start_paused = true)]
async fn listeners_are_told_before_each_resumption() {
    let told = Arc::new(Mutex::new(vec![]));
    let layer = [1, 2].iter().fold(exact(), |layer, listener| {
        let told = told.clone();
        layer.on_resume(move |resumption| {
            assert_eq!(resumption.request().uri().path(), "/file");
            assert!(!format!("{resumption:?}").contains("secret"));
            told.lock().unwrap().push((
                *listener,
                resumption.number(),
                resumption.delivered(),
                resumption.expected(),
                resumption.after(),
                resumption.error().to_string(),
            ));
        })
    });
    let server = Server::new([
        all([data("012"), reset()]),
        part("bytes 3-9/10", [data("3")]),
        part("bytes 4-9/10", [data("456789")]),
    ]);
    let mut request = get();
    request
        .headers_mut()
        .insert("x-secret", "secret".parse().unwrap());
    fetch(layer, &server, request).await.whole();
    let reset = std::io::Error::from(ErrorKind::ConnectionReset).to_string();
    let early = "the response body ended early".to_owned();
    let expected = [
        (1, 1, 3, 10, secs(0), reset.clone()),
        (2, 1, 3, 10, secs(0), reset),
        (1, 2, 4, 10, secs(1), early.clone()),
        (2, 2, 4, 10, secs(1), early),
    ];
    assert_eq!(*told.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_body_ends_the_wait_and_the_call() {
    // During the attempt's body, the wait, and the call.
    for polls in [1, 2, 3] {
        let server = Server::new([
            all([data("0"), reset()]),
            all([reset()]),
            all([Piece::Wait(secs(1)), data("0123456789")]),
        ]);
        let service = exact().layer(server.clone());
        let response = service.oneshot(get()).await.unwrap();
        let mut body = Box::pin(response.into_body());
        for _ in 0..polls {
            let frame = tokio::time::timeout(Duration::from_millis(600), body.frame()).await;
            drop(frame);
        }
        drop(body);
        let asked = server.asked().len();
        assert_eq!(server.alive(), 0);
        tokio::time::advance(secs(60)).await;
        assert_eq!(server.asked().len(), asked, "after {polls} polls");
    }
}

#[tokio::test(start_paused = true)]
async fn no_readied_handle_is_held_while_a_body_is_read() {
    let server = Server::new([
        all([data("012"), reset()]),
        all([data("0123456789")]),
        part("bytes 3-9/10", [data("3456789")]),
    ]);
    let service = ServiceBuilder::new()
        .layer(exact())
        .layer(ConcurrencyLimitLayer::new(1))
        .service(server.clone());
    let first = service.clone().oneshot(get()).await.unwrap();
    let second = service.clone().oneshot(get()).await.unwrap();
    assert_eq!(read(second.into_body()).await.whole(), "0123456789");
    assert_eq!(read(first.into_body()).await.whole(), "0123456789");
}

#[tokio::test(start_paused = true)]
async fn each_resumption_goes_through_the_retry_with_its_hints_and_its_budget() {
    let server = Server::new([
        all([data("012"), reset()]),
        answer(503, &[("retry-after", "7")], []),
        answer(429, &[], []),
        part("bytes 3-9/10", [data("345"), reset()]),
        answer(503, &[], []),
        part("bytes 6-9/10", [data("6789")]),
    ]);
    let backoff = Backoff::exponential(secs(1)).jitter(Jitter::None);
    let retry = RetryLayer::new().backoff(backoff);
    let service = ServiceBuilder::new()
        .layer(exact())
        .layer(retry)
        .service(server.clone());
    let response = service.oneshot(get()).await.unwrap();
    assert_eq!(read(response.into_body()).await.whole(), "0123456789");
    // 7 s as asked for, 2 s; the second resumption waits for 1 s, and its retry for 1 s.
    assert_eq!(server.millis(), [0, 0, 7_000, 9_000, 10_000, 11_000]);
    let ranges = [
        "-",
        "bytes=3-9",
        "bytes=3-9",
        "bytes=3-9",
        "bytes=6-9",
        "bytes=6-9",
    ];
    assert_eq!(server.ranges(), ranges);
}

#[tokio::test(start_paused = true)]
async fn a_cooldown_below_holds_resumptions() {
    use tower_http_retry::Cooldown;

    let cooldown = Cooldown::new();
    let server = Server::new([
        all([data("012"), reset()]),
        part("bytes 3-9/10", [data("3456789")]),
    ]);
    let service = ServiceBuilder::new()
        .layer(exact())
        .layer(RetryLayer::new().cooldown(cooldown.clone()))
        .service(server.clone());
    let response = service.clone().oneshot(get()).await.unwrap();
    cooldown.hold(get().uri(), secs(3));
    assert_eq!(read(response.into_body()).await.whole(), "0123456789");
    assert_eq!(server.millis(), [0, 3_000]);
    // One that cannot wait so long is not sent.
    let server = Server::new([all([data("012"), reset()])]);
    let service = ServiceBuilder::new()
        .layer(exact())
        .layer(RetryLayer::new().cooldown(cooldown.clone()))
        .service(server.clone());
    let response = service.clone().oneshot(get()).await.unwrap();
    cooldown.hold(get().uri(), secs(60));
    let got = read(response.into_body()).await;
    let error = got.error.unwrap();
    let source = std::error::Error::source(&*error).unwrap();
    assert!(source.is::<RetryError>(), "{source:?}");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_error_from_poll_ready_is_the_source() {
    #[derive(Clone)]
    struct Fails(Server, Arc<Mutex<u32>>);

    impl Service<http::Request<crate::support::download::Nothing>> for Fails {
        type Response = Response<Pieces>;
        type Error = tower_http_retry::BoxError;
        type Future = std::future::Ready<Result<Response<Pieces>, Self::Error>>;

        fn poll_ready(
            &mut self,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), Self::Error>> {
            let mut calls = self.1.lock().unwrap();
            *calls += 1;
            if *calls > 1 {
                let closed = std::io::Error::from(ErrorKind::NotConnected);
                return std::task::Poll::Ready(Err(closed.into()));
            }
            Service::<http::Request<crate::support::download::Nothing>>::poll_ready(&mut self.0, cx)
        }

        fn call(
            &mut self,
            request: http::Request<crate::support::download::Nothing>,
        ) -> Self::Future {
            self.0.call(request)
        }
    }

    let server = Server::new([all([data("012"), reset()])]);
    let service = exact().layer(Fails(server, Arc::default()));
    let response = service.oneshot(get()).await.unwrap();
    let got = read(response.into_body()).await;
    assert_eq!(got.broken(), ("012", ErrorKind::NotConnected));
}

#[tokio::test(start_paused = true)]
async fn the_inner_services_own_error_is_handed_up_unwrapped() {
    let broken = std::io::Error::from(ErrorKind::BrokenPipe);
    let server = Server::failing([Err(broken.into())]);
    let error = exact().layer(server).oneshot(get()).await.unwrap_err();
    assert_eq!(
        error.downcast::<std::io::Error>().unwrap().kind(),
        ErrorKind::BrokenPipe
    );
}

#[tokio::test(start_paused = true)]
async fn the_promised_length_is_exact_from_the_head_on() {
    let server = Server::new([
        all([data("012"), reset()]),
        part("bytes 3-9/10", [data("3456789")]),
    ]);
    let response = exact().layer(server).oneshot(get()).await.unwrap();
    // The inner body did not know it.
    assert_eq!(response.body().size_hint().exact(), Some(10));
    assert_eq!(response.headers()["content-length"], "10");
    read(response.into_body()).await.whole();
}

#[tokio::test(start_paused = true)]
async fn the_length_counts_after_a_part_that_did_not_say_it() {
    let server = Server::new([
        answer(200, &[("content-length", "10")], [data("012"), reset()]),
        answer(
            206,
            &[("content-range", "bytes 0-9/*")],
            [data("0123"), reset()],
        ),
        answer(200, &[("content-length", "12")], [data("0123456789ab")]),
    ]);
    let got = download(exact().verify_prefix(10), &server).await;
    assert_eq!(got.unresumable(), ("0123", Some(Unresumable::Changed)));
}
