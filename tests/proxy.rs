//! The example `proxy`, run as its users run it: a program, its answers, its signals and its page.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, COOKIE, UPGRADE};
use http::request::Builder;
use http::{HeaderMap, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use support::example::program;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::browser::Browser;

#[path = "support/browser.rs"]
mod browser;
mod support;

/// Far longer than anything here takes: a program that hangs fails its test.
const LIMIT: Duration = Duration::from_secs(60);

const ID: &str = "x-request-id";

/// Requests, what they get, why they stop, and what is let go: outcome, how often, reason. In an order
/// in which the budget covers each retry: those that help pay for themselves.
const PLAN: &str = "
    GET  /ok         200  success
    GET  /flaky      200  success         5xx      1  backoff
    GET  /throttled  200  success         4xx      1  server
    GET  /slow       200  success         timeout  1  timed_out
    GET  /cut        200  success         _OTHER   1  backoff
    GET  /down       503  attempts        5xx      3  backoff
    GET  /missing    404  permanent
    POST /down       503  not_idempotent
";

struct Planned {
    method: &'static str,
    path: &'static str,
    status: u16,
    stop: &'static str,
    let_go: Option<(&'static str, u64, &'static str)>,
}

fn plan() -> impl Iterator<Item = Planned> {
    PLAN.trim().lines().map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let let_go = words.get(4..).filter(|words| !words.is_empty());
        Planned {
            method: words[0],
            path: words[1],
            status: words[2].parse().unwrap(),
            stop: words[3],
            let_go: let_go.map(|words| (words[0], words[1].parse().unwrap(), words[2])),
        }
    })
}

impl Planned {
    fn retries(&self) -> u64 {
        self.let_go.map_or(0, |(_, times, _)| times)
    }

    fn is_recent(&self) -> bool {
        self.stop != "success" || self.retries() > 0
    }
}

type Counts = BTreeMap<String, u64>;

/// A running proxy.
struct Proxy {
    child: Child,
    address: String,
    lines: Lines<BufReader<ChildStdout>>,
    errors: JoinHandle<String>,
    caller: Client<HttpConnector, Full<Bytes>>,
}

/// What it left behind: its exit status, what it printed after its address, and its log.
struct End {
    status: Option<i32>,
    lines: Vec<String>,
    errors: String,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
}

fn proxy(arguments: &[&str]) -> Command {
    let mut command = Command::new(program("proxy"));
    command.args(arguments).kill_on_drop(true);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(LIMIT, future).await.expect("it does not hang")
}

impl Proxy {
    async fn start(arguments: &[&str]) -> Self {
        let arguments = [&["--listen", "127.0.0.1:0"], arguments].concat();
        let mut child = proxy(&arguments).spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let errors = tokio::spawn(async move {
            let mut errors = String::new();
            stderr.read_to_string(&mut errors).await.unwrap();
            errors
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = soon(lines.next_line()).await.unwrap().unwrap();
        let address = line.strip_prefix("proxy: http://").unwrap();
        Self {
            child,
            address: address.strip_suffix('/').unwrap().to_owned(),
            lines,
            errors,
            caller: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    fn url(&self, path: impl Display) -> Uri {
        format!("http://{}{path}", self.address).parse().unwrap()
    }

    /// Sends a request whose URI is a path.
    async fn send(&self, request: Builder, body: impl Into<Bytes>) -> Answer {
        let mut request = request.body(Full::new(body.into())).unwrap();
        *request.uri_mut() = self.url(request.uri());
        let response = soon(self.caller.request(request)).await.unwrap();
        let (head, body) = response.into_parts();
        let body = soon(body.collect()).await.unwrap().to_bytes();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            text: String::from_utf8(body.into()).unwrap(),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path), "").await
    }

    /// The answer to a request that hyper's client would not send, by its method and target.
    async fn send_raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let head = format!("{request} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        soon(stream.read_to_string(&mut answer)).await.unwrap();
        answer
    }

    /// Sends what is planned, one after the other; `id` names the request with this number.
    async fn follow_plan(&self, id: impl Fn(usize) -> String) {
        for (number, planned) in plan().enumerate() {
            let request = Request::builder().method(planned.method).uri(planned.path);
            let answer = self.send(request.header(ID, id(number)), "").await;
            assert_eq!(answer.status, planned.status, "{}", planned.path);
        }
    }

    async fn status(&self) -> Value {
        serde_json::from_str(&self.get("/status").await.text).unwrap()
    }

    /// What Prometheus is told: counters, how many samples histograms have, and the budget.
    async fn metrics(&self) -> (Counts, f64) {
        let page = self.get("/metrics").await.text;
        let samples = page.lines().filter_map(|line| line.rsplit_once(' '));
        let is_count = |name: &str| name.contains("_total{") || name.contains("_count{");
        let counts = samples.clone().filter(|(name, _)| is_count(name));
        let counts = counts.map(|(name, value)| (name.to_owned(), value.parse().unwrap()));
        let mut budget = samples.filter(|(name, _)| *name == "tower_http_retry_budget_tokens");
        let budget = budget.next().unwrap().1;
        (counts.collect(), budget.parse().unwrap())
    }

    /// Sends a request to `/slow`, and waits until it is on its way.
    async fn slow(&self) -> JoinHandle<Option<u16>> {
        let slow = self.caller.get(self.url("/slow"));
        let slow = tokio::spawn(async { Some(slow.await.ok()?.status().as_u16()) });
        let sent = async { while self.status().await["totals"]["attempts"] == 0 {} };
        soon(sent).await;
        slow
    }

    /// What Ctrl-C does.
    fn interrupt(&self) {
        let id = self.child.id().unwrap().to_string();
        let mut kill = std::process::Command::new("kill");
        assert!(kill.args(["-INT", &id]).status().unwrap().success());
    }

    async fn end(mut self) -> End {
        let mut lines = Vec::new();
        while let Some(line) = soon(self.lines.next_line()).await.unwrap() {
            lines.push(line);
        }
        End {
            status: soon(self.child.wait()).await.unwrap().code(),
            lines,
            errors: soon(self.errors).await.unwrap(),
        }
    }

    async fn stop(self) -> End {
        self.interrupt();
        self.end().await
    }
}

fn count(counts: &mut Counts, name: impl Into<String>, times: u64) {
    *counts.entry(name.into()).or_default() += times;
}

/// What the plan comes to, as `/status` has it.
fn planned_totals() -> Value {
    let (mut retries, mut stops) = (Counts::new(), Counts::new());
    for planned in plan() {
        count(&mut stops, planned.stop, 1);
        if let Some((_, times, reason)) = planned.let_go {
            count(&mut retries, reason, times);
        }
    }
    let requests = stops.values().sum::<u64>();
    let attempts = requests + retries.values().sum::<u64>();
    json!({ "requests": requests, "attempts": attempts, "retries": retries, "stops": stops })
}

/// What the plan comes to, as `/metrics` has it.
fn planned_metrics() -> Counts {
    let mut counts = Counts::new();
    let mut add = |name, labels: &str, times| {
        let name = format!("tower_http_retry_{name}{{{labels}}}");
        count(&mut counts, name, times);
    };
    for planned in plan() {
        let method = format!("method=\"{}\"", planned.method);
        let last = format!("{method},status=\"{}xx\"", planned.status / 100);
        add("attempts_total", &method, 1 + planned.retries());
        add("attempt_duration_seconds_count", &last, 1);
        let stop = format!("{last},reason=\"{}\"", planned.stop);
        add("stops_total", &stop, 1);
        if let Some((outcome, times, reason)) = planned.let_go {
            let outcome = format!("{method},status=\"{outcome}\"");
            let why = format!("{outcome},reason=\"{reason}\"");
            add("attempt_duration_seconds_count", &outcome, times);
            add("retries_total", &why, times);
            add("wait_seconds_count", &why, times);
        }
    }
    counts
}

/// What `/status` has for each second, added up.
fn sum_of_seconds(status: &Value, kind: &str) -> Value {
    let mut sum = Counts::new();
    for second in status["seconds"].as_array().unwrap() {
        for (name, times) in second[kind].as_object().unwrap() {
            count(&mut sum, name, times.as_u64().unwrap());
        }
    }
    json!(sum)
}

#[tokio::test]
async fn each_planned_path_gets_what_it_says_and_all_is_counted() {
    let proxy = Proxy::start(&[]).await;
    proxy.follow_plan(|number| number.to_string()).await;
    let status = proxy.status().await;
    let totals = planned_totals();
    assert_eq!(status["totals"], totals);
    for kind in ["retries", "stops"] {
        assert_eq!(sum_of_seconds(&status, kind), totals[kind]);
    }
    let recent = status["recent"].as_array().unwrap().iter().rev();
    let keys = ["method", "path", "attempts", "status", "stop"];
    let recent = recent.map(|told| json!(keys.map(|key| &told[key])));
    let planned = plan().filter(Planned::is_recent).map(|planned| {
        let (attempts, status) = (1 + planned.retries(), planned.status);
        json!([planned.method, planned.path, attempts, status, planned.stop])
    });
    assert!(recent.eq(planned), "{status:#}");
    let (metrics, budget) = proxy.metrics().await;
    assert_eq!(metrics, planned_metrics());
    assert_eq!(status["budget"], budget);
}

#[tokio::test]
async fn a_tunnel_is_refused_and_not_counted() {
    let proxy = Proxy::start(&[]).await;
    let answer = proxy.send_raw("CONNECT example.com:443").await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    assert_eq!(proxy.status().await["totals"]["attempts"], 0);
}

#[tokio::test]
async fn an_outage_uses_the_budget_up_and_then_failures_are_handed_over_at_once() {
    let proxy = Proxy::start(&[]).await;
    for number in 0..13 {
        let request = Request::get("/down").header(ID, number);
        assert_eq!(proxy.send(request, "").await.status, 503);
    }
    let status = proxy.status().await;
    // It starts with 6 tokens, which pay for the retries of two requests.
    assert_eq!(status["totals"]["attempts"], 13 + 6);
    let stops = json!({ "attempts": 2, "budget": 11 });
    assert_eq!(status["totals"]["stops"], stops);
    let (metrics, budget) = proxy.metrics().await;
    assert_eq!((&status["budget"], budget), (&json!(0.0), 0.0));
    let stops = r#"tower_http_retry_stops_total{method="GET",status="5xx",reason="budget"}"#;
    assert_eq!(metrics[stops], 11);
    // Only so many of the last requests are kept.
    let recent = status["recent"].as_array().unwrap().iter();
    let ids: Vec<_> = (1..13).rev().map(|number| number.to_string()).collect();
    assert!(recent.map(|told| &told["id"]).eq(&ids), "{status:#}");
    assert_eq!(proxy.get("/ok").await.status, 200);
    assert_eq!(proxy.status().await["budget"], 0.1);
}

#[tokio::test]
async fn a_request_keeps_its_own_id_and_gets_one_if_it_has_none() {
    let proxy = Proxy::start(&[]).await;
    for (id, shown) in [(&b"mine"[..], "mine"), (b"\xff", "")] {
        let answer = proxy.send(Request::get("/flaky").header(ID, id), "").await;
        assert_eq!((answer.status, answer.headers[ID].as_bytes()), (200, id));
        assert_eq!(proxy.status().await["recent"][0]["id"], shown);
    }
    let mut made = Vec::new();
    for path in ["/flaky", "/missing"] {
        let id = proxy.get(path).await.headers.remove(ID).unwrap();
        made.push(id.to_str().unwrap().to_owned());
        assert_eq!(
            proxy.status().await["recent"][0]["id"],
            made[made.len() - 1]
        );
    }
    assert!(made[0].len() == 36 && made[0] != made[1], "{made:?}");
}

/// The spans in which something of this target was logged.
fn spans<'a>(log: &'a str, target: &str) -> Vec<&'a str> {
    let lines = log.lines().filter(|line| line.contains(target));
    let spans = lines.map(|line| line.split_once(" DEBUG ").unwrap().1);
    spans
        .map(|line| line.split_once(": tower_http").unwrap().0)
        .collect()
}

#[tokio::test]
async fn each_attempt_has_a_span_of_its_own_within_that_of_its_request() {
    let proxy = Proxy::start(&["--log", "debug"]).await;
    let request = Request::get("/flaky").header(ID, "mine");
    proxy.send(request, "").await;
    let log = proxy.stop().await.errors;
    let request = r#"request{id="mine" http.request.method=GET url.path="/flaky"}"#;
    let first = format!("{request}:attempt");
    let retry = format!("{request}:attempt{{http.request.resend_count=1}}");
    let started = spans(&log, "on_request: started");
    assert_eq!(started, [request, &first, &retry], "{log}");
    let finished = spans(&log, "on_response: finished");
    assert_eq!(finished, [&first, &retry, request], "{log}");
    assert_eq!(
        spans(&log, "tower_http_retry: retrying"),
        [request],
        "{log}"
    );
}

/// The layer never repeats a request that would upgrade its connection, and the upstream tells
/// requests apart by their ids.
#[tokio::test]
async fn what_concerns_the_callers_connection_goes_no_further() {
    let proxy = Proxy::start(&[]).await;
    let request = Request::get("/flaky").header(CONNECTION, "upgrade");
    let answer = proxy.send(request.header(UPGRADE, "other/1.0"), "").await;
    assert_eq!(answer.status, 200);
    let request = Request::get("/flaky").header(CONNECTION, "close, X-Request-Id");
    let answer = proxy.send(request.header(ID, "mine"), "").await;
    assert_eq!((answer.status, &answer.text[..]), (503, "not now\n"));
    assert_eq!(answer.headers[ID], "mine");
}

#[tokio::test]
async fn answers_arrive_whole() {
    let proxy = Proxy::start(&[]).await;
    for (path, text) in [
        ("/ok", "served\n"),
        ("/flaky", "served when it came again\n"),
        ("/missing", "there is nothing here\n"),
        ("/down", "down\n"),
    ] {
        let answer = proxy.get(path).await;
        assert_eq!(answer.text, text);
        assert_eq!(answer.headers[CONTENT_TYPE], "text/plain");
    }
}

#[tokio::test]
async fn bodies_are_forwarded_and_replayed_up_to_a_limit() {
    let proxy = Proxy::start(&[]).await;
    let body = Bytes::from(vec![b'x'; 4 * 1024 * 1024]);
    for _ in 0..8 {
        let answer = proxy.send(Request::post("/ok"), body.clone()).await;
        assert_eq!((answer.status, &answer.text[..]), (200, "served\n"));
    }
    let request = Request::post("/flaky").header("idempotency-key", "1");
    assert_eq!(proxy.send(request, "short").await.status, 200);
    assert_eq!(proxy.send(Request::put("/flaky"), body).await.status, 503);
    let stops = json!({ "success": 9, "not_replayable": 1 });
    assert_eq!(proxy.status().await["totals"]["stops"], stops);
}

#[tokio::test]
async fn secrets_are_neither_shown_nor_logged() {
    let proxy = Proxy::start(&["--log", "trace"]).await;
    for path in ["/flaky?token=hush", "/cut?token=hush", "/down?token=hush"] {
        for request in [Request::put(path), Request::post(path)] {
            let request = request.header(AUTHORIZATION, "Bearer hush");
            proxy.send(request.header(COOKIE, "id=hush"), "hush").await;
        }
    }
    let request = "GET http://user:hush@127.0.0.1/flaky?token=hush";
    let answer = proxy.send_raw(request).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let status = proxy.get("/status").await.text;
    let metrics = proxy.get("/metrics").await.text;
    let log = proxy.stop().await.errors;
    assert!(status.contains("/flaky") && log.contains("/flaky") && log.contains("gave up"));
    for shown in [status, metrics, log] {
        assert!(
            !shown.contains("hush") && !shown.contains("token="),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn it_stops_by_itself_when_its_time_is_up() {
    let proxy = Proxy::start(&["--for", "2s"]).await;
    proxy.get("/flaky").await;
    proxy.get("/missing").await;
    let end = proxy.end().await;
    assert_eq!(end.status, Some(0), "{}", end.errors);
    assert_eq!(
        end.lines.last().unwrap(),
        "2 requests, 3 attempts, 1 retries, 1 failures"
    );
}

#[tokio::test]
async fn an_interrupt_is_heard_as_soon_as_the_address_is_told() {
    for _ in 0..8 {
        let end = Proxy::start(&[]).await.stop().await;
        assert_eq!(end.status, Some(0), "{}", end.errors);
        let summary = "0 requests, 0 attempts, 0 retries, 0 failures";
        assert_eq!(end.lines.last().unwrap(), summary);
    }
}

#[tokio::test]
async fn an_interrupt_lets_the_requests_in_flight_end() {
    let proxy = Proxy::start(&[]).await;
    let slow = proxy.slow().await;
    let end = proxy.stop().await;
    assert_eq!(slow.await.unwrap(), Some(200));
    assert_eq!(end.status, Some(0), "{}", end.errors);
    assert_eq!(
        end.lines,
        [
            "proxy: stops, and waits for the requests in flight",
            "1 requests, 2 attempts, 1 retries, 0 failures"
        ]
    );
}

#[tokio::test]
async fn a_second_interrupt_ends_it_at_once() {
    let mut proxy = Proxy::start(&[]).await;
    let slow = proxy.slow().await;
    proxy.interrupt();
    assert!(soon(proxy.lines.next_line()).await.unwrap().is_some());
    proxy.interrupt();
    assert_eq!(slow.await.unwrap(), None);
    let end = proxy.end().await;
    assert_eq!(end.status, Some(0), "{}", end.errors);
    assert!(end.lines[0].starts_with("0 requests, "), "{:?}", end.lines);
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = soon(proxy(&["--listen", &address]).output()).await.unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    let named = format!("proxy: cannot listen on {address}: ");
    assert!(
        errors.starts_with(&named) && output.stdout.is_empty(),
        "{errors}"
    );
}

#[tokio::test]
async fn wrong_arguments_are_named() {
    let wrong: [&[&str]; 5] = [
        &["--listen", "here"],
        &["--demo", "soon"],
        &["--for", "ever"],
        &["--log", "loud"],
        &["--no-such-option"],
    ];
    for arguments in wrong {
        let output = soon(proxy(arguments).output()).await.unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(arguments[0]), "{arguments:?}: {errors}");
        assert!(output.stdout.is_empty());
    }
}

#[tokio::test]
async fn the_demonstration_sends_so_many_requests_and_all_are_accounted_for() {
    let proxy = Proxy::start(&["--demo", "2s", "--for", "4s"]).await;
    let end = proxy.end().await;
    assert_eq!(end.status, Some(0), "{}", end.errors);
    let answers = end
        .lines
        .iter()
        .filter_map(|line| line.strip_prefix("demo: "));
    let answers = answers.map(|line| line.split_once(" x ").unwrap());
    let answers: BTreeMap<_, u64> = answers
        .map(|(count, answer)| (answer, count.parse().unwrap()))
        .collect();
    assert_eq!(answers.values().sum::<u64>(), 40, "{:?}", end.lines);
    // The 8 in the outage, and those for which no retry is left after it.
    assert!(answers["503 Service Unavailable"] >= 8, "{answers:?}");
    let words = end.lines.last().unwrap().split(' ');
    let figures: Vec<u64> = words.filter_map(|word| word.parse().ok()).collect();
    let [requests, attempts, retries, failures] = figures[..] else {
        panic!("{:?}", end.lines);
    };
    assert_eq!((requests, attempts), (40, 40 + retries));
    assert_eq!(failures, 40 - answers["200 OK"]);
}

/// All figures that the page shows, and the ids of the last requests.
const FIGURES: &str = "(() => {
    const sums = (shapes, key, value) => {
        const sums = {};
        for (const shape of document.querySelectorAll(shapes)) {
            sums[shape.dataset[key]] = (sums[shape.dataset[key]] ?? 0) + Number(value(shape));
        }
        return sums;
    };
    const shown = (name) => sums(`[data-${name}]`, name, (shape) => shape.textContent);
    const drawn = (chart) => sums(`${chart} rect[data-key]`, 'key', (bar) => bar.dataset.count);
    const ids = Array.from(document.querySelectorAll('#recent td:last-child'), (id) => id.innerText);
    const drawnAll = [drawn('#retries-chart'), drawn('#stops-chart')];
    return { totals: shown('total'), listed: [shown('retries'), shown('stops')], drawn: drawnAll, ids };
})()";

/// What these are to be, by what the proxy tells.
fn figures(status: &Value) -> Value {
    let totals = &status["totals"];
    let sum = |kind| {
        let counts = totals[kind].as_object().unwrap().values();
        counts.filter_map(Value::as_u64).sum::<u64>()
    };
    let budget = status["budget"].as_f64().unwrap();
    let recent = status["recent"].as_array().unwrap().iter();
    let by_kind = [&totals["retries"], &totals["stops"]];
    json!({
        "totals": {
            "requests": totals["requests"],
            "attempts": totals["attempts"],
            "retries": sum("retries"),
            "failures": sum("stops") - totals["stops"]["success"].as_u64().unwrap(),
            "budget": (budget * 1_000.0).round() / 1_000.0,
        },
        "listed": by_kind,
        "drawn": by_kind,
        "ids": recent.map(|told| &told["id"]).collect::<Vec<_>>(),
    })
}

/// As JavaScript has them: all numbers are of one kind.
fn as_floats(value: Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(values) => values.into_iter().map(as_floats).collect(),
        Value::Object(values) => values
            .into_iter()
            .map(|(key, value)| (key, as_floats(value)))
            .collect(),
        other => other,
    }
}

fn total(name: &str) -> String {
    format!("Number(document.querySelector('[data-total={name}]').textContent)")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium"]
async fn the_page_shows_what_happened_and_keeps_it_when_the_proxy_is_gone() {
    let browser = Browser::start().await;
    let proxy = Proxy::start(&[]).await;
    let page = browser.open(&proxy.url("/").to_string()).await;
    page.until("document.documentElement.dataset.updates > 0")
        .await;
    let text = page.evaluate("document.body.innerText").await;
    assert_eq!(
        text.as_str().unwrap().matches("none yet").count(),
        3,
        "{text}"
    );

    // An id is text, whatever it contains.
    let id = |number| format!("<b>{number}</b>");
    proxy.follow_plan(id).await;
    page.until(&format!("{} === {}", total("requests"), plan().count()))
        .await;
    let status = proxy.status().await;
    assert_eq!(status["totals"], planned_totals());
    let shown = page.evaluate(FIGURES).await;
    assert_eq!(as_floats(shown.clone()), as_floats(figures(&status)));
    let recent = plan()
        .enumerate()
        .filter(|(_, planned)| planned.is_recent());
    let mut ids: Vec<_> = recent.map(|(number, _)| id(number)).collect();
    ids.reverse();
    assert_eq!(shown["ids"], json!(ids));
    assert_eq!(page.problems(), [""; 0]);

    assert_eq!(proxy.stop().await.status, Some(0));
    page.until("document.body.innerText.includes('The proxy does not answer.')")
        .await;
    assert_eq!(page.evaluate(FIGURES).await, shown);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium"]
async fn the_page_follows_the_demonstration_to_its_end() {
    let browser = Browser::start().await;
    let proxy = Proxy::start(&["--demo", "3s"]).await;
    let page = browser.open(&proxy.url("/").to_string()).await;
    let requests = total("requests");
    page.until(&format!("{requests} > 0")).await;
    let first = page.evaluate(&requests).await;
    page.until(&format!("{requests} > {first}")).await;
    page.until(&format!("{requests} === 60")).await;
    let shown = page.evaluate(FIGURES).await;
    let told = figures(&proxy.status().await);
    assert_eq!(as_floats(shown), as_floats(told));
    assert_eq!(page.problems(), [""; 0]);
}
