use std::fmt;

use http::{Method, Response, StatusCode};
use tower_http::classify::{ClassifiedResponse, ClassifyResponse};

use super::classifier::Classify;
use super::outcome::Outcome;
use super::verdict::Verdict;
use crate::class::Class;
use crate::head::ResponseHead;

/// Classifier that retries the responses which a classifier of tower-http considers failures.
///
/// Any [`ClassifyResponse`] can be used: tower-http's own, such as [`ServerErrorsAsFailures`], or the one
/// of a `TraceLayer`, so that the same responses are retried and traced as failures.
///
/// | outcome | verdict |
/// |---|---|
/// | a response that is a failure for the classifier | that of [`ByStatus`](super::ByStatus) if it retries the response, otherwise [`Class::Transient`]; or what [`failures`](Self::failures) returns |
/// | a response that is a success, or is classified at the end of its body | [`Class::Success`]: it is returned |
/// | a response with 101, or to CONNECT | it is returned, regardless of the classifier |
/// | an error | that of [`ByStatus`](super::ByStatus) |
///
/// Note that 429 is a success for `ServerErrorsAsFailures`, and that every 4xx in its range is retried
/// with `StatusInRangeAsFailures`.
///
/// The classifier is cloned for each response. It receives the status, the version, and copies of the headers
/// and extensions, but not the body.
///
/// # Example
///
/// ```
/// use http::{Request, Response};
/// use tower_http::classify::ServerErrorsAsFailures;
/// use tower_http_retry::RetryLayer;
/// use tower_http_retry::classify::{ByTowerHttp, Class, Classify, Outcome};
///
/// let classify = ByTowerHttp::new(ServerErrorsAsFailures::new());
///
/// let request = Request::new(());
/// let class = |status| {
///     let response = Response::builder().status(status).body(()).unwrap();
///     classify.classify(&Outcome::response(&request, &response)).class()
/// };
/// assert_eq!(class(503), Class::Transient);
/// assert_eq!(class(404), Class::Success);
///
/// let layer = RetryLayer::new().classify(classify);
/// # let _ = layer;
/// ```
///
/// [`ServerErrorsAsFailures`]: tower_http::classify::ServerErrorsAsFailures
#[derive(Clone)]
pub struct ByTowerHttp<
    T: ClassifyResponse,
    F = fn(<T as ClassifyResponse>::FailureClass, &Outcome<'_>) -> Verdict,
> {
    classifier: T,
    failures: F,
}

impl<T: ClassifyResponse> ByTowerHttp<T> {
    /// Creates a classifier from one of tower-http's.
    pub fn new(classifier: T) -> Self {
        Self {
            classifier,
            failures: by_status,
        }
    }
}

impl<T: ClassifyResponse, F> ByTowerHttp<T, F> {
    /// Sets a function that returns the verdict on a response that is a failure, given the failure class of
    /// tower-http's classifier. By default, the verdict is that of [`ByStatus`](super::ByStatus) if it
    /// retries the response, otherwise [`Class::Transient`].
    ///
    /// ```
    /// use http::StatusCode;
    /// use tower_http::classify::{StatusInRangeAsFailures, StatusInRangeFailureClass};
    /// use tower_http_retry::RetryLayer;
    /// use tower_http_retry::classify::{ByTowerHttp, Class};
    ///
    /// // The classifier of a `TraceLayer`: 4xx are failures that are not retried, except for one.
    /// let traced = StatusInRangeAsFailures::new(400..=599);
    /// let classify = ByTowerHttp::new(traced).failures(|failure, outcome| match failure {
    ///     StatusInRangeFailureClass::StatusCode(StatusCode::LOCKED) => Class::Transient.into(),
    ///     _ => outcome.by_status(),
    /// });
    /// let layer = RetryLayer::new().classify(classify);
    /// # let _ = layer;
    /// ```
    pub fn failures<G>(self, failures: G) -> ByTowerHttp<T, G>
    where
        G: Fn(T::FailureClass, &Outcome<'_>) -> Verdict,
    {
        ByTowerHttp {
            classifier: self.classifier,
            failures,
        }
    }
}

impl<T, F> Classify for ByTowerHttp<T, F>
where
    T: ClassifyResponse + Clone,
    F: Fn(T::FailureClass, &Outcome<'_>) -> Verdict,
{
    fn classify(&self, outcome: &Outcome<'_>) -> Verdict {
        let Ok(head) = outcome.result() else {
            return outcome.by_status();
        };
        // The connection is used for another protocol.
        let is_final = *outcome.method() == Method::CONNECT
            || head.status() == StatusCode::SWITCHING_PROTOCOLS;
        if is_final {
            return outcome.by_status();
        }
        match self.classifier.clone().classify_response(&copy(&head)) {
            ClassifiedResponse::Ready(Err(failure)) => (self.failures)(failure, outcome),
            ClassifiedResponse::Ready(Ok(())) | ClassifiedResponse::RequiresEos(_) => {
                Class::Success.into()
            }
        }
    }
}

/// Returns the default verdict on a failure, regardless of its failure class.
fn by_status<E>(_: E, outcome: &Outcome<'_>) -> Verdict {
    let verdict = outcome.by_status();
    match verdict.class() {
        Class::Transient | Class::Refused => verdict,
        Class::Success | Class::Permanent => Class::Transient.into(),
    }
}

/// Copies the response without its body, because tower-http's trait requires a [`Response`].
fn copy(head: &ResponseHead<'_>) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = head.status();
    *response.version_mut() = head.version();
    *response.headers_mut() = head.headers().clone();
    *response.extensions_mut() = head.extensions().clone();
    response
}

impl<T: ClassifyResponse + fmt::Debug, F> fmt::Debug for ByTowerHttp<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByTowerHttp")
            .field("classifier", &self.classifier)
            .finish_non_exhaustive()
    }
}
