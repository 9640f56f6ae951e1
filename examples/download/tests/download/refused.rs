//! Requests that are not answered with a file.

use crate::directory::Directory;
use crate::program::download;
use crate::scripted_server::{ScriptedServer, answer};

#[tokio::test]
async fn a_status_that_is_not_200_is_a_failure() {
    for status in [
        "404 Not Found",
        "204 No Content",
        "206 Partial Content",
        "302 Found",
        "412 Precondition Failed",
        "503 Service Unavailable",
    ] {
        let directory = Directory::with_old_file("not_200");
        let headers = match &status[..3] {
            "204" => &[][..],
            "206" => &[
                "content-length: 2",
                "content-range: bytes 0-1/9",
                "etag: \"v1\"",
            ],
            _ => &["content-length: 2", "location: /other"],
        };
        let body = if headers.is_empty() { "" } else { "no" };
        let server = ScriptedServer::start([answer(status, headers, body)]).await;
        let run = download(&server.url, &directory, &["--max-retries", "1"]).await;
        run.ends(22, &format!("download: the server answered {status}\n"));
        directory.has_only_the_old_file();
    }
}

#[tokio::test]
async fn the_status_counts_even_if_its_body_breaks_off() {
    let directory = Directory::new("status_counts");
    let server = ScriptedServer::start([answer("404 Not Found", &["content-length: 9"], "")]).await;
    let run = download(&server.url, &directory, &["--max-retries", "0"]).await;
    run.ends(22, "download: the server answered 404 Not Found\n");
    assert!(directory.is_empty());
}

#[tokio::test]
async fn a_connection_that_is_refused_is_no_response() {
    let directory = Directory::with_old_file("no_response");
    // Nothing listens there when it is dropped.
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let run = download(&url, &directory, &["--max-retries", "2"]).await;
    run.ends(7, "download: no response: client error (Connect): ");
    assert_eq!(run.times(" s  retry "), 2);
    directory.has_only_the_old_file();
}

#[tokio::test]
async fn a_connection_that_closes_without_an_answer_is_no_response() {
    let directory = Directory::new("closes_without_an_answer");
    let server = ScriptedServer::start([Vec::new()]).await;
    let run = download(&server.url, &directory, &["--max-retries", "0"]).await;
    run.ends(7, "download: no response: ");
    assert!(directory.is_empty());
}
