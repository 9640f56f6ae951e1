//! What budgets and cooldowns show of themselves, and that looking changes nothing, of hedges neither.

use std::time::Duration;

use http::{Request, Uri};
use tower::{Layer, ServiceExt};
use tower_http_retry::budget::BudgetKind;
use tower_http_retry::cooldown::{CooldownPhase, CooldownState};
use tower_http_retry::{Backoff, Budget, Cooldown, HedgeLayer, Jitter, RetryLayer};

use crate::support::cooling::{Client, OK, enough, millis, refused, secs, told};
use crate::support::hedging;
use crate::support::upstream::Answer::Status;
use crate::support::upstream::{Body, Upstream, after};

/// In an order that is none.
pub const URIS: [&str; 6] = [
    "http://b.test/items/7",
    "https://b.test:443/",
    "http://A.test:8080/",
    "http://user:secret@a.test:80/?secret",
    "http://[::1]:9/",
    "/items/7",
];

/// Of these.
pub const ORIGINS: [&str; 6] = [
    "",
    "http://[::1]:9",
    "http://a.test",
    "http://a.test:8080",
    "http://b.test",
    "https://b.test",
];

pub fn request(uri: &str) -> Request<Body> {
    Request::get(uri).body(Body::default()).unwrap()
}

async fn send(layer: &RetryLayer, uri: &str, status: u16) {
    let service = layer.layer(Upstream::new([Status(status)]));
    let response = service.oneshot(request(uri)).await.unwrap();
    assert_eq!(response.status(), status);
}

fn layer(budget: &Budget) -> RetryLayer {
    let backoff = Backoff::exponential(secs(1)).jitter(Jitter::None);
    RetryLayer::new()
        .max_retries(1)
        .backoff(backoff)
        .budget(budget.clone())
}

pub fn keys<T>(upstreams: &std::collections::BTreeMap<String, T>) -> Vec<&str> {
    upstreams.keys().map(String::as_str).collect()
}

#[tokio::test(start_paused = true)]
async fn a_budget_shows_its_kind_its_tokens_and_what_it_can_hold() {
    use BudgetKind::{Earning, Ratio, Throttle};
    let cases = [
        (Budget::earning(5), Earning, (10.0, 10.0), (9.0, 10.0)),
        (Budget::earning(50), Earning, (100.0, 100.0), (99.0, 100.0)),
        (Budget::ratio(0.5), Ratio, (10.0, 10.0), (9.0, 10.0)),
        (Budget::throttle(9, 0.1), Throttle, (9.0, 9.0), (7.0, 9.0)),
    ];
    for (budget, kind, fresh, used) in cases {
        let state = || {
            let snapshot = budget.snapshot();
            assert!(snapshot.upstreams.is_empty());
            let state = snapshot.shared.unwrap();
            assert_eq!(state.kind, kind);
            assert_eq!(state.tokens, budget.tokens());
            (state.tokens.unwrap(), state.capacity.unwrap())
        };
        assert_eq!(state(), fresh, "{kind:?}");
        send(&layer(&budget), URIS[0], 503).await;
        assert_eq!(state(), used, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_of_many_requests_can_hold_more() {
    let budget = Budget::earning(5);
    for _ in 0..400 {
        send(&layer(&budget), URIS[0], 200).await;
    }
    let state = budget.snapshot().shared.unwrap();
    assert_eq!((state.tokens, state.capacity), (Some(20.0), Some(20.0)));
}

#[cfg(feature = "tower")]
#[tokio::test(start_paused = true)]
async fn a_budget_of_towers_does_not_tell() {
    let budget = Budget::tower(tower::retry::budget::TpsBudget::default());
    let state = budget.snapshot().shared.unwrap();
    assert_eq!(state.kind, BudgetKind::Other);
    assert_eq!((state.tokens, state.capacity), (None, None));
}

#[tokio::test(start_paused = true)]
async fn a_budget_for_each_upstream_shows_those_that_are_kept_in_order() {
    let budget = Budget::per_authority(10);
    assert!(budget.snapshot().upstreams.is_empty());
    // To ask for one makes none.
    budget.tokens_of(&Uri::from_static("http://c.test"));
    for uri in URIS {
        send(&layer(&budget), uri, 200).await;
    }
    send(&layer(&budget), URIS[0], 503).await;
    let snapshot = budget.snapshot();
    assert_eq!(snapshot.shared, None);
    assert_eq!(keys(&snapshot.upstreams), ORIGINS);
    for (origin, state) in &snapshot.upstreams {
        let tokens = if origin == "http://b.test" { 9.0 } else { 10.0 };
        assert_eq!(state.kind, BudgetKind::Earning);
        assert_eq!(
            (state.tokens, state.capacity),
            (Some(tokens), Some(10.0)),
            "{origin}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_of_budgets_shows_the_innermost() {
    let inner = Budget::per_authority_with(10, || Budget::throttle(4, 0.1));
    let budget = Budget::per_authority_with(10, move || inner.clone());
    for uri in [URIS[0], URIS[2]] {
        send(&layer(&budget), uri, 503).await;
    }
    let upstreams = budget.snapshot().upstreams;
    assert_eq!(keys(&upstreams), ["http://a.test:8080", "http://b.test"]);
    for state in upstreams.values() {
        assert_eq!(
            (state.kind, state.tokens),
            (BudgetKind::Throttle, Some(2.0))
        );
    }
}

/// The least recently used goes, which is another if looking were a use: of one of these at least, as they
/// are looked at in no order.
#[tokio::test(start_paused = true)]
async fn looking_is_no_use() {
    for number in 0..20 {
        let [first, second, third] =
            ["a", "b", "c"].map(|name| format!("http://{name}{number}.test"));
        let budget = Budget::per_authority(2);
        let cooldown = Cooldown::per_authority(2);
        let layer = layer(&budget).cooldown(cooldown.clone());
        let hedges = HedgeLayer::new().per_authority(2);
        let get = async |uri: &str| {
            send(&layer, uri, 200).await;
            cooldown.release(&uri.parse().unwrap());
            let upstream = Upstream::new([Status(200)]);
            hedging::send(&hedges, &upstream, request(uri))
                .await
                .0
                .unwrap();
        };
        get(&first).await;
        get(&second).await;
        for _ in 0..3 {
            budget.snapshot();
            cooldown.snapshot();
            hedges.snapshot();
        }
        get(&third).await;
        let kept = [second.as_str(), third.as_str()];
        assert_eq!(keys(&budget.snapshot().upstreams), kept);
        assert_eq!(keys(&cooldown.snapshot().upstreams), kept);
        assert_eq!(keys(&hedges.snapshot().upstreams), kept);
    }
}

/// Whether requests are held, for how long, and how many wait.
fn seen(state: &CooldownState) -> (CooldownPhase, Option<Duration>, usize) {
    (state.phase, state.left, state.waiting)
}

#[tokio::test(start_paused = true)]
async fn a_cooldown_shows_a_hold_from_its_start_to_its_end() {
    use CooldownPhase::{Holding, Open, SlowStart};
    let slow = after(secs(1), OK);
    let client = Client::new(
        Cooldown::new(),
        [vec![told(200, 0, 3)], vec![slow; 9]].concat(),
    );
    let state = || {
        let snapshot = client.cooldown.snapshot();
        assert!(snapshot.upstreams.is_empty());
        let state = snapshot.shared.unwrap();
        // The getters, which let the time that is over do what it does, say the same.
        assert_eq!(
            (state.left, state.waiting),
            (client.left(), client.waiting())
        );
        seen(&state)
    };
    assert_eq!(state(), (Open, None, 0));
    client.send_each(1).await;
    assert_eq!(state(), (Holding, Some(secs(3)), 0));
    client.spawn_each(3).await;
    client.at(millis(1_250)).await;
    assert_eq!(state(), (Holding, Some(millis(1_750)), 3));
    // One goes; when it is back, two.
    client.at(millis(3_500)).await;
    assert_eq!(state(), (SlowStart, Some(secs(0)), 2));
    client.at(millis(4_500)).await;
    assert_eq!(state(), (SlowStart, None, 0));
    client.at(millis(5_500)).await;
    assert_eq!(state(), (Open, None, 0));
    assert_eq!(client.sent_at(), [0, 3_000, 4_000, 4_000]);
}

#[tokio::test(start_paused = true)]
async fn a_hold_whose_time_is_over_is_a_slow_start_that_waits_for_nobody() {
    let cooldown = Cooldown::per_authority(9);
    let uri = Uri::from_static(URIS[0]);
    cooldown.hold(&uri, secs(2));
    let state = || {
        let snapshot = cooldown.snapshot();
        assert_eq!(snapshot.shared, None);
        assert_eq!(keys(&snapshot.upstreams), ["http://b.test"]);
        seen(&snapshot.upstreams["http://b.test"])
    };
    tokio::time::advance(millis(1_999)).await;
    assert_eq!(state(), (CooldownPhase::Holding, Some(millis(1)), 0));
    tokio::time::advance(millis(1)).await;
    assert_eq!(state(), (CooldownPhase::SlowStart, None, 0));
    assert_eq!(cooldown.left(&uri), None);
}

#[tokio::test(start_paused = true)]
async fn a_slow_start_shows_when_another_goes_in_the_place_of_one_that_was_refused() {
    let client = Client::new(Cooldown::new(), [told(200, 0, 1), refused(2), OK]);
    client.send_each(1).await;
    client.at(secs(1)).await;
    client.send_each(1).await;
    let state = || seen(&client.cooldown.snapshot().shared.unwrap());
    assert_eq!(state(), (CooldownPhase::SlowStart, Some(secs(2)), 0));
    client.at(millis(2_500)).await;
    assert_eq!(state(), (CooldownPhase::SlowStart, Some(millis(500)), 0));
    client.at(secs(3)).await;
    assert_eq!(state(), (CooldownPhase::SlowStart, None, 0));
    assert_eq!(client.left(), None);
}

/// When requests are sent through a hold and its slow start, which meets refusals and a silence.
async fn sent_at(looks: bool) -> Vec<u128> {
    let silent = after(secs(60), OK);
    let plan = [
        enough(2),
        vec![OK, silent.clone(), silent],
        enough(1),
        vec![OK; 30],
    ]
    .concat();
    let client = Client::new(Cooldown::new().max_hold(Duration::MAX), plan);
    client.send_each(8).await;
    client.at(millis(200)).await;
    client.spawn_each(20).await;
    for time in 201..20_000 {
        client.at(millis(time)).await;
        if looks {
            client.cooldown.snapshot();
        }
    }
    client.sent_at()
}

#[tokio::test(start_paused = true)]
async fn to_look_at_a_cooldown_lets_no_request_go_at_another_time() {
    let sent = sent_at(false).await;
    assert!(sent.len() > 20, "{sent:?}");
    assert_eq!(sent_at(true).await, sent);
}
