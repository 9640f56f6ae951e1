//! The example `proxy`: its answers, its figures and its log.

#![cfg(unix)]

mod browser;
mod cooldown;
mod life;
mod page;
mod program;

use bytes::Bytes;
use http::Request;
use http::header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, COOKIE, TE, UPGRADE, VIA};
use serde_json::{Value, json};

use crate::program::{Counts, ID, Planned, Proxy, count, plan, planned_totals};

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
    // Of the eight, five succeed, and one of them after a time-out of a second.
    assert_eq!(status["success_rate"], 0.625);
    assert!(status["p95_seconds"].as_f64() > Some(1.0), "{status:#}");
    let (metrics, budget) = proxy.metrics().await;
    assert_eq!(metrics, planned_metrics());
    assert_eq!(status["budget"], budget);
}

#[tokio::test]
async fn a_proxy_that_was_asked_for_nothing_has_no_rates() {
    let status = Proxy::start(&[]).await.status().await;
    for name in ["success_rate", "p95_seconds", "outage"] {
        assert_eq!(status.get(name), Some(&Value::Null), "{name}");
    }
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
    let too_long = Request::get("/ok").header(ID, "x".repeat(129));
    assert_eq!(proxy.send(too_long, "").await.headers[ID].len(), 36);
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

#[tokio::test]
async fn a_failure_is_logged_unless_the_demonstration_makes_it() {
    let proxy = Proxy::start(&[]).await;
    proxy.send(Request::post("/down"), "").await;
    let log = proxy.stop().await.errors;
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains(" WARN "), "{log}");
    assert!(log.contains("url.path=\"/down\""), "{log}");
}

/// The layer never repeats a request that would upgrade its connection.
#[tokio::test]
async fn an_upgrade_goes_no_further() {
    let proxy = Proxy::start(&[]).await;
    let request = Request::get("/flaky").header(CONNECTION, "upgrade");
    let answer = proxy.send(request.header(UPGRADE, "other/1.0"), "").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn what_concerns_one_connection_goes_no_further() {
    let proxy = Proxy::start(&[]).await;
    let request = Request::get("/headers").header(CONNECTION, "keep-alive, X-Hop, X-Request-Id");
    let request = request
        .header("keep-alive", "timeout=5")
        .header(TE, "trailers");
    let request = request.header("proxy-connection", "keep-alive");
    let request = request.header("x-hop", "caller").header(VIA, "1.0 other");
    let request = request
        .header(ACCEPT, "text/plain")
        .header(ID, "of this hop");
    let answer = proxy.send(request, "").await;
    let (id, headers) = (answer.headers[ID].to_str().unwrap(), &answer.headers);
    let (host, mut arrived): (Vec<_>, Vec<_>) = answer
        .text
        .lines()
        .partition(|line| line.starts_with("host: "));
    arrived.sort_unstable();
    let expected = [
        "accept: text/plain".to_owned(),
        "via: 1.0 other".to_owned(),
        "via: 1.1 proxy".to_owned(),
        format!("x-request-id: {id}"),
    ];
    assert_eq!(arrived, expected);
    assert_eq!(id.len(), 36, "a new one");
    assert!(
        host.len() == 1 && !host[0].ends_with(&proxy.address),
        "{host:?}"
    );
    for name in ["connection", "keep-alive", "x-hop"] {
        assert!(!headers.contains_key(name), "{name}");
    }
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
