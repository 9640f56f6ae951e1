use std::time::Duration;

use http::{Extensions, Method, Request, Uri, Version};
use http_body::Body;

use crate::body::{BodyProgress, ReplayBody, Replays};
use crate::head::RequestHead;
use crate::headers::{Headers, KeptHeaders, KnownNames};
use crate::progress::Progress;

/// What is kept of a request, to build each further attempt from.
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

    /// Makes sure of the body, and keeps it only if the next attempt is covered as well. Whether it
    /// is; none if there is no making sure.
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

    /// The request once more.
    pub(crate) fn replay(
        &mut self,
        progress: &Progress,
        window: Duration,
        known: &KnownNames,
    ) -> Request<ReplayBody<B>> {
        let mut request = Request::new(self.body.next(progress.mark()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.version_mut() = self.version;
        if !self.headers.is_empty() {
            *request.headers_mut() = self.headers.unpack(known);
        }
        *request.extensions_mut() = self.extensions.clone();
        if self.marks {
            let attempt = progress.attempt(window);
            request.extensions_mut().insert(attempt);
        }
        request
    }
}
