//! What creates and deletes come to over real connections, when they are asked for before they are
//! done again: exactly how many items there are, and what it took.
//!
//! Retries wait nothing, and the clock runs: paused, it would jump to a timer while a message is on
//! the wire.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, IF_NONE_MATCH, TRANSFER_ENCODING};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Channel, Full};
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tower::buffer::BufferLayer;
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_http::map_request_body::MapRequestBodyLayer;
use tower_http_retry::verify::{Unverified, Verified};
use tower_http_retry::{AttemptsHandle, BoxError, ReplayBody, VerifyLayer};

use crate::support::body::at_once;
use crate::support::items::{self, Answer, Counts, Items, PAGE, Protocol, Turn};
use crate::support::operation::Operation::{Delete, Post, Put};
use crate::support::operation::{CONTENT, Case, body, cases, told};

use Answer::{Status, Truth, TruthLate};
use Turn::{Done, DoneAndClosed, DoneAndCut, DoneAndLost, DoneBut, Failed, FailedUnread};

#[tokio::test]
async fn what_was_done_although_the_answer_was_lost_is_not_done_again() {
    for case in cases([Put, Post, Delete]) {
        for turn in [DoneBut(500), DoneAndLost, DoneAndClosed] {
            let expected = (case.verified(2), case.counts(1, 1));
            assert_eq!(case.run([turn], []).await, expected, "{case:?}, {turn:?}");
        }
    }
}

#[tokio::test]
async fn what_was_not_done_is_sent_again_after_one_probe() {
    for case in cases([Put, Post, Delete]) {
        let expected = (case.done(2), case.counts(2, 1));
        assert_eq!(case.run([Failed(500)], []).await, expected, "{case:?}");
    }
}

#[tokio::test]
async fn each_retry_has_a_probe_of_its_own() {
    for case in cases([Put, Post, Delete]) {
        let turns = [Failed(500), Failed(502), DoneAndLost];
        let expected = (case.verified(4), case.counts(3, 3));
        assert_eq!(case.run(turns, []).await, expected, "{case:?}");
    }
}

#[tokio::test]
async fn after_a_refusal_there_is_nothing_to_verify() {
    for case in cases([Put, Post, Delete]) {
        let expected = (case.done(2), case.counts(2, 0));
        assert_eq!(case.run([Failed(429)], []).await, expected, "{case:?}");
    }
}

#[tokio::test]
async fn a_failure_is_verified_although_a_refusal_came_after_it() {
    for case in cases([Put, Post, Delete]) {
        // The probe is refused.
        let expected = (case.verified(3), case.counts(1, 2));
        let run = case.run([DoneBut(500)], [Status(429)]).await;
        assert_eq!(run, expected, "{case:?}");

        // The probe comes too early, and the operation is refused.
        let early = if case.operation == Delete { 200 } else { 404 };
        let turns = [DoneBut(500), Failed(429)];
        let expected = (case.verified(3), case.counts(2, 2));
        let run = case.run(turns, [Status(early)]).await;
        assert_eq!(run, expected, "{case:?}");
    }
}

#[tokio::test]
async fn a_first_attempt_is_not_verified() {
    // The item exists; there is none to delete.
    for case in cases([Put, Delete]) {
        let items = Items::start(case.protocol, [], []).await;
        let status = if case.operation == Delete { 404 } else { 409 };
        if case.operation == Put {
            items.insert("alpha");
        }
        let response = case.send(&items).await.unwrap();
        assert_eq!(told(&response), (status, None, 1), "{case:?}");
        assert_eq!(items.counts(), case.counts(1, 0), "{case:?}");
        assert_eq!(body(response).await, &PAGE[..], "{case:?}");
    }
}

#[tokio::test]
async fn a_probe_that_fails_for_now_is_asked_anew() {
    for case in cases([Put, Post, Delete]) {
        for answer in [Status(503), Answer::Lost] {
            let run = case.run([DoneBut(500)], [answer, answer, Truth]).await;
            let expected = (case.verified(4), case.counts(1, 3));
            assert_eq!(run, expected, "{case:?}, {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_probe_that_fails_to_the_end_is_what_the_caller_gets() {
    for case in cases([Put, Post, Delete]) {
        let items = case.start([DoneBut(500)], [Status(503); 5]).await;
        let response = case.send(&items).await.unwrap();
        let expected = (503, Some(Verified::Unavailable), 6);
        assert_eq!(told(&response), expected, "{case:?}");
        assert_eq!(items.counts(), case.counts(1, 5), "{case:?}");
        assert_eq!(body(response).await, &PAGE[..], "{case:?}");
    }
}

#[tokio::test]
async fn a_probe_that_cannot_tell_is_an_error_that_says_what_it_was_answered() {
    for case in cases([Put, Post, Delete]) {
        for status in [401, 403, 302] {
            let items = case.start([DoneBut(500)], [Status(status)]).await;
            let client = (at_once(), case.verify()).layer(items.client());
            let attempts = AttemptsHandle::new();
            let mut request = case.whole_request(&items);
            request.extensions_mut().insert(attempts.clone());
            let error = client.oneshot(request).await.unwrap_err();
            let unverified = error.downcast_ref::<Unverified>().unwrap();
            assert_eq!(unverified.response().status(), status, "{case:?}");
            let uri = items.uri("/items/alpha");
            assert_eq!(unverified.uri().to_string(), uri, "{case:?}");
            assert_eq!(attempts.get().count, 2, "{case:?}");
            assert_eq!(items.counts(), case.counts(1, 1), "{case:?}");
        }
    }
}

#[tokio::test]
async fn a_success_whose_body_breaks_off_is_handed_over() {
    for case in cases([Put, Post]) {
        let items = case.start([DoneAndCut], []).await;
        let response = case.send(&items).await.unwrap();
        assert_eq!(told(&response), case.done(1), "{case:?}");
        items.cut();
        response.into_body().collect().await.unwrap_err();
        assert_eq!(items.counts(), case.counts(1, 0), "{case:?}");
    }
}

#[tokio::test]
async fn a_conflict_with_what_was_done_before_is_the_success_that_it_is() {
    for case in cases([Put, Delete]) {
        // The probe comes too early: the service does not know yet what it has done.
        let early = if case.operation == Put { 404 } else { 200 };
        let run = case.run([DoneBut(500)], [Status(early)]).await;
        assert_eq!(run, (case.verified(2), case.counts(2, 2)), "{case:?}");
    }
}

#[tokio::test]
async fn a_conflict_that_a_probe_does_not_explain_is_handed_over_whole() {
    for case in cases([Put, Delete]) {
        let (conflict, found) = match case.operation {
            Put | Post => (409, 404),
            Delete => (404, 200),
        };
        let turns = [Failed(500), Failed(conflict)];
        let items = case.start(turns, [Status(found); 2]).await;
        let before = items.counts().items;
        let response = case.send(&items).await.unwrap();
        assert_eq!(told(&response), (conflict, None, 2), "{case:?}");
        assert_eq!(body(response).await, &PAGE[..], "{case:?}");
        assert_eq!(items.counts(), Counts::new(before, 2, 2), "{case:?}");
    }
}

#[tokio::test]
async fn the_item_that_a_probe_found_is_handed_over_whole() {
    let lines: String = (0..30_000).map(|line| format!("{line}\n")).collect();
    let content = Bytes::from(format!("alpha\n{lines}"));
    for case in cases([Put, Post]) {
        for answer in [Truth, TruthLate] {
            let items = case.start([DoneBut(500)], [answer]).await;
            let client = (at_once(), case.verify()).layer(items.client());
            let request = case.request(&items, Full::new(content.clone()));
            let response = client.oneshot(request).await.unwrap();
            assert_eq!(told(&response), case.verified(2), "{case:?}");
            assert!(body(response).await == content, "{case:?}, {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_put_with_if_none_match_is_verified_by_default_and_its_412_too() {
    for case in cases([Put]) {
        // Done before the probe; and done after it, which has found nothing.
        for (answer, operations, probes) in [(Truth, 1, 1), (Status(404), 2, 2)] {
            let items = case.start([DoneBut(500)], [answer]).await;
            let client = (at_once(), VerifyLayer::new()).layer(items.client());
            let mut create = case.whole_request(&items);
            let any = HeaderValue::from_static("*");
            create.headers_mut().insert(IF_NONE_MATCH, any);
            let response = client.oneshot(create).await.unwrap();
            assert_eq!(told(&response), case.verified(2), "{case:?}");
            assert_eq!(body(response).await, CONTENT, "{case:?}");
            assert_eq!(items.counts(), case.counts(operations, probes), "{case:?}");
        }
    }
}

#[tokio::test]
async fn an_item_is_compared_by_all_of_its_content_and_handed_over_whole() {
    let lines: String = (0..30_000).map(|line| format!("{line}\n")).collect();
    let content = Bytes::from(format!("alpha\n{lines}"));
    let length = content.len();
    for case in cases([Put, Post]) {
        for answer in [Truth, TruthLate] {
            for (limit, is_same) in [(length, true), (length, false), (length - 1, true)] {
                let items = case.start([DoneBut(500)], [answer]).await;
                let written = content.clone();
                let verify = case.verify().same_body(limit, move |_, _, found| {
                    assert!(*found == written);
                    is_same
                });
                let client = (at_once(), verify).layer(items.client());
                let request = case.request(&items, Full::new(content.clone()));
                let outcome = client.oneshot(request).await;
                assert_eq!(items.counts(), case.counts(1, 1), "{case:?}");
                if limit < length {
                    assert!(outcome.unwrap_err().is::<Unverified>(), "{case:?}");
                    continue;
                }
                let response = outcome.unwrap();
                let expected = match is_same {
                    true => case.verified(2),
                    false => (409, Some(Verified::Conflict), 2),
                };
                assert_eq!(told(&response), expected, "{case:?}, {answer:?}");
                assert!(body(response).await == content, "{case:?}, {answer:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_delete_that_was_done_has_neither_headers_nor_a_body_though_the_404_had() {
    for case in cases([Delete]) {
        for answer in [Truth, TruthLate, Answer::TruthLong] {
            let items = case.start([DoneBut(500)], [answer]).await;
            let response = case.send(&items).await.unwrap();
            assert_eq!(told(&response), case.verified(2), "{case:?}");
            assert!(response.headers().is_empty(), "{case:?}");
            assert_eq!(body(response).await, "", "{case:?}, {answer:?}");
        }
    }
}

#[tokio::test]
async fn probes_share_the_connections_of_the_operations() {
    let conflict = [DoneBut(500), Done];
    let early = [Status(404), TruthLate];
    for (operation, turns, answers, operations, probes) in [
        (Put, &[DoneBut(500)][..], &[TruthLate][..], 100, 100),
        (Put, &[Failed(500), Done], &[Truth], 200, 100),
        (Put, &[Failed(500), Done], &[TruthLate], 200, 100),
        (Put, &conflict, &early, 200, 200),
        (Delete, &[DoneBut(500)], &[TruthLate], 100, 100),
    ] {
        for case in cases([operation]) {
            let (counts, connections) = case.run_a_hundred(turns, answers).await;
            let most = match case.protocol {
                Protocol::Http1 => 3,
                Protocol::Http2 => 1,
            };
            let case = format!("{case:?}, {turns:?}, {answers:?}: {connections}");
            let items = if operation == Put { 100 } else { 0 };
            let expected = Counts::new(items, operations, probes);
            assert_eq!(counts, expected, "{case}");
            assert!((1..=most).contains(&connections), "{case}");
        }
    }
}

#[tokio::test]
async fn a_201_made_of_an_answer_to_head_says_no_length_of_a_body_that_it_has_not() {
    for case in cases([Put]) {
        let items = case.start([DoneBut(500)], []).await;
        let verify = case.verify().method(Method::HEAD);
        let client = (at_once(), verify).layer(items.client());
        let put = case.whole_request(&items);
        let response = client.clone().oneshot(put).await.unwrap();
        assert_eq!(told(&response), case.verified(2), "{case:?}");
        assert_eq!(items.counts(), case.counts(1, 1), "{case:?}");
        let length = response.headers().get(CONTENT_LENGTH);
        assert!(length.is_none_or(|length| length == "0"), "{case:?}");
        assert!(!response.headers().contains_key(TRANSFER_ENCODING));
        assert_eq!(body(response).await, "", "{case:?}");

        // The service had said it.
        let head = Request::head(items.uri("/items/alpha"));
        let response = client.oneshot(head.body(Full::default()).unwrap()).await;
        let length = CONTENT.len().to_string();
        assert_eq!(response.unwrap().headers()[CONTENT_LENGTH], length);
    }
}

/// A proxy that sends what it is asked on to the service, through this client.
async fn proxy<C, R>(protocol: Protocol, items: &Items, client: C) -> SocketAddr
where
    C: Service<Request<Body>, Response = Response<R>, Error = BoxError>,
    C: Clone + Send + Sync + 'static,
    C::Future: Send,
    Response<R>: IntoResponse,
{
    let service = items.uri("");
    let router = Router::new().fallback(async move |mut request: Request<Body>| {
        let uri = format!("{service}{}", request.uri().path());
        *request.uri_mut() = uri.parse().unwrap();
        request.headers_mut().remove(HOST);
        let response = client.oneshot(request).await;
        response.map_or(
            StatusCode::BAD_GATEWAY.into_response(),
            Response::into_response,
        )
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(items::serve(protocol, stream, router.clone()));
        }
    });
    address
}

#[tokio::test]
async fn an_answer_made_of_a_probe_s_can_be_served_onwards() {
    for case in cases([Put, Delete]) {
        for method in [Method::GET, Method::HEAD] {
            let items = case.start([DoneBut(500)], []).await;
            let verify = case.verify().method(method.clone());
            let verified = (at_once(), verify).layer(items.client());
            let address = proxy(case.protocol, &items, verified).await;
            let mut request = case.whole_request(&items);
            *request.uri_mut() = format!("http://{address}/items/alpha").parse().unwrap();
            let response = items::client(case.protocol).oneshot(request).await;
            let case_of = format!("{case:?}, {method}");
            let response = response.unwrap_or_else(|error| panic!("{case_of}: {error:?}"));
            assert_eq!(response.status(), case.verified(2).0, "{case_of}");
            let whole = match (case.operation, method) {
                (Put, Method::GET) => CONTENT,
                _ => "",
            };
            let length = whole.len().to_string();
            let said = response.headers().get(CONTENT_LENGTH);
            assert!(said.is_none_or(|said| *said == length), "{case_of}");
            assert_eq!(body(response).await, whole, "{case_of}");
            assert_eq!(items.counts(), case.counts(1, 1), "{case_of}");
        }
    }
}

#[tokio::test]
async fn a_streamed_body_is_sent_whole_once_a_probe_has_found_nothing() {
    for case in cases([Post]) {
        for turn in [Failed(500), FailedUnread(500)] {
            let items = case.start([turn], []).await;
            let client = (at_once(), case.verify()).layer(items.client());
            let (mut sender, streamed) = Channel::<Bytes, Infallible>::new(1);
            let streaming = async {
                sender.send_data(Bytes::from("alpha\n")).await.unwrap();
                if turn == FailedUnread(500) {
                    // The first attempt is answered before there is more of it.
                    items.probed().await;
                }
                for data in ["the first of ", "its kind"] {
                    sender.send_data(Bytes::from(data)).await.unwrap();
                }
                drop(sender);
            };
            let sending = client.oneshot(case.request(&items, streamed));
            let (response, ()) = tokio::join!(sending, streaming);
            assert_eq!(told(&response.unwrap()), case.done(2), "{case:?}, {turn:?}");
            assert_eq!(items.counts(), case.counts(2, 1), "{case:?}, {turn:?}");
            assert_eq!(items.contents(), [CONTENT], "{case:?}, {turn:?}");
        }
    }
}

#[tokio::test]
async fn the_request_body_may_be_converted_under_it() {
    for case in cases([Put, Post, Delete]) {
        let items = case.start([Failed(500), DoneBut(500)], []).await;
        let client = ServiceBuilder::new()
            .layer(at_once())
            .layer(case.verify())
            .layer(MapRequestBodyLayer::new(Body::new))
            .service(items.client());
        let response = client.oneshot(case.whole_request(&items)).await.unwrap();
        assert_eq!(told(&response), case.verified(3), "{case:?}");
        assert_eq!(items.counts(), case.counts(2, 2), "{case:?}");
    }
}

/// Sends through a service that takes few requests at a time: one request that is sent, probed and
/// in conflict, and ten at once that are probed.
async fn send_through<S>(case: Case, limit: impl Fn(&Items) -> S)
where
    S: Service<Request<ReplayBody<Full<Bytes>>>, Response = Response<Incoming>>,
    S: Service<Request<ReplayBody<Full<Bytes>>>, Error: Into<BoxError>, Future: Send>,
    S: Clone + Send + 'static,
{
    let turns = [Failed(500), DoneBut(500), Done];
    let items = case.start(turns, [Truth, Status(404), Truth]).await;
    let client = (at_once(), case.verify()).layer(limit(&items));
    let response = client.oneshot(case.whole_request(&items)).await.unwrap();
    assert_eq!(told(&response), case.verified(3), "{case:?}");
    assert_eq!(items.counts(), case.counts(3, 3), "{case:?}");

    let items = case.start([DoneBut(500); 10], []).await;
    let client = (at_once(), case.verify()).layer(limit(&items));
    let mut requests = JoinSet::new();
    for number in 0..10 {
        let mut request = case.whole_request(&items);
        *request.uri_mut() = items.uri(&format!("/items/{number}")).parse().unwrap();
        requests.spawn(client.clone().oneshot(request));
    }
    for response in requests.join_all().await {
        assert_eq!(told(&response.unwrap()), case.verified(2), "{case:?}");
    }
    assert_eq!(items.counts(), Counts::new(10, 10, 10), "{case:?}");
}

#[tokio::test]
async fn under_it_may_be_services_that_take_one_request_at_a_time() {
    let all = async {
        for case in cases([Put]) {
            let limit = ConcurrencyLimitLayer::new(1);
            send_through(case, |items| limit.layer(items.client())).await;
            let buffer = BufferLayer::new(1);
            send_through(case, |items| buffer.layer(items.client())).await;
            let both = (BufferLayer::new(1), ConcurrencyLimitLayer::new(1));
            send_through(case, |items| both.layer(items.client())).await;
        }
    };
    let all = tokio::time::timeout(Duration::from_secs(60), all);
    all.await.expect("a deadlock");
}

#[tokio::test]
async fn an_attempt_that_is_still_at_work_makes_a_second_item_unless_names_are_unique() {
    for case in cases([Put, Post]) {
        let (told_of, counts) = match case.operation {
            // The probe has found nothing, and neither does the service mind a second.
            Post => (case.done(2), Counts::new(2, 2, 1)),
            // The second is answered 409, and asked for.
            Put | Delete => (case.verified(2), case.counts(2, 2)),
        };
        let items = case.start([Turn::Overtaken, Turn::Overtakes], []).await;
        let hour = Duration::from_secs(3600);
        let retry = at_once().attempt_timeout(hour).window(Duration::MAX);
        let client = (retry, case.verify()).layer(items.client());
        let sending = tokio::spawn(client.oneshot(case.whole_request(&items)));
        items.operated().await;
        // Nothing but the time-out of the first attempt is waited for.
        tokio::time::pause();
        tokio::time::advance(hour).await;
        tokio::time::resume();
        let response = sending.await.unwrap().unwrap();
        assert_eq!(told(&response), told_of, "{case:?}");
        assert_eq!(items.counts(), counts, "{case:?}");
    }
}
