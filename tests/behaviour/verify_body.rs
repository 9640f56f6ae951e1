//! Whether an item is the one that a request creates, by its content: what is read of it, what the
//! caller gets, and what goes wrong with it.

use std::collections::VecDeque;
use std::future::ready;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body as _;
use http_body_util::{BodyExt, Empty, Full};
use proptest::prelude::*;
use tokio::time::Instant;
use tower::{Layer, ServiceExt, service_fn};
use tower_http_retry::verify::{Unverified, Verified, VerifyBody};
use tower_http_retry::{
    AttemptsHandle, Backoff, BoxError, Jitter, ReplayBody, RetryLayer, RetryOverride, VerifyLayer,
};

use crate::support::body::Does::{self, Data, Fail, Panic, Pending, Trailers};
use crate::support::body::{Source, Whole, data, trailers};
use crate::support::management::{Body, endless};

const ITEM: &str = "http://service.test/items/a";

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What a service answers each call with, one after the other; whether that is an operation or a
/// probe is for the test to know.
type Plan = Vec<Response<Body>>;

/// What came of a request.
struct Sent {
    outcome: Result<Response<VerifyBody<Body>>, BoxError>,
    attempts: u32,
    took: Duration,
    methods: Vec<Method>,
}

impl Sent {
    fn methods(&self) -> Vec<&str> {
        self.methods.iter().map(Method::as_str).collect()
    }

    fn response(self) -> Response<VerifyBody<Body>> {
        self.outcome.unwrap()
    }

    fn error(self) -> BoxError {
        self.outcome.unwrap_err()
    }

    /// The status, what was verified, and the body.
    async fn told(self) -> (u16, Option<Verified>, Whole) {
        let response = self.response();
        let verified = response.extensions().get().copied();
        let status = response.status().as_u16();
        (status, verified, whole(response).await)
    }
}

async fn whole(response: Response<VerifyBody<Body>>) -> Whole {
    let read = response.into_body().collect().await.unwrap();
    let trailers = read.trailers().cloned();
    let data = read.to_bytes().to_vec();
    Whole { data, trailers }
}

/// Sends a request whose first attempt is answered 500, and then as planned.
async fn send(method: Method, verify: VerifyLayer, plan: Plan) -> Sent {
    let plan = Mutex::new(VecDeque::from(plan));
    let methods = Mutex::new(vec![]);
    let service = service_fn(|request: Request<ReplayBody<Full<Bytes>>>| {
        let mut methods = methods.lock().unwrap();
        methods.push(request.method().clone());
        let answer = match methods.len() {
            1 => status(500),
            _ => plan.lock().unwrap().pop_front().expect("an answer"),
        };
        ready(Ok::<_, BoxError>(answer))
    });
    let client = retry().layer(verify.layer(service));
    let attempts = AttemptsHandle::new();
    let request = Request::builder().method(method).uri(ITEM);
    let request = request.header("if-none-match", "*").header("client", "1");
    let request = request.extension(RetryOverride::new().repeatable(true));
    let request = request.extension(attempts.clone());
    let start = Instant::now();
    let outcome = client
        .oneshot(request.body("an item".into()).unwrap())
        .await;
    let took = start.elapsed();
    assert_eq!(plan.lock().unwrap().len(), 0, "calls that were not made");
    Sent {
        outcome,
        attempts: attempts.get().count,
        took,
        methods: methods.lock().unwrap().clone(),
    }
}

/// Each attempt a second after the one before, and for three seconds.
fn retry() -> RetryLayer {
    RetryLayer::new()
        .backoff(Backoff::fixed(secs(1)).jitter(Jitter::None))
        .attempt_timeout(secs(3))
}

fn status(status: u16) -> Response<Body> {
    let body = Empty::new().map_err(BoxError::from).boxed();
    Response::builder().status(status).body(body).unwrap()
}

fn item(content: Source) -> Response<Body> {
    status(200).map(|_| content.map_err(BoxError::from).boxed())
}

fn text(content: &'static str) -> Response<Body> {
    item(Source::sized([data(content)]))
}

/// An item whose content breaks off so.
fn broken(kind: ErrorKind) -> Response<Body> {
    let content = Source::streamed([data("owner"), Fail]);
    let content = content.map_err(move |_| io::Error::from(kind).into());
    status(200).map(|_| content.boxed())
}

fn is(expected: &'static str) -> VerifyLayer {
    VerifyLayer::new().same_body(1024, move |_, _, content| content == expected)
}

#[tokio::test(start_paused = true)]
async fn the_item_with_this_content_is_the_one_and_the_caller_gets_it() {
    let sent = send(Method::PUT, is("owner: 1"), vec![text("owner: 1")]).await;
    assert_eq!(sent.methods(), ["PUT", "GET"]);
    let expected = (201, Some(Verified::Created), Whole::data("owner: 1"));
    assert_eq!(sent.told().await, expected);
}

#[tokio::test(start_paused = true)]
async fn the_item_with_another_content_is_a_conflict_and_the_caller_gets_it() {
    let sent = send(Method::PUT, is("owner: 1"), vec![text("owner: 2")]).await;
    assert_eq!(sent.methods(), ["PUT", "GET"]);
    let expected = (412, Some(Verified::Conflict), Whole::data("owner: 2"));
    assert_eq!(sent.told().await, expected);
}

#[tokio::test(start_paused = true)]
async fn the_closure_sees_both_heads_and_all_of_the_content() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = seen.clone();
    let verify = VerifyLayer::new().same_body(1024, move |request, found, content| {
        let client = request.headers()["client"].clone();
        told.lock()
            .unwrap()
            .push((client, found.status(), content.clone()));
        true
    });
    let parts = [data("own"), Pending, data(""), data("er: 1"), Pending];
    let plan = vec![item(Source::streamed(parts))];
    send(Method::PUT, verify, plan).await.response();
    let seen = seen.lock().unwrap();
    let [(client, status, content)] = &seen[..] else {
        panic!("asked {} times", seen.len());
    };
    assert_eq!((client.to_str().unwrap(), status.as_u16()), ("1", 200));
    assert_eq!(content, "owner: 1");
}

#[tokio::test(start_paused = true)]
async fn an_item_without_content_is_compared_by_no_bytes() {
    for found in [200, 203, 204] {
        let sent = send(Method::PUT, is(""), vec![status(found)]).await;
        let expected = (201, Some(Verified::Created), Whole::default());
        assert_eq!(sent.told().await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn with_same_both_must_agree_and_the_heads_are_asked_first() {
    for (by_head, by_content, asked, status) in [
        (false, false, &["head"][..], 412),
        (false, true, &["head"], 412),
        (true, false, &["head", "content"], 412),
        (true, true, &["head", "content"], 201),
    ] {
        let order = Arc::new(Mutex::new(Vec::new()));
        let (first, second) = (order.clone(), order.clone());
        let verify = VerifyLayer::new()
            .same_body(1024, move |_, _, _| {
                second.lock().unwrap().push("content");
                by_content
            })
            .same(move |_, _| {
                first.lock().unwrap().push("head");
                by_head
            });
        let sent = send(Method::PUT, verify, vec![text("the item")]).await;
        assert_eq!(sent.told().await, {
            let verified = if status == 201 {
                Verified::Created
            } else {
                Verified::Conflict
            };
            (status, Some(verified), Whole::data("the item"))
        });
        assert_eq!(*order.lock().unwrap(), asked);
    }
}

#[tokio::test(start_paused = true)]
async fn content_is_read_of_an_item_that_was_to_be_created_only() {
    let unread = |found: u16| status(found).map(|_| endless());
    let never = || VerifyLayer::new().same_body(1024, |_, _, _| panic!("asked"));
    // No item, a create; an item, a delete; no item, a delete.
    let sent = send(Method::PUT, never(), vec![unread(404), status(201)]).await;
    assert_eq!(sent.took, secs(1));
    assert_eq!(sent.response().status(), 201);
    let sent = send(Method::DELETE, never(), vec![unread(200), status(204)]).await;
    assert_eq!(sent.took, secs(1));
    assert!(sent.response().extensions().get::<Verified>().is_none());
    let sent = send(Method::DELETE, never(), vec![status(404)]).await;
    assert_eq!(sent.told().await.1, Some(Verified::Deleted));
    // A status that tells nothing.
    let sent = send(Method::PUT, never(), vec![unread(403)]).await;
    assert_eq!(sent.took, secs(1));
    assert!(sent.error().is::<Unverified>());
}

#[tokio::test(start_paused = true)]
async fn content_is_read_up_to_the_limit() {
    let limited = |limit| VerifyLayer::new().same_body(limit, |_, _, _| true);
    let small = |count: usize| vec![data("x"); count];
    for (limit, content) in [
        (8, vec![data("owner: 1")]),
        (8, vec![data("owner"), data(": 1")]),
        (1024, small(1024)),
        (0, vec![]),
        (8, [vec![data("")], small(8), vec![data("")]].concat()),
        (
            8,
            [small(8), vec![Trailers(trailers([("a", "1")]))]].concat(),
        ),
        (usize::MAX, small(8)),
    ] {
        for item in both_kinds(&content) {
            let sent = send(Method::PUT, limited(limit), vec![item]).await;
            assert_eq!(sent.told().await.0, 201, "{limit}: {content:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn content_that_is_longer_than_the_limit_tells_nothing() {
    let limited = |limit| VerifyLayer::new().same_body(limit, |_, _, _| panic!("asked"));
    for (limit, content) in [
        (7, vec![data("owner: 1")]),
        (7, vec![data("owner"), data(": 1"), Panic]),
        (1023, vec![data("x"); 1024]),
        (0, vec![data("x"), Panic]),
    ] {
        for item in both_kinds(&content) {
            let sent = send(Method::PUT, limited(limit), vec![item]).await;
            assert_eq!((sent.attempts, sent.took), (2, secs(1)));
            let error = sent.error();
            assert_eq!(
                error.to_string(),
                format!(
                    "cannot verify whether the request took effect: the probe GET {ITEM} was answered \
                     200 OK with a body of more than {limit} bytes"
                )
            );
            assert!(error.is::<Unverified>());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn content_that_says_that_it_is_longer_than_the_limit_is_not_read() {
    // Its size is known: that of the data.
    let long = item(Source::sized([Panic, data("owner: 1")]));
    let verify = VerifyLayer::new().same_body(7, |_, _, _| panic!("asked"));
    let sent = send(Method::PUT, verify, vec![long]).await;
    assert!(sent.error().is::<Unverified>());
}

#[tokio::test(start_paused = true)]
async fn content_of_empty_frames_without_end_tells_nothing() {
    struct Empties;

    impl http_body::Body for Empties {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, BoxError>>> {
            std::task::Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::new()))))
        }
    }

    let sent = send(
        Method::PUT,
        is(""),
        vec![status(200).map(|_| Empties.boxed())],
    )
    .await;
    assert!(sent.error().is::<Unverified>());
}

#[tokio::test(start_paused = true)]
async fn content_that_breaks_off_is_asked_for_anew_and_the_request_is_not_sent_again() {
    // The second would by itself say that nobody acted on the request.
    for kind in [ErrorKind::ConnectionReset, ErrorKind::ConnectionRefused] {
        let plan = vec![broken(kind), broken(kind), text("owner: 1")];
        let sent = send(Method::PUT, is("owner: 1"), plan).await;
        assert_eq!(sent.methods(), ["PUT", "GET", "GET", "GET"]);
        assert_eq!((sent.attempts, sent.took), (4, secs(3)));
        assert_eq!(sent.told().await.1, Some(Verified::Created));
    }
}

#[tokio::test(start_paused = true)]
async fn content_that_breaks_off_for_good_is_the_contents_own_error() {
    let plan = vec![broken(ErrorKind::InvalidData)];
    let sent = send(Method::PUT, is("owner: 1"), plan).await;
    assert_eq!(sent.attempts, 2);
    let error = sent.error().downcast::<io::Error>().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
}

#[tokio::test(start_paused = true)]
async fn content_that_never_ends_is_bounded_by_the_attempts_time_out() {
    let plan = vec![status(200).map(|_| endless()), text("owner: 1")];
    let sent = send(Method::PUT, is("owner: 1"), plan).await;
    assert_eq!(sent.methods(), ["PUT", "GET", "GET"]);
    // A wait, three seconds of the second attempt, and another wait.
    assert_eq!((sent.attempts, sent.took), (3, secs(1 + 3 + 1)));
    assert_eq!(sent.told().await.1, Some(Verified::Created));
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_explained_by_the_content_of_the_item() {
    let conflict = || status(409).map(|_| text("it exists").into_body());
    let plan = |found| vec![status(404), conflict(), found];
    let sent = send(Method::PUT, is("owner: 1"), plan(text("owner: 1"))).await;
    assert_eq!(sent.methods(), ["PUT", "GET", "PUT", "GET"]);
    let created = (201, Some(Verified::Created), Whole::data("owner: 1"));
    assert_eq!(sent.told().await, created);

    // The service's own answer was right.
    let sent = send(Method::PUT, is("owner: 1"), plan(text("owner: 2"))).await;
    assert_eq!(sent.told().await, (409, None, Whole::data("it exists")));

    let too_long = is("").same_body(1, |_, _, _| panic!("asked"));
    let error = send(Method::PUT, too_long, plan(text("owner: 1")))
        .await
        .error();
    let unverified = error.downcast::<Unverified>().unwrap();
    assert_eq!(unverified.conflict().unwrap().status(), 409);

    // The item is asked about anew, in another attempt.
    let mut broken = plan(broken(ErrorKind::ConnectionReset));
    broken.push(text("owner: 1"));
    let sent = send(Method::PUT, is("owner: 1"), broken).await;
    assert_eq!(sent.methods(), ["PUT", "GET", "PUT", "GET", "GET"]);
    assert_eq!(sent.told().await, created);
}

#[tokio::test(start_paused = true)]
async fn a_conflict_that_breaks_off_while_it_is_read_is_handed_up_as_it_came() {
    let conflict = status(409).map(|_| broken(ErrorKind::ConnectionReset).into_body());
    let plan = vec![status(404), conflict, status(404)];
    let response = send(Method::PUT, is("owner: 1"), plan).await.response();
    assert_eq!(response.status(), 409);
    let mut body = response.into_body();
    let data = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(data, "owner");
    assert!(!body.is_end_stream());
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(
        error.downcast::<io::Error>().unwrap().kind(),
        ErrorKind::ConnectionReset
    );
    assert!(body.is_end_stream());
    assert!(body.frame().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn on_the_last_attempt_a_conflict_goes_before_content_that_breaks_off() {
    let mut plan: Plan = (0..4).map(|_| status(503)).collect();
    let conflict = status(409).map(|_| text("it exists").into_body());
    plan.extend([status(404), conflict, broken(ErrorKind::ConnectionReset)]);
    let sent = send(Method::PUT, is("owner: 1"), plan).await;
    assert_eq!(sent.attempts, 6);
    assert_eq!(sent.told().await, (409, None, Whole::data("it exists")));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_would_be_a_head_is_a_get_where_content_is_compared() {
    let by_method = is("owner: 1").method(Method::HEAD);
    let by_probe = is("owner: 1").probe(|head| Request::head(head.uri()).body(()).ok());
    for verify in [by_method, by_probe] {
        let sent = send(Method::PUT, verify.clone(), vec![text("owner: 1")]).await;
        assert_eq!(sent.methods(), ["PUT", "GET"]);
        assert_eq!(sent.told().await.1, Some(Verified::Created));
        // Of what was to be deleted, nothing is.
        let sent = send(Method::DELETE, verify, vec![status(404)]).await;
        assert_eq!(sent.methods(), ["DELETE", "HEAD"]);
        assert_eq!(sent.told().await.1, Some(Verified::Deleted));
    }
}

/// An item whose content knows its size, and one whose does not.
fn both_kinds(content: &[Does]) -> [Response<Body>; 2] {
    let content = || content.iter().cloned();
    [
        item(Source::sized(content())),
        item(Source::streamed(content())),
    ]
}

fn does() -> impl Strategy<Value = Does> {
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Data(bytes.into())),
        1 => Just(Pending),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn what_was_read_to_compare_it_is_handed_over_unharmed(
        frames in prop::collection::vec(does(), 0..20),
        with_trailers: bool,
        is_sized: bool,
        is_same: bool,
        limit in 0_usize..400,
    ) {
        let mut expected = Whole::default();
        for frame in &frames {
            if let Data(data) = frame {
                expected.data.extend_from_slice(data);
            }
        }
        let mut script = frames;
        if with_trailers {
            let lines = trailers([("checksum", "1"), ("checksum", "2"), ("signed", "yes")]);
            script.push(Trailers(lines.clone()));
            expected.trailers = Some(lines);
        }
        let content = match is_sized {
            true => Source::sized(script),
            false => Source::streamed(script),
        };
        let seen = Arc::new(Mutex::new(None));
        let told = seen.clone();
        let verify = VerifyLayer::new().same_body(limit, move |_, _, content| {
            *told.lock().unwrap() = Some(content.to_vec());
            is_same
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.unwrap();
        let sent = runtime.block_on(send(Method::PUT, verify, vec![item(content)]));
        if expected.data.len() > limit {
            prop_assert!(sent.error().is::<Unverified>());
            prop_assert_eq!(seen.lock().unwrap().take(), None);
            return Ok(());
        }
        let response = sent.response();
        prop_assert_eq!(response.status(), if is_same { 201 } else { 412 });
        prop_assert_eq!(response.body().size_hint().exact(), Some(expected.data.len() as u64));
        let is_empty = expected == Whole::default();
        prop_assert_eq!(response.body().is_end_stream(), is_empty);
        prop_assert_eq!(seen.lock().unwrap().take(), Some(expected.data.clone()));
        prop_assert_eq!(runtime.block_on(whole(response)), expected);
    }
}
