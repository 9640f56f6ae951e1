//! What the errors in a chain of sources say. Each kind of error has a reader of its own; the
//! outermost error that one of them knows decides.

use std::error::Error;
use std::io::{self, ErrorKind};

use super::{Class, Outcome, Verdict};
use crate::error::AttemptTimedOut;

/// Reads one error of the chain; what is known of the attempt may bear on it.
type Reader = fn(&(dyn Error + 'static), &Outcome<'_>) -> Option<Verdict>;

const READERS: &[Reader] = &[
    timeout,
    #[cfg(feature = "reqwest")]
    super::reqwest::read,
    #[cfg(feature = "hyper-util")]
    super::hyper_util::read,
    hyper,
    #[cfg(feature = "http2")]
    super::http2::read,
    io,
];

pub(super) fn of_chain(error: &(dyn Error + 'static), outcome: &Outcome<'_>) -> Verdict {
    let known = |error| READERS.iter().find_map(|read| read(error, outcome));
    let verdict = chain(error).find_map(known);
    let verdict = verdict.unwrap_or(Class::Permanent.into());
    match verdict.class {
        // The connect timed out: nobody acted on the request, and it takes longer to pass.
        Class::Refused if chain(error).any(is_timeout) => verdict.timed_out(),
        Class::Success | Class::Permanent | Class::Transient | Class::Refused => verdict,
    }
}

pub(crate) fn chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> + 'a {
    std::iter::successors(Some(error), |&error| {
        match error.downcast_ref::<io::Error>() {
            // The source of an io::Error skips the error that it wraps.
            Some(io) => io.get_ref().map(|inner| inner as _),
            None => error.source(),
        }
    })
}

fn timeout(error: &(dyn Error + 'static), _: &Outcome<'_>) -> Option<Verdict> {
    is_timeout(error).then(|| Class::Transient.timed_out())
}

fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    error.is::<AttemptTimedOut>()
        || error.is::<tower::timeout::error::Elapsed>()
        || error.is::<tokio::time::error::Elapsed>()
        || error.downcast_ref().map(io::Error::kind) == Some(ErrorKind::TimedOut)
}

/// What hyper says of a request whose connection's task has ended before its response came. No
/// method of hyper's error tells it.
const DISPATCH_GONE: &str = "dispatch task is gone";

fn hyper(error: &(dyn Error + 'static), _: &Outcome<'_>) -> Option<Verdict> {
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
    } else if error.is_incomplete_message() || error.is_closed() {
        Some(Class::Transient.into())
    } else {
        None
    }
}

fn io(error: &(dyn Error + 'static), _: &Outcome<'_>) -> Option<Verdict> {
    of_io(error.downcast_ref()?)
}

pub(super) fn of_io(error: &io::Error) -> Option<Verdict> {
    match error.kind() {
        // Only connecting and binding fail so.
        ErrorKind::ConnectionRefused | ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable => {
            Some(Class::Refused.into())
        }
        // QUIC's streams say `NotConnected` of a connection that was there, and was lost.
        ErrorKind::NotConnected
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown => Some(Class::Transient.into()),
        ErrorKind::TimedOut => Some(Class::Transient.timed_out()),
        _ => None,
    }
}
