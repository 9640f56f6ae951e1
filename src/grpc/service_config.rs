mod hedging;
mod config;
mod fields;
mod parse;

pub use config::ServiceConfig;
pub use fields::ServiceConfigError;
pub use hedging::HedgedCalls;
