use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use super::outcome::Outcome;
use super::verdict::Verdict;
use crate::head::RequestHead;
use crate::limits::RetryOverride;

/// Decides what the outcome of one attempt means for sending the request again.
///
/// [`ByStatus`] is the default. A closure is a classifier through [`RetryLayer::classify_fn`];
/// implement the trait to give one a name, or state.
///
/// # Example
///
/// ```
/// use http::{Request, Response, StatusCode};
/// use tower_http_retry::classify::{Class, Classify, Outcome, Verdict};
/// use tower_http_retry::{ByStatus, RetryLayer};
///
/// /// This service answers 404 until its replica has caught up.
/// #[derive(Clone, Debug)]
/// struct Replicated;
///
/// impl Classify for Replicated {
///     fn classify(&self, outcome: &Outcome<'_>) -> Verdict {
///         match outcome.status() {
///             Some(StatusCode::NOT_FOUND) if outcome.attempt() == 1 => Class::Transient.into(),
///             _ => ByStatus::new().classify(outcome),
///         }
///     }
/// }
///
/// let (request, mut response) = (Request::new(()), Response::new(()));
/// *response.status_mut() = StatusCode::NOT_FOUND;
/// let outcome = Outcome::response(&request, &response);
/// assert_eq!(Replicated.classify(&outcome).class(), Class::Transient);
/// assert_eq!(Replicated.classify(&outcome.on_attempt(2)).class(), Class::Permanent);
///
/// let layer = RetryLayer::new().classify(Replicated);
/// # let _ = layer;
/// ```
///
/// One that knows of a deadline that is among a request's headers:
///
/// ```
/// use std::time::Duration;
/// use http::{HeaderMap, Request};
/// use tower_http_retry::classify::{Classify, Outcome, RequestHead, Verdict};
/// use tower_http_retry::{ByStatus, RetryOverride};
///
/// /// `x-time-left: 1500` is how many milliseconds the caller waits for the answer.
/// struct Hurried;
///
/// impl Classify for Hurried {
///     fn classify(&self, outcome: &Outcome<'_>) -> Verdict {
///         ByStatus::new().classify(outcome)
///     }
///
///     fn overrides(&self, request: &RequestHead<'_>) -> RetryOverride {
///         match request.header("x-time-left").and_then(|left| left.parse().ok()) {
///             Some(left) => RetryOverride::new().window(Duration::from_millis(left)),
///             None => RetryOverride::new(),
///         }
///     }
///
///     fn renew(&self, headers: &mut HeaderMap, elapsed: Duration) {
///         let Some(left) = headers.get_mut("x-time-left") else {
///             return;
///         };
///         if let Some(millis) = left.to_str().ok().and_then(|left| left.parse::<u64>().ok()) {
///             *left = millis.saturating_sub(elapsed.as_millis() as u64).into();
///         }
///     }
/// }
///
/// let request = Request::get("/").header("x-time-left", "1500").body(()).unwrap();
/// let within = RetryOverride::new().window(Duration::from_millis(1500));
/// assert_eq!(Hurried.overrides(&RequestHead::of(&request)), within);
/// ```
///
/// [`ByStatus`]: super::ByStatus
/// [`RetryLayer::classify_fn`]: crate::RetryLayer::classify_fn
#[doc(alias = "Policy")]
#[doc(alias = "RetryableStrategy")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a classifier",
    note = "for a closure use `RetryLayer::classify_fn`; a type implements `Classify`"
)]
pub trait Classify {
    /// The verdict on one outcome.
    ///
    /// A retry layer asks once for each outcome, before it looks at the number of retries, the window and
    /// the budget.
    fn classify(&self, outcome: &Outcome<'_>) -> Verdict;

    /// What a request's protocol says of it instead of the layer: its deadline, as
    /// [`RetryOverride::window`], or the rules of its method. Nothing, unless implemented.
    ///
    /// What it says takes the place of the layer's settings, but for the window: the shorter of the
    /// two holds. It is asked before the first attempt and once for each outcome that could be
    /// retried, and may answer differently each time: settings can change while a program runs. The
    /// answer holds until the next one. The request's own [`RetryOverride`] goes before it, but does
    /// not make a window longer that is given here.
    fn overrides(&self, request: &RequestHead<'_>) -> RetryOverride {
        let _ = request;
        RetryOverride::new()
    }

    /// Brings the headers of a retry up to date before it is sent: those of the caller's request,
    /// so long after the first attempt's start. They are left as they are, unless implemented.
    fn renew(&self, headers: &mut HeaderMap, elapsed: Duration) {
        let _ = (headers, elapsed);
    }
}

impl<C: Classify + ?Sized> Classify for Box<C> {
    fn classify(&self, outcome: &Outcome<'_>) -> Verdict {
        (**self).classify(outcome)
    }

    fn overrides(&self, request: &RequestHead<'_>) -> RetryOverride {
        (**self).overrides(request)
    }

    fn renew(&self, headers: &mut HeaderMap, elapsed: Duration) {
        (**self).renew(headers, elapsed);
    }
}

impl<C: Classify + ?Sized> Classify for Arc<C> {
    fn classify(&self, outcome: &Outcome<'_>) -> Verdict {
        (**self).classify(outcome)
    }

    fn overrides(&self, request: &RequestHead<'_>) -> RetryOverride {
        (**self).overrides(request)
    }

    fn renew(&self, headers: &mut HeaderMap, elapsed: Duration) {
        (**self).renew(headers, elapsed);
    }
}

/// A closure as a classifier; made by [`RetryLayer::classify_fn`].
///
/// [`RetryLayer::classify_fn`]: crate::RetryLayer::classify_fn
#[derive(Clone, Copy)]
pub struct ClassifyFn<F> {
    pub(crate) classify: F,
}

impl<F> Classify for ClassifyFn<F>
where
    F: Fn(&Outcome<'_>) -> Verdict,
{
    fn classify(&self, outcome: &Outcome<'_>) -> Verdict {
        (self.classify)(outcome)
    }
}

impl<F> fmt::Debug for ClassifyFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClassifyFn").finish_non_exhaustive()
    }
}
