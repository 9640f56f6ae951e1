//! How a hold ends: a few requests at a time.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::task::JoinHandle;
use tower::Layer;
use tower_http_retry::Cooldown;

use crate::support::cooling::{
    Client, OK, Outcome, enough, layer, millis, pass, refused, secs, settle, status, times, told,
    upstream_uri,
};
use crate::support::step::Step;
use crate::support::upstream::Answer::{self, Error, Never, Status};
use crate::support::upstream::{Upstream, after, get};

/// So many requests wait, and go when a second is over.
async fn held(count: usize, plan: impl Into<Vec<Answer>>) -> (Client, Vec<JoinHandle<Outcome>>) {
    let client = Client::new(Cooldown::new().max_hold(Duration::MAX), plan);
    client.cooldown.hold(&upstream_uri(), secs(1));
    let waiting = client.spawn_each(count).await;
    (client, waiting)
}

async fn all(waiting: Vec<JoinHandle<Outcome>>) -> Vec<u16> {
    let mut statuses = Vec::new();
    for request in waiting {
        statuses.push(status(request.await.unwrap()));
    }
    statuses
}

#[tokio::test(start_paused = true)]
async fn one_goes_first_and_each_that_is_served_lets_two_more_go() {
    let (client, waiting) = held(20, [after(millis(100), OK)]).await;
    assert_eq!(all(waiting).await, [200; 20]);
    let times = |count, at| vec![at; count];
    let expected = [
        times(1, 1_000),
        times(2, 1_100),
        times(4, 1_200),
        times(8, 1_300),
        times(5, 1_400),
    ];
    assert_eq!(client.sent_at(), expected.concat());
    assert_eq!(client.left(), None);
}

#[tokio::test(start_paused = true)]
async fn requests_that_come_meanwhile_wait_behind_the_others() {
    let (client, mut waiting) = held(3, [after(millis(100), OK)]).await;
    client.at(millis(1_050)).await;
    assert_eq!(client.left(), Some(Duration::ZERO));
    waiting.extend(client.spawn_each(1).await);
    assert_eq!(client.waiting(), 3);
    all(waiting).await;
    assert_eq!(client.sent_at(), [1_000, 1_100, 1_100, 1_200]);
}

#[tokio::test(start_paused = true)]
async fn a_hold_ends_for_the_first_request_after_it_if_none_waits() {
    let (client, _) = held(0, [after(millis(100), OK)]).await;
    assert_eq!(client.left(), Some(secs(1)));
    client.at(secs(60)).await;
    // Whoever comes goes at once, and others not before it was served.
    assert_eq!(client.left(), None);
    let first = client.spawn_each(1).await;
    assert_eq!(client.left(), Some(Duration::ZERO));
    let second = client.spawn_each(1).await;
    all(first).await;
    all(second).await;
    assert_eq!(client.sent_at(), [60_000, 60_100]);
    assert_eq!(client.left(), None);
    all(client.spawn_each(2).await).await;
    assert_eq!(client.sent_at()[2..], [60_200, 60_200]);
}

#[tokio::test(start_paused = true)]
async fn in_the_place_of_one_that_is_refused_another_goes_when_its_wait_is_over() {
    let plan = [vec![refused(3)], vec![after(millis(100), OK)]].concat();
    let (client, waiting) = held(4, plan).await;
    assert_eq!(all(waiting).await, [429, 200, 200, 200]);
    assert_eq!(client.sent_at(), [1_000, 4_000, 4_100, 4_100]);
    // Without a wait it is a second.
    let plan = [vec![Status(429)], vec![after(millis(100), OK)]].concat();
    let (client, waiting) = held(4, plan).await;
    assert_eq!(all(waiting).await, [429, 200, 200, 200]);
    assert_eq!(client.sent_at(), [1_000, 2_000, 2_100, 2_100]);
    assert!(
        !client
            .told()
            .iter()
            .any(|step| matches!(step, Step::CooldownStarted { .. }))
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_wait_so_long_fails_then() {
    let cooldown = Cooldown::new();
    let client = Client::new(cooldown, [refused(6), OK]);
    client.cooldown.hold(&upstream_uri(), secs(1));
    let waiting = client.spawn_each(3).await;
    let mut outcomes = Vec::new();
    for request in waiting {
        let outcome = request.await.unwrap();
        outcomes.push((
            outcome.0,
            outcome.1.map(|response| response.status().as_u16()).ok(),
        ));
    }
    assert_eq!(
        outcomes,
        [(secs(1), Some(429)), (secs(1), None), (secs(1), None)]
    );
    // So does one that comes later.
    assert!(client.send().await.1.is_err());
    assert_eq!(client.left(), Some(secs(6)));
    assert_eq!(client.sent_at(), [1_000]);
}

#[tokio::test(start_paused = true)]
async fn others_wait_for_one_under_way_however_long_another_is_to_wait() {
    let plan = [vec![OK], vec![refused(60), after(secs(1), OK)], vec![OK]].concat();
    let client = Client::new(Cooldown::new(), plan);
    client.cooldown.hold(&upstream_uri(), secs(1));
    let waiting = client.spawn_each(4).await;
    client.at(millis(1_500)).await;
    assert_eq!(client.left(), Some(Duration::ZERO));
    assert_eq!(all(waiting).await, [200, 429, 200, 200]);
}

#[tokio::test(start_paused = true)]
async fn only_new_evidence_holds_all_again() {
    let plan = [vec![OK], times(9, refused(2)), vec![OK]].concat();
    let (client, waiting) = held(20, plan).await;
    all(waiting).await;
    // Two go after the first success; each of them lets another go after two seconds. The eighth
    // refusal comes at 7 s, and holds all until 9 s.
    let sent_at = client.sent_at();
    assert_eq!(
        sent_at[..9],
        [
            1_000, 1_000, 1_000, 3_000, 3_000, 5_000, 5_000, 7_000, 7_000
        ]
    );
    let started: Vec<_> = client
        .told()
        .into_iter()
        .filter(|step| matches!(step, Step::CooldownStarted { .. }))
        .collect();
    assert_eq!(started, [Step::CooldownStarted { left: secs(2) }]);
    assert!(sent_at[9..].iter().all(|at| *at >= 9_000), "{sent_at:?}");
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_for_other_reasons_lets_two_more_go_as_one_that_is_served() {
    for failure in [Error(ErrorKind::ConnectionReset), Status(500), Status(503)] {
        let plan = [
            vec![after(millis(100), failure); 3],
            vec![after(millis(100), OK)],
        ]
        .concat();
        let (client, waiting) = held(6, plan).await;
        for request in waiting {
            let _ = request.await.unwrap();
        }
        let expected = [1_000, 1_100, 1_100, 1_200, 1_200, 1_200];
        assert_eq!(client.sent_at(), expected);
        assert_eq!(client.left(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn in_the_place_of_one_that_is_dropped_another_goes_at_once() {
    let plan = [vec![Never], vec![OK]].concat();
    let (client, mut waiting) = held(3, plan).await;
    client.at(millis(1_500)).await;
    assert_eq!(client.sent_at(), [1_000]);
    waiting.remove(0).abort();
    assert_eq!(all(waiting).await, [200, 200]);
    assert_eq!(client.sent_at(), [1_000, 1_500, 1_500]);
}

#[tokio::test(start_paused = true)]
async fn if_no_outcome_comes_for_a_second_as_many_again_go() {
    let (client, waiting) = held(15, [after(secs(10), OK)]).await;
    all(waiting).await;
    let times = |count, at| vec![at; count];
    let expected = [
        times(1, 1_000),
        times(1, 2_000),
        times(2, 3_000),
        times(4, 4_000),
        times(7, 5_000),
    ];
    assert_eq!(client.sent_at(), expected.concat());
}

#[tokio::test(start_paused = true)]
async fn no_more_go_than_are_told_to_remain() {
    // Of a quota of ten, which nobody else uses.
    let plan: Vec<_> = (0..10)
        .rev()
        .map(|left| after(millis(100), told(200, left, 5)))
        .chain([after(millis(100), OK)])
        .collect();
    let (client, waiting) = held(14, plan).await;
    assert_eq!(all(waiting).await, [200; 14]);
    let times = |count, at| vec![at; count];
    let expected = [
        times(1, 1_000),
        times(2, 1_100),
        times(4, 1_200),
        // Three are left, and go.
        times(3, 1_300),
        // The last of these says that nothing is left for five seconds.
        times(1, 6_400),
        times(2, 6_500),
        times(1, 6_600),
    ];
    assert_eq!(client.sent_at(), expected.concat());
}

#[tokio::test(start_paused = true)]
async fn one_goes_even_if_others_use_up_what_remains() {
    // Two are under way when the answer says that one is left.
    let plan = [
        vec![after(millis(100), OK)],
        vec![
            after(millis(100), told(200, 1, 5)),
            after(millis(200), told(200, 1, 5)),
        ],
        vec![after(millis(100), OK)],
    ]
    .concat();
    let (client, waiting) = held(6, plan).await;
    all(waiting).await;
    assert_eq!(client.sent_at(), [1_000, 1_100, 1_100, 1_300, 1_400, 1_400]);
}

#[tokio::test(start_paused = true)]
async fn what_went_before_a_hold_changes_nothing_in_the_slow_start_after_it() {
    let cooldown = Cooldown::new();
    let slow = [
        after(millis(1_050), OK),
        after(millis(1_060), Error(ErrorKind::ConnectionReset)),
    ];
    let client = Client::new(
        cooldown,
        [slow.to_vec(), vec![after(millis(100), OK)]].concat(),
    );
    let mut waiting = client.spawn_each(2).await;
    client.cooldown.hold(&upstream_uri(), secs(1));
    waiting.extend(client.spawn_each(3).await);
    for request in waiting {
        let _ = request.await.unwrap();
    }
    assert_eq!(client.sent_at(), [0, 0, 1_000, 1_100, 1_100]);
}

#[tokio::test(start_paused = true)]
async fn what_went_in_an_earlier_slow_start_changes_nothing_in_a_later_one() {
    let plan = [vec![after(millis(3_050), OK)], vec![after(millis(100), OK)]].concat();
    let (client, waiting) = held(4, plan).await;
    client.at(millis(1_500)).await;
    client.cooldown.hold(&upstream_uri(), millis(2_500));
    all(waiting).await;
    // The first comes back at 4.05 s, when one of the second slow start is under way.
    assert_eq!(client.sent_at(), [1_000, 4_000, 4_100, 4_100]);
}

#[tokio::test(start_paused = true)]
async fn a_release_lets_requests_go_in_a_slow_start() {
    let cooldown = Cooldown::new().max_hold(Duration::MAX);
    let client = Client::new(cooldown, [after(millis(100), OK)]);
    client.cooldown.hold(&upstream_uri(), secs(200));
    let waiting = client.spawn_each(4).await;
    client.at(secs(3)).await;
    client.cooldown.release(&upstream_uri());
    all(waiting).await;
    assert_eq!(client.sent_at(), [3_000, 3_100, 3_100, 3_200]);
    assert_eq!(client.left(), None);
    // Where none waits, it is over.
    client.cooldown.hold(&upstream_uri(), secs(1_000));
    client.cooldown.release(&upstream_uri());
    assert_eq!(client.left(), None);
    client.cooldown.release(&upstream_uri());
    assert_eq!(client.left(), None);
    // What a refusal in the slow start asks for ends as well.
    let (client, waiting) = held(3, [vec![refused(60)], vec![OK]].concat()).await;
    client.at(secs(2)).await;
    assert_eq!(client.left(), Some(secs(59)));
    client.cooldown.release(&upstream_uri());
    assert_eq!(all(waiting).await, [429, 200, 200]);
    assert_eq!(client.sent_at(), [1_000, 2_000, 2_000]);
}

#[tokio::test(start_paused = true)]
async fn a_hold_from_outside_does_not_end_before_a_longer_one() {
    let client = Client::new(Cooldown::new(), [told(200, 0, 5), OK]);
    client.send_each(1).await;
    client.cooldown.hold(&upstream_uri(), secs(3));
    assert_eq!(client.left(), Some(secs(5)));
    client.cooldown.hold(&upstream_uri(), secs(7));
    assert_eq!(client.left(), Some(secs(7)));
    client.cooldown.hold(&upstream_uri(), Duration::MAX);
    assert!(client.left() > Some(secs(900_000_000)));
}

#[tokio::test(start_paused = true)]
async fn a_switch_from_outside_passes_no_event() {
    let (client, waiting) = held(2, [OK]).await;
    all(waiting).await;
    let expected = [Step::Held { left: secs(1) }; 2];
    assert_eq!(client.told(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_behind_changes_nothing() {
    // Made by a thread with a clock of its own, which has gone on.
    let cooldown = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            tokio::time::advance(secs(1_000)).await;
            Cooldown::new()
        })
    })
    .join()
    .unwrap();
    let client = Client::new(cooldown, [vec![OK], enough(4), vec![refused(4)]].concat());
    client.send_each(1).await;
    pass(millis(199)).await;
    client.send_each(8).await;
    assert_eq!(client.left(), None);
    pass(millis(1)).await;
    client.send_each(1).await;
    assert_eq!(client.left(), Some(secs(4)));
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_is_ready_when_requests_are_held_is_asked_again() {
    let cooldown = Cooldown::new();
    let upstream = Upstream::new([OK]);
    let service = layer(&cooldown).layer(upstream.clone());
    cooldown.hold(&upstream_uri(), secs(1));
    // The upstream panics if it is called before it was ready.
    service.send(get()).await.unwrap();
    assert_eq!(upstream.millis(), [1_000]);
    settle().await;
}
