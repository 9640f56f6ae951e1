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
        // h2 itself resets a stream for what came on it: in a body, an end before its `content-length`, or
        // data beyond it.
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

/// Whether a `GOAWAY` left this attempt's stream out.
///
/// h2 fails with a `GOAWAY` the streams above its last stream id, which the server does not
/// process (RFC 9113, section 6.8). But it also answers with it whoever asks a connection that is
/// going away for another stream, and hyper's client does so right after it has queued one: in
/// `ClientTask::poll` (hyper 1.12, `proto/h2/client.rs`), `send_request` is followed by
/// `poll_ready`, whose error becomes the request's. That stream may be below the last stream id,
/// and the server then goes on to process it. hyper reads no body before that (`poll_pipe` comes
/// after it), so that a body which was read shows that the error is the stream's own. A request
/// without a body does not tell the two apart.
fn left_out(outcome: &Outcome<'_>) -> Class {
    match outcome.request_body() {
        BodyProgress::Begun => Class::Refused,
        BodyProgress::Empty | BodyProgress::Unread => Class::Transient,
    }
}
