use std::pin::Pin;
use std::time::Duration;

use http::Request;

use crate::body::ReplayBody;
use crate::cooldown::{Passage, Turn};

/// The state of a request that waits in the queue of a cooldown, or has waited there.
pub(crate) struct Hold<B> {
    /// The first attempt, if it was not sent yet.
    pub(crate) first: Option<Request<ReplayBody<B>>>,
    /// The place in the queue, until the request's turn has come.
    pub(crate) turn: Option<Pin<Box<Turn>>>,
    /// The permission to send the attempt, after the request's turn has come.
    pub(crate) passage: Option<Passage>,
    /// How long the request was held before its first attempt.
    pub(crate) held: Duration,
}

impl<B> Hold<B> {
    /// Creates the state of a request whose first attempt was not sent yet.
    pub(crate) fn of(first: Request<ReplayBody<B>>) -> Self {
        Self {
            first: Some(first),
            ..Self::default()
        }
    }
}

impl<B> Default for Hold<B> {
    fn default() -> Self {
        Self {
            first: None,
            turn: None,
            passage: None,
            held: Duration::ZERO,
        }
    }
}
