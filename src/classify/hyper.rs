//! Errors of hyper.

use std::error::Error;

use super::outcome::Outcome;
use super::verdict::Verdict;
use crate::class::Class;

/// The message of hyper's error if the task of the connection ended before the response arrived. hyper's
/// error has no method for it.
const DISPATCH_GONE: &str = "dispatch task is gone";

/// The message of hyper's error in a response's body if its HTTP/1 connection failed. hyper does not pass
/// on the error of the connection, which usually is a failure to write the rest of the request.
const CONNECTION_FAILED: &str = "connection error";

pub(super) fn read(error: &(dyn Error + 'static), outcome: &Outcome<'_>) -> Option<Verdict> {
    let error = error.downcast_ref::<hyper::Error>()?;
    if error.is_canceled() {
        Some(Class::Refused.at_once())
    } else if error.is_timeout() {
        Some(Class::Transient.timed_out())
    } else if error.is_user() && error.to_string() == DISPATCH_GONE {
        // hyper's task for HTTP/2 keeps a request that waits for a stream, for example because the server's
        // limit is reached. On a GOAWAY, the task ends and drops the request. Usually nothing of the request
        // was written. But the stream is opened, and the head is written, by the task of the connection. It
        // may do so right after it has read the GOAWAY, before the first task notices. A server that shuts
        // down gracefully processes that stream.
        Some(Class::Transient.at_once())
    } else if error.is_user() || error.is_parse() {
        Some(Class::Permanent.into())
    } else if error.is_incomplete_message()
        || error.is_closed()
        || (outcome.attempted.is_of_body && is_of_connection(error))
    {
        Some(Class::Transient.into())
    } else {
        None
    }
}

/// Whether the connection of a response's body failed. The error has no details.
fn is_of_connection(error: &hyper::Error) -> bool {
    let cause = error.source();
    cause.is_some_and(|cause| cause.to_string() == CONNECTION_FAILED)
}
