//! What snapshots are on a status page.

use std::time::Duration;

use http::Uri;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower::Layer;
use tower_http_retry::budget::BudgetSnapshot;
use tower_http_retry::cooldown::CooldownSnapshot;
use tower_http_retry::hedge::HedgeSnapshot;
use tower_http_retry::{Budget, Cooldown, HedgeLayer, RetryLayer};

use crate::support::upstream::Answer::Status;
use crate::support::upstream::{Upstream, get};

/// How it is written, in a form that is read as the same.
fn written<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(snapshot: &T) -> Value {
    let json = serde_json::to_string(snapshot).unwrap();
    assert_eq!(serde_json::from_str::<T>(&json).unwrap(), *snapshot);
    let toml = toml::to_string(snapshot).unwrap();
    assert_eq!(toml::from_str::<T>(&toml).unwrap(), *snapshot);
    serde_json::from_str(&json).unwrap()
}

#[tokio::test(start_paused = true)]
async fn one_for_all_is_written_as_shared() {
    let budget: BudgetSnapshot = Budget::throttle(10, 0.1).snapshot();
    assert_eq!(
        written(&budget),
        json!({
            "shared": { "kind": "throttle", "tokens": 10.0, "capacity": 10.0 },
            "upstreams": {},
        })
    );
    let cooldown: CooldownSnapshot = Cooldown::new().snapshot();
    assert_eq!(
        written(&cooldown),
        json!({ "shared": { "phase": "open", "left": null, "waiting": 0 }, "upstreams": {} })
    );
    let hedge: HedgeSnapshot = HedgeLayer::new().snapshot();
    let fresh = json!({ "delay": null, "saved_seconds": null, "hedges": 1.0, "capacity": 3.0 });
    assert_eq!(written(&hedge), json!({ "shared": fresh, "upstreams": {} }));
}

#[tokio::test(start_paused = true)]
async fn one_for_each_upstream_is_written_by_its_name() {
    let budget = Budget::per_authority(10);
    let cooldown = Cooldown::per_authority(10);
    let hedges = HedgeLayer::new()
        .after(Duration::from_millis(21))
        .per_authority(10);
    let retry = RetryLayer::new().max_retries(0).budget(budget.clone());
    retry
        .layer(Upstream::new([Status(200)]))
        .send(get())
        .await
        .unwrap();
    let hedge = tower::ServiceExt::oneshot(hedges.layer(Upstream::new([Status(503)])), get());
    hedge.await.unwrap();
    cooldown.hold(
        &Uri::from_static("https://b.test:8443/"),
        Duration::from_millis(4_250),
    );
    let state = json!({ "kind": "earning", "tokens": 10.0, "capacity": 10.0 });
    assert_eq!(
        written(&budget.snapshot()),
        json!({ "upstreams": { "http://upstream.test": state } })
    );
    let state = json!({ "phase": "holding", "left": "4s 250ms", "waiting": 0 });
    assert_eq!(
        written(&cooldown.snapshot()),
        json!({ "upstreams": { "https://b.test:8443": state } })
    );
    let state = json!({ "delay": "21ms", "saved_seconds": null, "hedges": 1.0, "capacity": 3.0 });
    assert_eq!(
        written(&hedges.snapshot()),
        json!({ "upstreams": { "http://upstream.test": state } })
    );
    tokio::time::advance(Duration::from_secs(5)).await;
    let phase = &written(&cooldown.snapshot())["upstreams"]["https://b.test:8443"]["phase"];
    assert_eq!(phase, "slow_start");
}
