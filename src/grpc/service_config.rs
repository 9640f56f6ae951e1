#[cfg(feature = "serde")]
mod parse;
mod builder;
mod hedging;
mod config;
mod name;
mod method_policy;
mod retry_policy;
mod hedging_policy;
mod throttling;
mod max_attempts;
mod codes;
mod path;
mod error;

pub use builder::ServiceConfigBuilder;
pub use config::ServiceConfig;
pub use error::ServiceConfigError;
pub use hedging::HedgedCalls;
pub use hedging_policy::HedgingPolicy;
pub use method_policy::MethodPolicy;
pub use retry_policy::RetryPolicy;
