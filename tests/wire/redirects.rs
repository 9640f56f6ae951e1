//! Redirects that are followed under the retry, where they must not be, and above it.

use std::net::Ipv4Addr;
#[cfg(feature = "tower-http")]
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::{get, post};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
#[cfg(feature = "tower-http")]
use tower::{Layer, service_fn};
use tower::{ServiceBuilder, ServiceExt};
use tower_http::follow_redirect::FollowRedirectLayer;
use tower_http_retry::BoxError;
use tower_http_retry::classify::Class;
#[cfg(feature = "tower-http")]
use tower_http_retry::classify::{Classify, Outcome};
use tower_http_retry::event::StopReason;
use tower_http_retry::{ByStatus, ReplayBody, VerifyLayer};

use crate::support::server::Refusing;
use crate::support::told::{Told, again, handed_over, success};

/// Takes orders: a POST is acted on, and answered 303. So is a GET of the last order.
struct Shop {
    uri: String,
    calls: Calls,
}

/// Each request, as in `POST /orders`.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<String>>>);

impl Calls {
    fn hear(&self, call: &str) {
        self.0.lock().unwrap().push(call.to_owned());
    }
}

impl Shop {
    /// Redirects to `/orders/1`, which is throttled the first times.
    async fn throttled(times: usize) -> Self {
        Self::start("/orders/1".to_owned(), times).await
    }

    async fn start(target: String, throttled: usize) -> Self {
        let calls = Calls::default();
        let see = |call: &'static str| {
            let (calls, target) = (calls.clone(), target.clone());
            move || async move {
                calls.hear(call);
                (StatusCode::SEE_OTHER, [("location", target)])
            }
        };
        let left = Arc::new(Mutex::new(throttled));
        let order = |call: &'static str| {
            let (calls, left) = (calls.clone(), left.clone());
            move || async move {
                calls.hear(call);
                let mut left = left.lock().unwrap();
                *left = left.checked_sub(1).ok_or(StatusCode::OK)?;
                Err::<StatusCode, _>(StatusCode::TOO_MANY_REQUESTS)
            }
        };
        let router = Router::new()
            .route(
                "/orders",
                post(see("POST /orders")).get(order("GET /orders")),
            )
            .route("/last", get(see("GET /last")))
            .route("/orders/1", get(order("GET /orders/1")));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, router).await });
        Self { uri, calls }
    }

    fn calls(&self) -> Vec<String> {
        self.calls.0.lock().unwrap().clone()
    }

    fn order(&self) -> Request<Full<Bytes>> {
        Request::post(format!("{}/orders", self.uri))
            .body(Full::from("an item"))
            .unwrap()
    }

    fn last(&self) -> Request<Full<Bytes>> {
        Request::get(format!("{}/last", self.uri))
            .body(Full::default())
            .unwrap()
    }
}

fn client<B>() -> Client<HttpConnector, B>
where
    B: http_body::Body<Data = Bytes> + Send,
{
    Client::builder(TokioExecutor::new()).build_http()
}

/// Sends a request through two retries over a layer that follows redirects.
#[cfg(feature = "tower-http")]
async fn send_below(request: Request<Full<Bytes>>) -> (Response<Incoming>, Told) {
    let told = Told::default();
    let stack = ServiceBuilder::new()
        .layer(told.layer())
        .layer(FollowRedirectLayer::new())
        .service(client());
    (stack.oneshot(request).await.unwrap(), told)
}

#[cfg(feature = "tower-http")]
#[tokio::test]
async fn a_post_whose_redirect_ends_at_a_429_under_the_retry_is_acted_on_once() {
    let shop = Shop::throttled(9).await;
    let (response, told) = send_below(shop.order()).await;
    assert_eq!(response.status(), 429);
    assert_eq!(shop.calls(), ["POST /orders", "GET /orders/1"]);
    let stop = handed_over(Class::Transient, StopReason::NotIdempotent).of(429);
    assert_eq!(told.outcomes(), [stop]);
}

#[cfg(feature = "tower-http")]
#[tokio::test]
async fn a_get_whose_redirect_ends_at_a_429_under_the_retry_is_sent_again() {
    let shop = Shop::throttled(1).await;
    let (response, told) = send_below(shop.last()).await;
    assert_eq!(response.status(), 200);
    let both = ["GET /last", "GET /orders/1"];
    assert_eq!(shop.calls(), [both, both].concat());
    assert_eq!(
        told.outcomes(),
        [again(Class::Transient).of(429), success()]
    );
}

#[cfg(feature = "tower-http")]
#[tokio::test]
async fn a_post_that_is_redirected_to_its_own_uri_under_the_retry_is_acted_on_once() {
    let shop = Shop::start("/orders".to_owned(), 9).await;
    let (response, told) = send_below(shop.order()).await;
    assert_eq!(response.status(), 429);
    assert_eq!(shop.calls(), ["POST /orders", "GET /orders"]);
    let stop = handed_over(Class::Transient, StopReason::NotIdempotent).of(429);
    assert_eq!(told.outcomes(), [stop]);
}

/// A response to a POST of an order that came from this URI.
#[cfg(feature = "tower-http")]
fn throttled_by(uri: &'static str) -> Response<()> {
    let answered = tower_http::follow_redirect::RequestUri(uri.parse().unwrap());
    let response = Response::builder().status(429).extension(answered);
    response.body(()).unwrap()
}

#[cfg(feature = "tower-http")]
#[test]
fn a_response_that_is_another_uris_is_no_refusal() {
    let request = Request::get("http://shop.test/last").body(()).unwrap();
    for (uri, expected) in [
        ("http://shop.test/last", Class::Refused),
        ("http://shop.test/orders/1", Class::Transient),
    ] {
        let response = throttled_by(uri);
        let outcome = Outcome::response(&request, &response);
        assert_eq!(
            ByStatus::new().classify(&outcome).class(),
            expected,
            "{uri}"
        );
    }
}

#[cfg(feature = "tower-http")]
#[tokio::test]
async fn no_classifier_can_make_it_one() {
    let attempts = AtomicU32::new(0);
    let throttled = async |_: Request<ReplayBody<Full<Bytes>>>| {
        attempts.fetch_add(1, Ordering::Relaxed);
        let response = throttled_by("http://shop.test/orders/1");
        Ok::<_, BoxError>(response.map(|()| Full::<Bytes>::default()))
    };
    let told = Told::default();
    let layer = told.layer().classify_fn(|_| Class::Refused.into());
    let service = layer.layer(service_fn(throttled));
    let order = Request::post("http://shop.test/orders").body(Full::from("an item"));
    service.oneshot(order.unwrap()).await.unwrap();
    assert_eq!(attempts.load(Ordering::Relaxed), 1);
    let stop = handed_over(Class::Transient, StopReason::NotIdempotent).of(429);
    assert_eq!(told.outcomes(), [stop]);
}

#[cfg(feature = "tower-http")]
#[tokio::test]
async fn so_it_is_with_a_verify_layer_between() {
    let shop = Shop::throttled(9).await;
    let told = Told::default();
    let order = format!("{}/orders/1", shop.uri);
    let verify = VerifyLayer::new().probe(move |_| Request::get(&order).body(()).ok());
    let stack = ServiceBuilder::new()
        .layer(told.layer())
        .layer(verify)
        .layer(FollowRedirectLayer::new())
        .service(client());
    let response = stack.oneshot(shop.order()).await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(shop.calls(), ["POST /orders", "GET /orders/1"]);
    let stop = handed_over(Class::Transient, StopReason::NotIdempotent).of(429);
    assert_eq!(told.outcomes(), [stop]);
}

/// Sends a request through a layer that follows redirects over two retries.
async fn send_above(request: Request<Full<Bytes>>) -> (Result<Response<Incoming>, BoxError>, Told) {
    let told = Told::default();
    let stack = ServiceBuilder::new()
        .layer(FollowRedirectLayer::new())
        .layer(told.layer())
        .service(client());
    (stack.oneshot(request).await, told)
}

fn redirected() -> crate::support::told::Outcome {
    success().of(303)
}

#[tokio::test]
async fn above_the_retry_a_redirect_s_target_alone_is_asked_again() {
    let shop = Shop::throttled(1).await;
    let (response, told) = send_above(shop.order()).await;
    assert_eq!(response.unwrap().status(), 200);
    assert_eq!(
        shop.calls(),
        ["POST /orders", "GET /orders/1", "GET /orders/1"]
    );
    let throttled = again(Class::Refused).of(429);
    assert_eq!(told.outcomes(), [redirected(), throttled, success()]);
}

#[tokio::test]
async fn above_the_retry_a_target_that_refuses_the_connection_repeats_no_post() {
    let shop = Shop::start(Refusing::new().uri(), 0).await;
    let (result, told) = send_above(shop.order()).await;
    assert!(result.is_err());
    assert_eq!(shop.calls(), ["POST /orders"]);
    let refused = again(Class::Refused);
    let last = handed_over(Class::Refused, StopReason::Attempts);
    assert_eq!(told.outcomes(), [redirected(), refused, refused, last]);
}

#[cfg(feature = "reqwest")]
mod reqwest {
    use ::reqwest::redirect::Policy;
    use ::reqwest::{Body, Client, retry};
    use tower::{Layer, service_fn};
    use tower_http_retry::ReplayBody;

    use super::*;

    /// Sends a request through a layer that follows redirects over two retries over reqwest.
    async fn send_above(request: Request<Full<Bytes>>) -> (Result<Response<Body>, BoxError>, Told) {
        let told = Told::default();
        let client = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .retry(retry::never())
            .build()
            .unwrap();
        let client = service_fn(move |request: Request<ReplayBody<Full<Bytes>>>| {
            let client = client.clone();
            async move {
                let request = ::reqwest::Request::try_from(request.map(Body::wrap))?;
                client.execute(request).await.map(Response::<Body>::from)
            }
        });
        let stack = FollowRedirectLayer::new().layer(told.layer().layer(client));
        (stack.oneshot(request).await, told)
    }

    #[tokio::test]
    async fn over_reqwest_without_redirects_of_its_own_the_target_alone_is_asked_again() {
        let shop = Shop::throttled(1).await;
        let (response, told) = send_above(shop.order()).await;
        assert_eq!(response.unwrap().status(), 200);
        let order = "GET /orders/1";
        assert_eq!(shop.calls(), ["POST /orders", order, order]);
        let throttled = again(Class::Refused).of(429);
        assert_eq!(told.outcomes(), [redirected(), throttled, success()]);
    }

    #[tokio::test]
    async fn over_reqwest_without_redirects_of_its_own_a_refusing_target_repeats_no_post() {
        let shop = Shop::start(Refusing::new().uri(), 0).await;
        let (result, told) = send_above(shop.order()).await;
        assert!(result.is_err());
        assert_eq!(shop.calls(), ["POST /orders"]);
        let refused = again(Class::Refused);
        let last = handed_over(Class::Refused, StopReason::Attempts);
        assert_eq!(told.outcomes(), [redirected(), refused, refused, last]);
    }

    /// Why a classifier cannot mend it: nothing in the error names the redirect's target.
    #[tokio::test]
    async fn an_error_of_a_redirect_s_target_has_the_first_url() {
        let shop = Shop::start(Refusing::new().uri(), 0).await;
        let client = Client::builder().no_proxy().build().unwrap();
        let order = format!("{}/orders", shop.uri);
        let error = client.post(&order).send().await.unwrap_err();
        assert!(error.is_connect() && !error.is_redirect());
        assert_eq!(error.url().unwrap().as_str(), order);
        assert_eq!(shop.calls(), ["POST /orders"]);
    }
}
