//! A verify layer in its stack: what passes through, what a probe is made of, and the layers around.

use std::io::ErrorKind::{ConnectionRefused, ConnectionReset};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, Full};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_http::map_request_body::MapRequestBodyLayer;
use tower_http_retry::classify::Class;
use tower_http_retry::verify::Verified;
use tower_http_retry::{
    Attempt, Attempts, Backoff, BoxError, Jitter, ReplayBody, RetryLayer, RetryOverride,
    VerifyLayer,
};

use crate::support::management::Failure::{Error, Status};
use crate::support::management::Fault::{self, Done, Nothing, Undone};
use crate::support::management::{Body, Management, Name, endless, response};

const ITEM: &str = "http://service.test/items/a?version=2";

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn retry() -> RetryLayer {
    RetryLayer::new().backoff(Backoff::fixed(secs(1)).jitter(Jitter::None))
}

/// Verifies a PUT without conditions, too.
fn verify() -> VerifyLayer {
    VerifyLayer::new().put_creates()
}

fn request(method: Method) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(ITEM);
    let request = request.header("authorization", "Bearer 1");
    request.body(Full::from("an item")).unwrap()
}

/// A request as it comes from a retry.
fn replayed(method: Method) -> Request<ReplayBody<Full<Bytes>>> {
    request(method).map(|_| ReplayBody::default())
}

async fn read<R>(body: R) -> String
where
    R: http_body::Body<Data = Bytes, Error = BoxError>,
{
    let body = body.collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn without_it_what_was_done_is_done_again() {
    let service = Management::new(&[Done(Status(500))]);
    let client = retry().layer(service.clone());
    let response = client.oneshot(request(Method::PUT)).await.unwrap();
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert_eq!(service.items(), ["a"]);

    let service = Management::new(&[Done(Status(500))]).holding("a");
    let client = retry().layer(service.clone());
    let response = client.oneshot(request(Method::DELETE)).await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(service.items(), [""; 0]);
}

#[test]
fn the_service_under_it_can_be_reached() {
    let mut service = verify().layer(1);
    *service.get_mut() += 1;
    assert_eq!((*service.get_ref(), service.into_inner()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn methods_that_neither_create_nor_delete_pass_through() {
    for method in [Method::GET, Method::HEAD] {
        let service = Management::new(&[Undone(Status(500))]);
        let client = retry().layer(verify().layer(service.clone()));
        let response = client.oneshot(request(method.clone())).await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        let call = format!("{method} /items/a?version=2");
        assert_eq!(service.calls(), [call.clone(), call]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_put_that_changes_an_item_passes_through() {
    let service = Management::new(&[Undone(Status(500))]).holding("a");
    let client = retry().layer(verify().layer(service.clone()));
    let mut change = request(Method::PUT);
    let tag = http::HeaderValue::from_static("\"1\"");
    change.headers_mut().insert("if-match", tag);
    let response = client.oneshot(change).await.unwrap();
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert_eq!(service.calls(), ["PUT /items/a?version=2"; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_put_that_replaces_and_was_not_made_is_sent_again_and_not_told_as_created() {
    for failed in [Undone(Status(500)), Undone(Error(ConnectionReset))] {
        let service = Management::replacing(&[failed]).holding("a");
        let client = retry().layer(VerifyLayer::new().layer(service.clone()));
        let response = client.oneshot(request(Method::PUT)).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.extensions().get::<Verified>().is_none());
        assert_eq!(service.replacements(), 1);
        assert_eq!(
            read(response.into_body()).await,
            "replaced by the operation"
        );
        assert_eq!(service.calls(), ["PUT /items/a?version=2"; 2]);
    }
}

#[tokio::test(start_paused = true)]
async fn with_a_probe_of_ones_own_a_put_that_replaces_passes_through_too() {
    let service = Management::replacing(&[Undone(Status(500))]).holding("a");
    let verify = VerifyLayer::new().probe(|head| Request::get(head.uri()).body(()).ok());
    let client = retry().layer(verify.layer(service.clone()));
    let response = client.oneshot(request(Method::PUT)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(service.calls(), ["PUT /items/a?version=2"; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_put_is_verified_with_if_none_match_any_or_where_puts_create() {
    for (verify, if_none_match) in [(verify(), None), (VerifyLayer::new(), Some("*"))] {
        let service = Management::new(&[Done(Status(500))]);
        let client = retry().layer(verify.layer(service.clone()));
        let mut create = request(Method::PUT);
        if let Some(value) = if_none_match {
            let value = http::HeaderValue::from_static(value);
            create.headers_mut().insert("if-none-match", value);
        }
        let response = client.oneshot(create).await.unwrap();
        assert_eq!(response.extensions().get(), Some(&Verified::Created));
        let [put, get] = ["PUT", "GET"].map(|method| format!("{method} /items/a?version=2"));
        assert_eq!(service.calls(), [put, get]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_probe_passes_through() {
    let service = Management::new(&[Done(Status(500))]);
    let client = retry().layer(verify().probe(|_| None).layer(service.clone()));
    let response = client.oneshot(request(Method::PUT)).await.unwrap();
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert_eq!(service.calls(), ["PUT /items/a?version=2"; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_post_is_not_sent_again_because_it_would_be_verified() {
    let service = Management::new(&[Undone(Status(500))]);
    let verify = verify().probe(|head| Request::get(head.uri()).body(()).ok());
    let client = retry().layer(verify.layer(service.clone()));
    let response = client.oneshot(request(Method::POST)).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(service.calls(), ["POST /items/a?version=2"]);
}

#[tokio::test(start_paused = true)]
async fn alone_it_passes_everything_through() {
    for (fault, status) in [(Nothing, 201), (Done(Status(500)), 500)] {
        let service = Management::new(&[fault]);
        let client = verify().layer(service.clone());
        let response = client.oneshot(replayed(Method::PUT)).await.unwrap();
        assert_eq!(response.status(), status);
        assert!(response.extensions().get::<Verified>().is_none());
        assert_eq!(service.calls(), ["PUT /items/a?version=2"]);
    }
    let service = Management::new(&[Undone(Error(ConnectionRefused))]);
    let client = verify().layer(service);
    let error = client.oneshot(replayed(Method::PUT)).await.unwrap_err();
    assert!(error.is::<std::io::Error>());
}

#[tokio::test(start_paused = true)]
async fn above_the_retry_it_passes_everything_through() {
    let service = Management::new(&[Done(Status(500))]);
    let client = verify().layer(retry().layer(service.clone()));
    let response = client.oneshot(replayed(Method::PUT)).await.unwrap();
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert_eq!(read(response.into_body()).await, "the item exists");
    assert_eq!(service.calls(), ["PUT /items/a?version=2"; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_first_attempt_that_is_marked_passes_through() {
    let service = Management::new(&[]);
    let retry = retry().mark_attempts();
    let client = retry.layer(verify().layer(service.clone()));
    let response = client.oneshot(request(Method::PUT)).await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(service.calls(), ["PUT /items/a?version=2"]);
}

#[tokio::test(start_paused = true)]
async fn the_probe_is_a_get_on_the_same_uri_with_the_requests_headers() {
    let service = Management::new(&[Undone(Status(500))]);
    let client = retry().layer(VerifyLayer::new().layer(service.clone()));
    let mut create = request(Method::PUT);
    let headers = create.headers_mut();
    headers.insert("content-type", "text/plain".parse().unwrap());
    headers.insert("if-none-match", "*".parse().unwrap());
    // By which the service may answer the operation 202, and would answer the probe so, too.
    headers.insert("prefer", "respond-async".parse().unwrap());
    let response = client.oneshot(create).await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    let put = "PUT /items/a?version=2";
    assert_eq!(service.calls(), [put, "GET /items/a?version=2", put]);
    let has = |headers: &HeaderMap, names: [&str; 4]| names.map(|name| headers.contains_key(name));
    let names = ["authorization", "content-type", "if-none-match", "prefer"];
    let seen = service.seen();
    assert_eq!(has(&seen[1].headers, names), [true, false, false, false]);
    assert_eq!(has(&seen[2].headers, names), [true; 4]);
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_head_tells_no_length_of_a_content_it_has_not() {
    let service = Management::new(&[Done(Status(500))]);
    let verify = verify().method(Method::HEAD);
    let client = retry().layer(verify.layer(service.clone()));
    let response = client.oneshot(request(Method::PUT)).await.unwrap();
    assert_eq!(service.calls()[1], "HEAD /items/a?version=2");
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(response.headers()["x-from"], "service");
    assert!(!response.headers().contains_key("content-length"));
    assert_eq!(read(response.into_body()).await, "");
}

#[tokio::test(start_paused = true)]
async fn the_method_is_that_of_a_probe_of_ones_own_too() {
    let service = Management::new(&[Done(Status(500))]);
    let verify = verify()
        .method(Method::HEAD)
        .probe(|_| Request::get("/other/a").body(()).ok());
    let client = retry().layer(verify.layer(service.clone()));
    let response = client.oneshot(request(Method::PUT)).await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(service.calls()[1], "HEAD /other/a");
}

#[tokio::test(start_paused = true)]
async fn an_item_that_was_found_elsewhere_has_its_location() {
    for (probe, location) in [
        ("http://service.test/items/a", None),
        ("/items/b", Some("http://service.test/items/b")),
        // Secrets stand in queries.
        ("/items/b?key=1", None),
        ("http://user@other.test/", Some("http://other.test/")),
    ] {
        let service = Management::new(&[Undone(Status(500))]).holding("a");
        let verify = verify().probe(move |_| {
            let named = Request::get(probe).extension(Name("a"));
            named.body(()).ok()
        });
        let client = retry().layer(verify.layer(service));
        let mut create = request(Method::PUT);
        *create.uri_mut() = "http://service.test/items/a".parse().unwrap();
        let response = client.oneshot(create).await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        let told = response.headers().get("location");
        assert_eq!(told.map(|uri| uri.to_str().unwrap()), location);
    }
}

#[tokio::test(start_paused = true)]
async fn a_location_of_the_probes_answer_stands() {
    let service = service_fn(|request: Request<ReplayBody<Full<Bytes>>>| async move {
        let status = if request.method() == Method::GET {
            200
        } else {
            500
        };
        let mut response = response(status, "");
        response
            .headers_mut()
            .insert("location", "/items/7".parse().unwrap());
        Ok::<_, BoxError>(response)
    });
    let verify = verify().probe(|_| Request::get("/other").body(()).ok());
    let client = retry().layer(verify.layer(service));
    let response = client.oneshot(request(Method::PUT)).await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(response.headers()["location"], "/items/7");
}

#[tokio::test(start_paused = true)]
async fn the_answer_of_a_delete_has_no_headers_and_no_content() {
    let service = Management::new(&[Done(Status(500))]).holding("a");
    let client = retry().layer(verify().layer(service));
    let response = client.oneshot(request(Method::DELETE)).await.unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(response.extensions().get(), Some(&Verified::Deleted));
    assert!(response.headers().is_empty());
    assert!(response.body().is_end_stream());
}

#[tokio::test(start_paused = true)]
async fn each_call_has_the_attempts_extensions() {
    let seen = Arc::new(AtomicUsize::new(0));
    let service = Management::new(&[Undone(Status(500))]);
    let count = |request: Request<ReplayBody<Full<Bytes>>>| {
        let attempt = request.extensions().get::<Attempt>();
        if attempt.is_some_and(|attempt| attempt.number() == 2) {
            seen.fetch_add(1, Ordering::Relaxed);
        }
        request
    };
    let client = ServiceBuilder::new()
        .layer(retry().mark_attempts())
        .layer(verify())
        .map_request(count)
        .service(service);
    let response = client.oneshot(request(Method::PUT)).await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(
        seen.load(Ordering::Relaxed),
        2,
        "the probe and the operation"
    );
}

#[tokio::test(start_paused = true)]
async fn the_body_is_sent_whole_after_the_probe_and_converted_under_the_retry() {
    let bodies = Arc::new(std::sync::Mutex::new(Vec::new()));
    let kept = bodies.clone();
    let service = service_fn(move |request: Request<axum::body::Body>| {
        let kept = kept.clone();
        async move {
            let method = request.method().clone();
            let body = request.into_body().collect().await?.to_bytes();
            let mut kept = kept.lock().unwrap();
            kept.push((method.clone(), body));
            let status = match (method, kept.len()) {
                (_, 1) => 500,
                (Method::GET, _) => 404,
                _ => 201,
            };
            Ok::<_, BoxError>(response(status, ""))
        }
    });
    let client = ServiceBuilder::new()
        .layer(retry())
        .layer(verify())
        .layer(MapRequestBodyLayer::new(axum::body::Body::new))
        .service(service);
    let response = client.oneshot(request(Method::PUT)).await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    let item = Bytes::from("an item");
    let expected = [
        (Method::PUT, item.clone()),
        (Method::GET, Bytes::new()),
        (Method::PUT, item),
    ];
    assert_eq!(*bodies.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn one_permit_and_one_slot_are_enough() {
    let plan = [Undone(Status(500)), Nothing, Fault::Overtaken];
    let service = Management::new(&plan);
    let client = ServiceBuilder::new()
        .layer(retry())
        .layer(verify())
        .layer(ConcurrencyLimitLayer::new(1))
        .service(service.clone());
    let response = client.oneshot(request(Method::PUT)).await.unwrap();
    assert_eq!(response.extensions().get(), Some(&Verified::Created));
    assert_eq!(service.calls().len(), 4);

    let service = Management::new(&plan);
    let client = ServiceBuilder::new()
        .layer(retry())
        .layer(verify())
        .buffer(1)
        .service(service.clone());
    let response = client.oneshot(request(Method::PUT)).await.unwrap();
    assert_eq!(response.extensions().get(), Some(&Verified::Created));
    assert_eq!(service.calls().len(), 4);
}

/// Fails to become ready once it was called so often.
#[derive(Clone)]
struct Failing {
    service: Management,
    calls: usize,
}

impl<B> Service<Request<B>> for Failing {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = <Management as Service<Request<B>>>::Future;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(match self.service.calls().len() < self.calls {
            true => Ok(()),
            false => Err("closed".into()),
        })
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.service.call(request)
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_to_become_ready_is_the_end() {
    let service = Management::new(&[Undone(Status(500))]);
    let failing = Failing {
        service: service.clone(),
        calls: 2,
    };
    let client = retry().layer(verify().layer(failing));
    let error = client.oneshot(request(Method::PUT)).await.unwrap_err();
    assert_eq!(error.to_string(), "closed");
    assert_eq!(service.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_conflict_goes_before_a_service_that_fails_to_become_ready_for_its_probe() {
    let service = Management::new(&[Undone(Status(500)), Nothing, Fault::Overtaken]);
    let failing = Failing {
        service: service.clone(),
        calls: 3,
    };
    let client = retry().layer(verify().layer(failing));
    let response = client.oneshot(request(Method::PUT)).await.unwrap();
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert_eq!(read(response.into_body()).await, "the item exists");
    assert_eq!(service.calls().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_404_whose_body_never_ends_delays_nothing() {
    let calls = Arc::new(AtomicUsize::new(0));
    for (method, status, expected) in [(Method::PUT, 201, 3), (Method::DELETE, 204, 2)] {
        calls.store(0, Ordering::Relaxed);
        let service = service_fn(|request: Request<ReplayBody<Full<Bytes>>>| {
            let count = calls.fetch_add(1, Ordering::Relaxed);
            let answer = match *request.method() {
                Method::GET => response(404, "").map(|_| endless()),
                _ if count == 0 => response(500, ""),
                _ => response(201, ""),
            };
            async move { Ok::<_, BoxError>(answer) }
        });
        let client = retry().layer(verify().layer(service));
        let start = Instant::now();
        let response = client.oneshot(request(method)).await.unwrap();
        assert_eq!(response.status(), status);
        // The answer to a delete waits for a tenth of a second, to use the connection again.
        let emptied = Duration::from_millis(if status == 204 { 100 } else { 0 });
        assert_eq!(start.elapsed(), secs(1) + emptied);
        let body = response.into_body();
        assert!(body.is_end_stream());
        assert_eq!(body.size_hint().exact(), Some(0));
        assert_eq!(calls.load(Ordering::Relaxed), expected);
    }
}

/// A body that has the only permit of its service until it is dropped; or never ends.
struct Holding {
    frames: Vec<Bytes>,
    ends: bool,
    _permit: OwnedSemaphorePermit,
}

impl http_body::Body for Holding {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.frames.pop() {
            Some(frame) => Poll::Ready(Some(Ok(Frame::data(frame)))),
            None if self.ends => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

/// What becomes of a PUT whose first attempt is done late, by a service that answers each call only
/// once the answer before it has been let go: the status, and the length of its body.
async fn overtaken(conflict: Vec<Bytes>, ends: bool) -> (u16, usize, Duration) {
    let items = Management::new(&[Undone(Status(500)), Nothing, Fault::Overtaken]);
    let permits = Arc::new(Semaphore::new(1));
    let service = service_fn(move |request: Request<ReplayBody<Full<Bytes>>>| {
        let (mut items, permits, conflict) = (items.clone(), permits.clone(), conflict.clone());
        async move {
            let permit = permits.acquire_owned().await?;
            let response = items.call(request).await?;
            let is_conflict = response.status() == StatusCode::CONFLICT;
            Ok::<_, BoxError>(response.map(|_| Holding {
                frames: if is_conflict { conflict } else { Vec::new() },
                ends: ends || !is_conflict,
                _permit: permit,
            }))
        }
    });
    let client = retry().layer(verify().layer(service));
    let start = Instant::now();
    let response = client.oneshot(request(Method::PUT)).await.unwrap();
    let elapsed = start.elapsed();
    let status = response.status().as_u16();
    let mut body = response.into_body();
    let mut length = 0;
    while let Ok(Some(frame)) = tokio::time::timeout(secs(60), body.frame()).await {
        length += frame.unwrap().into_data().unwrap().len();
    }
    (status, length, elapsed)
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_read_before_its_probe_is_sent() {
    for frames in [0, 1, 4, 60, 64] {
        let conflict = vec![Bytes::from_static(&[b'x'; 1024]); frames];
        assert_eq!(overtaken(conflict, true).await, (201, 0, secs(1)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_conflict_that_cannot_be_kept_is_handed_up_whole() {
    let long = vec![Bytes::from_static(&[b'x'; 1024]); 200];
    assert_eq!(overtaken(long, true).await, (409, 200 * 1024, secs(1)));
    // This one by a byte.
    let mut over = vec![Bytes::from_static(&[b'x'; 1024]); 64];
    over.push(Bytes::from_static(b"x"));
    assert_eq!(overtaken(over, true).await, (409, 64 * 1024 + 1, secs(1)));
    // This one does not come to its end within a second.
    let half = vec![Bytes::from_static(b"half")];
    assert_eq!(overtaken(half, false).await, (409, 4, secs(1 + 1)));
}

#[tokio::test(start_paused = true)]
async fn a_conflict_that_was_read_is_handed_up_as_it_came() {
    let plan = [Undone(Status(500)), Nothing, Fault::Overtaken];
    let service = Management::new(&plan);
    let verify = verify().same(|_, _| false);
    let client = retry().layer(verify.layer(service));
    let response = client.oneshot(request(Method::PUT)).await.unwrap();
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert_eq!(response.headers()["x-from"], "service");
    assert_eq!(response.body().size_hint().exact(), Some(15));
    assert!(!response.body().is_end_stream());
    let mut body = response.into_body();
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "the item exists");
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
    assert!(body.frame().await.is_none());
    assert!(body.frame().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_retry_above_the_retry_is_remembered() {
    // The inner retry makes a single attempt: all others are the outer one's.
    let plan = [Done(Status(500)), Undone(Status(429))];
    for inner in [0, 5] {
        let service = Management::new(&plan);
        let inner =
            RetryLayer::new()
                .max_retries(inner)
                .classify_fn(|outcome| match outcome.status() {
                    Some(StatusCode::TOO_MANY_REQUESTS) => Class::Refused.into(),
                    Some(status) if status.is_success() => Class::Success.into(),
                    _ => Class::Permanent.into(),
                });
        let client = ServiceBuilder::new()
            .layer(retry().mark_attempts())
            .layer(inner)
            .layer(verify())
            .service(service.clone());
        let response = client.oneshot(request(Method::PUT)).await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        assert_eq!(response.extensions().get(), Some(&Verified::Created));
        assert_eq!(service.operations(), 1);
        assert_eq!(service.probes(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_retry_under_the_retry_went_through_is_remembered() {
    // The inner retry hands up that a probe was turned away; before it, the item was made. So does
    // one between them, for which it is the second time.
    let refused = Undone(Status(429));
    let plan = [refused, refused, Done(Status(500)), refused];
    for (plan, is_between, operations) in [(&plan[2..], false, 1), (&plan[..], true, 3)] {
        let service = Management::with_duplicates(plan);
        let probe = verify().probe(|_| Request::get("/items/a").body(()).ok());
        let client = ServiceBuilder::new()
            .layer(retry().mark_attempts())
            .option_layer(is_between.then(|| retry().max_retries(1)))
            .layer(retry().max_retries(1))
            .layer(probe)
            .service(service.clone());
        let mut request = request(Method::POST);
        let repeatable = RetryOverride::new().repeatable(true);
        request.extensions_mut().insert(repeatable);
        let response = client.oneshot(request).await.unwrap();
        assert_eq!(response.extensions().get(), Some(&Verified::Created));
        assert_eq!(service.items(), ["a"]);
        assert_eq!((service.operations(), service.probes()), (operations, 2));
    }
}

/// A body that comes frame by frame, each a while after the one before; tells when it was dropped.
struct Late {
    frames: usize,
    next: Pin<Box<tokio::time::Sleep>>,
    dropped: Arc<std::sync::Mutex<Option<(usize, Duration)>>>,
    start: Instant,
}

impl http_body::Body for Late {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.frames == 0 {
            return Poll::Ready(None);
        }
        std::task::ready!(self.next.as_mut().poll(cx));
        self.frames -= 1;
        self.next = Box::pin(tokio::time::sleep(Duration::from_millis(300)));
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"not here")))))
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        *self.dropped.lock().unwrap() = Some((self.frames, self.start.elapsed()));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_a_404_is_read_while_the_operation_is_under_way() {
    // So many frames of it: how many are unread when it is let go, and when. The operation takes a
    // minute.
    let millis = Duration::from_millis;
    for (frames, unread, at) in [(0, 0, 0), (1, 0, 300), (3, 0, 900), (9, 6, 1_000)] {
        let dropped = Arc::default();
        let calls = AtomicUsize::new(0);
        let start = Instant::now() + secs(1);
        let service = service_fn(|request: Request<ReplayBody<Full<Bytes>>>| {
            let is_first = calls.fetch_add(1, Ordering::Relaxed) == 0;
            let dropped = Arc::clone(&dropped);
            async move {
                if request.method() == Method::PUT {
                    let (status, takes) = if is_first { (500, 0) } else { (201, 60) };
                    tokio::time::sleep(secs(takes)).await;
                    return Ok::<_, BoxError>(response(status, ""));
                }
                let next = Box::pin(tokio::time::sleep(Duration::from_millis(300)));
                let late = Late {
                    frames,
                    next,
                    dropped,
                    start,
                };
                Ok(response(404, "").map(|_| late.boxed()))
            }
        });
        let client = retry().layer(verify().layer(service));
        let response = client.oneshot(request(Method::PUT)).await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        assert_eq!(
            *dropped.lock().unwrap(),
            Some((unread, millis(at))),
            "{frames}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_probes_answer_is_read_before_the_conflict_that_it_explains_is_handed_up() {
    let dropped = Arc::default();
    let calls = AtomicUsize::new(0);
    let start = Instant::now() + secs(1);
    let service = service_fn(|request: Request<ReplayBody<Full<Bytes>>>| {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        let answer = match (request.method(), call) {
            (&Method::PUT, 0) => response(500, ""),
            (&Method::PUT, _) => response(409, "a conflict"),
            (_, 1) => response(404, ""),
            (_, _) => {
                let late = Late {
                    frames: 1,
                    next: Box::pin(tokio::time::sleep(Duration::from_millis(50))),
                    dropped: Arc::clone(&dropped),
                    start,
                };
                response(404, "").map(|_| late.boxed())
            }
        };
        std::future::ready(Ok::<_, BoxError>(answer))
    });
    let client = retry().layer(verify().layer(service));
    let response = client.oneshot(request(Method::PUT)).await.unwrap();
    let read_at = Some((0, Duration::from_millis(50)));
    assert_eq!(*dropped.lock().unwrap(), read_at);
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert_eq!(read(response.into_body()).await, "a conflict");
}

/// Takes a second for each call.
#[derive(Clone)]
struct Slow(Management);

impl<B> Service<Request<B>> for Slow {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let answer = self.0.call(request);
        Box::pin(async move {
            tokio::time::sleep(secs(1)).await;
            answer.await
        })
    }
}

#[tokio::test(start_paused = true)]
async fn dropped_at_any_point_it_sends_nothing_more() {
    // The first attempt, its wait, the probe, the second attempt, and the second probe.
    let plan = [Undone(Status(500)), Nothing, Fault::Overtaken];
    for (millis, calls) in [(500, 1), (1_500, 1), (2_500, 2), (3_500, 3), (4_500, 4)] {
        let service = Management::new(&plan);
        let client = retry().layer(verify().layer(Slow(service.clone())));
        let request = client.oneshot(request(Method::PUT));
        let dropped = tokio::time::timeout(Duration::from_millis(millis), request).await;
        assert!(dropped.is_err(), "it ended");
        tokio::time::sleep(secs(3_600)).await;
        assert_eq!(service.calls().len(), calls);
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempts_time_out_includes_its_probe() {
    let service = Management::new(&[Undone(Status(500))]);
    let layer = retry().attempt_timeout(Duration::from_millis(1_500));
    let client = layer
        .mark_responses()
        .layer(verify().layer(Slow(service.clone())));
    let response = client.oneshot(request(Method::PUT)).await.unwrap();
    // The second attempt asks for a second, and has half a second left for the operation.
    assert_eq!(response.extensions().get(), Some(&Verified::Created));
    assert_eq!(response.extensions().get::<Attempts>().unwrap().count, 3);
    let (put, get) = ("PUT /items/a?version=2", "GET /items/a?version=2");
    assert_eq!(service.calls(), [put, get, put, get]);
}
