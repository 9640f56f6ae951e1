//! What a verify layer holds once its future has completed: nothing; and header maps that are full.

use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::header::MaxSizeReached;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::Full;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_http_retry::verify::{Unverified, Verified, VerifyBody, VerifyFuture};
use tower_http_retry::{Backoff, BoxError, Jitter, ReplayBody, RetryLayer, VerifyLayer};

use crate::support::management::Failure::Status;
use crate::support::management::Fault::{self, Done, Nothing, Undone};
use crate::support::management::{Body, Management, response};

type RequestBody = ReplayBody<Full<Bytes>>;
type Outcome = Result<Response<VerifyBody<Held>>, BoxError>;

fn retry() -> RetryLayer {
    RetryLayer::new().backoff(Backoff::fixed(Duration::from_secs(1)).jitter(Jitter::None))
}

fn request(method: Method) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method);
    let request = request.uri("http://service.test/items/a");
    request.body("an item".into()).unwrap()
}

/// A response body that is held with a token of its service.
struct Held {
    body: Body,
    _token: Arc<()>,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }
}

/// Each handle, future and response body of it holds a token. Fails to become ready after so many
/// calls.
#[derive(Clone)]
struct Holding {
    service: Management,
    calls: usize,
    token: Arc<()>,
}

impl Service<Request<RequestBody>> for Holding {
    type Response = Response<Held>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Held>, BoxError>>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(match self.service.calls().len() < self.calls {
            true => Ok(()),
            false => Err("closed".into()),
        })
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let response = self.service.call(request);
        let token = self.token.clone();
        Box::pin(async move {
            let response = response.await?;
            Ok(response.map(|body| Held {
                body,
                _token: token.clone(),
            }))
        })
    }
}

/// Sends a request, and keeps the future of each of its attempts when it has completed: what they
/// came to, as told by the last of them, and how many tokens are left.
async fn held(method: Method, plan: &[Fault], calls: usize) -> (String, usize) {
    let token = Arc::new(());
    let service = Management::new(plan);
    let service = match method {
        Method::DELETE => service.holding("a"),
        _ => service,
    };
    let holding = Holding {
        service,
        calls,
        token: token.clone(),
    };
    let verify = VerifyLayer::new().put_creates().layer(holding);
    let futures = Rc::new(RefCell::new(Vec::new()));
    let keeping = {
        let futures = futures.clone();
        service_fn(move |request: Request<RequestBody>| {
            let (mut verify, futures) = (verify.clone(), futures.clone());
            async move {
                let mut future = Box::pin(verify.ready().await?.call(request));
                let outcome: Outcome = future.as_mut().await;
                futures.borrow_mut().push(future);
                outcome
            }
        })
    };
    let outcome = retry().layer(keeping).oneshot(request(method)).await;
    let told = match outcome {
        Ok(response) => match response.extensions().get::<Verified>() {
            Some(verified) => format!("{verified:?}"),
            None => response.status().as_u16().to_string(),
        },
        Err(error) if error.is::<Unverified>() => "unverified".to_owned(),
        Err(error) => error.to_string(),
    };
    let mut futures = futures.borrow_mut();
    assert_eq!(futures.len(), 2, "attempts");
    for future in futures.iter_mut() {
        panics_when_polled_again(future.as_mut());
    }
    (told, Arc::strong_count(&token) - 1)
}

fn panics_when_polled_again(future: Pin<&mut VerifyFuture<Holding, Full<Bytes>, Held>>) {
    let mut cx = Context::from_waker(Waker::noop());
    let polled = catch_unwind(AssertUnwindSafe(|| future.poll(&mut cx).is_ready()));
    let panicked = polled.unwrap_err();
    let message = panicked.downcast_ref::<&str>().unwrap();
    assert_eq!(*message, "`VerifyFuture` polled after completion");
}

#[tokio::test(start_paused = true)]
async fn a_future_that_has_completed_holds_nothing_of_the_service() {
    let (put, delete) = (Method::PUT, Method::DELETE);
    let failed = Undone(Status(500));
    let no_answer = Undone(Status(403));
    for (method, plan, calls, told) in [
        (&put, &[Done(Status(500))][..], 9, "Created"),
        (&put, &[failed], 9, "201"),
        (&put, &[failed, no_answer], 9, "unverified"),
        (&put, &[failed, Nothing, Fault::Overtaken], 9, "Created"),
        (&put, &[failed, Nothing, Undone(Status(409))], 9, "409"),
        (&delete, &[Done(Status(500))], 9, "Deleted"),
        (&delete, &[failed], 9, "204"),
        // With what is left of the probe's answer.
        (&put, &[failed], 2, "closed"),
        (&delete, &[failed], 2, "closed"),
    ] {
        let came = held(method.clone(), plan, calls).await;
        assert_eq!(came, (told.to_owned(), 0), "{method}, {plan:?}");
    }
}

/// How many headers a map holds, at most.
const MOST_HEADERS: usize = 24 * 1024;

fn full() -> HeaderMap {
    let mut headers = HeaderMap::new();
    for number in 0..MOST_HEADERS {
        let name = HeaderName::try_from(format!("name-{number}")).unwrap();
        headers.insert(name, HeaderValue::from_static("1"));
    }
    headers
        .try_append("one-more", HeaderValue::from_static("1"))
        .unwrap_err();
    headers
}

#[tokio::test(start_paused = true)]
async fn a_probe_without_room_for_its_headers_is_an_error_and_nothing_is_sent() {
    let service = Management::new(&[Undone(Status(500))]);
    let verify = VerifyLayer::new().put_creates();
    let client = retry().layer(verify.layer(service.clone()));
    let mut create = request(Method::PUT);
    *create.headers_mut() = full();
    let error = client.oneshot(create).await.unwrap_err();
    assert!(error.is::<MaxSizeReached>());
    assert_eq!(service.calls(), ["PUT /items/a"]);
}

#[tokio::test(start_paused = true)]
async fn a_created_item_has_no_location_where_the_probes_answer_has_no_room_for_it() {
    let service = service_fn(|request: Request<RequestBody>| {
        let mut answer = response(500, "");
        if request.method() == Method::GET {
            answer = response(200, "");
            *answer.headers_mut() = full();
        }
        std::future::ready(Ok::<_, BoxError>(answer))
    });
    let verify = VerifyLayer::new().put_creates();
    let verify = verify.probe(|_| Request::get("/items/by-name/a").body(()).ok());
    let client = retry().layer(verify.layer(service));
    let response = client.oneshot(request(Method::PUT)).await.unwrap();
    assert_eq!(response.extensions().get(), Some(&Verified::Created));
    assert_eq!(response.headers().len(), MOST_HEADERS);
    assert!(!response.headers().contains_key("location"));
}
