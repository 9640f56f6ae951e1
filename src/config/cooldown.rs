use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cooldown::{Cooldown, LONGEST, MAX_HOLD, MAX_WAITING};
use crate::notation::{As, Notation, Table, Time, TimeOrUnlimited, Whole, serde_by_notation};

/// The settings of a [`Cooldown`] as plain data. See the [module](super).
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use tower_http_retry::Cooldown;
/// use tower_http_retry::config::CooldownConfig;
///
/// let config: CooldownConfig = serde_json::from_str(r#"{ "max_hold": "10s" }"#)?;
/// assert_eq!(config.max_hold, Duration::from_secs(10));
/// assert_eq!(config.longest, Duration::from_secs(300));
/// let cooldown = Cooldown::from(config);
/// # let _ = cooldown;
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CooldownConfig {
    /// The longest hold that a new request waits for: [`Cooldown::max_hold`]. Defaults to 5 seconds;
    /// [`Duration::MAX`] is no limit.
    pub max_hold: Duration,
    /// How many requests may wait at the same time: [`Cooldown::max_waiting`]. Defaults to 1,024.
    pub max_waiting: usize,
    /// How long responses can hold requests: [`Cooldown::longest`]. Defaults to 5 minutes.
    pub longest: Duration,
    /// How many upstreams are kept: [`Cooldown::per_authority`]. If it is `None`, which is the default, all
    /// upstreams share one state.
    pub per_authority: Option<usize>,
}

impl Default for CooldownConfig {
    fn default() -> Self {
        Self {
            max_hold: MAX_HOLD,
            max_waiting: MAX_WAITING,
            longest: LONGEST,
            per_authority: None,
        }
    }
}

impl From<CooldownConfig> for Cooldown {
    fn from(config: CooldownConfig) -> Self {
        let cooldown = match config.per_authority {
            Some(max) => Self::per_authority(max),
            None => Self::new(),
        };
        cooldown
            .max_hold(config.max_hold)
            .max_waiting(config.max_waiting)
            .longest(config.longest)
    }
}

serde_by_notation!(CooldownConfig);

#[derive(Serialize, Deserialize)]
#[serde(
    remote = "CooldownConfig",
    default = "CooldownConfig::default",
    deny_unknown_fields,
    expecting = "a map of a cooldown's settings"
)]
struct Fields {
    #[serde(with = "As::<TimeOrUnlimited>")]
    max_hold: Duration,
    #[serde(with = "As::<Whole<usize>>")]
    max_waiting: usize,
    #[serde(with = "As::<Time>")]
    longest: Duration,
    #[serde(
        with = "As::<Option<Whole<usize, 1>>>",
        skip_serializing_if = "Option::is_none"
    )]
    per_authority: Option<usize>,
}

impl Notation for CooldownConfig {
    type Value = Self;

    fn write<S: Serializer>(cooldown: &Self, serializer: S) -> Result<S::Ok, S::Error> {
        Fields::serialize(cooldown, serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Fields::deserialize(Table(deserializer))
    }
}
