//! What other clients were reported to do to downloads, each by what happened.

use http::Method;
use tower_http_retry::resume::Unresumable;

use crate::support::download::{
    Server, all, answer, data, download, exact, fetch, get, part, reset,
};

#[tokio::test(start_paused = true)]
async fn the_server_ignored_the_range_and_answered_200_and_the_file_was_appended_to_its_half() {
    let server = Server::new([all([data("01234"), reset()]), all([data("0123456789")])]);
    assert_eq!(download(exact(), &server).await.whole(), "0123456789");
    // Of another version, nothing is appended.
    let other = [("content-length", "10"), ("etag", "\"v2\"")];
    let server = Server::new([
        all([data("01234"), reset()]),
        answer(200, &other, [data("abcdefghij")]),
    ]);
    let got = download(exact(), &server).await;
    assert_eq!(got.unresumable(), ("01234", Some(Unresumable::Changed)));
}

#[tokio::test(start_paused = true)]
async fn all_bytes_were_there_but_the_end_was_not_and_bytes_5_to_4_were_asked_for() {
    let lines = [("content-length", "5"), ("etag", "\"v1\"")];
    let server = Server::new([answer(200, &lines, [data("01234"), reset()])]);
    assert_eq!(download(exact(), &server).await.whole(), "01234");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_head_with_a_length_was_taken_for_a_break() {
    let server = Server::new([all([])]);
    let mut request = get();
    *request.method_mut() = Method::HEAD;
    let got = fetch(exact(), &server, request).await;
    assert_eq!(got.whole(), "");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_range_without_the_complete_length_was_not_understood() {
    let server = Server::new([
        part("bytes 3-5/*", [data("3"), reset()]),
        part("bytes 4-5/*", [data("45")]),
    ]);
    assert_eq!(download(exact(), &server).await.whole(), "345");
    assert_eq!(server.ranges(), ["-", "bytes=4-5"]);
}

#[tokio::test(start_paused = true)]
async fn a_cache_answered_from_before_the_byte_that_was_asked_for() {
    let server = Server::new([
        all([data("01234"), reset()]),
        part("bytes 4-9/10", [data("456789")]),
    ]);
    assert_eq!(download(exact(), &server).await.whole(), "0123456789");
}

#[tokio::test(start_paused = true)]
async fn the_validator_was_not_passed_on_in_the_second_resumption() {
    let other = [("content-range", "bytes 6-9/10"), ("etag", "\"v2\"")];
    let server = Server::new([
        all([data("012"), reset()]),
        part("bytes 3-9/10", [data("345"), reset()]),
        answer(206, &other, [data("6789")]),
    ]);
    let got = download(exact(), &server).await;
    assert_eq!(got.unresumable(), ("012345", Some(Unresumable::Changed)));
    assert_eq!(server.header("if-match"), ["-", "\"v1\"", "\"v1\""]);
}

#[tokio::test(start_paused = true)]
async fn a_weak_etag_was_taken_for_a_promise_of_the_same_bytes() {
    let lines = [("content-length", "10"), ("etag", "W/\"v1\"")];
    let server = Server::new([answer(200, &lines, [data("012"), reset()])]);
    let got = download(exact(), &server).await;
    assert!(got.error.unwrap().is::<std::io::Error>());
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_416_at_the_end_was_taken_for_a_failure_of_a_whole_download() {
    // All bytes are there, so that nothing is asked for.
    let server = Server::new([all([data("0123456789"), reset()])]);
    assert_eq!(download(exact(), &server).await.whole(), "0123456789");
    // And one before the end was taken for the end: the file is shorter now.
    let server = Server::new([
        all([data("01234"), reset()]),
        answer(416, &[("content-range", "bytes */5")], []),
    ]);
    let got = download(exact(), &server).await;
    assert_eq!(got.unresumable(), ("01234", Some(Unresumable::Changed)));
}

#[tokio::test(start_paused = true)]
async fn short_segments_were_taken_for_the_end() {
    let server = Server::new([
        all([data("01"), reset()]),
        part("bytes 2-4/10", [data("234")]),
        part("bytes 5-7/10", [data("567")]),
        part("bytes 8-9/10", [data("89")]),
    ]);
    assert_eq!(download(exact(), &server).await.whole(), "0123456789");
    assert_eq!(
        server.ranges(),
        ["-", "bytes=2-9", "bytes=5-9", "bytes=8-9"]
    );
}
