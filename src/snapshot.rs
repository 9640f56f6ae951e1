use std::time::Duration;

use http::{Extensions, Method, Request, Uri, Version, request};
use http_body::Body;

use crate::body::{BodyProgress, Replays};
use crate::head::RequestHead;
use crate::headers::{Headers, KeptHeaders, KnownNames};
use crate::progress::Progress;

/// A snapshot of a request, from which each further attempt is built.
pub(crate) struct Snapshot<B> {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    /// Whether each attempt is marked by an extension.
    pub(crate) marks: bool,
    pub(crate) headers: KeptHeaders,
    pub(crate) extensions: Extensions,
    pub(crate) body: Replays<B>,
}

impl<B: Body> Snapshot<B> {
    pub(crate) fn head<'a>(&'a self, known: &'a KnownNames) -> RequestHead<'a> {
        RequestHead {
            method: &self.method,
            uri: &self.uri,
            headers: Headers::Kept(&self.headers, known),
            extensions: &self.extensions,
        }
    }

    /// Reserves the body for the next attempt, and cancels the reservation if the attempt is not covered.
    /// Returns whether it is covered, or none if the body cannot be replayed.
    pub(crate) fn reserve_body(&self, is_covered: impl FnOnce() -> bool) -> Option<bool> {
        self.body.reserve().then(|| {
            let is_covered = is_covered();
            self.body.confirm(is_covered);
            is_covered
        })
    }

    #[inline]
    pub(crate) fn commit_body(&mut self) {
        self.body.commit();
    }

    pub(crate) fn body_progress(&self) -> BodyProgress {
        self.body.progress()
    }

    pub(crate) fn is_replayable(&self) -> bool {
        self.body.is_replayable()
    }

    /// Creates the head of the next attempt.
    pub(crate) fn parts(
        &self,
        progress: &Progress,
        window: Duration,
        known: &KnownNames,
    ) -> request::Parts {
        let (mut head, ()) = Request::new(()).into_parts();
        head.method = self.method.clone();
        head.uri = self.uri.clone();
        head.version = self.version;
        if !self.headers.is_empty() {
            head.headers = self.headers.unpack(known);
        }
        head.extensions = self.extensions.clone();
        if self.marks {
            head.extensions.insert(progress.attempt(window));
        }
        head
    }
}
