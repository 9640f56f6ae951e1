//! Request body of the service below a [`Retry`](crate::Retry), which is recorded and replayed.

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
