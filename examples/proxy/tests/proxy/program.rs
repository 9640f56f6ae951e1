//! The example `proxy`, run as its users run it: a program, its answers and its signals.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use http::request::Builder;
use http::{HeaderMap, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Far longer than anything here takes: a program that hangs fails its test.
const LIMIT: Duration = Duration::from_secs(60);

pub const ID: &str = "x-request-id";

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

pub struct Planned {
    pub method: &'static str,
    pub path: &'static str,
    pub status: u16,
    pub stop: &'static str,
    pub let_go: Option<(&'static str, u64, &'static str)>,
}

pub fn plan() -> impl Iterator<Item = Planned> {
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
    pub fn retries(&self) -> u64 {
        self.let_go.map_or(0, |(_, times, _)| times)
    }

    pub fn is_recent(&self) -> bool {
        self.stop != "success" || self.retries() > 0
    }
}

pub type Counts = BTreeMap<String, u64>;

/// A running proxy.
pub struct Proxy {
    pub child: Child,
    pub address: String,
    pub lines: Lines<BufReader<ChildStdout>>,
    pub errors: JoinHandle<String>,
    caller: Client<HttpConnector, Full<Bytes>>,
}

/// What it left behind: its exit status, what it printed after its address, and its log.
pub struct End {
    pub status: Option<i32>,
    pub lines: Vec<String>,
    pub errors: String,
}

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

pub fn proxy(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_proxy"));
    command.args(arguments).kill_on_drop(true);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(LIMIT, future).await.expect("it does not hang")
}

impl Proxy {
    pub async fn start(arguments: &[&str]) -> Self {
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

    pub fn url(&self, path: impl Display) -> Uri {
        format!("http://{}{path}", self.address).parse().unwrap()
    }

    /// Sends a request whose URI is a path.
    pub async fn send(&self, request: Builder, body: impl Into<Bytes>) -> Answer {
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

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path), "").await
    }

    /// The answer to a request that hyper's client would not send, by its method and target.
    pub async fn send_raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let head = format!("{request} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        soon(stream.read_to_string(&mut answer)).await.unwrap();
        answer
    }

    /// Sends what is planned, one after the other; `id` names the request with this number.
    pub async fn follow_plan(&self, id: impl Fn(usize) -> String) {
        for (number, planned) in plan().enumerate() {
            let request = Request::builder().method(planned.method).uri(planned.path);
            let answer = self.send(request.header(ID, id(number)), "").await;
            assert_eq!(answer.status, planned.status, "{}", planned.path);
        }
    }

    pub async fn status(&self) -> Value {
        serde_json::from_str(&self.get("/status").await.text).unwrap()
    }

    /// What Prometheus is told: counters, how many samples histograms have, and the budget.
    pub async fn metrics(&self) -> (Counts, f64) {
        let page = self.get("/metrics").await.text;
        let samples = page.lines().filter_map(|line| line.rsplit_once(' '));
        let is_count = |name: &str| name.contains("_total{") || name.contains("_count{");
        let counts = samples.clone().filter(|(name, _)| is_count(name));
        let counts = counts.map(|(name, value)| (name.to_owned(), value.parse().unwrap()));
        let mut budget = samples.filter(|(name, _)| *name == "tower_http_retry_budget_tokens");
        let budget = budget.next().unwrap().1;
        (counts.collect(), budget.parse().unwrap())
    }

    /// How many requests are held now, and for how many seconds.
    pub async fn cooldown(&self) -> (u64, Option<f64>) {
        let cooldown = &self.status().await["cooldown"];
        let held = cooldown["held"].as_u64().unwrap();
        (held, cooldown["left_seconds"].as_f64())
    }

    /// Sends a request, and does not wait for its answer.
    pub fn ask(&self, path: &str) -> JoinHandle<Option<u16>> {
        let asked = self.caller.get(self.url(path));
        tokio::spawn(async { Some(asked.await.ok()?.status().as_u16()) })
    }

    /// Sends requests of which the first one uses the quota up for a second; returns when the others
    /// have been sent.
    pub async fn use_up(&self, others: [&str; 2]) -> [JoinHandle<Option<u16>>; 2] {
        loop {
            let refused = self.ask("/quota?t=1");
            while !refused.is_finished() {
                if self.cooldown().await.1.is_some() {
                    return others.map(|path| self.ask(path));
                }
            }
        }
    }

    /// Sends a request to `/slow`, and waits until it is on its way.
    pub async fn slow(&self) -> JoinHandle<Option<u16>> {
        let slow = self.ask("/slow");
        let sent = async { while self.status().await["totals"]["attempts"] == 0 {} };
        soon(sent).await;
        slow
    }

    /// What Ctrl-C does.
    pub fn interrupt(&self) {
        let id = self.child.id().unwrap().to_string();
        let mut kill = std::process::Command::new("kill");
        assert!(kill.args(["-INT", &id]).status().unwrap().success());
    }

    /// The next line that it prints.
    pub async fn line(&mut self) -> String {
        soon(self.lines.next_line()).await.unwrap().unwrap()
    }

    pub async fn end(mut self) -> End {
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

    pub async fn stop(self) -> End {
        self.interrupt();
        self.end().await
    }
}

pub fn count(counts: &mut Counts, name: impl Into<String>, times: u64) {
    *counts.entry(name.into()).or_default() += times;
}

/// What the plan comes to, as `/status` has it.
pub fn planned_totals() -> Value {
    let (mut retries, mut stops) = (Counts::new(), Counts::new());
    for planned in plan() {
        count(&mut stops, planned.stop, 1);
        if let Some((_, times, reason)) = planned.let_go {
            count(&mut retries, reason, times);
        }
    }
    let requests = stops.values().sum::<u64>();
    let attempts = requests + retries.values().sum::<u64>();
    json!({
        "requests": requests,
        "attempts": attempts,
        "retries": retries,
        "unsent_retries": 0,
        "stops": stops,
    })
}
