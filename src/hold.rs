use std::pin::Pin;
use std::time::Duration;

use http::Request;

use crate::body::ReplayBody;
use crate::cooldown::{Passage, Turn};

/// What a request keeps that had to ask whether it may be sent, as requests were held.
pub(crate) struct Hold<B> {
    /// Of a request of which nothing is sent yet.
    pub(crate) first: Option<Request<ReplayBody<B>>>,
    /// Until its turn has come.
    pub(crate) turn: Option<Pin<Box<Turn>>>,
    /// From then on.
    pub(crate) passage: Option<Passage>,
    /// How long it was held before its first attempt.
    pub(crate) held: Duration,
}

impl<B> Hold<B> {
    /// That of a request of which nothing is sent yet.
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
