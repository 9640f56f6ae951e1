//! Classifiers of tower-http's, which say what is retried.

use std::io::ErrorKind;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use tower::{Layer, ServiceExt};
use tower_http::classify::{
    ClassifiedResponse, ClassifyResponse, GrpcErrorsAsFailures, NeverClassifyEos,
    ServerErrorsAsFailures, StatusInRangeAsFailures, StatusInRangeFailureClass,
};
use tower_http_retry::classify::{ByTowerHttp, Class, Classify, Outcome};
use tower_http_retry::{Backoff, Jitter, RetryLayer};

use crate::support::upstream::Answer::{Error, Headers, Status};
use crate::support::upstream::{Answer, Upstream, get, post};

fn layer() -> RetryLayer {
    RetryLayer::new().backoff(Backoff::fixed(Duration::from_secs(1)).jitter(Jitter::None))
}

/// The status that is returned of 200 after such an answer, and the number of attempts.
async fn sent(classify: impl Classify, first: Answer) -> (u16, usize) {
    let upstream = Upstream::new([first, Status(200)]);
    let service = layer().classify(classify).layer(upstream.clone());
    let status = service.oneshot(get()).await.unwrap().status();
    (status.as_u16(), upstream.count())
}

#[tokio::test(start_paused = true)]
async fn what_is_a_failure_for_it_is_retried_and_nothing_else_is() {
    let server_errors = || ByTowerHttp::new(ServerErrorsAsFailures::new());
    for status in [500, 501, 503, 504, 599] {
        assert_eq!(sent(server_errors(), Status(status)).await, (200, 2));
    }
    for status in [200, 304, 404, 408, 429] {
        assert_eq!(sent(server_errors(), Status(status)).await, (status, 1));
    }
    let in_range = || ByTowerHttp::new(StatusInRangeAsFailures::new(400..=499));
    assert_eq!(sent(in_range(), Status(404)).await, (200, 2));
    assert_eq!(sent(in_range(), Status(503)).await, (503, 1));
}

/// A failure, if a header says so.
#[derive(Clone, Debug)]
struct ByHeader;

impl ClassifyResponse for ByHeader {
    type FailureClass = StatusCode;
    type ClassifyEos = NeverClassifyEos<StatusCode>;

    fn classify_response<B>(
        self,
        response: &Response<B>,
    ) -> ClassifiedResponse<StatusCode, Self::ClassifyEos> {
        ClassifiedResponse::Ready(match response.headers().contains_key("x-failed") {
            true => Err(response.status()),
            false => Ok(()),
        })
    }

    fn classify_error<E: std::fmt::Display + 'static>(self, _: &E) -> StatusCode {
        unreachable!("errors are not classified by it")
    }
}

#[tokio::test(start_paused = true)]
async fn one_of_the_users_own_sees_the_headers() {
    let failed = |status| Headers(status, vec![("x-failed", "1".to_owned())]);
    for status in [200, 302, 404, 503] {
        let classify = ByTowerHttp::new(ByHeader);
        assert_eq!(sent(classify.clone(), failed(status)).await, (200, 2));
        assert_eq!(sent(classify, Status(status)).await, (status, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn it_sees_version_and_extensions_of_the_response() {
    #[derive(Clone)]
    struct Failed;

    #[derive(Clone)]
    struct ByExtension;

    impl ClassifyResponse for ByExtension {
        type FailureClass = ();
        type ClassifyEos = NeverClassifyEos<()>;

        fn classify_response<B>(
            self,
            response: &Response<B>,
        ) -> ClassifiedResponse<(), Self::ClassifyEos> {
            let is_failed = response.extensions().get::<Failed>().is_some()
                && response.version() == http::Version::HTTP_2;
            ClassifiedResponse::Ready(if is_failed { Err(()) } else { Ok(()) })
        }

        fn classify_error<E: std::fmt::Display + 'static>(self, _: &E) {}
    }

    let request = Request::new(());
    let response = Response::builder().version(http::Version::HTTP_2);
    let response = response.extension(Failed).body(()).unwrap();
    let outcome = Outcome::response(&request, &response);
    let class = ByTowerHttp::new(ByExtension).classify(&outcome).class();
    assert_eq!(class, Class::Transient);
    let plain = Response::new(());
    let outcome = Outcome::response(&request, &plain);
    let class = ByTowerHttp::new(ByExtension).classify(&outcome).class();
    assert_eq!(class, Class::Success);
}

#[tokio::test(start_paused = true)]
async fn a_status_that_says_more_is_heard_where_it_is_a_failure() {
    let classify = ByTowerHttp::new(StatusInRangeAsFailures::new(400..=599));
    let request = Request::new(());
    for status in [429, 503, 504] {
        let response = Response::builder().status(status).body(()).unwrap();
        let outcome = Outcome::response(&request, &response);
        assert_eq!(classify.classify(&outcome), outcome.by_status(), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_post_is_not_repeated_after_a_failure_that_the_server_may_have_acted_on() {
    let upstream = Upstream::new([Status(503), Status(200)]);
    let classify = ByTowerHttp::new(ServerErrorsAsFailures::new());
    let service = layer().classify(classify).layer(upstream.clone());
    assert_eq!(service.oneshot(post()).await.unwrap().status(), 503);
    assert_eq!(upstream.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn errors_are_told_apart_as_they_are_by_status() {
    let classify = || ByTowerHttp::new(ServerErrorsAsFailures::new());
    let refused = Error(ErrorKind::ConnectionRefused);
    assert_eq!(sent(classify(), refused).await, (200, 2));
    let upstream = Upstream::new([Error(ErrorKind::InvalidData)]);
    let service = layer().classify(classify()).layer(upstream.clone());
    assert!(service.oneshot(get()).await.is_err());
    assert_eq!(upstream.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_response_whose_end_would_have_to_be_waited_for_is_returned() {
    let classify = ByTowerHttp::new(GrpcErrorsAsFailures::new());
    assert_eq!(sent(classify.clone(), Status(200)).await, (200, 1));
    let unavailable = Headers(200, vec![("grpc-status", "14".to_owned())]);
    assert_eq!(sent(classify, unavailable).await, (200, 2));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_has_changed_hands_is_returned_whatever_it_says() {
    let classify = ByTowerHttp::new(StatusInRangeAsFailures::new(100..=599));
    let class = |method, status| {
        let request = Request::builder().method(method).body(()).unwrap();
        let response = Response::builder().status(status).body(()).unwrap();
        let outcome = Outcome::response(&request, &response);
        classify.classify(&outcome).class()
    };
    assert_eq!(class(Method::GET, 101), Class::Success);
    assert_eq!(class(Method::CONNECT, 200), Class::Success);
    assert_eq!(class(Method::CONNECT, 503), Class::Permanent);
    assert_eq!(class(Method::GET, 200), Class::Transient);
}

#[tokio::test(start_paused = true)]
async fn a_function_says_what_its_failures_mean() {
    let in_range = StatusInRangeAsFailures::new(400..=599);
    let classify = ByTowerHttp::new(in_range).failures(|failure, outcome| match failure {
        StatusInRangeFailureClass::StatusCode(StatusCode::LOCKED) => Class::Refused.into(),
        _ => outcome.by_status(),
    });
    assert_eq!(sent(classify.clone(), Status(423)).await, (200, 2));
    assert_eq!(sent(classify.clone(), Status(404)).await, (404, 1));
    assert_eq!(sent(classify, Status(503)).await, (200, 2));
}

#[test]
fn it_prints_its_classifier() {
    let printed = format!(
        "{:?}",
        ByTowerHttp::new(StatusInRangeAsFailures::new(400..=499))
    );
    let expected = "ByTowerHttp { classifier: StatusInRangeAsFailures { range: 400..=499 }, .. }";
    assert_eq!(printed, expected);
}
