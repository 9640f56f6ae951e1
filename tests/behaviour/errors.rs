//! What an error says, whatever it is wrapped in; and what a time-out comes to.

use crate::support::errors::attempt_timeout;
use std::error::Error;
use std::fmt;
use std::future::pending;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use tokio::time::Instant;
use tower::layer::layer_fn;
use tower::layer::util::Identity;
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_http_retry::classify::{Class, Classify, Outcome, Verdict};
use tower_http_retry::event::StopReason;
use tower_http_retry::{Backoff, BoxError, ByStatus, Jitter, ReplayBody, RetryLayer};

use crate::support::told::{Outcome as ToldOutcome, Told, again_after_a_time_out, handed_over};

fn verdict(error: &(dyn Error + 'static)) -> Verdict {
    let request = Request::new(());
    ByStatus::new().classify(&Outcome::error(&request, error))
}

/// A layer's own error around that of the layer below.
#[derive(Debug)]
struct Wrapped(BoxError);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wrapped")
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

#[derive(Debug)]
struct Unknown;

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown")
    }
}

impl Error for Unknown {}

fn kinds() -> [(ErrorKind, Verdict); 27] {
    let refused = Verdict::from(Class::Refused);
    let transient = Verdict::from(Class::Transient);
    let permanent = Verdict::from(Class::Permanent);
    [
        (ErrorKind::ConnectionRefused, refused),
        (ErrorKind::NotConnected, transient),
        (ErrorKind::AddrInUse, refused),
        (ErrorKind::AddrNotAvailable, refused),
        (ErrorKind::TimedOut, transient.timed_out()),
        (ErrorKind::ConnectionReset, transient),
        (ErrorKind::ConnectionAborted, transient),
        (ErrorKind::BrokenPipe, transient),
        (ErrorKind::UnexpectedEof, transient),
        (ErrorKind::HostUnreachable, transient),
        (ErrorKind::NetworkUnreachable, transient),
        (ErrorKind::NetworkDown, transient),
        (ErrorKind::InvalidData, permanent),
        (ErrorKind::InvalidInput, permanent),
        (ErrorKind::NotFound, permanent),
        (ErrorKind::PermissionDenied, permanent),
        (ErrorKind::AlreadyExists, permanent),
        (ErrorKind::WouldBlock, permanent),
        (ErrorKind::Interrupted, permanent),
        (ErrorKind::WriteZero, permanent),
        (ErrorKind::StorageFull, permanent),
        (ErrorKind::QuotaExceeded, permanent),
        (ErrorKind::FileTooLarge, permanent),
        (ErrorKind::ResourceBusy, permanent),
        (ErrorKind::Unsupported, permanent),
        (ErrorKind::OutOfMemory, permanent),
        (ErrorKind::Other, permanent),
    ]
}

#[test]
fn the_kind_of_an_io_error_decides() {
    for (kind, expected) in kinds() {
        assert_eq!(verdict(&io::Error::from(kind)), expected, "{kind}");
        assert_eq!(verdict(&io::Error::new(kind, "text")), expected, "{kind}");
        assert_eq!(verdict(&io::Error::new(kind, Unknown)), expected, "{kind}");
    }
}

#[test]
fn an_error_is_found_however_deep_it_is() {
    for (kind, expected) in kinds() {
        let mut error = BoxError::from(io::Error::from(kind));
        for depth in 1..=3 {
            error = Wrapped(error).into();
            assert_eq!(verdict(&*error), expected, "{kind}, {depth} levels deep");
        }
    }
}

#[test]
fn an_error_is_found_in_an_io_error_that_wraps_it() {
    for (kind, expected) in kinds() {
        let mut error = io::Error::from(kind);
        for depth in 1..=3 {
            error = io::Error::other(error);
            assert_eq!(verdict(&error), expected, "{kind}, {depth} levels deep");
        }
        let wrapped = io::Error::other(Wrapped(io::Error::other(io::Error::from(kind)).into()));
        assert_eq!(verdict(&wrapped), expected, "{kind}");
    }
}

#[test]
fn the_outermost_error_that_is_known_decides() {
    let refused = || io::Error::from(ErrorKind::ConnectionRefused);
    let reset = |inner: BoxError| io::Error::new(ErrorKind::ConnectionReset, inner);
    assert_eq!(verdict(&reset(refused().into())), Class::Transient.into());
    let wrapped = Wrapped(reset(Wrapped(refused().into()).into()).into());
    assert_eq!(verdict(&wrapped), Class::Transient.into());
}

#[test]
fn a_refusal_that_a_time_out_caused_is_a_time_out() {
    let timed_out = io::Error::from(ErrorKind::TimedOut);
    let refused = io::Error::new(ErrorKind::ConnectionRefused, Wrapped(timed_out.into()));
    assert_eq!(verdict(&refused), Class::Refused.timed_out());
}

#[tokio::test]
async fn a_time_out_is_found_however_deep_it_is() {
    let tokio = tokio::time::timeout(Duration::ZERO, pending::<()>()).await;
    let errors: Vec<BoxError> = vec![
        tokio.unwrap_err().into(),
        #[cfg(feature = "tower")]
        tower::timeout::error::Elapsed::new().into(),
    ];
    for error in errors {
        let expected = Class::Transient.timed_out();
        assert_eq!(verdict(&*error), expected);
        let error = io::Error::other(Wrapped(Wrapped(error).into()));
        assert_eq!(verdict(&error), expected);
    }
}

#[test]
fn an_unknown_error_is_permanent() {
    let permanent = Verdict::from(Class::Permanent);
    assert_eq!(verdict(&Unknown), permanent);
    assert_eq!(verdict(&Wrapped(Unknown.into())), permanent);
    // The text of an error says nothing.
    let texts = ["timeout", "connection refused", "deadline has elapsed"];
    for text in texts {
        assert_eq!(verdict(&*BoxError::from(text)), permanent, "{text}");
    }
}

#[test]
fn an_error_is_classified_in_the_same_way_for_every_method_and_on_every_attempt() {
    let reset = io::Error::from(ErrorKind::ConnectionReset);
    for method in [Method::GET, Method::POST, Method::CONNECT] {
        let request = Request::builder().method(method).body(()).unwrap();
        for attempt in [1, 2, u32::MAX] {
            let outcome = Outcome::error(&request, &reset).on_attempt(attempt);
            assert_eq!(ByStatus::new().classify(&outcome), Class::Transient.into());
        }
    }
}

type Body = Full<Bytes>;
type Upstream = BoxCloneSyncService<Request<ReplayBody<Body>>, Response<Body>, BoxError>;

const LIMIT: Duration = Duration::from_secs(10);

/// What became of a request to a service that never answers.
struct Silence {
    /// When each attempt came, in seconds.
    attempts: Vec<u64>,
    told: Told,
    result: Result<Response<Body>, BoxError>,
}

/// Sends a request through two retries, 1 and 2 seconds apart if nothing times out.
async fn send<C, L>(layer: RetryLayer<C>, limit: L, method: Method) -> Silence
where
    C: Classify,
    L: Layer<Upstream>,
    L::Service: Service<Request<ReplayBody<Body>>, Response = Response<Body>> + Clone,
    <L::Service as Service<Request<ReplayBody<Body>>>>::Error: Into<BoxError>,
{
    let attempts = Arc::new(Mutex::new(Vec::new()));
    let start = Instant::now();
    let silent = BoxCloneSyncService::new(service_fn({
        let attempts = attempts.clone();
        move |_| {
            attempts.lock().unwrap().push(start.elapsed().as_secs());
            pending()
        }
    }));
    let told = Told::default();
    let listener = told.clone();
    let layer = layer
        .max_retries(2)
        .backoff(Backoff::exponential(Duration::from_secs(1)).jitter(Jitter::None))
        .on_event(move |event| listener.hear(event));
    let uri = "http://upstream.test/item";
    let request = Request::builder().method(method).uri(uri);
    let request = request.body(Body::from("item")).unwrap();
    let result = layer.layer(limit.layer(silent)).oneshot(request).await;
    let attempts = attempts.lock().unwrap().clone();
    Silence {
        attempts,
        told,
        result,
    }
}

/// Both retries, each one step further up the series than without a time-out.
fn sent_again(silence: &Silence, status: impl Fn(ToldOutcome) -> ToldOutcome) {
    assert_eq!(silence.attempts, [0, 12, 26]);
    let again = status(again_after_a_time_out(Class::Transient));
    let last = status(handed_over(Class::Transient, StopReason::Attempts).timed_out());
    let outcomes = [again.in_seconds(2), again.in_seconds(4), last];
    assert_eq!(silence.told.outcomes(), outcomes);
}

/// No retry, as the server may have acted on the request.
fn sent_once(silence: &Silence, status: impl Fn(ToldOutcome) -> ToldOutcome) {
    assert_eq!(silence.attempts, [0]);
    let stop = handed_over(Class::Transient, StopReason::NotIdempotent).timed_out();
    assert_eq!(silence.told.outcomes(), [status(stop)]);
}

#[cfg(feature = "tower")]
#[tokio::test(start_paused = true)]
async fn a_time_out_of_tower_s_layer_waits_one_step_further_up() {
    let limit = tower::timeout::TimeoutLayer::new(LIMIT);
    let silence = send(RetryLayer::new(), limit.clone(), Method::GET).await;
    sent_again(&silence, |outcome| outcome);
    assert!(
        silence
            .result
            .unwrap_err()
            .is::<tower::timeout::error::Elapsed>()
    );

    let silence = send(RetryLayer::new(), limit, Method::POST).await;
    sent_once(&silence, |outcome| outcome);
    assert!(
        silence
            .result
            .unwrap_err()
            .is::<tower::timeout::error::Elapsed>()
    );
}

#[tokio::test(start_paused = true)]
async fn an_attempt_s_own_time_out_waits_one_step_further_up() {
    let layer = || RetryLayer::new().attempt_timeout(LIMIT);
    let silence = send(layer(), Identity::new(), Method::GET).await;
    sent_again(&silence, |outcome| outcome);
    assert!(attempt_timeout(&*silence.result.unwrap_err()).is_some());

    let silence = send(layer(), Identity::new(), Method::POST).await;
    sent_once(&silence, |outcome| outcome);
    assert!(attempt_timeout(&*silence.result.unwrap_err()).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_time_out_of_tokio_waits_one_step_further_up() {
    let limit = layer_fn(|upstream: Upstream| {
        service_fn(move |request| {
            let answer = tokio::time::timeout(LIMIT, upstream.clone().oneshot(request));
            async move { answer.await.map_err(BoxError::from)? }
        })
    });
    let silence = send(RetryLayer::new(), &limit, Method::GET).await;
    sent_again(&silence, |outcome| outcome);
    assert!(
        silence
            .result
            .unwrap_err()
            .is::<tokio::time::error::Elapsed>()
    );

    let silence = send(RetryLayer::new(), &limit, Method::POST).await;
    sent_once(&silence, |outcome| outcome);
    assert!(
        silence
            .result
            .unwrap_err()
            .is::<tokio::time::error::Elapsed>()
    );
}

fn answers(status: StatusCode) -> tower_http::timeout::TimeoutLayer {
    tower_http::timeout::TimeoutLayer::with_status_code(status, LIMIT)
}

#[tokio::test(start_paused = true)]
async fn a_time_out_answered_with_504_waits_one_step_further_up() {
    let limit = answers(StatusCode::GATEWAY_TIMEOUT);
    let silence = send(RetryLayer::new(), limit, Method::GET).await;
    sent_again(&silence, |outcome| outcome.of(504));
    assert_eq!(silence.result.unwrap().status(), 504);

    let silence = send(RetryLayer::new(), limit, Method::POST).await;
    sent_once(&silence, |outcome| outcome.of(504));
    assert_eq!(silence.result.unwrap().status(), 504);
}

#[tokio::test(start_paused = true)]
async fn a_time_out_answered_with_408_waits_one_step_further_up_where_408_is_retried() {
    let limit = answers(StatusCode::REQUEST_TIMEOUT);
    let layer = || RetryLayer::new().classify(ByStatus::new().also(StatusCode::REQUEST_TIMEOUT));
    let silence = send(layer(), limit, Method::GET).await;
    sent_again(&silence, |outcome| outcome.of(408));
    assert_eq!(silence.result.unwrap().status(), 408);

    let silence = send(layer(), limit, Method::POST).await;
    sent_once(&silence, |outcome| outcome.of(408));
    assert_eq!(silence.result.unwrap().status(), 408);

    let silence = send(RetryLayer::new(), limit, Method::GET).await;
    assert_eq!(silence.attempts, [0]);
    let stop = handed_over(Class::Permanent, StopReason::Permanent).of(408);
    assert_eq!(silence.told.outcomes(), [stop]);
    assert_eq!(silence.result.unwrap().status(), 408);
}
