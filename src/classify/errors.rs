//! Classifies an error by its chain of sources. There is a reader for each kind of error. The outermost
//! error that a reader recognizes decides.

use std::error::Error;
use std::io::{self, ErrorKind};

use super::outcome::Outcome;
use super::verdict::Verdict;
use crate::broken_answer::BrokenAnswer;
use crate::class::Class;
use crate::error::{chain, is_attempt_timeout};

/// Classifies one error of a chain, which can depend on the attempt. Returns none if it does not recognize
/// the error.
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

const TIMEOUTS: &[fn(&(dyn Error + 'static)) -> bool] = &[
    is_attempt_timeout,
    #[cfg(feature = "tower")]
    super::tower::is_timeout,
    |error| error.is::<tokio::time::error::Elapsed>(),
    |error| error.downcast_ref().map(io::Error::kind) == Some(ErrorKind::TimedOut),
];

pub(super) fn of_chain(error: &(dyn Error + 'static), outcome: &Outcome<'_>) -> Verdict {
    if outcome.attempted.is_of_body || BrokenAnswer::head_in(error).is_some() {
        return of_body(error, &outcome.in_body());
    }
    let verdict = known(error, outcome).next();
    let verdict = verdict.unwrap_or(Class::Permanent.into());
    match verdict.class {
        Class::Refused => of_refusal(error, verdict),
        Class::Success | Class::Permanent | Class::Transient => verdict,
    }
}

/// Adjusts the verdict on a refusal to other errors in the chain.
fn of_refusal(error: &(dyn Error + 'static), mut verdict: Verdict) -> Verdict {
    if chain(error).any(is_timeout) {
        // The connection attempt timed out. The server did not process the request, but the cause of a
        // time-out takes longer to resolve.
        verdict = verdict.timed_out();
    }
    if chain(error).any(is_maybe_redirected) {
        verdict.class = Class::Transient;
    }
    verdict
}

/// Returns the verdicts on those errors of a chain that a reader recognizes, the outermost first.
fn known<'a>(
    error: &'a (dyn Error + 'static),
    outcome: &'a Outcome<'_>,
) -> impl Iterator<Item = Verdict> + 'a {
    chain(error).filter_map(|error| READERS.iter().find_map(|read| read(error, outcome)))
}

/// Classifies the error of a response's body. The server has acted on the request, so this is never a
/// refusal. Permanent errors in the chain are skipped, because a client may wrap the transport's error in a
/// general error for bodies.
fn of_body(error: &(dyn Error + 'static), outcome: &Outcome<'_>) -> Verdict {
    let passing = known(error, outcome).filter(|verdict| verdict.class != Class::Permanent);
    let timed_out = passing.map(|verdict| verdict.timed_out);
    match timed_out.reduce(|one, other| one || other) {
        Some(true) => Class::Transient.timed_out(),
        Some(false) => Class::Transient.into(),
        None => Class::Permanent.into(),
    }
}

/// Whether the refused request may have been that of a redirect.
#[cfg(feature = "reqwest")]
fn is_maybe_redirected(error: &(dyn Error + 'static)) -> bool {
    error.is::<crate::redirected::MaybeRedirected>()
}

#[cfg(not(feature = "reqwest"))]
fn is_maybe_redirected(_: &(dyn Error + 'static)) -> bool {
    false
}

fn timeout(error: &(dyn Error + 'static), _: &Outcome<'_>) -> Option<Verdict> {
    is_timeout(error).then(|| Class::Transient.timed_out())
}

fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    TIMEOUTS.iter().any(|is_timeout| is_timeout(error))
}
