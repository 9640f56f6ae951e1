//! Settings of a layer from a config file, and what they do.

use serde_json::{Value, json};
use tower_http_retry::RetryLayer;
use tower_http_retry::config::RetryConfig;

mod layers;
mod read;
mod round_trips;
#[cfg(feature = "schemars")]
mod schema;
mod snapshots;
mod waits;
mod wrong;

#[path = "../support"]
mod support {
    pub mod body;
    #[cfg(feature = "metrics")]
    pub mod recorded;
    pub mod step;
    pub mod upstream;
}

/// The layer of a config, without jitter where that is not configured.
fn layer(mut config: Value) -> RetryLayer {
    if config.get("backoff").is_none() {
        config["backoff"] = json!({ "jitter": "none" });
    }
    serde_json::from_value::<RetryConfig>(config)
        .unwrap()
        .into()
}
