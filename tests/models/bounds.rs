//! What the types promise, checked by the compiler.

use std::cell::Cell;
use std::fmt::Debug;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::util::BoxCloneService;
use tower::{Layer, Service};
use tower_http_retry::classify::{Class, ClassifyFn, Outcome, Verdict};
use tower_http_retry::commit::{BrokenAnswer, Commit, CommitFuture, CommittedBody};
use tower_http_retry::event::StopReason;
use tower_http_retry::hedge::{
    DropLosers, Hedge, HedgeBody, HedgeEventKind, HedgeFuture, Hedged, KeepLosers,
};
use tower_http_retry::resume::{Resume, ResumeBody, ResumeError, ResumeFuture, Unresumable};
use tower_http_retry::verify::{Unverified, Verified, Verify, VerifyBody, VerifyFuture};
use tower_http_retry::{
    Attempt, Attempts, AttemptsHandle, Backoff, BoxError, Budget, ByStatus, CommitLayer, Cooldown,
    HedgeLayer, Idempotency, Jitter, ReplayBody, ResponseFuture, ResumeLayer, Retry, RetryAfter,
    RetryError, RetryLayer, RetryOverride, VerifyLayer,
};

type Inner = BoxCloneService<Request<ReplayBody<Full<Bytes>>>, Response<Full<Bytes>>, BoxError>;

fn is_send<T: Send>() {}
fn is_sync<T: Sync>() {}
fn is_clone<T: Clone>() {}
fn is_debug<T: Debug>() {}
fn is_unpin<T: Unpin>() {}

#[derive(Clone, Debug)]
struct Plain;

/// Its future is of this size.
struct Large;

impl<B> Service<Request<B>> for Large {
    type Response = Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = LargeFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> LargeFuture {
        LargeFuture([0; 4_096])
    }
}

struct LargeFuture(#[allow(dead_code)] [u8; 4_096]);

impl Future for LargeFuture {
    type Output = Result<Response<Full<Bytes>>, BoxError>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Pending
    }
}

/// `Send`, but not `Sync`.
struct NotSync(#[allow(dead_code)] Cell<u8>);

#[test]
fn a_retry_is_clone_send_sync_and_debug_where_its_parts_are() {
    is_clone::<Retry<Plain>>();
    is_send::<Retry<Plain>>();
    is_sync::<Retry<Plain>>();
    is_debug::<Retry<Plain>>();
    is_clone::<RetryLayer>();
    is_send::<RetryLayer>();
    is_sync::<RetryLayer>();
    is_debug::<RetryLayer>();
    is_send::<Retry<NotSync>>();
    // A classifier need not be `Clone`: it is shared.
    is_clone::<Retry<Plain, ClassifyFn<NotSync>>>();
    is_debug::<RetryLayer<ClassifyFn<NotSync>>>();
}

#[test]
fn a_verify_is_clone_send_sync_and_debug_where_its_parts_are() {
    is_clone::<Verify<Plain>>();
    is_send::<Verify<Plain>>();
    is_sync::<Verify<Plain>>();
    is_debug::<Verify<Plain>>();
    is_clone::<VerifyLayer>();
    is_send::<VerifyLayer>();
    is_sync::<VerifyLayer>();
    is_debug::<VerifyLayer>();
    is_send::<VerifyFuture<Inner, Full<Bytes>, Full<Bytes>>>();
    is_debug::<VerifyFuture<Inner, Full<Bytes>, Full<Bytes>>>();
    is_send::<VerifyBody<Full<Bytes>>>();
    is_sync::<VerifyBody<Full<Bytes>>>();
    is_debug::<VerifyBody<Full<Bytes>>>();
    is_send::<(Verified, Unverified)>();
    is_sync::<(Verified, Unverified)>();
}

#[test]
fn a_commit_is_clone_send_sync_and_debug_where_its_parts_are() {
    is_clone::<(CommitLayer, Commit<Plain>)>();
    is_send::<(CommitLayer, Commit<Plain>)>();
    is_sync::<(CommitLayer, Commit<Plain>)>();
    is_debug::<(CommitLayer, Commit<Plain>)>();
    is_send::<CommitFuture<Plain, Full<Bytes>>>();
    is_debug::<CommitFuture<Plain, Full<Bytes>>>();
    is_send::<CommittedBody<Full<Bytes>>>();
    is_sync::<CommittedBody<Full<Bytes>>>();
    is_unpin::<CommittedBody<Full<Bytes>>>();
    is_debug::<CommittedBody<Full<Bytes>>>();
    is_send::<BrokenAnswer>();
    is_sync::<BrokenAnswer>();
}

#[test]
fn a_resume_is_clone_send_sync_and_debug_where_its_parts_are() {
    is_clone::<(ResumeLayer, Resume<Plain>)>();
    is_send::<(ResumeLayer, Resume<Plain>)>();
    is_sync::<(ResumeLayer, Resume<Plain>)>();
    is_debug::<(ResumeLayer, Resume<Plain>)>();
    is_send::<Resume<NotSync>>();
    is_clone::<Resume<Plain, ClassifyFn<NotSync>>>();
    type Inner = BoxCloneService<Request<Full<Bytes>>, Response<Full<Bytes>>, BoxError>;
    is_send::<ResumeFuture<Inner, ByStatus, Full<Bytes>>>();
    is_debug::<ResumeFuture<Inner, ByStatus, Full<Bytes>>>();
    is_send::<ResumeBody<Inner, ByStatus, Full<Bytes>, Full<Bytes>>>();
    // Whatever the futures of the service are.
    is_unpin::<ResumeBody<Large, ByStatus, Full<Bytes>, Full<Bytes>>>();
    is_debug::<ResumeBody<Inner, ByStatus, Full<Bytes>, Full<Bytes>>>();
    is_send::<(ResumeError, Unresumable)>();
    is_sync::<(ResumeError, Unresumable)>();
}

#[test]
fn a_hedge_is_clone_send_sync_and_debug_where_its_parts_are() {
    is_clone::<(HedgeLayer, Hedge<Plain>)>();
    is_send::<(HedgeLayer, Hedge<Plain>)>();
    is_sync::<(HedgeLayer, Hedge<Plain>)>();
    is_debug::<(HedgeLayer, Hedge<Plain>)>();
    is_send::<Hedge<NotSync>>();
    is_clone::<Hedge<Plain, ClassifyFn<NotSync>>>();
    is_clone::<(DropLosers, KeepLosers)>();
    type Body = Full<Bytes>;
    type Inner = BoxCloneService<Request<HedgeBody<Body>>, Response<Body>, BoxError>;
    is_send::<HedgeFuture<Inner, ByStatus, Body>>();
    is_send::<HedgeFuture<Inner, ByStatus, Body, KeepLosers>>();
    is_debug::<HedgeFuture<Inner, ByStatus, Body>>();
    is_send::<HedgeBody<Body>>();
    is_sync::<HedgeBody<Body>>();
    is_unpin::<HedgeBody<Body>>();
    is_debug::<HedgeBody<Body>>();
    is_send::<(Hedged, HedgeEventKind)>();
}

/// What only a download that breaks needs is made when it does.
#[test]
fn a_resume_body_is_the_inner_one_and_two_words() {
    type Body = ResumeBody<Large, ByStatus, Full<Bytes>, Full<Bytes>>;
    let inner = size_of::<Full<Bytes>>();
    assert!(size_of::<Body>() <= inner + 2 * size_of::<usize>());
}

#[cfg(feature = "grpc")]
#[test]
fn what_peeks_is_clone_send_sync_and_debug_where_its_parts_are() {
    use tower_http_retry::grpc::{PeekFuture, PeekTrailers, PeekTrailersLayer, PeekedBody};
    is_clone::<(PeekTrailersLayer, PeekTrailers<Plain>)>();
    is_send::<(PeekTrailersLayer, PeekTrailers<Plain>)>();
    is_sync::<(PeekTrailersLayer, PeekTrailers<Plain>)>();
    is_debug::<(PeekTrailersLayer, PeekTrailers<Plain>)>();
    is_send::<PeekFuture<Plain, Full<Bytes>>>();
    is_debug::<PeekFuture<Plain, Full<Bytes>>>();
    is_send::<PeekedBody<Full<Bytes>>>();
    is_sync::<PeekedBody<Full<Bytes>>>();
    is_debug::<PeekedBody<Full<Bytes>>>();
}

#[test]
fn a_verify_future_is_the_inner_one_and_a_word() {
    type Future = VerifyFuture<Large, Full<Bytes>, Full<Bytes>>;
    let inner = size_of::<<Large as Service<Request<ReplayBody<Full<Bytes>>>>>::Future>();
    assert_eq!(inner, 4_096);
    assert!(size_of::<Future>() <= inner + size_of::<usize>());
}

#[test]
fn a_body_is_send_sync_and_unpin_for_any_source_that_is_send() {
    is_send::<ReplayBody<NotSync>>();
    is_sync::<ReplayBody<NotSync>>();
    is_unpin::<ReplayBody<std::marker::PhantomPinned>>();
    is_debug::<ReplayBody<NotSync>>();
}

#[test]
fn a_future_is_send_where_its_parts_are() {
    is_send::<ResponseFuture<Inner, ByStatus, Full<Bytes>>>();
    is_debug::<ResponseFuture<Inner, ByStatus, Full<Bytes>>>();
}

#[test]
fn the_nouns_are_send_and_sync() {
    is_send::<(Attempt, Attempts, AttemptsHandle, RetryOverride)>();
    is_sync::<(Attempt, Attempts, AttemptsHandle, RetryOverride)>();
    is_send::<(Backoff, Budget, Cooldown, Idempotency, Verdict, RetryError)>();
    is_sync::<(Backoff, Budget, Cooldown, Idempotency, Verdict, RetryError)>();
    is_send::<(ByStatus, Class, Jitter, RetryAfter, StopReason)>();
    is_sync::<(ByStatus, Class, Jitter, RetryAfter, StopReason)>();
}

#[test]
fn nothing_need_be_static() {
    struct Borrowing<'a>(&'a str);
    impl<'a> Service<Request<ReplayBody<Full<&'a [u8]>>>> for &'a Borrowing<'a> {
        type Response = Response<Full<&'a [u8]>>;
        type Error = BoxError;
        type Future = std::future::Ready<Result<Self::Response, BoxError>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<ReplayBody<Full<&'a [u8]>>>) -> Self::Future {
            std::future::ready(Ok(Response::new(Full::new(self.0.as_bytes()))))
        }
    }

    let text = String::from("on the stack");
    let inner = Borrowing(&text);
    let seen = Cell::new(0);
    let layer = RetryLayer::new().classify_fn(|outcome| {
        seen.set(outcome.attempt());
        outcome.by_status()
    });
    let mut service = layer.layer(VerifyLayer::new().layer(&inner));
    let future = service.call(Request::new(Full::new(text.as_bytes())));
    let response = tokio_test::block_on(future).unwrap();
    assert_eq!(seen.get(), 1);
    let body = tokio_test::block_on(response.into_body().collect()).unwrap();
    assert_eq!(body.to_bytes(), text.as_bytes());
}

/// A wrapper of one lifetime, as of a classifier's own view of an outcome.
struct Mine<'a>(&'a Outcome<'a>);

fn wrapped<'a, 'b: 'a>(outcome: &'a Outcome<'b>) -> Mine<'a> {
    Mine(outcome)
}

fn shortened<'a, 'b: 'a>(mine: Mine<'b>, _: &'a str) -> Mine<'a> {
    mine
}

#[test]
fn an_outcome_is_covariant_in_its_lifetime() {
    let request = Request::get("/").body(()).unwrap();
    let response = Response::new(());
    let outcome = Outcome::response(&request, &response);
    let shorter = String::from("GET");
    let mine = shortened(wrapped(&outcome), &shorter);
    assert_eq!(mine.0.method(), shorter.as_str());
}

#[test]
fn a_service_under_the_retry_may_be_boxed() {
    let inner = tower::service_fn(|request: Request<ReplayBody<Full<Bytes>>>| async move {
        assert_eq!(request.method(), "GET");
        Ok::<_, BoxError>(Response::new(Full::<Bytes>::from("boxed")))
    });
    let mut service = RetryLayer::new().layer(Inner::new(inner));
    let response = tokio_test::block_on(service.call(Request::new(Full::default()))).unwrap();
    assert_eq!(
        response.into_body().into_inner(),
        Some(Bytes::from("boxed"))
    );
}
