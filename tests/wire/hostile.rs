//! Servers that are hostile: what they send has no bound, and what a request costs has one.

use crate::support::errors::attempt_timeout;
use std::convert::Infallible;
use std::error::Error;
use std::future::{pending, ready};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::Empty;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::TokioExecutor;
use tokio::time::Instant;
use tower::{Layer, ServiceExt};
use tower_http::follow_redirect::FollowRedirectLayer;
use tower_http_retry::classify::Class;
use tower_http_retry::event::StopReason;

use crate::support::hostile::{Answer, Endless, Server, Visit, client, drain, get, held, layer};
use crate::support::server::OK;
use crate::support::stops;
use crate::support::told::{Outcome, Told, again, again_after_a_time_out, handed_over, success};
use crate::support::upstream::Body;

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// These waits, in seconds, each after this outcome; and then the last outcome.
fn waits(outcome: Outcome, seconds: &[u64], last: Outcome) -> Vec<Outcome> {
    let waits = seconds.iter().map(|&wait| outcome.in_seconds(wait));
    waits.chain([last]).collect()
}

/// A 503 without a body, and with these lines in its head.
fn unavailable(lines: impl AsRef<[u8]>) -> Answer {
    let status = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n";
    Answer::whole([status, lines.as_ref(), b"\r\n"].concat())
}

fn many_headers() -> String {
    (0..1_000).map(|line| format!("x-{line}: y\r\n")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_thousand_headers_are_permanent_as_hypers_client_takes_a_hundred() {
    let server = Server::start([unavailable(many_headers())]).await;
    let told = Told::default();
    let error = get(layer(&told), client(), &server.uri()).await;
    let error = error.unwrap_err();
    let cause = error.downcast_ref::<legacy::Error>().unwrap().source();
    let cause = cause.unwrap().downcast_ref::<hyper::Error>().unwrap();
    assert!(cause.is_parse_too_large());
    assert_eq!(server.times(), [secs(0)]);
    let permanent = handed_over(Class::Permanent, StopReason::Permanent);
    assert_eq!(told.outcomes(), [permanent]);
}

#[tokio::test(start_paused = true)]
async fn a_hint_is_found_among_a_thousand_headers_that_the_client_takes() {
    let lines = format!("{}retry-after: 7\r\n", many_headers());
    let server = Server::start([unavailable(lines)]).await;
    let mut builder = Client::builder(TokioExecutor::new());
    let client = builder.http1_max_headers(1_100).build_http();
    let retried = stops::layer().max_retries(2);
    let response = get(retried, client, &server.uri()).await.unwrap();
    assert_eq!(response.headers().len(), 2 + 1_000 + 1);
    assert_eq!(server.times(), [secs(0), secs(7), secs(14)]);
}

const INTERIM: [&str; 2] = [
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n",
];

#[tokio::test(start_paused = true)]
async fn an_attempt_of_endless_interim_responses_ends_by_its_time_out() {
    let came_and_left = |(at, left)| Visit {
        at: secs(at),
        left: Some(secs(left)),
    };
    for (interim, every) in [
        (INTERIM[0].repeat(20), millis(10)),
        (INTERIM[0].to_owned(), secs(1)),
        (INTERIM[1].repeat(20), millis(10)),
        (INTERIM[1].to_owned(), secs(1)),
    ] {
        let server = Server::start([Answer::endless("", interim, every)]).await;
        let told = Told::default();
        let layer = layer(&told).max_retries(2).attempt_timeout(secs(3));
        let error = get(layer, client(), &server.uri()).await.unwrap_err();
        assert!(attempt_timeout(&*error).is_some());
        let timed_out = again_after_a_time_out(Class::Transient);
        let last = handed_over(Class::Transient, StopReason::Attempts).timed_out();
        assert_eq!(told.outcomes(), waits(timed_out, &[2, 4], last));
        let visits = [(0, 3), (5, 8), (12, 15)].map(came_and_left);
        assert_eq!(server.visited().await, visits);
    }
}

#[tokio::test(start_paused = true)]
async fn endless_interim_responses_end_inside_the_window_and_an_attempt() {
    let server = Server::start([Answer::endless("", INTERIM[1], secs(1))]).await;
    let told = Told::default();
    // The second attempt starts just inside the window.
    let layer = layer(&told).window(millis(5_001)).attempt_timeout(secs(3));
    let start = Instant::now();
    let error = get(layer, client(), &server.uri()).await.unwrap_err();
    assert!(attempt_timeout(&*error).is_some());
    assert_eq!(server.times(), [secs(0), secs(5)]);
    assert_eq!(start.elapsed(), secs(5 + 3));
    let timed_out = again_after_a_time_out(Class::Transient);
    let last = handed_over(Class::Transient, StopReason::Window).timed_out();
    assert_eq!(told.outcomes(), waits(timed_out, &[2], last));
}

/// In real time: the paused clock stands still while there is something to read.
#[tokio::test]
async fn a_flood_of_interim_responses_does_not_hold_up_the_time_out() {
    for interim in INTERIM {
        let flood = Answer::endless("", interim.repeat(1_000), secs(0));
        let server = Server::start([flood]).await;
        let told = Told::default();
        let layer = told.layer().attempt_timeout(millis(50));
        let error = get(layer, client(), &server.uri()).await.unwrap_err();
        assert!(attempt_timeout(&*error).is_some());
        let timed_out = again_after_a_time_out(Class::Transient);
        let last = handed_over(Class::Transient, StopReason::Attempts).timed_out();
        assert_eq!(told.outcomes(), [timed_out, timed_out, last]);
    }
}

const ENDLESS: &str = "HTTP/1.1 503 Service Unavailable\r\n\r\n";
const SIZED: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 60000\r\n\r\n";
const CHUNKED: &str = "HTTP/1.1 503 Service Unavailable\r\ntransfer-encoding: chunked\r\n\r\n";
const WAITS: [Duration; 3] = [millis(300), secs(1), secs(5)];

/// The first connection is closed after so long; the next attempt comes on another, after its wait.
fn closed_after(closed: Duration, wait: Duration) -> [Visit; 2] {
    [(secs(0), Some(closed)), (wait, None)].map(|(at, left)| Visit { at, left })
}

#[tokio::test(start_paused = true)]
async fn of_a_fast_body_without_end_64_kib_are_read_and_its_connection_is_closed() {
    let large = "x".repeat(16 * 1024);
    for (head, again) in [
        (ENDLESS, large.clone()),
        (CHUNKED, format!("4000\r\n{large}\r\n")),
        (CHUNKED, "1\r\nx\r\n".repeat(1_000)),
    ] {
        for wait in WAITS {
            let first = Answer::endless(head, again.as_str(), secs(0));
            let (visits, frames) = drain(wait, first).await;
            assert_eq!(visits, closed_after(secs(0), wait));
            // A frame counts 16 bytes at least.
            let sizes: Vec<_> = frames.iter().map(|&size| size.max(16)).collect();
            let (read, last) = (sizes.iter().sum::<usize>(), sizes[sizes.len() - 1]);
            assert!(read >= 64 * 1024 && read - last < 64 * 1024, "{frames:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_of_a_byte_a_second_is_read_for_a_second_and_its_connection_is_closed() {
    for (head, again) in [
        (ENDLESS, "x"),
        (SIZED, "x"),
        (CHUNKED, "1\r\nx\r\n"),
        // A chunk's extension, and trailers.
        (&*format!("{CHUNKED}1;"), "x"),
        (&*format!("{CHUNKED}0\r\n"), "x: y\r\n"),
    ] {
        for wait in WAITS {
            let (visits, frames) = drain(wait, Answer::endless(head, again, secs(1))).await;
            assert_eq!(visits, closed_after(wait.min(secs(1)), wait), "{head}");
            assert!(frames.len() <= 1, "{frames:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_chunks_extension_or_trailer_without_end_is_cut_short_by_hyper() {
    for head in [format!("{CHUNKED}1;"), format!("{CHUNKED}0\r\nx: ")] {
        let first = Answer::endless(head, "x".repeat(1_000), secs(0));
        let (visits, frames) = drain(secs(5), first).await;
        assert_eq!(visits, closed_after(secs(0), secs(5)));
        assert!(frames.is_empty(), "{frames:?}");
    }
}

/// When the second attempt came, if there was one.
async fn second_attempt(lines: &[u8]) -> Option<Duration> {
    let server = Server::start([unavailable(lines), Answer::whole(OK)]).await;
    let told = Told::default();
    let response = get(layer(&told), client(), &server.uri()).await.unwrap();
    let times = server.times();
    if times.len() == 1 {
        assert_eq!(response.status(), 503);
        let stop = handed_over(Class::Transient, StopReason::RetryAfterTooLong);
        assert_eq!(told.outcomes(), [stop.of(503)]);
    }
    times.get(1).copied()
}

#[tokio::test(start_paused = true)]
async fn a_hostile_hint_is_too_long_or_none_at_all() {
    const TOO_LONG: Option<Duration> = None;
    const NO_HINT: Option<Duration> = Some(secs(1));
    const SEVEN: Option<Duration> = Some(secs(7));
    let cases: &[(&[u8], Option<Duration>)] = &[
        (b"1000000000000000000000000000000", TOO_LONG),
        (b"18446744073709551615", TOO_LONG),
        (&[b'9'; 10 * 1024], TOO_LONG),
        (b"Fri, 31 Dec 9999 23:59:59 GMT", TOO_LONG),
        (
            b"7\r\nretry-after-ms: 1000000000000000000000000000000",
            TOO_LONG,
        ),
        (b"-7", NO_HINT),
        (b"+7", NO_HINT),
        (b"7,5", NO_HINT),
        (b"7.", NO_HINT),
        (b".7", NO_HINT),
        (b"7.0.0", NO_HINT),
        (b"7.0000000000000000000000000000000", SEVEN),
        (b"1000000000000000000000000000000.5", TOO_LONG),
        (b"7e0", NO_HINT),
        (b"7, 7", NO_HINT),
        (b"", NO_HINT),
        (&[b'x'; 10 * 1024], NO_HINT),
        (b"\xff\xfe7", NO_HINT),
        // A digit, but not one of ASCII.
        ("\u{667}".as_bytes(), NO_HINT),
        (b"Thu, 01 Jan 1960 00:00:00 GMT", NO_HINT),
        (b"Fri, 32 Dec 9999 23:59:59 GMT", NO_HINT),
        (b" \t 7 \t ", SEVEN),
        (b"00000000000000000000000000000007", SEVEN),
        // Of several, the longest.
        (b"3\r\nretry-after: 7", SEVEN),
        (b"7\r\nretry-after: 3", SEVEN),
        (b"-9\r\nretry-after: 7", SEVEN),
        (b"7\r\nretry-after: Fri, 31 Dec 9999 23:59:59 GMT", TOO_LONG),
        // By the server's own clock, whatever that says.
        (
            b"Fri, 31 Dec 9999 23:59:59 GMT\r\ndate: Fri, 31 Dec 9999 23:59:52 GMT",
            SEVEN,
        ),
        (
            b"Thu, 01 Jan 1970 00:00:00 GMT\r\ndate: Fri, 31 Dec 9999 23:59:59 GMT",
            NO_HINT,
        ),
    ];
    for (value, expected) in cases {
        let lines = [b"retry-after: ", *value, b"\r\n"].concat();
        let second = second_attempt(&lines).await;
        assert_eq!(second, *expected, "{}", value.escape_ascii());
    }
}

const REDIRECT: &str =
    "HTTP/1.1 302 Found\r\nlocation: /item\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Follows redirects, above the retry, from a server with this plan to itself.
async fn follow(plan: Vec<Answer>) -> (Server, Told, Duration) {
    let server = Server::start(plan).await;
    let told = Told::default();
    let follow = FollowRedirectLayer::new().layer(layer(&told).layer(client()));
    let request = Request::get(server.uri()).body(Body::default()).unwrap();
    let start = Instant::now();
    let response = follow.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 302);
    (server, told, start.elapsed())
}

/// tower-http follows 20 redirects unless told otherwise.
const HOPS: usize = 1 + 20;

#[tokio::test(start_paused = true)]
async fn a_redirect_loop_is_as_long_as_without_retries() {
    let (server, told, took) = follow(vec![Answer::whole(REDIRECT)]).await;
    assert_eq!(server.times(), [secs(0); HOPS]);
    assert_eq!(told.outcomes(), [success().of(302); HOPS]);
    assert_eq!(took, secs(0));
}

#[tokio::test(start_paused = true)]
async fn a_redirect_loop_with_a_503_before_each_302_is_two_attempts_a_hop() {
    let hop = [unavailable(""), Answer::whole(REDIRECT)];
    let plan = (0..HOPS).flat_map(|_| hop.clone());
    let (server, told, took) = follow(plan.collect()).await;
    assert_eq!(server.times().len(), 2 * HOPS);
    let hop = waits(again(Class::Transient).of(503), &[1], success().of(302));
    assert_eq!(told.outcomes(), hop.repeat(HOPS));
    assert_eq!(took, secs(HOPS as u64));
}

fn failed<R>(headers: HeaderMap, body: R) -> Response<R> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    *response.headers_mut() = headers;
    response
}

#[test]
fn each_of_10_000_requests_whose_503s_never_end_holds_less_than_2_kib() {
    let held = held(|| ready(Ok(failed(HeaderMap::new(), Endless::default()))));
    assert!(held < 2_048, "{held} bytes each");
}

#[test]
fn each_of_10_000_requests_that_are_never_answered_holds_less_than_2_kib() {
    let held = held(pending::<Result<Response<Body>, Infallible>>);
    assert!(held < 2_048, "{held} bytes each");
}

#[test]
fn each_of_10_000_requests_whose_503s_have_a_thousand_headers_holds_one_head_and_2_kib() {
    let mut headers = HeaderMap::new();
    for _ in 0..1_000 {
        headers.append(SET_COOKIE, HeaderValue::from_static("y"));
    }
    let head = allocation_counter::measure(|| drop(headers.clone())).bytes_max;
    // Shared, as the service is cloned for each request.
    let headers = Arc::new(headers);
    let held = held(move || {
        let headers = HeaderMap::clone(&headers);
        ready(Ok(failed(headers, Empty::<Bytes>::new())))
    });
    assert!(
        held < head + 2_048,
        "{held} bytes each, {head} for the head"
    );
}

#[cfg(feature = "http2")]
mod http2 {
    use h2::Reason;
    use http::Method;

    use super::*;
    use crate::support::hostile::{HyperClient, interim, many_headers, start_streams};
    use crate::support::http2::{Connection, Server, Turn, go_away, settings};
    use crate::support::told::again_at_once;

    /// hyper's own, in bytes.
    const MAX_HEADERS: u32 = 16 * 1024;

    fn client(max_headers: u32) -> HyperClient {
        let mut builder = Client::builder(TokioExecutor::new());
        let builder = builder.http2_only(true);
        builder.http2_max_header_list_size(max_headers).build_http()
    }

    /// h2 resets the stream by itself, or goes away if it is more than four times as much.
    #[tokio::test(start_paused = true)]
    async fn more_headers_than_the_client_takes_are_permanent() {
        for uri in [
            start_streams(|respond| many_headers(respond, 1)).await,
            start_streams(|respond| many_headers(respond, 1_000)).await,
        ] {
            let told = Told::default();
            let error = get(layer(&told), client(MAX_HEADERS), &uri).await;
            assert!(error.unwrap_err().is::<legacy::Error>());
            let permanent = handed_over(Class::Permanent, StopReason::Permanent);
            assert_eq!((told.outcomes(), told.sent()), (vec![permanent], 1));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_headers_that_the_client_takes_are_as_any_503() {
        let uri = start_streams(|respond| many_headers(respond, 1_000)).await;
        let told = Told::default();
        let layer = layer(&told).max_retries(2);
        let response = get(layer, client(u32::MAX), &uri).await.unwrap();
        assert_eq!(response.headers().len(), 1_000);
        let transient = again(Class::Transient).of(503);
        let last = handed_over(Class::Transient, StopReason::Attempts).of(503);
        assert_eq!(told.outcomes(), waits(transient, &[1, 2], last));
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_of_endless_interim_responses_ends_by_its_time_out() {
        for uri in [
            start_streams(|respond| interim(respond, 100)).await,
            start_streams(|respond| interim(respond, 103)).await,
        ] {
            let told = Told::default();
            let layer = layer(&told).max_retries(2).attempt_timeout(secs(3));
            let start = Instant::now();
            let error = get(layer, client(MAX_HEADERS), &uri).await.unwrap_err();
            assert!(attempt_timeout(&*error).is_some());
            assert_eq!((told.sent(), start.elapsed()), (3, secs(15)));
        }
    }

    /// What becomes of some requests: how many each connection got, what was told, the time taken.
    async fn send(
        method: Method,
        requests: usize,
        plan: Vec<Connection>,
    ) -> (Vec<usize>, Vec<Outcome>, Duration) {
        let server = Server::start(plan).await;
        let told = Told::default();
        let retry = layer(&told).layer(client(MAX_HEADERS));
        let start = Instant::now();
        for _ in 0..requests {
            let request = Request::builder().method(&method).uri(server.uri());
            let request = request.body(Body::from("item")).unwrap();
            retry.clone().oneshot(request).await.unwrap_err();
        }
        let received = server.received().iter().map(Vec::len).collect();
        (received, told.outcomes(), start.elapsed())
    }

    /// More than anyone asks for.
    fn resets(reason: Reason) -> Vec<Connection> {
        vec![Connection::Streams(vec![Turn::Reset(reason); 1_000])]
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_refuses_for_ever_gets_six_attempts_the_second_of_them_at_once() {
        let wire = [settings(), go_away(0, Reason::ENHANCE_YOUR_CALM)].concat();
        for (plan, received) in [
            (resets(Reason::REFUSED_STREAM), vec![6]),
            (vec![Connection::Wire(wire); 100], vec![1; 6]),
        ] {
            let refused = again(Class::Refused);
            let last = handed_over(Class::Refused, StopReason::Attempts);
            let mut outcomes = vec![again_at_once(Class::Refused)];
            outcomes.extend(waits(refused, &[1, 2, 4, 8], last));
            let sent = send(Method::POST, 1, plan).await;
            assert_eq!(sent, (received, outcomes, secs(1 + 2 + 4 + 8)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_refuses_a_hundred_requests_gets_one_retry_of_each_and_ten_more_in_all() {
        let refuses = resets(Reason::REFUSED_STREAM);
        let (received, outcomes, _) = send(Method::POST, 100, refuses).await;
        assert_eq!(received, [100 * 2 + 10]);
        let first = again_at_once(Class::Refused);
        let last = handed_over(Class::Refused, StopReason::Budget);
        assert!(outcomes.ends_with(&[[first, last]; 97].concat()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_is_reset_to_calm_down_is_transient() {
        let transient = again(Class::Transient);
        let last = handed_over(Class::Transient, StopReason::Attempts);
        let outcomes = waits(transient, &[1, 2, 4, 8, 16], last);
        let sent = send(Method::GET, 1, resets(Reason::ENHANCE_YOUR_CALM)).await;
        assert_eq!(sent, (vec![6], outcomes, secs(1 + 2 + 4 + 8 + 16)));

        let last = handed_over(Class::Transient, StopReason::NotIdempotent);
        let sent = send(Method::POST, 1, resets(Reason::ENHANCE_YOUR_CALM)).await;
        assert_eq!(sent, (vec![1], vec![last], secs(0)));
    }
}
