use std::time::Duration;

use http::HeaderName;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::budget::BudgetConfig;
use super::cooldown::CooldownConfig;
use super::deadline_header::DeadlineHeaderConfig;
use crate::backoff::Backoff;
use crate::classify::ByStatus;
use crate::idempotency::Idempotency;
use crate::layer::RetryLayer;
use crate::notation::{
    AddedHeader, As, Notation, OrUnlimited, Table, TimeOrUnlimited, Whole, serde_by_notation,
};
use crate::retry_after::RetryAfter;
use crate::settings::Settings;

/// The settings of a [`RetryLayer`] as plain data, to read from a config file. See the [module](super).
///
/// Each field has the name of the [`RetryLayer`] setter that it corresponds to. See that setter for details.
/// [`RetryConfig::default`] has the settings of [`RetryLayer::new`].
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use tower_http_retry::RetryLayer;
/// use tower_http_retry::config::RetryConfig;
///
/// let mut config: RetryConfig = serde_json::from_str(r#"{ "max_retries": 2, "window": "30s" }"#)?;
/// config.attempt_timeout = Some(Duration::from_secs(10));
///
/// let layer = RetryLayer::from(config);
/// # let _ = layer;
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RetryConfig {
    /// The maximum number of retries of a request: [`RetryLayer::max_retries`]. Defaults to 5; `u32::MAX` is
    /// no limit.
    pub max_retries: u32,
    /// How long after the first attempt a retry may start: [`RetryLayer::window`]. Defaults to 5 minutes;
    /// [`Duration::MAX`] is no limit.
    pub window: Duration,
    /// How long to wait before each retry: [`RetryLayer::backoff`]. Defaults to [`Backoff::default`].
    pub backoff: Backoff,
    /// The back-off after a 429 or 503 that does not say how long to wait: [`RetryLayer::backoff_after_refusal`]. If it is
    /// `None`, which is the default, `backoff` is used.
    pub backoff_after_refusal: Option<Backoff>,
    /// Which outcomes are retried: [`RetryLayer::classify`]. Defaults to [`ByStatus::new`].
    pub classify: ByStatus,
    /// Which requests may be repeated: [`RetryLayer::idempotency`]. Defaults to [`Idempotency::new`].
    pub idempotency: Idempotency,
    /// The budget shared by all requests through this layer: [`RetryLayer::budget`]. Defaults to
    /// [`BudgetConfig::default`].
    pub budget: BudgetConfig,
    /// Whether requests are held while a quota is used up, and for how long: [`RetryLayer::cooldown`].
    /// Defaults to `None`.
    pub cooldown: Option<CooldownConfig>,
    /// How long each attempt may take until the head of its response arrives:
    /// [`RetryLayer::attempt_timeout`]. Defaults to `None`, which is no limit, as is [`Duration::MAX`].
    pub attempt_timeout: Option<Duration>,
    /// How `Retry-After` affects the wait: [`RetryLayer::retry_after`]. Defaults to
    /// [`RetryAfter::Minimum`].
    pub retry_after: RetryAfter,
    /// The longest wait that a server may ask for: [`RetryLayer::max_retry_after`]. Defaults to 5 minutes;
    /// [`Duration::MAX`] is no limit.
    pub max_retry_after: Duration,
    /// Whether rate-limit headers are read: [`RetryLayer::rate_limit_headers`]. Defaults to `false`.
    pub rate_limit_headers: bool,
    /// How many bytes of a streamed request body are kept: [`RetryLayer::max_replay_bytes`]. Defaults to
    /// 1 MiB; `usize::MAX` is no limit.
    pub max_replay_bytes: usize,
    /// How many bytes of a discarded response are read: [`RetryLayer::max_drain_bytes`]. Defaults to 64 KiB.
    pub max_drain_bytes: usize,
    /// The header with the number of retries: [`RetryLayer::retry_count_header`]. Defaults to `None`.
    pub retry_count_header: Option<HeaderName>,
    /// The header with the time that is left: [`RetryLayer::deadline_header`]. Defaults to `None`.
    pub deadline_header: Option<DeadlineHeaderConfig>,
    /// Whether each attempt is marked: [`RetryLayer::mark_attempts`]. Defaults to `false`.
    pub mark_attempts: bool,
    /// Whether responses are marked: [`RetryLayer::mark_responses`]. Defaults to `false`.
    pub mark_responses: bool,
    /// The seed of the jitter: [`RetryLayer::jitter_seed`]. If it is `None`, which is the default, the seed
    /// is random.
    pub jitter_seed: Option<u64>,
    /// Whether metrics have the label `authority`: [`RetryLayer::metrics_by_authority`]. Defaults to
    /// `false`. The field exists only with feature `metrics`.
    #[cfg(feature = "metrics")]
    pub metrics_by_authority: bool,
}

impl Default for RetryConfig {
    fn default() -> Self {
        let settings = Settings::new(ByStatus::new());
        let limits = settings.limits;
        Self {
            max_retries: limits.max_retries,
            window: limits.window,
            backoff: limits.backoff,
            backoff_after_refusal: limits.backoff_after_refusal,
            classify: ByStatus::new(),
            idempotency: settings.idempotency,
            budget: BudgetConfig::default(),
            cooldown: None,
            attempt_timeout: limits.attempt_timeout,
            retry_after: settings.retry_after,
            max_retry_after: limits.max_retry_after,
            rate_limit_headers: settings.reads_rate_limits,
            max_replay_bytes: limits.max_replay_bytes,
            max_drain_bytes: settings.max_drain_bytes,
            retry_count_header: settings.retry_count_header,
            deadline_header: None,
            mark_attempts: settings.marks_attempts,
            mark_responses: settings.marks_responses,
            jitter_seed: None,
            #[cfg(feature = "metrics")]
            metrics_by_authority: settings.listeners.by_authority,
        }
    }
}

serde_by_notation!(RetryConfig);

/// The notation of each field. If a field is missing, this does not compile.
#[derive(Serialize, Deserialize)]
#[serde(
    remote = "RetryConfig",
    default = "RetryConfig::default",
    deny_unknown_fields,
    expecting = "a map of a retry layer's settings"
)]
struct Fields {
    #[serde(with = "As::<OrUnlimited<u32>>")]
    max_retries: u32,
    #[serde(with = "As::<TimeOrUnlimited>")]
    window: Duration,
    #[serde(with = "As::<Backoff>")]
    backoff: Backoff,
    #[serde(
        with = "As::<Option<Backoff>>",
        skip_serializing_if = "Option::is_none"
    )]
    backoff_after_refusal: Option<Backoff>,
    #[serde(with = "As::<ByStatus>")]
    classify: ByStatus,
    #[serde(with = "As::<Idempotency>")]
    idempotency: Idempotency,
    #[serde(with = "As::<BudgetConfig>")]
    budget: BudgetConfig,
    #[serde(
        with = "As::<Option<CooldownConfig>>",
        skip_serializing_if = "Option::is_none"
    )]
    cooldown: Option<CooldownConfig>,
    #[serde(
        with = "As::<Option<TimeOrUnlimited>>",
        skip_serializing_if = "Option::is_none"
    )]
    attempt_timeout: Option<Duration>,
    #[serde(with = "As::<RetryAfter>")]
    retry_after: RetryAfter,
    #[serde(with = "As::<TimeOrUnlimited>")]
    max_retry_after: Duration,
    rate_limit_headers: bool,
    #[serde(with = "As::<OrUnlimited<usize>>")]
    max_replay_bytes: usize,
    #[serde(with = "As::<Whole<usize>>")]
    max_drain_bytes: usize,
    #[serde(
        with = "As::<Option<AddedHeader>>",
        skip_serializing_if = "Option::is_none"
    )]
    retry_count_header: Option<HeaderName>,
    #[serde(
        with = "As::<Option<DeadlineHeaderConfig>>",
        skip_serializing_if = "Option::is_none"
    )]
    deadline_header: Option<DeadlineHeaderConfig>,
    mark_attempts: bool,
    mark_responses: bool,
    #[serde(
        with = "As::<Option<Whole<u64>>>",
        skip_serializing_if = "Option::is_none"
    )]
    jitter_seed: Option<u64>,
    #[cfg(feature = "metrics")]
    metrics_by_authority: bool,
}

impl Notation for RetryConfig {
    type Value = Self;

    fn write<S: Serializer>(config: &Self, serializer: S) -> Result<S::Ok, S::Error> {
        Fields::serialize(config, serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Fields::deserialize(Table(deserializer))
    }
}

impl From<RetryConfig> for RetryLayer {
    fn from(config: RetryConfig) -> Self {
        let mut layer = Self::new()
            .max_retries(config.max_retries)
            .window(config.window)
            .backoff(config.backoff)
            .classify(config.classify)
            .idempotency(config.idempotency)
            .retry_after(config.retry_after)
            .max_retry_after(config.max_retry_after)
            .rate_limit_headers(config.rate_limit_headers)
            .max_replay_bytes(config.max_replay_bytes)
            .max_drain_bytes(config.max_drain_bytes);
        layer = match config.budget {
            // The layer's default budget, which is adjusted if `max_retries` is set later.
            BudgetConfig::Earning {
                per_authority: None,
            } => layer,
            other => match other.budget(config.max_retries) {
                Some(budget) => layer.budget(budget),
                None => layer.without_budget(),
            },
        };
        if let Some(backoff) = config.backoff_after_refusal {
            layer = layer.backoff_after_refusal(backoff);
        }
        if let Some(cooldown) = config.cooldown {
            layer = layer.cooldown(cooldown.into());
        }
        if let Some(timeout) = config.attempt_timeout {
            layer = layer.attempt_timeout(timeout);
        }
        if let Some(name) = config.retry_count_header {
            layer = layer.retry_count_header(name);
        }
        if let Some(header) = config.deadline_header {
            layer = layer.deadline_header(header.name, header.unit);
        }
        if config.mark_attempts {
            layer = layer.mark_attempts();
        }
        if config.mark_responses {
            layer = layer.mark_responses();
        }
        if let Some(seed) = config.jitter_seed {
            layer = layer.jitter_seed(seed);
        }
        #[cfg(feature = "metrics")]
        if config.metrics_by_authority {
            layer = layer.metrics_by_authority();
        }
        layer
    }
}
