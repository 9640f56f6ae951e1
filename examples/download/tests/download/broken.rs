//! Bodies that cannot be completed.

use crate::directory::Directory;
use crate::program::download;
use crate::scripted_server::{ScriptedServer, answer, ten_bytes};

#[tokio::test]
async fn without_a_validator_a_body_that_breaks_off_is_the_end() {
    let directory = Directory::with_old_file("without_a_validator");
    let without = answer("200 OK", &["content-length: 10"], "0123");
    let server = ScriptedServer::start([without]).await;
    let run = download(&server.url, &directory, &[]).await;
    run.ends(18, "download: not whole: ");
    run.ends(18, "; this response cannot be resumed\n");
    assert_eq!(server.seen().len(), 1);
    directory.has_only_the_old_file();
}

#[tokio::test]
async fn a_chunked_body_that_breaks_off_is_the_end() {
    let directory = Directory::new("chunked_breaks_off");
    let headers = ["transfer-encoding: chunked", "etag: \"v1\""];
    let server = ScriptedServer::start([answer("200 OK", &headers, "4\r\n0123\r\n")]).await;
    let run = download(&server.url, &directory, &["--verify-prefix"]).await;
    run.ends(18, "; this response cannot be resumed\n");
    assert_eq!(server.seen().len(), 1);
    assert!(directory.is_empty());
}

/// Byte `number` of ten, with a head that promises all from there on.
fn one_byte(number: usize) -> Vec<u8> {
    let length = format!("content-length: {}", 10 - number);
    let range = format!("content-range: bytes {number}-9/10");
    let headers = [&*length, &range, "etag: \"v1\""];
    answer("206 Partial Content", &headers, number.to_string())
}

#[tokio::test]
async fn resumptions_without_progress_are_limited() {
    let answers: Vec<_> = [ten_bytes("0")]
        .into_iter()
        .chain((1..10).map(one_byte))
        .collect();
    for (limit, requests) in [("0", 1), ("1", 2), ("3", 4), ("9", 10)] {
        let directory = Directory::new("limited");
        let server = ScriptedServer::start(answers.clone()).await;
        let run = download(&server.url, &directory, &["--max-resumes", limit]).await;
        assert_eq!(server.seen().len(), requests);
        if requests == 10 {
            run.ends(0, "; resumptions: 9, retries: 0\n");
            directory.has_only(b"0123456789");
        } else {
            let told = format!(
                "the response body ended after {requests} of 10 bytes, and no resumptions are left: "
            );
            run.ends(18, &told);
            assert!(directory.is_empty());
        }
    }
}

#[tokio::test]
async fn resumptions_begin_within_their_window() {
    let directory = Directory::new("window");
    let server = ScriptedServer::start([ten_bytes("0123")]).await;
    let run = download(&server.url, &directory, &["--window", "0s"]).await;
    run.ends(
        18,
        "the response body ended after 4 of 10 bytes, and the window for resumptions has ended: ",
    );
    assert_eq!(server.seen().len(), 1);
    assert!(directory.is_empty());
}

#[tokio::test]
async fn a_response_without_its_first_byte_is_retried_and_then_the_end() {
    let directory = Directory::new("first_byte");
    let server = ScriptedServer::start([ten_bytes("")]).await;
    let run = download(&server.url, &directory, &["--max-retries", "2"]).await;
    run.ends(18, "download: not whole: ");
    assert_eq!((run.times(" s  retry "), server.seen().len()), (2, 3));
    assert!(directory.is_empty());
}

#[tokio::test]
async fn a_resumption_that_fails_for_good_is_the_end() {
    let directory = Directory::new("fails_for_good");
    let unavailable = answer("503 Service Unavailable", &["content-length: 0"], "");
    let server = ScriptedServer::start([ten_bytes("0123"), unavailable]).await;
    let run = download(&server.url, &directory, &["--max-retries", "1"]).await;
    run.ends(
        18,
        "after 4 of 10 bytes: the server answered 503 Service Unavailable\n",
    );
    assert_eq!(server.seen().len(), 3);
    assert!(directory.is_empty());
}
