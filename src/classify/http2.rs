//! Errors of HTTP/2.

use std::error::Error;

use super::io;
use super::outcome::Outcome;
use super::verdict::Verdict;
use crate::body::BodyProgress;
use crate::class::Class;

pub(super) fn read(error: &(dyn Error + 'static), outcome: &Outcome<'_>) -> Option<Verdict> {
    let error = error.downcast_ref::<h2::Error>()?;
    if !error.is_remote() {
        // h2 itself resets a stream on which it receives something invalid. In a body, this is a length other
        // than its `content-length`.
        let is_cut_short = error.is_library() && error.is_reset();
        return match outcome.attempted.is_of_body && is_cut_short {
            true => Some(Class::Transient.into()),
            false => error.get_io().and_then(io::of_io),
        };
    }
    Some(if error.is_go_away() {
        left_out(outcome).at_once()
    } else if error.reason() == Some(h2::Reason::REFUSED_STREAM) {
        Class::Refused.at_once()
    } else {
        Class::Transient.into()
    })
}

/// Returns the class of an attempt that failed with a `GOAWAY`.
///
/// On a `GOAWAY`, h2 fails the streams above its last stream id. The server does not process these
/// (RFC 9113, section 6.8). But h2 returns the same error to a client that checks whether the connection is
/// ready for another stream. hyper's client does this right after it has queued a stream: in
/// `ClientTask::poll` (hyper 1.12, `proto/h2/client.rs`), `send_request` is followed by `poll_ready`, whose
/// error becomes that of the queued request. Its stream may be below the last stream id, and then the server
/// processes it. hyper reads the body only after that, in `poll_pipe`. So if the body was read, the error is
/// that of the stream itself. If the request has no body, the two cases cannot be distinguished.
fn left_out(outcome: &Outcome<'_>) -> Class {
    match outcome.request_body() {
        BodyProgress::Begun => Class::Refused,
        BodyProgress::Empty | BodyProgress::Unread => Class::Transient,
    }
}
