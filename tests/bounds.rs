//! What the types promise, checked by the compiler.

use std::fmt::Debug;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::util::BoxCloneService;
use tower::{Layer, Service};
use tower_http_retry::{
    Abandoned, Attempt, AttemptTimedOut, Attempts, AttemptsHandle, Backoff, BoxError, Budget,
    ByStatus, ClassifyFn, Idempotency, ReplayBody, ResponseFuture, Retry, RetryLayer,
    RetryOverride, Verdict,
};

type Inner = BoxCloneService<Request<ReplayBody<Full<Bytes>>>, Response<Full<Bytes>>, BoxError>;

fn is_send<T: Send>() {}
fn is_sync<T: Sync>() {}
fn is_clone<T: Clone>() {}
fn is_debug<T: Debug>() {}
fn is_unpin<T: Unpin>() {}

#[derive(Clone, Debug)]
struct Plain;

/// `Send`, but not `Sync`.
struct NotSync(#[allow(dead_code)] std::cell::Cell<u8>);

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
    // A classifier need not be `Clone`: it is shared.
    is_clone::<Retry<Plain, ClassifyFn<NotSync>>>();
    is_debug::<RetryLayer<ClassifyFn<NotSync>>>();
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
    is_send::<(
        Backoff,
        Budget,
        Idempotency,
        Verdict,
        Abandoned,
        AttemptTimedOut,
    )>();
    is_sync::<(
        Backoff,
        Budget,
        Idempotency,
        Verdict,
        Abandoned,
        AttemptTimedOut,
    )>();
}

#[test]
fn nothing_need_be_static() {
    struct Borrowing<'a>(&'a str);
    impl<'a> Service<Request<ReplayBody<Full<&'a [u8]>>>> for &'a Borrowing<'a> {
        type Response = Response<Full<&'a [u8]>>;
        type Error = BoxError;
        type Future = std::future::Ready<Result<Self::Response, BoxError>>;

        fn poll_ready(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), BoxError>> {
            std::task::Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<ReplayBody<Full<&'a [u8]>>>) -> Self::Future {
            std::future::ready(Ok(Response::new(Full::new(self.0.as_bytes()))))
        }
    }

    let text = String::from("on the stack");
    let inner = Borrowing(&text);
    let mut service = RetryLayer::new().layer(&inner);
    let future = service.call(Request::new(Full::new(text.as_bytes())));
    let response = tokio_test::block_on(future).unwrap();
    assert_eq!(response.into_body().into_inner(), Some(text.as_bytes()));
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
