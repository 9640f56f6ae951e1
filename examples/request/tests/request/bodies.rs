//! Bodies: forms, files and standard input.

use std::process::Stdio;

use http::Method;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use tokio::io::AsyncWriteExt;

use crate::program::{MIB, QUICK, Run, file, pattern, program, quick_request, request};
use crate::server::{Server, closing_server};

#[tokio::test]
async fn data_is_posted_as_a_form() {
    let server = Server::failing(0).await;
    assert_eq!(request(&["-d", "-a=1&b=2", &server.url]).await.status, 0);
    let seen = server.only();
    assert_eq!(
        (seen.method.clone(), &seen.body[..]),
        (Method::POST, &b"-a=1&b=2"[..])
    );
    let form = Some("application/x-www-form-urlencoded");
    assert_eq!(seen.header(CONTENT_TYPE), form);
    assert_eq!(seen.header(CONTENT_LENGTH), Some("8"));
}

#[tokio::test]
async fn method_and_headers_are_sent_as_given() {
    let server = Server::failing(0).await;
    let options = ["-X", "PATCH", "-H", "content-type: text/plain", "-d", "x"];
    let headers = ["-H", "X-Item:one", "-H", "x-item: two"];
    let run = request(&[&options[..], &headers, &[&server.url]].concat()).await;
    assert_eq!(run.status, 0);
    let seen = server.only();
    assert_eq!(seen.method, Method::PATCH);
    assert_eq!(seen.header(CONTENT_TYPE), Some("text/plain"));
    let items: Vec<_> = seen.headers.get_all("x-item").iter().collect();
    assert_eq!(items, ["one", "two"]);
}

#[tokio::test]
async fn binary_data_without_an_at_sign_is_sent_as_it_stands() {
    let server = Server::failing(0).await;
    let run = request(&["--data-binary", "line\r\nline", &server.url]).await;
    assert_eq!(run.status, 0);
    let seen = server.only();
    assert_eq!(seen.method, Method::POST);
    assert_eq!(seen.header(CONTENT_TYPE), None);
    assert_eq!(seen.body, "line\r\nline");
}

#[tokio::test]
async fn a_file_arrives_whole_and_with_its_length() {
    let content = pattern(3 * MIB);
    let path = file("arrives_whole", &content);
    let data = format!("@{}", path.display());
    for version in [&[][..], &["--http2"]] {
        let server = Server::failing(0).await;
        let run = request(&[version, &["--data-binary", &data, &server.url]].concat()).await;
        assert_eq!(run.status, 0);
        let seen = server.only();
        assert!(seen.body == content);
        assert_eq!(seen.method, Method::POST);
        assert_eq!(seen.header(CONTENT_LENGTH), Some("3145728"));
        assert_eq!(seen.header(TRANSFER_ENCODING), None);
    }
}

#[tokio::test]
async fn a_file_above_the_limit_is_sent_again_only_if_the_limit_is_raised() {
    let content = pattern(3 * MIB);
    let path = file("above_the_limit", &content);
    let data = format!("@{}", path.display());
    let options = ["-X", "PUT", "--data-binary", &data];

    let server = Server::failing(1).await;
    let run = quick_request(&[&options[..], &[&server.url]].concat()).await;
    assert_eq!((run.status, run.text()), (22, "answer 1"));
    assert!(
        run.stderr
            .contains("the end: the body cannot be sent again")
    );

    let server = Server::failing(1).await;
    let raised = ["--replay-limit", "4000000", &server.url];
    let run = quick_request(&[&options[..], &raised].concat()).await;
    assert_eq!((run.status, run.text()), (0, "answer 2"));
    assert!(server.seen().iter().all(|seen| seen.body == content));
}

#[tokio::test]
async fn an_empty_file_is_an_empty_body() {
    let path = file("empty", b"");
    let server = Server::failing(0).await;
    let data = format!("@{}", path.display());
    let run = request(&["--data-binary", &data, &server.url]).await;
    assert_eq!(run.status, 0);
    assert_eq!(server.only().header(CONTENT_LENGTH), Some("0"));
}

#[tokio::test]
async fn standard_input_arrives_whole_and_chunked() {
    let content = pattern(MIB / 2);
    let server = Server::failing(1).await;
    let mut child = program()
        .args(QUICK)
        .args(["-X", "PUT", "--data-binary", "@-", &server.url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&content).await.unwrap();
    drop(stdin);
    let run = Run::of(child.wait_with_output().await.unwrap());
    assert_eq!((run.status, run.text()), (0, "answer 2"));
    for seen in server.seen() {
        assert!(seen.body == content);
        assert_eq!(seen.header(TRANSFER_ENCODING), Some("chunked"));
    }
}

#[tokio::test]
async fn standard_input_that_stays_open_does_not_hold_up_the_exit() {
    let url = closing_server("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno").await;
    let mut child = program()
        .args(["--data-binary", "@-", &url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stdin = child.stdin.take();
    let run = Run::of(child.wait_with_output().await.unwrap());
    assert_eq!((run.status, run.text()), (22, "no"));
    drop(stdin);
}

#[tokio::test]
async fn each_of_many_requests_reads_the_file_anew() {
    let content = pattern(200_000);
    let path = file("read_anew", &content);
    let server = Server::failing(0).await;
    let data = format!("@{}", path.display());
    let run = request(&["--data-binary", &data, "--count", "3", &server.url]).await;
    assert_eq!(run.status, 0);
    assert_eq!(server.seen().len(), 3);
    assert!(server.seen().iter().all(|seen| seen.body == content));
}
