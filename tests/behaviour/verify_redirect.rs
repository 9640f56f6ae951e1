//! A verify layer above one that follows redirects: what another resource answers is no proof, of
//! neither a create nor a delete.

use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_http::follow_redirect::FollowRedirectLayer;
use tower_http_retry::verify::{Unverified, Verified, VerifyBody};
use tower_http_retry::{AttemptsHandle, Backoff, BoxError, ReplayBody, RetryLayer, VerifyLayer};

use crate::support::management::{Body, response};

const ITEM: &str = "http://service.test/items/a";

/// What came of a PUT or DELETE of the item.
struct Sent {
    outcome: Result<Response<VerifyBody<Body>>, BoxError>,
    attempts: u32,
    /// What the service was asked, as in `GET /items/a`.
    calls: Vec<String>,
}

/// Each PUT and DELETE is answered 500, and each GET by the page of its path.
async fn send(method: Method, page: impl Fn(&str) -> Response<Body>) -> Sent {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let service = |request: Request<ReplayBody<Full<Bytes>>>| {
        let path = request.uri().path();
        let call = format!("{} {path}", request.method());
        calls.lock().unwrap().push(call);
        let answer = match request.method().is_safe() {
            true => page(path),
            false => response(500, "failed"),
        };
        ready(Ok::<_, BoxError>(answer))
    };
    let client = ServiceBuilder::new()
        .layer(RetryLayer::new().backoff(Backoff::fixed(Duration::from_secs(1))))
        .layer(VerifyLayer::new())
        .layer(FollowRedirectLayer::new())
        .service_fn(service);
    let attempts = AttemptsHandle::new();
    let request = Request::builder().method(method).uri(ITEM);
    let request = request.header("if-none-match", "*");
    let request = request.extension(attempts.clone());
    let request = request.body(Full::from("an item")).unwrap();
    let outcome = client.oneshot(request).await;
    let calls = calls.lock().unwrap().clone();
    Sent {
        outcome,
        attempts: attempts.get().count,
        calls,
    }
}

fn redirect(status: u16, location: &'static str) -> Response<Body> {
    let mut response = response(status, "");
    let location = HeaderValue::from_static(location);
    response.headers_mut().insert("location", location);
    response
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_redirected_to_a_page_that_says_200_is_not_told_as_created() {
    for status in [301, 302, 303, 307, 308] {
        for location in ["/sign-in", "http://sign-in.test/", "/items/a?next=1"] {
            let sent = send(Method::PUT, |path| match path {
                "/items/a" => redirect(status, location),
                _ => response(200, "who are you?"),
            });
            let sent = sent.await;
            let error = sent.outcome.unwrap_err();
            let unverified = error.downcast_ref::<Unverified>().unwrap();
            assert_eq!(unverified.uri(), ITEM);
            // The redirects to the item with a query go in circles, until one is not followed.
            let answered = if location == "/items/a?next=1" {
                status
            } else {
                200
            };
            assert_eq!(unverified.response().status(), answered);
            assert_eq!(sent.attempts, 2);
            assert_eq!(sent.calls[..2], ["PUT /items/a", "GET /items/a"]);
            let operations = sent.calls.iter().filter(|call| call.starts_with("PUT"));
            assert_eq!(operations.count(), 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_another_resource_answers_a_probe_tells_nothing() {
    for method in [Method::PUT, Method::DELETE] {
        for status in [200, 203, 204, 404, 410, 403, 408, 429, 500, 503] {
            let sent = send(method.clone(), |path| match path {
                "/items/a" => redirect(302, "/sign-in"),
                _ => response(status, "who are you?"),
            });
            let sent = sent.await;
            let error = sent.outcome.unwrap_err();
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(
                error.to_string(),
                format!(
                    "cannot verify whether the request took effect: the probe GET {ITEM} was answered \
                     {status} after a redirect to another resource"
                )
            );
            assert!(error.is::<Unverified>());
            // It is not asked about again.
            assert_eq!(sent.attempts, 2);
            let calls = [
                &format!("{method} /items/a"),
                "GET /items/a",
                "GET /sign-in",
            ];
            assert_eq!(sent.calls, calls);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_item_itself_answers_is_a_proof_under_redirects_that_are_not_made() {
    let sent = send(Method::PUT, |_| response(200, "the item")).await;
    let response_of_put = sent.outcome.unwrap();
    assert_eq!(response_of_put.status(), StatusCode::CREATED);
    let verified = response_of_put.extensions().get();
    assert_eq!(verified, Some(&Verified::Created));

    let sent = send(Method::DELETE, |_| response(404, "no such item")).await;
    let verified = sent.outcome.unwrap().extensions().get().copied();
    assert_eq!(verified, Some(Verified::Deleted));
}

#[tokio::test(start_paused = true)]
async fn a_redirect_that_leads_back_to_the_item_is_the_items_own_answer() {
    // The first answer sets a cookie, say.
    let visits = Mutex::new(0);
    let sent = send(Method::PUT, |_| {
        let mut visits = visits.lock().unwrap();
        *visits += 1;
        match *visits {
            1 => redirect(307, "/items/a"),
            _ => response(200, "the item"),
        }
    });
    let sent = sent.await;
    let verified = sent.outcome.unwrap().extensions().get().copied();
    assert_eq!(verified, Some(Verified::Created));
    assert_eq!(sent.calls, ["PUT /items/a", "GET /items/a", "GET /items/a"]);
}

#[tokio::test(start_paused = true)]
async fn a_probe_of_a_conflict_that_is_redirected_is_an_error_that_has_the_conflict() {
    let puts = Mutex::new(0);
    let gets = Mutex::new(0);
    let service = |request: Request<ReplayBody<Full<Bytes>>>| {
        let count = |counter: &Mutex<u32>| {
            let mut counter = counter.lock().unwrap();
            *counter += 1;
            *counter
        };
        let answer = match (request.method().as_str(), request.uri().path()) {
            ("PUT", _) if count(&puts) == 1 => response(500, "failed"),
            ("PUT", _) => response(412, "it exists"),
            ("GET", "/items/a") if count(&gets) == 1 => response(404, "no such item"),
            ("GET", "/items/a") => redirect(302, "/sign-in"),
            _ => response(200, "who are you?"),
        };
        ready(Ok::<_, BoxError>(answer))
    };
    let verify = (VerifyLayer::new().put_creates(), FollowRedirectLayer::new());
    let retry = RetryLayer::new().backoff(Backoff::fixed(Duration::from_secs(1)));
    let client = (retry, verify).layer(tower::service_fn(service));
    let request = Request::put(ITEM).body(Full::from("an item")).unwrap();
    let error = client.oneshot(request).await.unwrap_err();
    let unverified = error.downcast::<Unverified>().unwrap();
    assert_eq!(unverified.response().status(), 200);
    assert_eq!(unverified.conflict().unwrap().status(), 412);
}
