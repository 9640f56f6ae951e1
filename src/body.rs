//! The request body that the inner service of a [`Retry`](crate::Retry) gets.

mod error;
mod progress;
mod reader;
mod record;
mod replay_body;
mod replays;
mod tape;

pub use error::Superseded;
pub use progress::BodyProgress;
pub use replay_body::ReplayBody;
pub(crate) use replays::Replays;
