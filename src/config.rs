//! The settings of a layer from a config file: feature `config`.
//!
//! [`RetryConfig`] holds the settings of a [`RetryLayer`](crate::RetryLayer) that are plain data. [serde]
//! reads it from TOML, JSON, YAML and other formats, and writes it in the same formats.
//! `RetryLayer::from(config)` makes a layer of it. Callbacks and custom classifiers are set on that layer.
//!
//! # Fields
//!
//! Every field is optional. The defaults are those of [`RetryLayer::new`](crate::RetryLayer::new).
//!
//! | field | value | default |
//! |---|---|---|
//! | `max_retries` | a whole number, or `"unlimited"` | `5` |
//! | `window` | a duration, or `"unlimited"` | `"5m"` |
//! | `backoff` | a [back-off](#back-off) | `{ base = "1s", factor = 2.0, max_wait = "unlimited", jitter = "equal" }` |
//! | `backoff_after_refusal` | a [back-off](#back-off) | none: `backoff` is used |
//! | `classify.statuses` | a list of statuses and series, such as `503` and `"5xx"` | `["5xx", 429]` |
//! | `classify.should_retry_header` | the name of a header | none |
//! | `classify.keyed_conflict` | whether a 409 is retried if it is the response to a retry with an idempotency key | `true` |
//! | `idempotency.methods` | which methods are repeatable: `"idempotent"`, `"safe"` or `"any"` | `"idempotent"` |
//! | `idempotency.also`, `idempotency.except` | lists of methods, in upper case, that are added to the repeatable ones, or removed from them | `[]` |
//! | `idempotency.keys` | a list of headers that make a request repeatable | `["idempotency-key", "x-idempotency-key"]`; for `"safe"` methods `[]` |
//! | `budget.kind` | `"earning"`, `"ratio"`, `"throttle"` or `"none"` | `"earning"`, sized for `max_retries` |
//! | `budget.ratio` | for a `"ratio"`: a number from 0 to 1000 | |
//! | `budget.max_tokens`, `budget.token_ratio` | for a `"throttle"`: a whole number from 1 to 1000, and a number of at least 0 | |
//! | `budget.per_authority` | the maximum number of upstreams (scheme, host and port) with a separate budget | none: one budget for all |
//! | `cooldown` | a map of the fields below, which may be empty | none: no cooldown |
//! | `cooldown.max_hold` | a duration, or `"unlimited"` | `"5s"` |
//! | `cooldown.max_waiting` | a whole number | `1024` |
//! | `cooldown.longest` | a duration | `"5m"` |
//! | `cooldown.per_authority` | the maximum number of upstreams with a separate state | none: one state for all |
//! | `attempt_timeout` | a duration, or `"unlimited"` | none |
//! | `retry_after` | `"minimum"`, `"exact"` or `"ignore"` | `"minimum"` |
//! | `max_retry_after` | a duration, or `"unlimited"` | `"5m"` |
//! | `rate_limit_headers` | whether rate-limit headers are read | `false` |
//! | `max_replay_bytes` | a whole number, or `"unlimited"` | `1048576` |
//! | `max_drain_bytes` | a whole number | `65536` |
//! | `retry_count_header` | the name of a header, except one that frames or routes requests, such as `content-length` | none |
//! | `deadline_header.name`, `deadline_header.unit` | the name of a header, with the same exceptions, and `"seconds"` or `"milliseconds"`; both are required | none: no header is sent |
//! | `mark_attempts`, `mark_responses` | whether attempts and responses are marked | `false` |
//! | `jitter_seed` | a whole number | none: a random seed |
//! | `metrics_by_authority` (feature `metrics`) | whether metrics have the label `authority` | `false` |
//!
//! A duration is text with units, such as `"250ms"`, `"1m 30s"` or `"1.5h"`. The crate [humantime] defines
//! the grammar. A number without a unit is an error, except for `"0"`.
//!
//! ## Back-off
//!
//! | field | value | default |
//! |---|---|---|
//! | `base` | the wait before the first retry: a duration | `"1s"` |
//! | `factor` | the multiplier from one wait to the next: a number above 0 | `2.0` |
//! | `max_wait` | the longest wait: a duration, or `"unlimited"` | `"unlimited"` |
//! | `jitter` | `"none"`, `"full"`, `"equal"`, `"decorrelated"`, or `{ between = [0.8, 1.2] }` | `"equal"` |
//!
//! # Examples
//!
//! The same settings in three formats. In TOML:
//!
//! ```toml
#![doc = include_str!("config/example.toml")]
//! ```
//!
//! In JSON:
//!
//! ```json
#![doc = include_str!("config/example.json")]
//! ```
//!
//! In YAML:
//!
//! ```yaml
#![doc = include_str!("config/example.yaml")]
//! ```
//!
//! Read the file with the crate for its format, here `toml`. The settings can be part of a larger config.
//! This example needs `cargo add toml serde -F serde/derive`:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use http::{HeaderName, Method, StatusCode};
//! use std::time::Duration;
//! use tower_http_retry::config::{BudgetConfig, CooldownConfig, RetryConfig};
//! use tower_http_retry::{Backoff, ByStatus, Idempotency, Jitter, RetryLayer};
//!
//! #[derive(serde::Deserialize)]
//! struct Config {
//!     endpoint: String,
//!     #[serde(default)]
//!     retry: RetryConfig,
//! }
//!
//! let config: Config = toml::from_str(
//!     r#"
//!         endpoint = "http://service.test/"
//!
//!         [retry]
//!         max_retries = 3
//!     "#,
//! )?;
//! let layer = RetryLayer::from(config.retry);
//! # let _ = (layer, config.endpoint);
//! # let read = |name: &str| {
//! #     std::fs::read_to_string(format!("{}/src/config/example.{name}", env!("CARGO_MANIFEST_DIR")))
//! # };
//! # let of_toml: RetryConfig = toml::from_str(&read("toml")?)?;
//! # let of_json: RetryConfig = serde_json::from_str(&read("json")?)?;
//! # let of_yaml: RetryConfig = serde_saphyr::from_str(&read("yaml")?)?;
//! # assert_eq!(of_toml, of_json);
//! # assert_eq!(of_toml, of_yaml);
//! # let mut expected = RetryConfig::default();
//! # let secs = Duration::from_secs;
//! # expected.max_retries = 3;
//! # expected.window = secs(90);
//! # expected.attempt_timeout = Some(secs(10));
//! # expected.max_replay_bytes = usize::MAX;
//! # expected.retry_count_header = Some(HeaderName::from_static("x-retry-count"));
//! # expected.backoff = Backoff::exponential(Duration::from_millis(200))
//! #     .max_wait(secs(5))
//! #     .jitter(Jitter::Between(0.8, 1.2));
//! # expected.classify = ByStatus::new().also(StatusCode::REQUEST_TIMEOUT);
//! # expected.idempotency = Idempotency::new().also(Method::PATCH);
//! # expected.budget = BudgetConfig::Ratio { ratio: 0.2, per_authority: Some(100) };
//! # let mut cooldown = CooldownConfig::default();
//! # cooldown.max_hold = secs(10);
//! # expected.cooldown = Some(cooldown);
//! # assert_eq!(of_toml, expected);
//! # Ok(())
//! # }
//! ```
//!
//! # Errors
//!
//! An unknown field, a value of the wrong type, and a value out of range are errors, even if the setter would
//! clamp the value. In every format, the message contains the path of the field.
//!
//! ```
//! use tower_http_retry::config::RetryConfig;
//!
//! let error = serde_json::from_str::<RetryConfig>(r#"{ "backoff": { "factor": 0 } }"#).unwrap_err();
//! let expected = "backoff.factor: invalid value: integer `0`, expected a number above 0";
//! assert!(error.to_string().starts_with(expected));
//! ```
//!
//! Inside a larger config, the path starts at the settings of the layer. The crate [serde_path_to_error]
//! returns the whole path:
//!
//! ```
//! use std::collections::HashMap;
//! use tower_http_retry::config::RetryConfig;
//!
//! let text = "[retry.backoff]\nfactor = 0";
//! let toml = toml::Deserializer::parse(text)?;
//! let read = serde_path_to_error::deserialize::<_, HashMap<String, RetryConfig>>(toml);
//! assert_eq!(read.unwrap_err().path().to_string(), "retry.backoff.factor");
//! # Ok::<_, toml::de::Error>(())
//! ```
//!
//! With `#[serde(flatten)]`, unknown fields are not errors, because they may belong to another struct.
//!
//! Formats that are not self-describing, such as bincode, are not supported, because some fields accept
//! either text or a number.
//!
//! # Parts
//!
//! [`Backoff`](crate::Backoff), [`Jitter`](crate::Jitter), [`ByStatus`](crate::ByStatus),
//! [`Idempotency`](crate::Idempotency) and [`RetryAfter`](crate::RetryAfter) can also be read and written
//! separately, for the settings of other layers or of single requests:
//!
//! ```
//! use std::time::Duration;
//! use tower_http_retry::{Backoff, RetryOverride};
//!
//! let backoff: Backoff = serde_json::from_str(r#"{ "base": "30s" }"#)?;
//! assert_eq!(backoff, Backoff::exponential(Duration::from_secs(30)));
//! let job = RetryOverride::new().backoff(backoff);
//! # let _ = job;
//! # Ok::<_, serde_json::Error>(())
//! ```
//!
//! # Status pages
//!
//! [`BudgetSnapshot`](crate::budget::BudgetSnapshot), [`CooldownSnapshot`](crate::cooldown::CooldownSnapshot)
//! and [`HedgeSnapshot`](crate::hedge::HedgeSnapshot) can be serialized, for example to JSON, to show the
//! state of a client on a page:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), tower_http_retry::BoxError> {
//! use http::Uri;
//! use std::time::Duration;
//! use tower_http_retry::budget::BudgetSnapshot;
//! use tower_http_retry::cooldown::CooldownSnapshot;
//! use tower_http_retry::{Budget, Cooldown, RetryLayer};
//!
//! #[derive(serde::Serialize)]
//! struct Status {
//!     budget: BudgetSnapshot,
//!     cooldown: CooldownSnapshot,
//! }
//!
//! let budget = Budget::earning(5);
//! let cooldown = Cooldown::per_authority(100);
//! let layer = RetryLayer::new().budget(budget.clone()).cooldown(cooldown.clone());
//! # let _ = layer;
//! cooldown.hold(&Uri::from_static("https://service.test/"), Duration::from_secs(90));
//!
//! let status = Status { budget: budget.snapshot(), cooldown: cooldown.snapshot() };
//! let expected = serde_json::json!({
//!     "budget": {
//!         "shared": { "kind": "earning", "tokens": 10.0, "capacity": 10.0 },
//!         "upstreams": {},
//!     },
//!     "cooldown": {
//!         "upstreams": {
//!             "https://service.test": { "phase": "holding", "left": "1m 30s", "waiting": 0 },
//!         },
//!     },
//! });
//! assert_eq!(serde_json::to_value(&status)?, expected);
//! # Ok(())
//! # }
//! ```
//!
//! # Schema
//!
//! With feature `schemars`, [`RetryConfig`] and its parts implement `schemars::JsonSchema`, so that editors
//! can complete and check a config file. In the repository, `cargo run -p config -- --schema` prints the
//! schema.
//!
//! The schema cannot express every rule. For example, the order of the two numbers of `between` is checked
//! only when the config is read.
//!
//! [humantime]: https://docs.rs/humantime
//! [serde]: https://docs.rs/serde
//! [serde_path_to_error]: https://docs.rs/serde_path_to_error

mod budget;
mod cooldown;
mod deadline_header;
mod retry;
#[cfg(feature = "schemars")]
mod schema;

pub use budget::BudgetConfig;
pub use cooldown::CooldownConfig;
pub use deadline_header::DeadlineHeaderConfig;
pub use retry::RetryConfig;
