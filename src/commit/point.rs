use std::time::Duration;

use http::{Method, Request, Response, StatusCode};

use crate::content::{content_length, is_event_stream};
use crate::drain::DRAINED_FOR;

/// The settings of a layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) point: Point,
    pub(super) reads_failures: bool,
    pub(super) timeout: Duration,
}

/// The point at which a response is returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Point {
    Head,
    FirstBytes,
    Whole { limit: usize },
}

impl Settings {
    /// Adjusts the commit point to the method of a request.
    pub(super) fn for_request<B>(mut self, request: &Request<B>) -> Self {
        if [Method::HEAD, Method::CONNECT].contains(request.method()) {
            self.point = Point::Head;
        }
        self
    }

    /// How long the body may take. If no time-out is set, the body of a failure is read for as long as a
    /// retry would drain it.
    pub(super) fn timeout_of(&self, status: StatusCode) -> Duration {
        match self.timeout {
            Duration::MAX if is_failure(status) => DRAINED_FOR,
            timeout => timeout,
        }
    }

    /// The commit point of a response.
    pub(super) fn point_of<R>(&self, response: &Response<R>) -> Point {
        let status = response.status();
        if has_no_body(status) || (is_failure(status) && !self.reads_failures) {
            return Point::Head;
        }
        match self.point {
            Point::Whole { limit } if is_too_long(response, limit) => Point::Head,
            point @ (Point::Head | Point::FirstBytes | Point::Whole { .. }) => point,
        }
    }
}

fn has_no_body(status: StatusCode) -> bool {
    let without = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
    status.is_informational() || without.contains(&status)
}

/// Whether a retry usually discards responses with this status. It drains their bodies itself.
pub(super) fn is_failure(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

/// Whether the head of a response shows that it is longer than the limit or endless.
fn is_too_long<R>(response: &Response<R>, limit: usize) -> bool {
    let headers = response.headers();
    let is_longer = |length| length > limit as u64;
    content_length(headers).is_some_and(is_longer) || is_event_stream(headers)
}
