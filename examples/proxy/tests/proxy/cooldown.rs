//! What the example `proxy` does while the upstream's quota is used up.

use http::header::RETRY_AFTER;
use serde_json::json;

use crate::program::{Proxy, soon};

#[tokio::test]
async fn a_request_that_uses_the_quota_up_is_served_when_it_is_given_anew() {
    let proxy = Proxy::start(&[]).await;
    let answer = proxy.get("/quota?t=1").await;
    assert_eq!(
        (answer.status, &answer.text[..]),
        (200, "served when it came again\n")
    );
    let status = proxy.status().await;
    assert_eq!(status["totals"]["attempts"], 2);
    let none = json!({ "held": 0, "left_seconds": null });
    assert_eq!(status["cooldown"], none);
}

#[tokio::test]
async fn the_status_tells_how_many_requests_are_held_and_for_how_long() {
    let proxy = Proxy::start(&[]).await;
    assert_eq!(proxy.cooldown().await, (0, None));
    let held = soon(async {
        // On a busy machine the hold can be over before it is seen.
        loop {
            let requests = proxy.use_up(["/ok", "/ok"]).await;
            while requests.iter().any(|request| !request.is_finished()) {
                let told = proxy.cooldown().await;
                if matches!(told, (2, Some(left)) if left > 0.0) {
                    return requests;
                }
            }
        }
    });
    for request in held.await {
        assert_eq!(soon(request).await.unwrap(), Some(200));
    }
    soon(async { while proxy.cooldown().await != (0, None) {} }).await;
}

#[tokio::test]
async fn a_retry_that_is_held_for_too_long_is_not_counted_as_sent() {
    let scheduled = json!({ "server": 1 });
    let end = soon(async {
        // On a busy machine the retry can be sent before the quota is used up.
        loop {
            let proxy = Proxy::start(&[]).await;
            let throttled = proxy.ask("/throttled");
            while proxy.status().await["totals"]["retries"] != scheduled {}
            proxy.get("/quota?t=600").await;
            let status = throttled.await.unwrap();
            let totals = proxy.status().await["totals"].clone();
            if totals["unsent_retries"] == 1 {
                assert_eq!(status, Some(502));
                let stops = json!({ "retry_after_too_long": 1, "window": 1 });
                assert_eq!((&totals["stops"], &totals["attempts"]), (&stops, &json!(2)));
                assert_eq!(totals["retries"], scheduled);
                return proxy.stop().await;
            }
        }
    });
    let summary = "2 requests, 2 attempts, 0 retries, 2 failures";
    assert_eq!(end.await.lines.last().unwrap(), summary);
}

#[tokio::test]
async fn a_request_that_cannot_wait_for_so_long_is_told_when_to_come_back() {
    let proxy = Proxy::start(&[]).await;
    // Its own retry is not possible either: the quota is given anew after the window.
    assert_eq!(proxy.get("/quota?t=600").await.status, 429);
    let (_, before) = proxy.cooldown().await;
    let answer = proxy.get("/ok").await;
    let (held, after) = proxy.cooldown().await;
    assert_eq!(
        (answer.status, &answer.text[..]),
        (503, "the upstream takes no requests now\n")
    );
    let (before, after) = (before.unwrap(), after.unwrap());
    let told: f64 = answer.headers[RETRY_AFTER]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(
        after < before && after.ceil() <= told && told <= before.ceil(),
        "{before}, {told}, {after}"
    );
    assert_eq!(held, 0);
    let status = proxy.status().await;
    assert_eq!(status["totals"]["attempts"], 1);
    assert_eq!(status["totals"]["stops"]["cooling_down"], 1);
    assert_eq!(status["recent"][0]["attempts"], 0);
}
