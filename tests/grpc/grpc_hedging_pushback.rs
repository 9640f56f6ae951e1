//! What a server's pushback means for the hedges of a call.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use crate::support::hedged::{call, code, ended, layer, policy, pushed, run, send};
use crate::support::upstream::Answer::Never;
use crate::support::upstream::{Answer, Upstream, after};

const OK: u16 = 0;
const UNAVAILABLE: u16 = 14;
const INTERNAL: u16 = 13;

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[tokio::test(start_paused = true)]
async fn after_a_pushback_that_says_no_there_are_no_more_hedges_and_the_others_go_on() {
    for no in ["-1", "soon", "01", "99999999999"] {
        let plan = [
            after(millis(5_000), code(OK)),
            after(millis(10), pushed(UNAVAILABLE, no)),
            Never,
        ];
        let of_hedge = run(&policy(4, &json!([14])), plan).await;
        assert_eq!(of_hedge, ended(OK, 5_000, &[0, 500], &[]), "{no}");
        let alone = run(&policy(4, &json!([14])), [pushed(UNAVAILABLE, no), Never]).await;
        assert_eq!(alone, ended(UNAVAILABLE, 0, &[0], &[]), "{no}");
    }
    // Nor after a failure later on.
    let plan = [
        after(millis(2_000), code(UNAVAILABLE)),
        pushed(UNAVAILABLE, "-1"),
        Never,
    ];
    let ended_later = run(&policy(4, &json!([14])), plan).await;
    assert_eq!(ended_later, ended(UNAVAILABLE, 2_000, &[0, 500], &[]));
}

/// When the attempts are sent, if those beyond the plan are never answered.
async fn sent_after(plan: Vec<Answer>) -> Vec<u128> {
    let upstream = Upstream::new(plan);
    let layer = layer(&policy(5, &json!([14])));
    let unanswered = send(&layer, &upstream, call("/a.B/C"));
    assert!(timeout(millis(60_000), unanswered).await.is_err());
    upstream.millis()
}

#[tokio::test(start_paused = true)]
async fn a_pushback_puts_off_the_next_hedge_and_later_ones_follow_at_the_delay() {
    let pushed =
        |after_millis, pushback| after(millis(after_millis), pushed(UNAVAILABLE, pushback));
    let failed = |after_millis| after(millis(after_millis), code(UNAVAILABLE));
    #[rustfmt::skip]
    let cases = [
        (vec![pushed(100, "700"), Never], [0, 800, 1_300, 1_800, 2_300]),
        (vec![pushed(100, "100"), Never], [0, 200, 700, 1_200, 1_700]),
        (vec![pushed(100, "0"), Never], [0, 100, 600, 1_100, 1_600]),
        // No failure without one cuts it short, nor does an earlier one; and a later one counts.
        (vec![pushed(600, "1000"), failed(300), Never], [0, 500, 1_600, 2_100, 2_600]),
        (vec![pushed(600, "1000"), pushed(300, "0"), Never], [0, 500, 1_600, 2_100, 2_600]),
        (vec![pushed(600, "1000"), pushed(300, "200"), Never], [0, 500, 1_600, 2_100, 2_600]),
        (vec![pushed(600, "1000"), pushed(300, "2000"), Never], [0, 500, 2_800, 3_300, 3_800]),
        // But that of the hedge before is over when the next one is sent.
        (vec![pushed(100, "700"), failed(50), Never], [0, 800, 850, 1_350, 1_850]),
    ];
    for (plan, sent) in cases {
        assert_eq!(sent_after(plan.clone()).await, sent, "{plan:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fatal_code_ends_the_call_whatever_its_pushback_says() {
    for pushback in ["0", "1000", "-1", "soon"] {
        let plan = [Never, after(millis(10), pushed(INTERNAL, pushback))];
        let ended_at = run(&policy(4, &json!([14])), plan).await;
        let expected = ended(INTERNAL, 510, &[0, 500], &[510]);
        assert_eq!(ended_at, expected, "{pushback}");
    }
}
