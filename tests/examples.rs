//! The examples, run as their users run them: as programs, against servers on 127.0.0.1.

mod support;

use std::io;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::response::IntoResponse;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, Method, StatusCode, Version};
use serde_json::{Value, json};
use support::example::program;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::sync::Barrier;

/// Exact waits that are too short to be noticed.
const QUICK: [&str; 4] = ["--jitter", "none", "--base", "1ms"];

const MIB: usize = 1024 * 1024;

fn example(name: &str) -> Command {
    let mut command = Command::new(program(name));
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// What a run of the example `request` came to.
struct Run {
    status: i32,
    stdout: Vec<u8>,
    stderr: String,
}

impl Run {
    fn of(output: Output) -> Self {
        Self {
            status: output.status.code().unwrap(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    fn json(&self) -> Vec<Value> {
        let lines = self.text().lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

async fn request(arguments: &[&str]) -> Run {
    let output = example("request").args(arguments).output().await;
    Run::of(output.unwrap())
}

/// With [`QUICK`] waits.
async fn quick_request(arguments: &[&str]) -> Run {
    request(&[&QUICK, arguments].concat()).await
}

/// What a server was sent.
#[derive(Clone)]
struct Seen {
    method: Method,
    version: Version,
    headers: HeaderMap,
    body: Bytes,
}

impl Seen {
    fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// A server that reads each request to its end before it answers.
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Answers each request by its number; the first is 1.
    async fn start<A: IntoResponse>(
        answer: impl Fn(usize) -> A + Clone + Send + Sync + 'static,
    ) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        let handler = async move |request: axum::extract::Request| {
            let (head, body) = request.into_parts();
            let seen = Seen {
                method: head.method,
                version: head.version,
                headers: head.headers,
                body: to_bytes(body, usize::MAX).await.unwrap(),
            };
            let number = {
                let mut log = log.lock().unwrap();
                log.push(seen);
                log.len()
            };
            answer(number).into_response()
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/item", listener.local_addr().unwrap());
        let router = Router::new().fallback(handler);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, seen }
    }

    /// Answers 503 to the first requests, and then 200.
    async fn failing(times: usize) -> Self {
        Self::start(move |number| {
            let status = match number > times {
                true => StatusCode::OK,
                false => StatusCode::SERVICE_UNAVAILABLE,
            };
            (status, format!("answer {number}"))
        })
        .await
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The only request that there was.
    fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1);
        seen[0].clone()
    }
}

/// Reads the head of each request, says `answer`, and closes the connection.
async fn closing_server(answer: &'static str) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            // Whether the client waits for the answer is the client's affair.
            let _ = close_after(answer, connection).await;
        }
    });
    url
}

async fn close_after(answer: &str, mut connection: TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await?);
    }
    connection.write_all(answer.as_bytes()).await
}

/// Bytes of all values, in no simple order.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * i / 251) as u8).collect()
}

/// A file of a test's own.
fn file(name: &str, content: &[u8]) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).unwrap();
    path
}

#[tokio::test]
async fn a_body_is_printed_byte_for_byte() {
    let body = pattern(300_000);
    let copy = body.clone();
    let server = Server::start(move |_| copy.clone()).await;
    let run = request(&[&server.url]).await;
    assert_eq!(run.status, 0);
    assert!(run.stdout == body);
    assert_eq!(server.only().method, Method::GET);
    assert!(run.stderr.contains("attempt 1: 200 OK; the end: success"));
}

#[tokio::test]
async fn a_redirect_is_no_failure() {
    let server = Server::start(|_| (StatusCode::FOUND, [(LOCATION, "/other")], "moved")).await;
    let run = request(&[&server.url]).await;
    assert_eq!((run.status, run.text()), (0, "moved"));
    server.only();
}

#[tokio::test]
async fn a_client_error_is_printed_and_ends_with_22() {
    let server = Server::start(|_| (StatusCode::NOT_FOUND, "no such item")).await;
    let run = request(&[&server.url]).await;
    assert_eq!((run.status, run.text()), (22, "no such item"));
    server.only();
    let told = "attempt 1: 404 Not Found; the end: sending again will not help";
    assert!(run.stderr.contains(told), "{}", run.stderr);
}

#[tokio::test]
async fn a_failure_is_retried_until_it_passes() {
    let server = Server::failing(2).await;
    let run = quick_request(&[&server.url]).await;
    assert_eq!((run.status, run.text()), (0, "answer 3"));
    assert_eq!(server.seen().len(), 3);
    for told in [
        "attempt 1: GET 127.0.0.1:",
        "attempt 1: 503 Service Unavailable; again in 1.0ms: backoff",
        "attempt 2: 503 Service Unavailable; again in 2.0ms: backoff",
        "attempt 3: 200 OK; the end: success",
    ] {
        assert!(run.stderr.contains(told), "{told}: {}", run.stderr);
    }
}

#[tokio::test]
async fn the_last_answer_is_printed_when_the_retries_are_used_up() {
    let server = Server::failing(usize::MAX).await;
    let run = quick_request(&["--retries", "2", &server.url]).await;
    assert_eq!((run.status, run.text()), (22, "answer 3"));
    assert_eq!(server.seen().len(), 3);
    assert!(run.stderr.contains("the end: the retries are used up"));
}

#[tokio::test]
async fn an_error_ends_with_7_and_tells_its_attempts() {
    let url = closing_server("").await;
    let run = quick_request(&["--retries", "1", "--json", &url]).await;
    assert_eq!(run.status, 7);
    let [report] = &run.json()[..] else { panic!() };
    assert_eq!(report["status"], Value::Null);
    assert_eq!(
        (&report["attempts"], &report["waited_ms"]),
        (&json!(2), &json!(1))
    );
    let error = report["error"].as_str().unwrap();
    assert!(run.stderr.contains(&format!("error: {error}")));
}

#[tokio::test]
async fn a_response_that_breaks_off_ends_with_7() {
    let url = closing_server("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
    let run = request(&[&url]).await;
    assert_eq!((run.status, run.text()), (7, "half"));
    assert!(run.stderr.contains("\nerror: "), "{}", run.stderr);
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_is_made_again() {
    // It accepts nothing: its answers never come.
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let options = ["--attempt-timeout", "1ms", "--retries", "1", "--json"];
    let run = quick_request(&[&options[..], &[&url]].concat()).await;
    assert_eq!(run.status, 7);
    assert_eq!(run.json()[0]["attempts"], 2);
    // After a time-out the wait is one step further up.
    assert_eq!(run.json()[0]["waited_ms"], 2);
    let error = run.json()[0]["error"].to_string();
    assert!(error.contains("no response within 1ms"), "{error}");
}

#[tokio::test]
async fn a_wait_that_ends_after_the_window_is_not_begun() {
    let server = Server::failing(usize::MAX).await;
    let options = ["--base", "1h", "--within", "30m"];
    let run = request(&[&options[..], &[&server.url]].concat()).await;
    assert_eq!((run.status, run.text()), (22, "answer 1"));
    assert!(run.stderr.contains("the end: the window for retries ends"));
}

#[tokio::test]
async fn the_server_is_obeyed_unless_it_asks_for_too_much() {
    let server = Server::start(|number| match number {
        1 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after-ms", "7")]),
        _ => (
            StatusCode::TOO_MANY_REQUESTS,
            [(RETRY_AFTER.as_str(), "60")],
        ),
    })
    .await;
    let run = quick_request(&["--max-server-wait", "1s", "--json", &server.url]).await;
    assert_eq!(run.status, 22);
    assert_eq!(
        run.json(),
        [json!({ "request": 1, "status": 429, "attempts": 2, "waited_ms": 7, "error": null })]
    );
    for told in [
        "again in 7.0ms: the server asked for it",
        "the end: the server asks for a longer wait than allowed",
    ] {
        assert!(run.stderr.contains(told), "{told}: {}", run.stderr);
    }
}

#[tokio::test]
async fn a_post_is_sent_again_only_where_that_is_asked_for() {
    let server = Server::failing(1).await;
    let run = quick_request(&["-d", "a=1", &server.url]).await;
    assert_eq!((run.status, run.text()), (22, "answer 1"));
    assert!(run.stderr.contains("may not be repeated"), "{}", run.stderr);

    let server = Server::failing(1).await;
    let run = quick_request(&["-d", "a=1", "--replay-any", &server.url]).await;
    assert_eq!((run.status, run.text()), (0, "answer 2"));
    assert!(server.seen().iter().all(|seen| seen.body == "a=1"));
}

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
    let mut child = example("request")
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
    let mut child = example("request")
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
async fn http2_is_spoken_where_asked_for() {
    let server = Server::failing(1).await;
    let run = quick_request(&["--http2", &server.url]).await;
    assert_eq!((run.status, run.text()), (0, "answer 2"));
    let versions: Vec<_> = server.seen().iter().map(|seen| seen.version).collect();
    assert_eq!(versions, [Version::HTTP_2, Version::HTTP_2]);
}

#[tokio::test]
async fn a_line_of_json_tells_of_each_request() {
    let server = Server::failing(2).await;
    let run = quick_request(&["--json", "--count", "2", &server.url]).await;
    assert_eq!(run.status, 0);
    assert_eq!(
        run.json(),
        [
            json!({ "request": 1, "status": 200, "attempts": 3, "waited_ms": 3, "error": null }),
            json!({ "request": 2, "status": 200, "attempts": 1, "waited_ms": 0, "error": null }),
        ]
    );
    assert!(run.stderr.contains("2 requests in "), "{}", run.stderr);
}

#[tokio::test]
async fn many_requests_run_side_by_side_and_are_summed_up() {
    // An answer comes only when four requests wait for one.
    let barrier = Arc::new(Barrier::new(4));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let router = Router::new().fallback(async move || {
        barrier.wait().await;
        "not printed"
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    let run = request(&["--count", "20", "--concurrency", "4", &url]).await;
    assert_eq!((run.status, &run.stderr[..]), (0, ""));
    let lines: Vec<_> = run.text().lines().collect();
    assert_eq!(lines.len(), 4, "{}", run.text());
    assert!(lines[0].starts_with("20 requests in "));
    assert_eq!(lines[1].trim(), "20  200 OK");
    assert!(lines[2].starts_with("attempts: 20 in all, at most 1 for a request"));
    for figure in ["min ", "median ", "p99 ", "max "] {
        assert!(lines[3].contains(figure), "{}", lines[3]);
    }
}

#[tokio::test]
async fn of_many_requests_the_worst_decides_the_exit_status() {
    let server = Server::start(|number| match number {
        2 => StatusCode::NOT_FOUND,
        _ => StatusCode::OK,
    })
    .await;
    let run = request(&["--count", "3", &server.url]).await;
    assert_eq!(run.status, 22);
    assert!(run.text().contains("2  200 OK") && run.text().contains("1  404 Not Found"));
    let told = "request 2, attempt 1: 404 Not Found; the end: ";
    assert!(run.stderr.contains(told), "{}", run.stderr);

    let url = closing_server("").await;
    let run = request(&["--count", "3", "--retries", "0", &url]).await;
    assert_eq!(run.status, 7);
    assert!(run.text().contains("3  error: "), "{}", run.text());
}

#[tokio::test]
async fn requests_share_one_budget_unless_there_is_none() {
    let options = ["--count", "10", "--retries", "3"];
    let server = Server::failing(usize::MAX).await;
    let run = quick_request(&[&options[..], &[&server.url]].concat()).await;
    assert_eq!(run.status, 22);
    // A fresh budget of three retries a request covers six in all.
    assert_eq!(server.seen().len(), 10 + 6);

    let server = Server::failing(usize::MAX).await;
    let run = quick_request(&[&options[..], &["--no-budget", &server.url]].concat()).await;
    assert_eq!(run.status, 22);
    assert_eq!(server.seen().len(), 10 + 30);
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

#[tokio::test]
async fn a_reader_that_goes_away_is_no_panic() {
    // Far more than the pipes between hold.
    let server = Server::start(|_| vec![b'x'; 8 * MIB]).await;
    let mut child = example("request")
        .arg(&server.url)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    assert_eq!(stdout.read_u8().await.unwrap(), b'x');
    drop(stdout);
    let run = Run::of(child.wait_with_output().await.unwrap());
    assert_eq!(run.status, 0);
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
}

#[tokio::test]
async fn a_reader_of_json_that_goes_away_ends_the_requests() {
    let server = Server::failing(0).await;
    let mut child = example("request")
        .args(["--json", "--count", "1000000", &server.url])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    assert_eq!(stdout.read_u8().await.unwrap(), b'{');
    drop(stdout);
    let run = Run::of(child.wait_with_output().await.unwrap());
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    assert!(server.seen().len() < 1_000_000);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_an_error() {
    let server = Server::failing(0).await;
    for options in [&[][..], &["--json"], &["--json", "--count", "3"]] {
        let full = std::fs::File::create("/dev/full").unwrap();
        let mut command = example("request");
        command.args(options).arg(&server.url);
        let child = command.stdout(full).stderr(Stdio::piped()).spawn();
        let run = Run::of(child.unwrap().wait_with_output().await.unwrap());
        assert_eq!(run.status, 7, "{options:?}");
        let told = "error: cannot write to standard output: ";
        assert!(run.stderr.contains(told), "{}", run.stderr);
    }
}

#[tokio::test]
async fn a_wrong_argument_is_named() {
    const URL: &str = "http://127.0.0.1:9/";
    let directory = format!("@{}", env!("CARGO_TARGET_TMPDIR"));
    let cases: &[(&[&str], &str)] = &[
        (&[], "<URL>"),
        (&["https://127.0.0.1/"], "<URL>"),
        (&["127.0.0.1"], "<URL>"),
        (&["http:///path"], "<URL>"),
        (&["http://127.0.0.1:65536/"], "<URL>"),
        (&["http://user:secret@127.0.0.1/"], "<URL>"),
        (&["-X", "GE T", URL], "--method"),
        (&["-H", "no colon", URL], "--header"),
        (&["-H", "na me: value", URL], "--header"),
        (&["-H", "name: val\nue", URL], "--header"),
        (&["--retries", "many", URL], "--retries"),
        (&["--base", "1", URL], "--base"),
        (&["--within", "soon", URL], "--within"),
        (&["--attempt-timeout=-1s", URL], "--attempt-timeout"),
        (&["--max-server-wait", "s", URL], "--max-server-wait"),
        (&["--jitter", "some", URL], "--jitter"),
        (&["--replay-limit", "1k", URL], "--replay-limit"),
        (&["--count", "0", URL], "--count"),
        (&["--concurrency", "0", URL], "--concurrency"),
        (&["--data-binary", "@/no/such/file", URL], "--data-binary"),
        (&["--data-binary", &directory, URL], "--data-binary"),
        (&["--data-binary", "@-", "--count", "2", URL], "--count"),
        (&["-d", "a", "--data-binary", "b", URL], "--data-binary"),
        (&["--no-such-option", URL], "--no-such-option"),
    ];
    for (arguments, named) in cases {
        let run = request(arguments).await;
        assert_eq!(run.status, 2, "{arguments:?}");
        let first_line = run.stderr.split("\n\n").next().unwrap();
        assert!(first_line.contains(named), "{arguments:?}: {}", run.stderr);
    }
}

#[tokio::test]
async fn help_lists_the_options_and_exit_statuses() {
    let run = request(&["--help"]).await;
    assert_eq!(run.status, 0);
    for option in [
        "-X",
        "-H",
        "-d",
        "--data-binary",
        "--http2",
        "--retries",
        "--base",
        "--jitter",
        "--within",
        "--attempt-timeout",
        "--max-server-wait",
        "--replay-any",
        "--replay-limit",
        "--no-budget",
        "--count",
        "--concurrency",
        "--json",
        "Exit status:",
    ] {
        assert!(run.text().contains(option), "{option}");
    }
}

/// Takes some seconds: its waits are the guideline's.
#[tokio::test]
async fn the_token_client_gets_its_token() {
    let run = Run::of(example("token_client").output().await.unwrap());
    assert_eq!(run.status, 0, "{}", run.stderr);
    for told in [
        "attempt 1  503 Service Unavailable",
        "attempt 2  429 Too Many Requests",
        "the server asked for it",
        "attempt 3  504 Gateway Timeout",
        "one step up after a time-out",
        "attempt 4  200 OK",
        "the token, good for 3599 seconds: not-a-real-token",
        "attempt 1  400 Bad Request",
        "invalid_client",
    ] {
        assert!(run.text().contains(told), "{told}: {}", run.text());
    }
}

/// Times aside, it prints the same each time.
#[tokio::test]
async fn the_management_client_shows_what_a_lost_answer_does_and_that_verifying_prevents_it() {
    let run = Run::of(example("management_client").output().await.unwrap());
    assert_eq!(run.status, 0, "{}", run.stderr);
    let (without, with) = run.text().split_once("\nWith VerifyLayer:\n").unwrap();
    let without = without.strip_prefix("Without VerifyLayer:\n").unwrap();
    assert_eq!(without_times(without), WITHOUT_VERIFICATION);
    assert_eq!(without_times(with), WITH_VERIFICATION);
}

const WITHOUT_VERIFICATION: [&str; 27] = [
    r#"PUT /relying-parties/by-name/legacy {"name":"legacy"}"#,
    "PUT /relying-parties/by-name/legacy done, 201 Created",
    r#"the caller gets 201 Created {"id":1,"name":"legacy"}"#,
    r#"POST /relying-parties {"name":"payroll"}"#,
    "POST /relying-parties done, connection killed",
    "POST /relying-parties not done, 409 Conflict",
    r#"the caller gets 409 Conflict {"error":"the name is taken"}"#,
    r#"POST /rules {"name":"allow-finance"}"#,
    "POST /rules done, connection killed",
    "POST /rules done, 201 Created",
    r#"the caller gets 201 Created {"id":2,"name":"allow-finance"}"#,
    r#"PUT /relying-parties/by-name/billing {"name":"billing"}"#,
    "PUT /relying-parties/by-name/billing done, 500 Internal Server Error",
    "PUT /relying-parties/by-name/billing not done, 409 Conflict",
    r#"the caller gets 409 Conflict {"error":"the name is taken"}"#,
    r#"POST /rules {"name":"deny-guests"}"#,
    "POST /rules not done, 503 Service Unavailable",
    "POST /rules done, 201 Created",
    r#"the caller gets 201 Created {"id":3,"name":"deny-guests"}"#,
    "DELETE /relying-parties/by-name/legacy",
    "DELETE /relying-parties/by-name/legacy not done, 503 Service Unavailable",
    "DELETE /relying-parties/by-name/legacy done, connection killed",
    "DELETE /relying-parties/by-name/legacy not done, 404 Not Found",
    r#"the caller gets 404 Not Found {"error":"there is no such item"}"#,
    "The caller is told that 3 of 6 failed.",
    "The service has 2 in /relying-parties: billing, payroll.",
    "The service has 3 in /rules: allow-finance, allow-finance, deny-guests.",
];

const WITH_VERIFICATION: [&str; 29] = [
    r#"PUT /relying-parties/by-name/legacy {"name":"legacy"}"#,
    "PUT /relying-parties/by-name/legacy done, 201 Created",
    r#"the caller gets 201 Created {"id":1,"name":"legacy"}"#,
    r#"POST /relying-parties {"name":"payroll"}"#,
    "POST /relying-parties done, connection killed",
    "GET /relying-parties/by-name/payroll 200 OK",
    r#"the caller gets 201 Created, Verified::Created {"id":2,"name":"payroll"}"#,
    r#"POST /rules {"name":"allow-finance"}"#,
    "POST /rules done, connection killed",
    "GET /rules/by-name/allow-finance 200 OK",
    r#"the caller gets 201 Created, Verified::Created [{"id":1,"name":"allow-finance"}]"#,
    r#"PUT /relying-parties/by-name/billing {"name":"billing"}"#,
    "PUT /relying-parties/by-name/billing done, 500 Internal Server Error",
    "GET /relying-parties/by-name/billing 200 OK",
    r#"the caller gets 201 Created, Verified::Created {"id":3,"name":"billing"}"#,
    r#"POST /rules {"name":"deny-guests"}"#,
    "POST /rules not done, 503 Service Unavailable",
    "GET /rules/by-name/deny-guests 404 Not Found",
    "POST /rules done, 201 Created",
    r#"the caller gets 201 Created {"id":2,"name":"deny-guests"}"#,
    "DELETE /relying-parties/by-name/legacy",
    "DELETE /relying-parties/by-name/legacy not done, 503 Service Unavailable",
    "GET /relying-parties/by-name/legacy 200 OK",
    "DELETE /relying-parties/by-name/legacy done, connection killed",
    "GET /relying-parties/by-name/legacy 404 Not Found",
    "the caller gets 204 No Content, Verified::Deleted",
    "The caller is told that 0 of 6 failed.",
    "The service has 2 in /relying-parties: billing, payroll.",
    "The service has 2 in /rules: allow-finance, deny-guests.",
];

/// The lines of a timeline, without the service's clock and the padding of columns.
fn without_times(timeline: &str) -> Vec<String> {
    let lines = timeline.lines().filter(|line| !line.is_empty());
    let told = lines.map(|line| line.split_once(" s  ").map_or(line, |(_, told)| told));
    told.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// Times aside, it prints the same each time.
#[cfg(feature = "grpc")]
#[tokio::test]
async fn the_grpc_client_comes_back_when_the_server_and_the_deadline_allow_it() {
    let run = Run::of(example("grpc_client").output().await.unwrap());
    assert_eq!(run.status, 0, "{}{}", run.text(), run.stderr);
    let is_time = |word: &str| {
        let decimals = word.split_once('.').map_or("", |(_, decimals)| decimals);
        decimals.len() == 3 && decimals.bytes().all(|byte| byte.is_ascii_digit())
    };
    let without_times = |line: &str| {
        let words = line.split_whitespace();
        let words = words.map(|word| if is_time(word) { ".." } else { word });
        words.collect::<Vec<_>>().join(" ")
    };
    let lines = run.text().lines().map(without_times);
    let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    assert_eq!(lines, WITH_GRPC);
}

#[cfg(feature = "grpc")]
const WITH_GRPC: [&str; 33] = [
    "With RetryLayer::grpc:",
    "Unavailable twice:",
    "server .. s first attempt .. s left Unavailable",
    "layer waits .. s: backoff (9.0 tokens)",
    "server .. s grpc-previous-rpc-attempts: 1 .. s left Unavailable",
    "layer waits .. s: backoff (8.0 tokens)",
    "server .. s grpc-previous-rpc-attempts: 2 .. s left Ok",
    "layer stops: success (8.1 tokens)",
    r#"the caller gets "Hello, Ada!""#,
    "Asked to come back in 300 ms:",
    "server .. s first attempt .. s left Unavailable, pushback 300",
    "layer waits .. s: the server asked for it (7.1 tokens)",
    "server .. s grpc-previous-rpc-attempts: 1 .. s left Ok",
    "layer stops: success (7.2 tokens)",
    r#"the caller gets "Hello, Grace!""#,
    "Asked not to come back:",
    "server .. s first attempt .. s left Unavailable, pushback -1",
    "layer stops: the server asks not to be sent the request again (6.2 tokens)",
    "the caller gets Unavailable: the greeter is restarting",
    "A call that is wrong:",
    "server .. s first attempt .. s left InvalidArgument",
    "layer stops: sending again will not help (6.2 tokens)",
    "the caller gets InvalidArgument: there is no name to greet",
    "A deadline of 2 s, too short for the next wait:",
    "server .. s first attempt .. s left Unavailable",
    "layer waits .. s: backoff (5.2 tokens)",
    "server .. s grpc-previous-rpc-attempts: 1 .. s left Unavailable, pushback 3000",
    "layer stops: the window for retries ends before the next one (4.2 tokens)",
    "the caller gets Unavailable: the greeter is restarting",
    "Unavailable once more, after all these failures:",
    "server .. s first attempt .. s left Unavailable",
    "layer stops: the budget does not cover a retry (3.2 tokens)",
    "the caller gets Unavailable: the greeter is restarting",
];
