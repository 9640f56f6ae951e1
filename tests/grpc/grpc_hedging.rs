//! Calls are hedged by the `hedgingPolicy` of a service config, as gRFC A6 has it.

use std::io::ErrorKind;
use std::time::Duration;

use http::Request;
use serde_json::json;
use tokio::time::timeout;
use tower_http_retry::{HedgeLayer, RetryOverride};

use crate::support::hedged::{call, code, ended, every, layer, policy, pushed, run, send};
use crate::support::upstream::Answer::{Error, Never, Status};
use crate::support::upstream::{Body, Seen, Upstream, after};

const OK: u16 = 0;
const UNAVAILABLE: u16 = 14;
const ABORTED: u16 = 10;
const INTERNAL: u16 = 13;

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// When the attempts of a call that is never answered are sent.
async fn sent_unanswered(policy: &serde_json::Value, request: Request<Body>) -> Vec<u128> {
    let upstream = Upstream::new([Never]);
    let layer = layer(policy);
    let call = send(&layer, &upstream, request);
    assert!(timeout(millis(60_000), call).await.is_err());
    upstream.millis()
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_sent_each_delay_until_there_are_as_many_as_the_policy_has() {
    let sent = sent_unanswered(&policy(4, &json!([14])), call("/a.B/C")).await;
    assert_eq!(sent, [0, 500, 1_000, 1_500]);
    let sent = sent_unanswered(&policy(2, &json!([])), call("/a.B/C")).await;
    assert_eq!(sent, [0, 500]);
}

#[tokio::test(start_paused = true)]
async fn there_are_five_attempts_at_most() {
    for attempts in [5, 6, u32::MAX] {
        let sent = sent_unanswered(&policy(attempts, &json!([14])), call("/a.B/C")).await;
        assert_eq!(sent, [0, 500, 1_000, 1_500, 2_000], "{attempts} attempts");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_delay_all_attempts_are_sent_at_once() {
    for delay in [json!(null), json!("0s")] {
        let policy = json!({ "maxAttempts": 4, "hedgingDelay": delay });
        let sent = sent_unanswered(&policy, call("/a.B/C")).await;
        assert_eq!(sent, [0, 0, 0, 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_success_ends_the_call_and_cancels_all_others_at_that_instant() {
    let all = policy(4, &json!([14]));
    let answered = run(&all, [Never, Never, after(millis(20), code(OK)), Never]).await;
    assert_eq!(answered, ended(OK, 1_020, &[0, 500, 1_000], &[1_020; 2]));
    let at_once = run(&all, [after(millis(499), code(OK)), Never]).await;
    assert_eq!(at_once, ended(OK, 499, &[0], &[]));
    // A head without a status commits the call (it has no code yet).
    let committed = run(&all, [Never, after(millis(7), Status(200))]).await;
    assert_eq!((committed.code, committed.took), (None, 507));
    assert_eq!(
        (committed.sent, committed.dropped),
        (vec![0, 500], vec![507])
    );
}

#[tokio::test(start_paused = true)]
async fn after_a_code_that_is_not_fatal_the_next_is_sent_at_once_and_later_ones_at_the_delay() {
    let plan = [after(millis(100), code(UNAVAILABLE)), Never];
    let upstream = Upstream::new(plan);
    let policy = policy(5, &json!(["UNAVAILABLE", "ABORTED"]));
    let layer = layer(&policy);
    let unanswered = send(&layer, &upstream, call("/a.B/C"));
    assert!(timeout(millis(60_000), unanswered).await.is_err());
    assert_eq!(upstream.millis(), [0, 100, 600, 1_100, 1_600]);
    // So it is if a hedge fails; and the others go on.
    let plan = [
        after(millis(1_010), code(OK)),
        after(millis(30), code(ABORTED)),
        Never,
    ];
    let answered = run(&policy, plan).await;
    assert_eq!(answered, ended(OK, 1_010, &[0, 500, 530], &[1_010]));
}

#[tokio::test(start_paused = true)]
async fn a_fatal_code_ends_the_call_at_once() {
    let policy = policy(4, &json!(["UNAVAILABLE"]));
    let of_hedge = run(&policy, [Never, after(millis(10), code(INTERNAL))]).await;
    assert_eq!(of_hedge, ended(INTERNAL, 510, &[0, 500], &[510]));
    let of_first = run(&policy, [after(millis(600), code(INTERNAL)), Never]).await;
    assert_eq!(of_first, ended(INTERNAL, 600, &[0, 500], &[600]));
    // Without codes, all are.
    for failure in [UNAVAILABLE, INTERNAL, 1] {
        let plan = [after(millis(5), code(failure)), code(OK)];
        let policy = json!({ "maxAttempts": 2, "hedgingDelay": "1s" });
        assert_eq!(run(&policy, plan).await, ended(failure, 5, &[0], &[]));
    }
}

#[tokio::test(start_paused = true)]
async fn errors_and_answers_that_are_no_grpc_are_hedged_by_the_codes_that_they_stand_for() {
    #[rustfmt::skip]
    let cases = [
        (Error(ErrorKind::ConnectionRefused), "UNAVAILABLE", 2),
        (Error(ErrorKind::ConnectionReset), "UNAVAILABLE", 2),
        (Error(ErrorKind::ConnectionReset), "ABORTED", 1),
        (Status(503), "UNAVAILABLE", 2),
        (Status(400), "UNAVAILABLE", 1),
        (Status(400), "INTERNAL", 2),
    ];
    for (outcome, name, attempts) in cases {
        let plan = [outcome.clone(), code(OK)];
        let ended = run(&policy(4, &json!([name])), plan).await;
        assert_eq!(ended.sent, vec![0; attempts], "{outcome:?}, {name}");
        assert_eq!(ended.code.is_some(), attempts == 2, "{outcome:?}, {name}");
    }
}

#[tokio::test(start_paused = true)]
async fn if_all_attempts_fail_the_failure_of_the_first_is_returned() {
    let policy = policy(3, &json!([14, 10, 13]));
    let in_turn = run(&policy, [code(UNAVAILABLE), code(ABORTED), code(INTERNAL)]).await;
    assert_eq!(in_turn, ended(UNAVAILABLE, 0, &[0, 0, 0], &[]));
    let plan = [
        after(millis(2_000), code(UNAVAILABLE)),
        code(ABORTED),
        after(millis(10), code(INTERNAL)),
    ];
    let late = run(&policy, plan).await;
    assert_eq!(late, ended(UNAVAILABLE, 2_000, &[0, 500, 500], &[]));
}

fn header(seen: &Seen, name: &str) -> Option<String> {
    let value = seen.headers.get(name)?;
    Some(value.to_str().unwrap().to_owned())
}

#[tokio::test(start_paused = true)]
async fn each_hedge_says_how_many_attempts_there_were_before() {
    let upstream = Upstream::new([code(UNAVAILABLE), Never, Never, code(OK)]);
    let layer = layer(&policy(4, &json!([14])));
    send(&layer, &upstream, call("/a.B/C")).await;
    let seen = upstream.seen();
    let counts = seen
        .iter()
        .map(|seen| header(seen, "grpc-previous-rpc-attempts"));
    let expected = [None, Some("1"), Some("2"), Some("3")];
    assert!(counts.eq(expected.map(|count| count.map(str::to_owned))));
}

fn within(deadline: &str) -> Request<Body> {
    let mut request = call("/a.B/C");
    let timeout = deadline.parse().unwrap();
    request.headers_mut().insert("grpc-timeout", timeout);
    request
}

#[tokio::test(start_paused = true)]
async fn each_hedge_is_sent_with_what_is_left_of_the_deadline() {
    let upstream = Upstream::new([Never, after(millis(100), code(UNAVAILABLE)), code(OK)]);
    let layer = layer(&policy(4, &json!([14])));
    send(&layer, &upstream, within("2S")).await;
    let seen = upstream.seen();
    let left = seen
        .iter()
        .map(|seen| header(seen, "grpc-timeout").unwrap());
    assert_eq!(left.collect::<Vec<_>>(), ["2S", "1500000u", "1400000u"]);
}

#[tokio::test(start_paused = true)]
async fn no_hedge_is_sent_when_the_deadline_has_passed() {
    for (deadline, sent) in [
        ("500m", &[0][..]),
        ("501m", &[0, 500]),
        ("1000m", &[0, 500]),
        ("1001m", &[0, 500, 1_000]),
        ("99999999H", &[0, 500, 1_000, 1_500]),
    ] {
        let policy = policy(4, &json!([14]));
        assert_eq!(
            sent_unanswered(&policy, within(deadline)).await,
            sent,
            "{deadline}"
        );
    }
    // As tonic's channel ends an attempt at its deadline; and with a wait that would reach it.
    let layer = layer(&policy(4, &json!([14, 4])));
    let plan = [after(millis(400), code(4)), code(OK)];
    let late = send(&layer, &Upstream::new(plan), within("400m")).await;
    assert_eq!(late, ended(4, 400, &[0], &[]));
    let plan = [pushed(UNAVAILABLE, "400"), code(OK)];
    let late = send(&layer, &Upstream::new(plan), within("400m")).await;
    assert_eq!(late, ended(UNAVAILABLE, 0, &[0], &[]));
}

#[tokio::test(start_paused = true)]
async fn calls_of_other_methods_pass_untouched() {
    let config = json!({ "methodConfig": [
        { "name": [{ "service": "a.B", "method": "C" }], "hedgingPolicy": policy(4, &json!([14])) },
        { "name": [{ "service": "r" }], "retryPolicy": {
            "maxAttempts": 4, "initialBackoff": "1s", "maxBackoff": "1s", "backoffMultiplier": 1,
            "retryableStatusCodes": [14],
        } },
    ]});
    let layer = HedgeLayer::new().service_config(config.to_string().parse().unwrap());
    for path in ["/a.B/D", "/d.E/F", "/r/C"] {
        let upstream = Upstream::new([after(millis(5_000), code(UNAVAILABLE)), code(OK)]);
        let once = send(&layer, &upstream, call(path)).await;
        assert_eq!(once, ended(UNAVAILABLE, 5_000, &[0], &[]), "{path}");
    }
    let upstream = Upstream::new([after(millis(600), code(UNAVAILABLE)), code(OK)]);
    let hedged = send(&layer, &upstream, call("/a.B/C")).await;
    assert_eq!(hedged, ended(OK, 500, &[0, 500], &[500]));
}

#[tokio::test(start_paused = true)]
async fn a_call_can_say_that_it_is_sent_once() {
    for own in [
        RetryOverride::once(),
        RetryOverride::new().repeatable(false),
    ] {
        let mut request = call("/a.B/C");
        request.extensions_mut().insert(own);
        let sent = sent_unanswered(&policy(4, &json!([14])), request).await;
        assert_eq!(sent, [0], "{own:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_layer_learns_does_not_matter_to_a_policy() {
    let config = every(&policy(3, &json!([14])));
    let layer = HedgeLayer::new()
        .extra_load(0.0)
        .after(millis(1))
        .control(1.0);
    let layer = layer.service_config(config);
    let upstream = Upstream::new([Never]);
    let unanswered = send(&layer, &upstream, call("/a.B/C"));
    assert!(timeout(millis(60_000), unanswered).await.is_err());
    assert_eq!(upstream.millis(), [0, 500, 1_000]);
}
