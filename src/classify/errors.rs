//! What the errors in a chain of sources say. Each kind of error has a reader of its own; the
//! outermost error that one of them knows decides.

use std::error::Error;
use std::io::ErrorKind;

use super::outcome::Outcome;
use super::verdict::Verdict;
use crate::class::Class;
use crate::error::{chain, is_attempt_timeout};

/// Reads one error of the chain; what is known of the attempt may bear on it.
type Reader = fn(&(dyn Error + 'static), &Outcome<'_>) -> Option<Verdict>;

const READERS: &[Reader] = &[
    timeout,
    #[cfg(feature = "reqwest")]
    super::reqwest::read,
    #[cfg(feature = "hyper-util")]
    super::hyper_util::read,
    super::hyper::read,
    #[cfg(feature = "http2")]
    super::http2::read,
    super::io::read,
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

fn timeout(error: &(dyn Error + 'static), _: &Outcome<'_>) -> Option<Verdict> {
    is_timeout(error).then(|| Class::Transient.timed_out())
}

fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    is_attempt_timeout(error)
        || error.is::<tower::timeout::error::Elapsed>()
        || error.is::<tokio::time::error::Elapsed>()
        || error.downcast_ref().map(std::io::Error::kind) == Some(ErrorKind::TimedOut)
}
