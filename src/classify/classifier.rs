use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use super::outcome::Outcome;
use super::verdict::Verdict;
use crate::head::RequestHead;
use crate::limits::RetryOverride;

/// Decides whether the outcome of an attempt is retried.
///
/// [`ByStatus`] is the default. For a closure, use [`RetryLayer::classify_fn`]. Implement the trait for a
/// classifier that has a name or state.
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
/// This classifier reads the deadline of a request from a header:
///
/// ```
/// use std::time::Duration;
/// use http::{HeaderMap, Request};
/// use tower_http_retry::classify::{Classify, Outcome, RequestHead, Verdict};
/// use tower_http_retry::{ByStatus, RetryOverride};
///
/// /// `x-time-left` is the time that the caller waits for the response, in milliseconds.
/// struct TimeLeft;
///
/// impl Classify for TimeLeft {
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
/// assert_eq!(TimeLeft.overrides(&RequestHead::of(&request)), within);
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
    /// Classifies one outcome.
    ///
    /// A retry layer calls this once for each outcome, before it checks the number of retries, the window
    /// and the budget.
    fn classify(&self, outcome: &Outcome<'_>) -> Verdict;

    /// Returns settings that the protocol of a request determines, such as its deadline
    /// ([`RetryOverride::window`]) or the rules of its method. By default, returns none.
    ///
    /// They replace the layer's settings, except for the window: the shorter window is used. The
    /// [`RetryOverride`] of the request itself takes precedence, but does not extend a window that is
    /// returned here. [`Verdict::repeatable`] takes precedence, too.
    ///
    /// A retry layer calls this before the first attempt and once for each outcome that could be retried.
    /// It may return different settings each time, so that they can change while the program runs. They
    /// apply until the next call.
    fn overrides(&self, request: &RequestHead<'_>) -> RetryOverride {
        let _ = request;
        RetryOverride::new()
    }

    /// Updates the headers of a retry before it is sent. By default, they are unchanged.
    ///
    /// `headers` are those of the caller's request. `elapsed` is the time since the first attempt started,
    /// plus the time that a [`Cooldown`](crate::Cooldown) held it. If the first attempt was held, its headers
    /// are updated, too. A [`HedgeLayer`](crate::HedgeLayer) calls this for each hedge, with the headers of
    /// its request and the time since that was sent.
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

/// Classifier that calls a closure. It is created by [`RetryLayer::classify_fn`].
///
/// # Example
///
/// ```
/// use tower_http_retry::RetryLayer;
/// use tower_http_retry::classify::{ClassifyFn, Outcome, Verdict};
///
/// fn by_status(outcome: &Outcome<'_>) -> Verdict {
///     outcome.by_status()
/// }
/// // A function pointer gives the layer a type that can be named.
/// type Layer = RetryLayer<ClassifyFn<fn(&Outcome<'_>) -> Verdict>>;
/// let layer: Layer = RetryLayer::new().classify_fn(by_status);
/// # let _ = layer;
/// ```
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
