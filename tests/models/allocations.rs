//! What the layer allocates, exactly, by a counting allocator.

use std::convert::Infallible;
use std::future::{Future, Ready, pending, ready};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use allocation_counter::measure;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, HOST, USER_AGENT};
use http::{HeaderName, HeaderValue, Method, Request, Response};
use http_body::{Body as _, Frame};
use http_body_util::{Empty, Full};
use tower::{Layer, Service};
use tower_http_retry::{
    Backoff, Budget, CommitLayer, Cooldown, HedgeLayer, ReplayBody, ResumeLayer, Retry, RetryLayer,
    VerifyLayer,
};

use crate::support::content::{Content, Knows, data};

type Body = Full<Bytes>;

/// Reads each request's body to its end; answers at once, with a 503 so many times first.
#[derive(Clone)]
struct Reading {
    failures: u32,
}

impl<B> Service<Request<B>> for Reading
where
    B: http_body::Body<Data = Bytes>,
{
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut body = pin!(request.into_body());
        let mut context = Context::from_waker(Waker::noop());
        while !body.is_end_stream() {
            assert!(body.as_mut().poll_frame(&mut context).is_ready());
        }
        let mut response = Response::new(Empty::new());
        if self.failures > 0 {
            self.failures -= 1;
            *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
        }
        ready(Ok(response))
    }
}

/// A stream that costs nothing itself.
struct Chunks {
    left: usize,
}

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(left) = self.left.checked_sub(1) else {
            return Poll::Ready(None);
        };
        self.left = left;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[7; 1024])))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }
}

fn service(failures: u32) -> Retry<Reading> {
    let layer = RetryLayer::new().backoff(Backoff::fixed(Duration::ZERO));
    layer.layer(Reading { failures })
}

/// A request that nobody has looked at yet: each value's bytes are its own.
fn fresh(method: Method, headers: usize, body: Body) -> Request<Body> {
    let uri = http::Uri::from_static("http://127.0.0.1/items");
    let mut request = Request::builder()
        .method(method)
        .uri(uri)
        .body(body)
        .unwrap();
    let map = request.headers_mut();
    map.reserve(headers);
    for index in 0..headers {
        let name: HeaderName = format!("x-header-{index}").parse().unwrap();
        let value = format!("the value of number {index}");
        map.insert(
            name,
            HeaderValue::from_maybe_shared(Bytes::from(value)).unwrap(),
        );
    }
    request
}

/// A request as it comes from a retry, with an empty body.
fn replayed<B: Default>(request: Request<B>) -> Request<ReplayBody<B>> {
    request.map(|_| ReplayBody::default())
}

/// What a request allocates from call to response, over what it brings along.
fn allocated<S, B, R>(service: &S, request: Request<B>, status: u16) -> u64
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
{
    let mut service = service.clone();
    let mut output = None;
    let info = measure(|| {
        let mut context = Context::from_waker(Waker::noop());
        let future = pin!(service.call(request));
        let Poll::Ready(response) = future.poll(&mut context) else {
            panic!("the service answers at once");
        };
        output = Some(response);
    });
    assert_eq!(output.unwrap().ok().unwrap().status(), status);
    info.count_total
}

/// Makes what is made once: a thread's own, the registration of a tracing event, and the keys of
/// metrics.
fn warm_up() {
    let get = || fresh(Method::GET, 1, Body::default());
    allocated(&service(0), get(), 200);
    allocated(&service(1), get(), 200);
    let once = RetryLayer::new()
        .max_retries(0)
        .layer(Reading { failures: 1 });
    allocated(&once, get(), 503);
    for method in [Method::POST, Method::PUT] {
        allocated(&service(0), fresh(method, 1, Body::default()), 200);
    }
}

#[tokio::test]
async fn a_get_without_headers_allocates_nothing() {
    warm_up();
    assert_eq!(
        allocated(&service(0), fresh(Method::GET, 0, Body::default()), 200),
        0
    );
}

#[tokio::test]
async fn any_number_of_fresh_headers_is_one_allocation() {
    warm_up();
    for headers in [1, 12, 100] {
        let request = fresh(Method::GET, headers, Body::default());
        assert_eq!(allocated(&service(0), request, 200), 1, "{headers} headers");
    }
}

#[tokio::test]
async fn a_body_in_memory_is_one_allocation_more() {
    warm_up();
    let fixed = || Body::from("grant_type=client_credentials");
    assert_eq!(
        allocated(&service(0), fresh(Method::POST, 0, fixed()), 200),
        1
    );
    assert_eq!(
        allocated(&service(0), fresh(Method::POST, 12, fixed()), 200),
        2
    );
    for size in [1, 100, 1024] {
        let body = Body::from(vec![7; size]);
        assert_eq!(
            allocated(&service(0), fresh(Method::POST, 12, body), 200),
            2,
            "{size} bytes"
        );
    }
    for size in [1, 1024, 8 * 1024 * 1024] {
        let shared = Bytes::from(vec![7; size]);
        let body = Body::from(shared.clone());
        assert_eq!(
            allocated(&service(0), fresh(Method::POST, 12, body), 200),
            2,
            "{size} bytes"
        );
    }
}

#[tokio::test]
async fn to_share_more_than_1_kib_that_nobody_shared_yet_is_another_allocation() {
    warm_up();
    for size in [1025, 8 * 1024 * 1024] {
        let body = Body::from(vec![7; size]);
        assert_eq!(
            allocated(&service(0), fresh(Method::POST, 12, body), 200),
            3,
            "{size} bytes"
        );
    }
}

#[tokio::test]
async fn a_failure_that_is_handed_over_allocates_no_more_than_a_success() {
    warm_up();
    let once = RetryLayer::new()
        .max_retries(0)
        .layer(Reading { failures: 1 });
    assert_eq!(
        allocated(&once, fresh(Method::GET, 0, Body::default()), 503),
        0
    );
    assert_eq!(
        allocated(&once, fresh(Method::GET, 12, Body::default()), 503),
        1
    );
}

/// One for what is kept between two attempts, however many there are; two for a map of headers, one
/// for each name in it that is not a standard one, and one to share their bytes.
#[tokio::test]
async fn retries_allocate_their_pause_and_their_headers() {
    warm_up();
    let bare = || fresh(Method::GET, 0, Body::default());
    assert_eq!(allocated(&service(1), bare(), 200), 1);
    assert_eq!(allocated(&service(2), bare(), 200), 1);
    let headers = || fresh(Method::GET, 12, Body::default());
    assert_eq!(allocated(&service(1), headers(), 200), 1 + 1 + (2 + 1 + 12));
    assert_eq!(
        allocated(&service(2), headers(), 200),
        1 + 1 + (2 + 1 + 12) + (2 + 12)
    );
}

/// Three for the extensions of each attempt's request, and of the response that says what it took.
#[tokio::test]
async fn marks_are_what_extensions_allocate() {
    warm_up();
    let layer = RetryLayer::new().backoff(Backoff::fixed(Duration::ZERO));
    let layer = layer.mark_attempts().mark_responses();
    let bare = || fresh(Method::GET, 0, Body::default());
    for (failures, expected) in [(0, 3), (1, 3 + (1 + 3) + 3), (2, 3 + (1 + 3) + 3 + 3)] {
        let service = layer.layer(Reading { failures });
        assert_eq!(allocated(&service, bare(), 200), expected, "{failures}");
    }
}

/// From the third request of a kind on: one for what is kept of its headers, and for each retry two
/// for a map; once one to share their bytes.
#[tokio::test]
async fn names_that_the_layer_knows_are_neither_kept_nor_made_again() {
    warm_up();
    let layer = RetryLayer::new().backoff(Backoff::fixed(Duration::ZERO));
    let request = || fresh(Method::GET, 12, Body::default());
    for _ in 0..2 {
        allocated(&layer.layer(Reading { failures: 0 }), request(), 200);
    }
    for (failures, expected) in [(0, 1), (1, 1 + 1 + (2 + 1)), (2, 1 + 1 + (2 + 1) + 2)] {
        let service = layer.layer(Reading { failures });
        assert_eq!(allocated(&service, request(), 200), expected, "{failures}");
    }
}

#[tokio::test]
async fn names_that_are_standard_ones_are_not_allocated_again() {
    warm_up();
    let request = || {
        let mut request = fresh(Method::GET, 0, Body::default());
        for name in [ACCEPT, AUTHORIZATION, HOST, USER_AGENT] {
            let value = Bytes::from(format!("the value of {name}"));
            let value = HeaderValue::from_maybe_shared(value).unwrap();
            request.headers_mut().insert(name, value);
        }
        request
    };
    assert_eq!(allocated(&service(0), request(), 200), 1);
    assert_eq!(allocated(&service(2), request(), 200), 1 + 1 + (2 + 1) + 2);
}

/// One for the tape, and the growth of its list: to 4, to 8, to 16.
#[tokio::test]
async fn what_is_kept_of_a_stream_grows_by_doubling() {
    warm_up();
    for (chunks, growth) in [(1, 0), (2, 1), (5, 1), (6, 2), (9, 2), (10, 3), (17, 3)] {
        let request = fresh(Method::POST, 0, Body::default()).map(|_| Chunks { left: chunks });
        assert_eq!(allocated(&service(0), request, 200), 1 + growth, "{chunks}");
    }
}

#[tokio::test]
async fn an_attempts_time_out_is_one_allocation_once_it_is_waited_for() {
    let never = |_: Request<ReplayBody<Body>>| pending::<Result<Response<Body>, Infallible>>();
    let layer = RetryLayer::new().attempt_timeout(Duration::from_secs(1));
    let mut service = layer.layer(tower::service_fn(never));
    let mut polled = || {
        let request = fresh(Method::GET, 0, Body::default());
        let info = measure(|| {
            let mut context = Context::from_waker(Waker::noop());
            let mut future = pin!(service.call(request));
            assert!(future.as_mut().poll(&mut context).is_pending());
            assert!(future.as_mut().poll(&mut context).is_pending());
        });
        info.count_total
    };
    polled();
    assert_eq!(polled(), 1);
    // An attempt that is over at once waits for none.
    let at_once = layer.layer(Reading { failures: 0 });
    assert_eq!(
        allocated(&at_once, fresh(Method::GET, 0, Body::default()), 200),
        0
    );
}

#[tokio::test]
async fn to_find_the_budget_of_an_upstream_allocates_nothing() {
    warm_up();
    let layer = RetryLayer::new().budget(Budget::per_authority(10));
    let service = layer.layer(Reading { failures: 0 });
    let get = || fresh(Method::GET, 0, Body::default());
    assert!(allocated(&service, get(), 200) > 0, "it is made");
    assert_eq!(allocated(&service, get(), 200), 0);
}

#[tokio::test]
async fn a_cooldown_that_holds_nothing_allocates_nothing() {
    for cooldown in [Cooldown::new(), Cooldown::per_authority(10)] {
        let layer = RetryLayer::new()
            .cooldown(cooldown)
            .rate_limit_headers(true);
        let service = layer.layer(Reading { failures: 0 });
        warm_up();
        let get = || fresh(Method::GET, 0, Body::default());
        // The first request to an upstream makes its state.
        allocated(&service, get(), 200);
        assert_eq!(allocated(&service, get(), 200), 0);
    }
}

#[tokio::test]
async fn services_of_one_layer_share_its_policy() {
    let layer = RetryLayer::new();
    let info = measure(|| {
        for _ in 0..10 {
            drop(layer.layer(Reading { failures: 0 }));
        }
    });
    assert_eq!(info.count_total, 0);
}

#[tokio::test]
async fn a_verify_layer_that_has_nothing_to_verify_allocates_nothing() {
    warm_up();
    let put = |headers| fresh(Method::PUT, headers, Body::from("an item"));
    let verify = VerifyLayer::new();
    // Alone, whatever the outcome.
    for (failures, status) in [(0, 200), (1, 503)] {
        let alone = verify.layer(Reading { failures });
        assert_eq!(allocated(&alone, replayed(put(12)), status), 0);
    }
    // Above the retry, and under it: what the retry allocates, and no more.
    let above = verify.layer(service(0));
    assert_eq!(allocated(&above, replayed(put(0)), 200), 0);
    assert_eq!(allocated(&above, replayed(put(12)), 200), 1);
    let under = RetryLayer::new().layer(verify.layer(Reading { failures: 0 }));
    assert_eq!(allocated(&under, put(0), 200), 1);
    assert_eq!(allocated(&under, put(12), 200), 2);
}

#[tokio::test]
async fn a_resume_layer_allocates_what_it_keeps_of_a_get_and_nothing_else() {
    warm_up();
    let resume = ResumeLayer::new().layer(Reading { failures: 0 });
    let put = fresh(Method::PUT, 12, Body::from("an item"));
    assert_eq!(allocated(&resume, put, 200), 0);
    let get = |headers| fresh(Method::GET, headers, Body::default());
    assert_eq!(allocated(&resume, get(0), 200), 0);
    assert_eq!(allocated(&resume, get(12), 200), 1);
}

#[tokio::test]
async fn a_request_that_is_not_hedged_allocates_what_is_kept_of_it_and_nothing_else() {
    warm_up();
    let hedge = HedgeLayer::new().after(Duration::from_secs(1));
    let alone = hedge.layer(Reading { failures: 0 });
    let get = |headers| fresh(Method::GET, headers, Body::default());
    assert_eq!(allocated(&alone, get(0), 200), 0);
    assert_eq!(allocated(&alone, get(12), 200), 1);
    let learning = HedgeLayer::new().layer(Reading { failures: 0 });
    assert_eq!(allocated(&learning, get(0), 200), 0);
    // One that may not be hedged is not kept.
    let post = fresh(Method::POST, 12, Body::from("an item"));
    assert_eq!(allocated(&alone, post, 200), 0);
    let under = RetryLayer::new().layer(hedge.layer(Reading { failures: 0 }));
    assert_eq!(allocated(&under, get(0), 200), 0);
}

/// Answers with so many chunks.
fn chunked(
    chunks: usize,
) -> impl Service<Request<Body>, Response = Response<Chunks>, Error = Infallible> + Clone {
    let answer = move |_: Request<Body>| {
        let response = Response::new(Chunks { left: chunks });
        ready(Ok::<_, Infallible>(response))
    };
    tower::service_fn(answer)
}

#[tokio::test]
async fn a_response_that_is_returned_with_its_first_bytes_allocates_nothing() {
    let get = || fresh(Method::GET, 0, Body::default());
    for chunks in [0, 1, 3] {
        let bare = chunked(chunks);
        assert_eq!(allocated(&bare, get(), 200), 0);
        let layer = CommitLayer::first_bytes().timeout(Duration::from_secs(1));
        assert_eq!(allocated(&layer.layer(bare), get(), 200), 0, "{chunks}");
    }
}

/// Three for the extension that classifiers look at; two to join frames and to share what was joined,
/// and one more each time that this doubles.
#[tokio::test]
async fn a_response_that_is_read_whole_is_what_an_extension_allocates() {
    let get = || fresh(Method::GET, 0, Body::default());
    let layer = CommitLayer::whole(64 * 1024);
    for (chunks, expected) in [
        (0, 3),
        (1, 3),
        (2, 5),
        (3, 6),
        (4, 6),
        (5, 7),
        (8, 7),
        (9, 8),
    ] {
        let service = layer.layer(chunked(chunks));
        assert_eq!(allocated(&service, get(), 200), expected, "{chunks}");
    }
    // One that is not read, and one that turns out longer.
    let head = fresh(Method::HEAD, 0, Body::default());
    assert_eq!(allocated(&layer.layer(chunked(3)), head, 200), 0);
    let longer = CommitLayer::whole(1023).layer(chunked(3));
    assert_eq!(allocated(&longer, get(), 200), 0);
}

#[tokio::test]
async fn to_join_frames_whose_size_is_known_is_two_allocations_however_many_there_are() {
    let get = || fresh(Method::GET, 0, Body::default());
    for frames in [2, 3, 100] {
        let service = tower::service_fn(move |_: Request<Body>| {
            let content = Content::new(Knows::All, vec![data("frame"); frames]);
            ready(Ok::<_, Infallible>(Response::new(content)))
        });
        let bare = allocated(&service, get(), 200);
        let whole = CommitLayer::whole(64 * 1024).layer(service);
        assert_eq!(allocated(&whole, get(), 200), bare + 3 + 2, "{frames}");
    }
}
