//! HTTP-aware retries for any tower service.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod attempt;
mod backoff;
mod body;
mod budget;
mod classify;
mod decide;
mod error;
mod event;
mod exchange;
mod future;
mod hint;
mod idempotency;
mod layer;
mod policy;
mod retry_override;
mod service;
mod snapshot;
#[cfg(feature = "tracing")]
mod trace;

pub use attempt::{Attempt, Attempts, AttemptsHandle};
pub use backoff::{Backoff, Jitter};
pub use body::{ReplayBody, Superseded};
pub use budget::Budget;
pub use classify::{ByStatus, Class, Classify, ClassifyFn, Outcome, ResponseHead, Verdict};
pub use error::{Abandoned, AttemptTimedOut, BoxError};
pub use event::{Event, Reason, Step, Stop};
pub use future::ResponseFuture;
pub use hint::ServerHints;
pub use idempotency::Idempotency;
pub use layer::RetryLayer;
pub use retry_override::RetryOverride;
pub use service::Retry;
