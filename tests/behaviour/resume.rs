//! Which responses are resumed, what is asked for, and which answers go on with them.

use std::time::Duration;

use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt};
use tower_http_retry::ResumeLayer;
use tower_http_retry::resume::{ResumeError, Unresumable};

use crate::support::download::{
    Nothing, Piece, Server, all, answer, data, download, exact, fetch, get, part, read, reset,
    trailers,
};

const MODIFIED: &str = "Tue, 15 Nov 1994 12:45:26 GMT";
const LATER: &str = "Tue, 15 Nov 1994 12:45:27 GMT";

type Lines<'a> = &'a [(&'a str, &'a str)];

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_goes_on_where_it_was() {
    let server = Server::new([
        all([data("012"), reset()]),
        part("bytes 3-9/10", [data("345"), reset()]),
        part("bytes 6-9/10", [data("67"), data("89")]),
    ]);
    assert_eq!(download(exact(), &server).await.whole(), "0123456789");
    assert_eq!(server.ranges(), ["-", "bytes=3-9", "bytes=6-9"]);
    // Each time.
    assert_eq!(server.header("if-match"), ["-", "\"v1\"", "\"v1\""]);
    assert_eq!(server.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_end_before_the_length_is_a_break() {
    let server = Server::new([all([data("012")]), part("bytes 3-9/10", [data("3456789")])]);
    assert_eq!(download(exact(), &server).await.whole(), "0123456789");
    assert_eq!(server.ranges(), ["-", "bytes=3-9"]);
}

#[tokio::test(start_paused = true)]
async fn only_a_get_without_a_body_or_an_upgrade_is_resumed() {
    for method in [Method::HEAD, Method::POST, Method::PUT, Method::OPTIONS] {
        let server = Server::new([all([data("012"), reset()])]);
        let mut request = get();
        *request.method_mut() = method;
        let got = fetch(exact(), &server, request).await;
        assert_eq!(got.data, "012");
        // Its own error.
        assert!(got.error.unwrap().is::<std::io::Error>());
    }
    let server = Server::new([all([data("012"), reset()])]);
    let mut request = get();
    let value = "websocket".parse().unwrap();
    request.headers_mut().insert("upgrade", value);
    assert!(
        fetch(exact(), &server, request)
            .await
            .error
            .unwrap()
            .is::<std::io::Error>()
    );
    let server = Server::new([all([data("012"), reset()])]);
    let request = get().map(|_| Full::<bytes::Bytes>::from("a query"));
    let response = exact()
        .layer(server.clone())
        .oneshot(request)
        .await
        .unwrap();
    let got = read(response.into_body()).await;
    assert!(got.error.unwrap().is::<std::io::Error>());
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn only_a_200_or_one_range_whose_length_is_known_is_resumed() {
    let length = ("content-length", "10");
    let etag = ("etag", "\"v1\"");
    let range = ("content-range", "bytes 0-9/10");
    #[rustfmt::skip]
    let passing: &[(u16, Lines<'_>)] = &[
        (200, &[etag]),
        (200, &[etag, ("content-length", "ten")]),
        (200, &[etag, ("content-length", "+10")]),
        (200, &[etag, ("content-length", "10"), ("content-length", "11")]),
        (201, &[etag, length]),
        (203, &[etag, length]),
        (204, &[etag, length]),
        (205, &[etag, length]),
        (304, &[etag, length]),
        (404, &[etag, length]),
        (503, &[etag, length]),
        (206, &[etag, length]),
        // As what decompresses leaves it.
        (206, &[etag, range]),
        (206, &[etag, length, ("content-range", "bytes */10")]),
        (206, &[etag, length, range, range]),
        (206, &[etag, range, ("content-length", "9")]),
        (206, &[etag, length, range, ("content-type", "multipart/byteranges; boundary=x")]),
        (200, &[etag, length, ("content-type", "text/event-stream")]),
        (200, &[etag, length, ("content-type", "Text/Event-Stream; charset=utf-8")]),
        (200, &[length]),
        (200, &[length, ("etag", "W/\"v1\"")]),
        (200, &[length, ("etag", "v1")]),
        (200, &[length, ("last-modified", MODIFIED)]),
        (200, &[length, ("last-modified", MODIFIED), ("date", MODIFIED)]),
    ];
    for (status, lines) in passing {
        let server = Server::new([answer(*status, lines, [data("012"), reset()])]);
        let got = download(exact(), &server).await;
        assert_eq!(got.data, "012", "{status} {lines:?}");
        let error = got.error.unwrap();
        assert!(
            error.is::<std::io::Error>(),
            "{status} {lines:?}: {error:?}"
        );
    }
    #[rustfmt::skip]
    let resumed: &[(u16, Lines<'_>)] = &[
        (200, &[etag, length]),
        (200, &[etag, length, length]),
        (200, &[etag, length, ("content-type", "text/plain")]),
        (200, &[etag, length, ("content-encoding", "gzip")]),
        (206, &[etag, length, range]),
        (206, &[etag, length, ("content-range", "bytes 0-9/*")]),
        (200, &[length, ("last-modified", MODIFIED), ("date", LATER)]),
        (200, &[length, ("etag", "W/\"v1\""), ("last-modified", MODIFIED), ("date", LATER)]),
    ];
    for (status, lines) in resumed {
        let server = Server::new([
            answer(*status, lines, [data("012"), reset()]),
            answer(412, &[], []),
        ]);
        let got = download(exact(), &server).await;
        let changed = Some(Unresumable::Changed);
        assert_eq!(got.unresumable(), ("012", changed), "{status} {lines:?}");
        assert_eq!(server.ranges(), ["-", "bytes=3-9"], "{status} {lines:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_that_passes_is_untouched() {
    let pieces = [data("0"), data(""), data("12"), trailers("last")];
    let lines = [
        ("content-length", ""),
        ("content-encoding", ""),
        ("etag", "\"v1\""),
    ];
    let server = Server::new([answer(200, &lines, pieces)]);
    let response = exact().layer(server).oneshot(get()).await.unwrap();
    assert_eq!(response.headers().len(), 1);
    let mut body = response.into_body();
    let mut frames = vec![];
    while let Some(frame) = body.frame().await {
        frames.push(format!("{:?}", frame.unwrap()));
    }
    assert_eq!(frames.len(), 4);
    assert!(frames[3].contains("x-trailer"), "{frames:?}");
}

#[tokio::test(start_paused = true)]
async fn without_an_etag_the_date_is_the_condition() {
    let lines = [
        ("content-length", "10"),
        ("last-modified", MODIFIED),
        ("date", LATER),
    ];
    let partial = [
        ("content-range", "bytes 3-9/10"),
        ("last-modified", MODIFIED),
    ];
    let server = Server::new([
        answer(200, &lines, [data("012"), reset()]),
        answer(206, &partial, [data("3456789")]),
    ]);
    assert_eq!(download(exact(), &server).await.whole(), "0123456789");
    assert_eq!(server.header("if-unmodified-since"), ["-", MODIFIED]);
    assert_eq!(server.header("if-match"), ["-", "-"]);
}

#[tokio::test(start_paused = true)]
async fn a_resumption_is_the_callers_request_without_its_conditions() {
    #[derive(Clone, PartialEq, Debug)]
    struct Tenant(u32);

    let request = Request::get("http://files.test/file?version=1")
        .header("accept-encoding", "br, gzip")
        .header("authorization", "Bearer secret")
        .header("x-line", "one")
        .header("x-line", "two")
        .header("if-none-match", "\"v0\"")
        .header("if-modified-since", MODIFIED)
        .header("if-range", "\"v0\"")
        .header("if-match", "\"v1\", \"v2\"")
        .header("range", "bytes=2-7")
        .extension(Tenant(7))
        .version(http::Version::HTTP_10);
    let server = Server::new([
        part("bytes 2-7/10", [data("23"), reset()]),
        part("bytes 4-7/10", [data("4567")]),
    ]);
    let request = request.body(Nothing::new()).unwrap();
    assert_eq!(fetch(exact(), &server, request).await.whole(), "234567");
    let asked = server.asked();
    let (first, second) = (&asked[0].request, &asked[1].request);
    // The first one is as the caller made it.
    assert_eq!(first.headers().len(), 9);
    assert_eq!(second.method(), Method::GET);
    assert_eq!(second.uri(), first.uri());
    assert_eq!(second.version(), first.version());
    assert_eq!(second.extensions().get(), Some(&Tenant(7)));
    assert!(asked[1].is_empty);
    let mut lines: Vec<_> = second.headers().iter().collect();
    lines.sort_by_key(|(name, _)| name.as_str());
    let lines: Vec<_> = lines
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    let expected = [
        ("accept-encoding", "br, gzip"),
        ("authorization", "Bearer secret"),
        ("if-match", "\"v1\""),
        ("range", "bytes=4-7"),
        ("x-line", "one"),
        ("x-line", "two"),
    ];
    assert_eq!(lines, expected);
}

/// A body of ten bytes that breaks after "012", and what becomes of it by the next answer.
async fn after(
    next: http::Response<crate::support::download::Pieces>,
) -> (String, Option<Unresumable>) {
    let server = Server::new([all([data("012"), reset()]), next]);
    let got = download(exact().skip_limit(5), &server).await;
    assert_eq!(server.asked().len(), 2);
    match &got.error {
        None => (got.data, None),
        Some(_) => {
            let (delivered, unresumable) = got.unresumable();
            (delivered.to_owned(), Some(unresumable.expect("why")))
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_200_goes_on_only_with_the_same_strong_validator_and_length() {
    let whole = ("0123456789".to_owned(), None);
    let changed = ("012".to_owned(), Some(Unresumable::Changed));
    let ignored = ("012".to_owned(), Some(Unresumable::RangeIgnored));
    let length = ("content-length", "10");
    let etag = ("etag", "\"v1\"");
    #[rustfmt::skip]
    let cases: &[(Lines<'_>, &_)] = &[
        (&[length, etag], &whole),
        (&[etag], &ignored),
        (&[("content-length", "11"), etag], &changed),
        (&[("content-length", "9"), etag], &changed),
        (&[length], &ignored),
        (&[length, ("etag", "\"v2\"")], &changed),
        (&[length, ("etag", "W/\"v1\"")], &changed),
        (&[length, etag, ("content-encoding", "gzip")], &changed),
    ];
    for (lines, expected) in cases {
        let got = after(answer(200, lines, [data("01"), data("23"), data("456789")])).await;
        assert_eq!(got, **expected, "{lines:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_date_that_is_strong_says_that_a_200_is_the_same() {
    let dated = |modified, sent| {
        [
            ("content-length", "10"),
            ("last-modified", modified),
            ("date", sent),
        ]
    };
    let later = "Tue, 15 Nov 1994 12:45:28 GMT";
    #[rustfmt::skip]
    let cases = [
        (dated(MODIFIED, LATER), None),
        (dated(MODIFIED, later), None),
        // Nothing says that it is the same, nor that it is not.
        (dated(MODIFIED, MODIFIED), Some(Unresumable::RangeIgnored)),
        (dated("", later), Some(Unresumable::RangeIgnored)),
        (dated(LATER, later), Some(Unresumable::Changed)),
    ];
    for (lines, expected) in cases {
        let server = Server::new([
            answer(200, &dated(MODIFIED, LATER), [data("012"), reset()]),
            answer(200, &lines, [data("0123456789")]),
        ]);
        let got = download(exact(), &server).await;
        match expected {
            None => assert_eq!(got.whole(), "0123456789"),
            Some(_) => assert_eq!(got.unresumable(), ("012", expected), "{lines:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_says_whether_it_is_resumed() {
    for (response, is_resumable) in [(all([data("0")]), true), (answer(200, &[], []), false)] {
        let server = Server::new([response]);
        let response = exact().max_resumes(0).layer(server).oneshot(get()).await;
        let mut body = response.unwrap().into_body();
        assert_eq!(body.is_resumable(), is_resumable);
        while let Some(Ok(_)) = body.frame().await {}
        assert!(!body.is_resumable());
    }
}

#[tokio::test(start_paused = true)]
async fn a_206_goes_on_only_where_nothing_that_it_says_differs() {
    let whole = ("0123456789".to_owned(), None);
    let changed = ("012".to_owned(), Some(Unresumable::Changed));
    let wrong = ("012".to_owned(), Some(Unresumable::WrongRange));
    let range = ("content-range", "bytes 3-9/10");
    let etag = ("etag", "\"v1\"");
    #[rustfmt::skip]
    let cases: &[(Lines<'_>, &_)] = &[
        (&[range, etag], &whole),
        // A cache does not look at the condition.
        (&[range], &changed),
        (&[("content-range", "bytes 3-9/*"), etag], &whole),
        (&[range, etag, ("content-length", "7")], &whole),
        (&[range, ("etag", "\"v2\"")], &changed),
        (&[range, ("etag", "W/\"v1\"")], &changed),
        (&[range, etag, ("content-encoding", "gzip")], &changed),
        (&[("content-range", "bytes 3-9/11"), etag], &changed),
        (&[("content-range", "bytes 3-9/10, bytes 3-9/10"), etag], &wrong),
        (&[range, range, etag], &wrong),
        (&[etag], &wrong),
        (&[("content-range", "3-9/10"), etag], &wrong),
        (&[range, etag, ("content-length", "8")], &wrong),
        (&[range, etag, ("content-type", "multipart/byteranges")], &wrong),
    ];
    for (lines, expected) in cases {
        let got = after(answer(206, lines, [data("3456789")])).await;
        assert_eq!(got, **expected, "{lines:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_overlap_is_skipped_and_a_gap_or_an_excess_is_an_error() {
    let whole = || ("0123456789".to_owned(), None);
    let error = |why| ("012".to_owned(), Some(why));
    let got = after(part(
        "bytes 0-9/10",
        [data("0"), data("1234"), data("56789")],
    ))
    .await;
    assert_eq!(got, whole());
    let got = after(part("bytes 2-9/10", [data("23456789")])).await;
    assert_eq!(got, whole());
    let got = after(part("bytes 4-9/10", [data("456789")])).await;
    assert_eq!(got, error(Unresumable::WrongRange));
    // A part of more than was promised.
    let server = Server::new([
        part("bytes 2-6/10", [data("23"), reset()]),
        part("bytes 4-7/10", [data("4567")]),
    ]);
    let got = download(exact(), &server).await;
    assert_eq!(got.unresumable(), ("23", Some(Unresumable::WrongRange)));
    // More than the head says.
    let got = after(part("bytes 3-9/10", [data("345678"), data("9x")])).await;
    assert_eq!(got, ("012345678".to_owned(), Some(Unresumable::TooLong)));
}

#[tokio::test(start_paused = true)]
async fn no_more_is_skipped_than_the_limit() {
    for (limit, is_whole) in [(3, true), (2, false)] {
        for next in [
            all([data("0123456789")]),
            part("bytes 0-9/10", [data("0123456789")]),
        ] {
            let server = Server::new([all([data("012"), reset()]), next]);
            let got = download(exact().skip_limit(limit), &server).await;
            match is_whole {
                true => assert_eq!(got.whole(), "0123456789"),
                false => {
                    let ignored = Some(Unresumable::RangeIgnored);
                    assert_eq!(got.unresumable(), ("012", ignored));
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_limit_is_a_mebibyte_unless_it_is_set() {
    let bytes = bytes::Bytes::from(vec![b'x'; 1024 * 1024 + 2]);
    for (delivered, is_whole) in [(1024 * 1024, true), (1024 * 1024 + 1, false)] {
        let lines = [("content-length", "1048578"), ("etag", "\"v1\"")];
        let first = [Piece::Data(bytes.slice(..delivered)), reset()];
        let server = Server::new([
            answer(200, &lines, first),
            answer(200, &lines, [Piece::Data(bytes.clone())]),
        ]);
        let got = download(ResumeLayer::new(), &server).await;
        assert_eq!(got.error.is_none(), is_whole);
    }
}

#[tokio::test(start_paused = true)]
async fn a_200_after_a_part_gives_no_more_than_the_part() {
    let mut request = get();
    let range = "bytes=2-5".parse().unwrap();
    request.headers_mut().insert("range", range);
    let server = Server::new([
        part("bytes 2-5/10", [data("23"), reset()]),
        all([data("01234"), data("56789"), trailers("of all")]),
    ]);
    let got = fetch(exact(), &server, request).await;
    assert_eq!(got.trailers, [""; 0]);
    assert_eq!(got.whole(), "2345");
    assert_eq!(server.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn other_statuses_are_the_end() {
    #[rustfmt::skip]
    let cases: &[(u16, Lines<'_>, _)] = &[
        (412, &[], Unresumable::Changed),
        // There is less than was promised.
        (416, &[("content-range", "bytes */5")], Unresumable::Changed),
        (416, &[("content-range", "bytes */3")], Unresumable::Changed),
        (416, &[("content-range", "bytes */10")], Unresumable::Status(StatusCode::RANGE_NOT_SATISFIABLE)),
        (416, &[], Unresumable::Status(StatusCode::RANGE_NOT_SATISFIABLE)),
        (404, &[], Unresumable::Status(StatusCode::NOT_FOUND)),
        (304, &[], Unresumable::Status(StatusCode::NOT_MODIFIED)),
        (204, &[], Unresumable::Status(StatusCode::NO_CONTENT)),
        (503, &[], Unresumable::Status(StatusCode::SERVICE_UNAVAILABLE)),
    ];
    for (status, lines, expected) in cases {
        let got = after(answer(*status, lines, [])).await;
        assert_eq!(got, ("012".to_owned(), Some(*expected)), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_of_a_resumption_is_the_source() {
    let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    let server = Server::failing([Ok(all([data("012"), reset()])), Err(refused.into())]);
    let got = download(exact(), &server).await;
    assert_eq!(got.broken(), ("012", std::io::ErrorKind::ConnectionRefused));
    let message = got.error.unwrap().to_string();
    assert_eq!(message, "the response body ended after 3 of 10 bytes");
}

#[tokio::test(start_paused = true)]
async fn an_error_that_will_not_pass_is_not_resumed() {
    let server = Server::new([all([data("012"), Piece::Fail])]);
    let got = download(exact(), &server).await;
    assert_eq!(got.data, "012");
    let error = got.error.unwrap().downcast::<ResumeError>().unwrap();
    assert_eq!((error.delivered(), error.expected()), (3, 10));
    let source = std::error::Error::source(&*error).unwrap();
    assert_eq!(source.to_string(), "the body is broken");
    // Unless a classifier says that it may.
    let layer = exact().classify_fn(|outcome| {
        assert_eq!(outcome.uri().path(), "/file");
        assert!(outcome.result().is_err());
        tower_http_retry::classify::Class::Transient.into()
    });
    let server = Server::new([
        all([data("012"), Piece::Fail]),
        part("bytes 3-9/10", [data("3456789")]),
    ]);
    let response = layer.layer(server).oneshot(get()).await.unwrap();
    assert_eq!(read(response.into_body()).await.whole(), "0123456789");
}

#[tokio::test(start_paused = true)]
async fn trailers_come_from_the_attempt_that_has_the_last_byte() {
    let server = Server::new([
        all([data("012"), trailers("first"), reset()]),
        part("bytes 3-9/10", [data("345"), trailers("second")]),
        part("bytes 6-9/10", [data("6789"), trailers("last")]),
    ]);
    let got = download(exact(), &server).await;
    assert_eq!(got.trailers, ["last"]);
    assert_eq!(got.whole(), "0123456789");
}

#[tokio::test(start_paused = true)]
async fn frames_of_all_sizes_are_put_together() {
    let server = Server::new([
        all([
            data("0"),
            data(""),
            data("12"),
            Piece::Wait(Duration::from_secs(9)),
            data("3"),
        ]),
        part(
            "bytes 2-9/10",
            [data("2"), data("3"), data("4"), data(""), reset()],
        ),
        part(
            "bytes 1-9/10",
            [data("123"), data("45678"), data("9"), data("")],
        ),
    ]);
    assert_eq!(download(exact(), &server).await.whole(), "0123456789");
    assert_eq!(server.ranges(), ["-", "bytes=4-9", "bytes=5-9"]);
}

#[tokio::test(start_paused = true)]
async fn a_206_that_has_its_validator_twice_does_not_say_that_it_is_the_same() {
    let changed = ("012".to_owned(), Some(Unresumable::Changed));
    let range = ("content-range", "bytes 3-9/10");
    for etag in ["\"v2\"", "\"v1\""] {
        let lines = [range, ("etag", etag), ("etag", etag)];
        let got = after(answer(206, &lines, [data("3456789")])).await;
        assert_eq!(got, changed, "{etag}");
    }
    let modified = ("last-modified", MODIFIED);
    let first = [("content-length", "10"), modified, ("date", LATER)];
    for second in [LATER, MODIFIED] {
        let second = ("last-modified", second);
        let server = Server::new([
            answer(200, &first, [data("012"), reset()]),
            answer(206, &[range, second, second], [data("3456789")]),
        ]);
        let got = download(exact(), &server).await;
        assert_eq!(got.unresumable(), ("012", Some(Unresumable::Changed)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_206_from_the_second_of_its_change_does_not_say_that_it_is_the_same() {
    let modified = ("last-modified", MODIFIED);
    let range = ("content-range", "bytes 3-9/10");
    let first = [("content-length", "10"), modified, ("date", LATER)];
    // A cache has what was there when that second began, and knows no conditions.
    for (date, is_whole) in [(LATER, true), ("", true), (MODIFIED, false)] {
        let server = Server::new([
            answer(200, &first, [data("012"), reset()]),
            answer(206, &[range, modified, ("date", date)], [data("3456789")]),
        ]);
        let got = download(exact(), &server).await;
        match is_whole {
            true => assert_eq!(got.whole(), "0123456789"),
            false => assert_eq!(got.unresumable(), ("012", Some(Unresumable::Changed))),
        }
    }
}
