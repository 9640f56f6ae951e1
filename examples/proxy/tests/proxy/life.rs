//! The life of the example `proxy`: its arguments, its signals and its end.

use std::collections::BTreeMap;
use std::net::TcpListener;

use serde_json::Value;

use crate::program::{Proxy, proxy, soon};

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
    proxy.line().await;
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
    let mut proxy = Proxy::start(&["--demo", "2s"]).await;
    let mut lines = vec![proxy.line().await];
    // It has come to its end; the proxy has not.
    let status = proxy.status().await;
    let totals = &status["totals"];
    proxy.interrupt();
    let end = proxy.end().await;
    lines.extend(end.lines);
    assert_eq!(end.status, Some(0), "{}", end.errors);
    // Its failures are meant, and no errors.
    assert_eq!(end.errors, "");
    let answers = lines.iter().filter_map(|line| line.strip_prefix("demo: "));
    let answers = answers.map(|line| line.split_once(" x ").unwrap());
    let answers: BTreeMap<_, u64> = answers
        .map(|(count, answer)| (answer, count.parse().unwrap()))
        .collect();
    assert_eq!(answers.values().sum::<u64>(), 40, "{lines:?}");
    // The 8 in the outage, those for which no retry is left after it, and those that were not sent, as
    // the quota was used up.
    assert!(answers["503 Service Unavailable"] >= 8, "{answers:?}");
    let words = lines.last().unwrap().split(' ');
    let figures: Vec<u64> = words.filter_map(|word| word.parse().ok()).collect();
    let [requests, attempts, retries, failures] = figures[..] else {
        panic!("{lines:?}");
    };
    let unsent = totals["stops"]["cooling_down"].as_u64().unwrap_or_default();
    assert_eq!((requests, attempts), (40, 40 + retries - unsent));
    // On a busy machine, some that were scheduled are held until it is too late for them.
    let scheduled = totals["retries"].as_object().unwrap().values();
    let scheduled: u64 = scheduled.filter_map(Value::as_u64).sum();
    let unsent_retries = totals["unsent_retries"].as_u64().unwrap();
    assert_eq!(retries, scheduled - unsent_retries);
    assert_eq!(failures, 40 - answers["200 OK"]);
    let outage = ["from_seconds", "to_seconds"].map(|end| status["outage"][end].as_f64().unwrap());
    assert!(
        0.8 <= outage[0] && outage[0] + 0.35 <= outage[1],
        "{outage:?}"
    );
}
