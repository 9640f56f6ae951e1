//! Errors of hyper.

use std::error::Error;

use super::outcome::Outcome;
use super::verdict::Verdict;
use crate::class::Class;

/// What hyper says of a request whose connection's task has ended before its response came. No
/// method of hyper's error tells it.
const DISPATCH_GONE: &str = "dispatch task is gone";

/// What hyper says in a response's body in place of the error with which its HTTP/1 connection failed: as a
/// rule, one of writing the rest of the request.
const CONNECTION_FAILED: &str = "connection error";

pub(super) fn read(error: &(dyn Error + 'static), outcome: &Outcome<'_>) -> Option<Verdict> {
    let error = error.downcast_ref::<hyper::Error>()?;
    if error.is_canceled() {
        Some(Class::Refused.at_once())
    } else if error.is_timeout() {
        Some(Class::Transient.timed_out())
    } else if error.is_user() && error.to_string() == DISPATCH_GONE {
        // hyper's task for HTTP/2 keeps a request that waits for a stream, as when the server's
        // limit is reached, and ends with it when the server says GOAWAY. Nothing of it was written
        // then, as a rule. But it is the connection's task that opens the stream and writes the
        // request's head, and it may do so right after it has read the GOAWAY, before the other
        // one looks: a server that shuts down gracefully processes that stream.
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

/// Whether the connection failed that a response's body came on. That is all that is known.
fn is_of_connection(error: &hyper::Error) -> bool {
    let cause = error.source();
    cause.is_some_and(|cause| cause.to_string() == CONNECTION_FAILED)
}
