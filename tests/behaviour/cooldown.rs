//! What is taken for evidence that a quota is used up, and how long requests are held then.

use std::io::ErrorKind;
use std::time::Duration;

use http::StatusCode;
use tower::Layer;
use tower_http_retry::classify::{ByStatus, Class, Outcome, Verdict};
use tower_http_retry::{Backoff, Cooldown, Jitter, RetryAfter, RetryLayer};

use crate::support::cooling::{
    Client, OK, cooling_down, enough, layer, millis, pass, refused, secs, settle, status, times,
    told,
};
use crate::support::step::Step;
use crate::support::upstream::Answer::{self, Error, Headers, Status};
use crate::support::upstream::{Upstream, after, get};

/// A client that waits however long it takes.
fn patient(plan: impl Into<Vec<Answer>>) -> Client {
    Client::new(Cooldown::new().max_hold(Duration::MAX), plan)
}

#[tokio::test(start_paused = true)]
async fn eight_refusals_in_a_row_hold_requests_until_the_latest_time_that_they_ask_for() {
    let plan = [times(3, refused(9)), times(5, refused(4)), vec![OK]].concat();
    let client = patient(plan);
    client.send_each(7).await;
    assert_eq!(client.left(), None);
    client.send_each(1).await;
    assert_eq!(client.left(), Some(secs(9)));
    assert_eq!(client.send().await.0, secs(9));
    assert_eq!(client.sent_at()[8], 9_000);
    let left = secs(9);
    let expected = [
        Step::CooldownStarted { left },
        Step::Held { left },
        Step::CooldownEnded,
    ];
    assert_eq!(client.told(), expected);
}

#[tokio::test(start_paused = true)]
async fn one_refusal_between_successes_holds_nothing() {
    let plan: Vec<_> = (0..40)
        .map(|number| if number % 3 == 0 { OK } else { refused(9) })
        .collect();
    let client = patient(plan);
    for _ in 0..40 {
        client.send_each(1).await;
        pass(millis(300)).await;
        assert_eq!(client.left(), None);
    }
    assert_eq!(client.told(), []);
}

#[tokio::test(start_paused = true)]
async fn a_success_starts_the_row_again() {
    let plan = [times(7, refused(9)), vec![OK], times(9, refused(9))].concat();
    let client = patient(plan);
    client.send_each(8).await;
    pass(secs(1)).await;
    client.send_each(7).await;
    assert_eq!(client.left(), None);
    client.send_each(1).await;
    assert_eq!(client.left(), Some(secs(9)));
}

/// So long after a success, the eighth of these refusals comes.
async fn left_after_quiet(quiet: Duration, refusal: Answer) -> Option<Duration> {
    let client = patient([vec![OK], times(8, refusal)].concat());
    client.send_each(1).await;
    pass(quiet).await;
    client.send_each(8).await;
    client.left()
}

#[tokio::test(start_paused = true)]
async fn requests_are_held_200_ms_after_the_latest_success_at_the_earliest() {
    assert_eq!(left_after_quiet(millis(199), refused(2)).await, None);
    let left = left_after_quiet(millis(200), refused(2)).await;
    assert_eq!(left, Some(secs(2)));
}

#[tokio::test(start_paused = true)]
async fn where_no_more_than_a_second_is_asked_for_it_is_a_second() {
    for refusal in [refused(1), Status(429)] {
        assert_eq!(left_after_quiet(millis(999), refusal.clone()).await, None);
        let left = left_after_quiet(secs(1), refusal).await;
        assert_eq!(left, Some(secs(1)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_an_attempt_that_was_sent_before_the_latest_success_does_not_count() {
    let slow = |answer| after(secs(2), answer);
    let plan = [
        times(8, slow(refused(9))),
        vec![after(secs(1), OK)],
        enough(9),
    ]
    .concat();
    let client = patient(plan);
    // The success is sent last, and comes first.
    let sent = client.spawn_each(9).await;
    pass(secs(1)).await;
    pass(secs(1)).await;
    for request in sent {
        request.await.unwrap().1.unwrap();
    }
    assert_eq!(client.left(), None);
    client.send_each(7).await;
    assert_eq!(client.left(), None);
    client.send_each(1).await;
    assert_eq!(client.left(), Some(secs(9)));
}

#[tokio::test(start_paused = true)]
async fn without_a_wait_it_is_one_second_and_twice_as_long_each_time_up_to_sixty() {
    let cooldown = Cooldown::new().max_hold(Duration::MAX);
    let plan = [times(9 * 8, Status(429)), vec![OK], times(8, Status(429))].concat();
    let client = Client::new(cooldown, plan);
    for expected in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
        // Once requests go again, each that is refused lets another go after a second.
        client.send_each(7).await;
        assert!(client.left() <= Some(secs(1)));
        client.send_each(1).await;
        assert_eq!(client.left(), Some(secs(expected)));
    }
    // After a success it starts again.
    client.send_each(1).await;
    pass(secs(1)).await;
    client.send_each(8).await;
    assert_eq!(client.left(), Some(secs(1)));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_over_is_none() {
    let client = patient([vec![refused(2)], times(7, Status(429))].concat());
    client.send_each(7).await;
    client.at(secs(2)).await;
    client.send_each(1).await;
    assert_eq!(client.left(), Some(secs(1)));
}

#[tokio::test(start_paused = true)]
async fn a_response_that_says_that_nothing_remains_holds_requests_at_once() {
    for code in [200, 404, 500, 429] {
        let client = patient([vec![told(code, 0, 7)], vec![OK]].concat());
        client.send_each(1).await;
        assert_eq!(client.left(), Some(secs(7)), "{code}");
        assert_eq!(status(client.send().await), 200);
        assert_eq!(client.sent_at(), [0, 7_000]);
    }
    // Something remains; or only the time is told.
    let only_reset = Headers(429, vec![("x-ratelimit-reset", "7".to_owned())]);
    for answer in [told(200, 1, 7), told(429, 1, 7), only_reset] {
        let client = patient([answer]);
        client.send_each(1).await;
        assert_eq!(client.left(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn of_what_remains_and_retry_after_the_later_time_counts() {
    for (asked, reset, expected) in [("9", 4, 9), ("2", 4, 4)] {
        let field = format!(r#""default";r=0;t={reset}"#);
        let headers = vec![("retry-after", asked.to_owned()), ("ratelimit", field)];
        let client = patient([Headers(429, headers)]);
        client.send_each(1).await;
        assert_eq!(client.left(), Some(secs(expected)));
    }
}

#[tokio::test(start_paused = true)]
async fn the_retry_after_of_a_success_is_not_read() {
    let field = r#""default";r=0;t=4"#.to_owned();
    let headers = vec![("retry-after", "9".to_owned()), ("ratelimit", field)];
    let client = patient([Headers(200, headers)]);
    client.send_each(1).await;
    assert_eq!(client.left(), Some(secs(4)));
}

#[tokio::test(start_paused = true)]
async fn rate_limit_headers_hold_nothing_unless_they_are_read() {
    for code in [200, 404, 429, 500] {
        let cooldown = Cooldown::new();
        let unread = layer(&cooldown).rate_limit_headers(false);
        let client = Client::with(unread, cooldown, [told(code, 0, 7)]);
        client.send_each(1).await;
        assert_eq!(client.left(), None, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_and_successes_count_where_rate_limit_headers_are_not_read() {
    for (quiet, expected) in [(millis(199), None), (millis(200), Some(secs(9)))] {
        let cooldown = Cooldown::new().max_hold(Duration::MAX);
        let unread = layer(&cooldown).rate_limit_headers(false);
        let client = Client::with(unread, cooldown, [vec![OK], enough(9), vec![OK]].concat());
        client.send_each(1).await;
        pass(quiet).await;
        client.send_each(8).await;
        assert_eq!(client.left(), expected);
        // One that was held is a success, too.
        client.send_each(1).await;
        assert_eq!(client.left(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_classifier_can_say_that_a_quota_is_used_up() {
    let cooldown = Cooldown::new();
    let classify = |outcome: &Outcome<'_>| -> Verdict {
        let verdict = outcome.by_status();
        match outcome
            .result()
            .ok()
            .and_then(|head| head.header("x-credit"))
        {
            Some(_) => verdict.exhausted(secs(3)),
            None => verdict,
        }
    };
    let credit = Headers(200, vec![("x-credit", "0".to_owned())]);
    let refused = Headers(429, vec![("x-credit", "0".to_owned())]);
    let layer = layer(&cooldown).classify_fn(classify).max_retries(1);
    let upstream = Upstream::new([credit, refused, OK]);
    let service = layer.layer(upstream.clone());
    service.send(get()).await.unwrap();
    assert_eq!(cooldown.left(get().uri()), Some(secs(3)));
    // The retry waits as long, too.
    service.send(get()).await.unwrap();
    assert_eq!(upstream.millis(), [0, 3_000, 6_000]);
}

#[test]
fn a_verdict_that_a_quota_is_used_up_asks_to_wait_as_long() {
    let exhausted = Class::Refused.exhausted(secs(3));
    assert_ne!(exhausted, Class::Refused.retry_after(secs(3)));
    assert_eq!(Class::Refused.exhausted(secs(0)), Class::Refused.into());
    assert_eq!(exhausted.class(), Class::Refused);
}

/// What eight of these answers hold.
async fn held_by(answer: Answer) -> Option<Duration> {
    let client = patient(times(8, answer));
    for _ in 0..8 {
        let _ = client.send().await;
    }
    client.left()
}

#[tokio::test(start_paused = true)]
async fn what_is_throttled_is_a_429_or_a_503_that_says_when_to_come_back() {
    let with_wait = |status| Headers(status, vec![("retry-after", "4".to_owned())]);
    assert_eq!(held_by(with_wait(429)).await, Some(secs(4)));
    assert_eq!(held_by(with_wait(503)).await, Some(secs(4)));
    assert_eq!(held_by(Status(429)).await, Some(secs(1)));
    for other in [
        Status(503),
        with_wait(500),
        with_wait(502),
        with_wait(404),
        with_wait(200),
        Error(ErrorKind::ConnectionRefused),
    ] {
        assert_eq!(held_by(other.clone()).await, None, "{other:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_for_which_the_classifier_gives_a_wait_is_throttled_if_it_is_retried() {
    for (class, expected) in [
        (Class::Refused, Some(secs(4))),
        (Class::Transient, Some(secs(4))),
        (Class::Permanent, None),
        (Class::Success, None),
    ] {
        let cooldown = Cooldown::new();
        let layer = layer(&cooldown).classify_fn(move |_| class.retry_after(secs(4)));
        let service = layer.layer(Upstream::new([Status(403)]));
        for _ in 0..8 {
            service.send(get()).await.unwrap();
        }
        assert_eq!(cooldown.left(get().uri()), expected, "{class:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_429_is_throttled_also_where_it_is_not_retried() {
    let cooldown = Cooldown::new();
    let classify = ByStatus::new().except(StatusCode::TOO_MANY_REQUESTS);
    let service = layer(&cooldown)
        .classify(classify)
        .layer(Upstream::new([refused(4)]));
    for _ in 0..8 {
        service.send(get()).await.unwrap();
    }
    assert_eq!(cooldown.left(get().uri()), Some(secs(4)));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_retried_counts_as_a_success_and_other_failures_as_nothing() {
    for (between, is_held) in [
        (Status(404), false),
        (Status(200), false),
        (Status(500), true),
        (Status(503), true),
        (Error(ErrorKind::ConnectionReset), true),
        // Permanent, and no answer.
        (Error(ErrorKind::InvalidData), true),
    ] {
        let plan = [times(7, refused(9)), vec![between.clone(), refused(9)]].concat();
        let client = patient(plan);
        for _ in 0..9 {
            let _ = client.send().await;
        }
        assert_eq!(client.left().is_some(), is_held, "{between:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_retry_after_is_ignored_a_429_is_one_without_a_wait() {
    let cooldown = Cooldown::new();
    let layer = layer(&cooldown).retry_after(RetryAfter::Ignore);
    let client = Client::with(layer, cooldown, enough(9));
    client.send_each(8).await;
    assert_eq!(client.left(), Some(secs(1)));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_for_a_year_holds_others_for_the_longest() {
    const YEAR: u64 = 365 * 24 * 60 * 60;
    for answers in [enough(YEAR), vec![told(429, 0, YEAR)]] {
        let count = answers.len();
        let client = patient(answers.clone());
        client.send_each(count).await;
        assert_eq!(client.left(), Some(secs(300)));
        let longest = Cooldown::new().longest(secs(10)).max_hold(Duration::MAX);
        let client = Client::new(longest, [answers, vec![OK]].concat());
        client.send_each(count).await;
        assert_eq!(client.send().await.0, secs(10));
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_a_hundred_that_are_all_refused_is_one_event() {
    let burst = (0..100).map(|number| after(millis(500 + number), refused(9)));
    let client = patient(burst.chain([OK]).collect::<Vec<_>>());
    let sent = client.spawn_each(100).await;
    for request in sent {
        assert_eq!(status(request.await.unwrap()), 429);
    }
    let started = |step: &&Step| matches!(step, Step::CooldownStarted { .. });
    assert_eq!(client.told().iter().filter(started).count(), 1);
    // Until what the last of them asked for.
    assert_eq!(client.left(), Some(secs(9)));
    client.send_each(1).await;
    assert_eq!(client.sent_at()[100], 9_599);
    client.send_each(1).await;
    assert_eq!(client.told().iter().filter(started).count(), 1);
    assert_eq!(client.told().last(), Some(&Step::CooldownEnded));
}

#[tokio::test(start_paused = true)]
async fn a_late_429_of_an_old_attempt_does_not_restart_what_has_ended() {
    let late = times(20, after(secs(10), refused(9)));
    let told_late = vec![after(secs(10), told(429, 0, 9))];
    let client = patient([late, told_late, enough(3), vec![OK]].concat());
    let old = client.spawn_each(21).await;
    client.send_each(8).await;
    assert_eq!(client.left(), Some(secs(3)));
    client.send_each(1).await;
    assert_eq!(client.left(), None);
    pass(secs(7)).await;
    for request in old {
        assert_eq!(status(request.await.unwrap()), 429);
    }
    assert_eq!(client.left(), None);
    assert_eq!(client.send().await.0, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn an_old_attempt_makes_a_hold_longer_if_it_asks_for_later() {
    for (asked, expected) in [(5, secs(6)), (1, secs(3))] {
        for late in [refused(asked), told(200, 0, asked)] {
            let plan = [vec![after(secs(1), late)], enough(3), vec![OK]].concat();
            let client = patient(plan);
            let old = client.spawn_each(1).await;
            client.send_each(8).await;
            let held = client.spawn_each(1).await;
            pass(secs(1)).await;
            for request in old.into_iter().chain(held) {
                request.await.unwrap().1.unwrap();
            }
            assert_eq!(client.sent_at()[9], expected.as_millis());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_refusals_ask_for_is_not_believed_for_a_minute_once_it_was_not_true() {
    // A refusal asks for a minute, and what is sent a second later is served.
    let client = patient([vec![refused(60), OK], enough(60), times(2, refused(60))].concat());
    client.send_each(1).await;
    client.at(secs(1)).await;
    client.send_each(1).await;
    client.at(secs(11)).await;
    client.send_each(8).await;
    assert_eq!(client.left(), None);
    client.at(millis(60_999)).await;
    client.send_each(1).await;
    assert_eq!(client.left(), None);
    client.at(secs(61)).await;
    client.send_each(1).await;
    assert_eq!(client.left(), Some(secs(60)));
}

/// Whether eight refusals that ask for a minute hold nothing, a while after these answers, which are
/// sent at these seconds.
async fn is_doubted(sent: &[(u64, Answer)]) -> bool {
    let answers = sent.iter().map(|(_, answer)| answer.clone());
    let client = patient(answers.chain(enough(60)).collect::<Vec<_>>());
    for (second, _) in sent {
        client.at(secs(*second)).await;
        drop(client.spawn_each(1).await);
    }
    client.at(secs(30)).await;
    client.send_each(8).await;
    client.left().is_none()
}

#[tokio::test(start_paused = true)]
async fn it_is_a_success_between_a_refusal_and_what_it_asks_for_that_disproves_it() {
    let slow = |seconds, answer| after(secs(seconds), answer);
    assert!(is_doubted(&[(0, refused(60)), (1, OK)]).await);
    // As it was the first refusal that says so.
    assert!(is_doubted(&[(0, refused(60)), (1, slow(2, OK)), (2, refused(60))]).await);
    assert!(!is_doubted(&[(0, slow(3, OK)), (2, refused(60))]).await);
    // One that was sent before it does not make it forgotten.
    assert!(is_doubted(&[(0, slow(3, OK)), (2, refused(60)), (4, OK)]).await);
    // A time that is over is forgotten for one that is not.
    assert!(is_doubted(&[(0, refused(3)), (10, refused(60)), (11, OK)]).await);
    assert!(!is_doubted(&[(0, refused(3)), (3, OK)]).await);
    // A second is rounding.
    assert!(!is_doubted(&[(0, refused(2)), (1, OK)]).await);
    assert!(is_doubted(&[(0, refused(3)), (1, OK)]).await);
}

#[tokio::test(start_paused = true)]
async fn what_is_told_is_believed_even_then() {
    let client = patient([refused(60), OK, told(200, 0, 9)]);
    client.send_each(1).await;
    pass(secs(1)).await;
    client.send_each(2).await;
    assert_eq!(client.left(), Some(secs(9)));
}

#[tokio::test(start_paused = true)]
async fn a_success_that_was_sent_before_the_refusal_or_as_it_asked_for_disproves_nothing() {
    let overtaken = [vec![after(secs(3), OK), refused(60)], enough(60)].concat();
    let client = patient(overtaken);
    let slow = client.spawn_each(1).await;
    pass(secs(1)).await;
    client.send_each(1).await;
    pass(secs(2)).await;
    for request in slow {
        request.await.unwrap().1.unwrap();
    }
    pass(millis(200)).await;
    client.send_each(8).await;
    assert_eq!(client.left(), Some(secs(60)));
    // Seconds are rounded up: it may come a second early.
    let early = [vec![refused(4), OK], enough(60)].concat();
    let client = patient(early);
    client.send_each(1).await;
    pass(secs(3)).await;
    client.send_each(1).await;
    pass(millis(200)).await;
    client.send_each(8).await;
    assert_eq!(client.left(), Some(secs(60)));
}

#[tokio::test(start_paused = true)]
async fn jitter_makes_a_hold_longer_by_up_to_a_quarter_and_repeats_for_its_seed() {
    let left = async |seed| {
        let cooldown = Cooldown::new();
        let jittered = layer(&cooldown)
            .backoff(Backoff::exponential(secs(1)).jitter(Jitter::Equal))
            .jitter_seed(seed);
        let client = Client::with(jittered, cooldown, enough(8));
        client.send_each(8).await;
        client.left().unwrap()
    };
    let mut spread = Vec::new();
    for seed in 0..200 {
        let drawn = left(seed).await;
        assert!((secs(8)..=secs(10)).contains(&drawn), "{drawn:?}");
        spread.push(drawn);
    }
    assert_eq!(left(7).await, spread[7]);
    let (least, most) = (spread.iter().min(), spread.iter().max());
    assert!(least < Some(&millis(8_100)) && most > Some(&millis(9_900)));
}

#[tokio::test(start_paused = true)]
async fn there_is_no_cooldown_unless_it_is_set() {
    let cooldown = Cooldown::new();
    let without = RetryLayer::new().max_retries(0).rate_limit_headers(true);
    let client = Client::with(
        without,
        cooldown,
        [enough(9), vec![told(200, 0, 9)]].concat(),
    );
    client.send_each(30).await;
    settle().await;
    assert_eq!(client.told(), []);
    assert_eq!(client.sent_at(), [0; 30]);
}

#[tokio::test(start_paused = true)]
async fn an_error_says_what_is_left() {
    let client = Client::new(Cooldown::new(), enough(9));
    client.send_each(8).await;
    let (took, outcome) = client.send().await;
    let error = outcome.as_ref().unwrap_err().to_string();
    assert_eq!(error, "not sent: requests are held for another 9s");
    assert_eq!(cooling_down((took, outcome)), secs(9));
    assert_eq!(took, Duration::ZERO);
}
