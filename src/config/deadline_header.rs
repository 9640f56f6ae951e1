use http::HeaderName;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::deadline_header::DeadlineUnit;
use crate::notation::{AddedHeader, As, Notation, Table, serde_by_notation};

/// The header of [`RetryLayer::deadline_header`](crate::RetryLayer::deadline_header) as plain data. See the
/// [module](super).
///
/// # Example
///
/// ```
/// use tower_http_retry::DeadlineUnit;
/// use tower_http_retry::config::DeadlineHeaderConfig;
///
/// let json = r#"{ "name": "x-envoy-expected-rq-timeout-ms", "unit": "milliseconds" }"#;
/// let config: DeadlineHeaderConfig = serde_json::from_str(json)?;
/// assert_eq!(config.unit, DeadlineUnit::Milliseconds);
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadlineHeaderConfig {
    /// The name of the header.
    pub name: HeaderName,
    /// The unit of the value of the header.
    pub unit: DeadlineUnit,
}

impl DeadlineHeaderConfig {
    /// Creates the settings of a header with this name and unit.
    pub fn new(name: HeaderName, unit: DeadlineUnit) -> Self {
        Self { name, unit }
    }
}

serde_by_notation!(DeadlineHeaderConfig);

#[derive(Serialize, Deserialize)]
#[serde(
    remote = "DeadlineHeaderConfig",
    deny_unknown_fields,
    expecting = "a map of a deadline header's settings"
)]
struct Fields {
    #[serde(with = "As::<AddedHeader>")]
    name: HeaderName,
    #[serde(with = "As::<DeadlineUnit>")]
    unit: DeadlineUnit,
}

impl Notation for DeadlineHeaderConfig {
    type Value = Self;

    fn write<S: Serializer>(header: &Self, serializer: S) -> Result<S::Ok, S::Error> {
        Fields::serialize(header, serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Fields::deserialize(Table(deserializer))
    }
}
