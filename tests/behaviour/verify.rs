//! Whether it was done before is asked before it is done again: all that can go wrong, with exact
//! numbers of items, operations and probes.

use std::io::ErrorKind::{ConnectionRefused, ConnectionReset, InvalidData};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt};
use tower_http_retry::classify::{RequestHead, ResponseHead};
use tower_http_retry::verify::{Unverified, Verified, VerifyBody};
use tower_http_retry::{Backoff, BoxError, Jitter, RetryLayer, RetryOverride, VerifyLayer};

use crate::support::management::Failure::{Body as InBody, Error, Status};
use crate::support::management::Fault::{self, Done, Late, Nothing, Overtaken, Undone};
use crate::support::management::{Body, Management, Name};

use Operation::{Delete, Post, Put, PutIfNone};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    /// Without conditions, where the layer was told that a PUT creates.
    Put,
    /// With `If-None-Match: *`, which says so itself.
    PutIfNone,
    Post,
    Delete,
}

const CREATES: [Operation; 3] = [Put, PutIfNone, Post];
const ALL: [Operation; 4] = [Put, PutIfNone, Post, Delete];

/// What a request came to: items of its name, operations, probes, and what its caller got.
type Came<'a> = (usize, usize, usize, &'a str);

/// The statuses below 500 of a probe's answer that say whether the item exists, or that it can be
/// asked about later.
const DECIDING: [u16; 9] = [200, 203, 204, 404, 408, 410, 421, 425, 429];

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn retry() -> RetryLayer {
    RetryLayer::new()
        .backoff(Backoff::exponential(secs(1)).jitter(Jitter::None))
        .attempt_timeout(secs(3))
}

/// Asks for what a POST creates by the name among its extensions.
fn verify(operation: Operation) -> VerifyLayer {
    let layer = match operation {
        Put => VerifyLayer::new().put_creates(),
        PutIfNone | Post | Delete => VerifyLayer::new(),
    };
    layer.probe(|head| {
        if head.method() != Method::POST {
            return Request::get(head.uri().clone()).body(()).ok();
        }
        let Name(name) = head.extensions().get()?;
        Request::get(format!("/items/{name}?key=secret"))
            .body(())
            .ok()
    })
}

fn request(operation: Operation) -> Request<Full<Bytes>> {
    let (method, path) = match operation {
        Put | PutIfNone => (Method::PUT, "items/a"),
        Post => (Method::POST, "items"),
        Delete => (Method::DELETE, "items/a"),
    };
    let uri = format!("http://user@service.test/{path}");
    let request = Request::builder().method(method).uri(uri);
    let mut request = request.extension(RetryOverride::new().repeatable(true));
    if operation == PutIfNone {
        request = request.header("if-none-match", "*");
    }
    request.extension(Name("a")).body("an item".into()).unwrap()
}

/// What the caller got, in words.
async fn got(outcome: Result<Response<VerifyBody<Body>>, BoxError>) -> String {
    let response = match outcome {
        Ok(response) => response,
        Err(error) if error.is::<Unverified>() => {
            let status = error.downcast::<Unverified>().unwrap().response().status();
            return format!("unverified {}", status.as_u16());
        }
        Err(error) => return error.to_string(),
    };
    let status = response.status().as_u16();
    let verified = match response.extensions().get::<Verified>() {
        Some(verified) => format!(" {verified:?}"),
        None => String::new(),
    };
    let body = match response.into_body().collect().await {
        Ok(body) => String::from_utf8(body.to_bytes().to_vec()).unwrap(),
        Err(error) => error.to_string(),
    };
    format!("{status}{verified} {body}").trim_end().to_owned()
}

async fn came_with(
    verify: VerifyLayer,
    operation: Operation,
    service: Management,
) -> (usize, usize, usize, String) {
    let client = retry().layer(verify.layer(service.clone()));
    let got = got(client.oneshot(request(operation)).await).await;
    let items = service.items().len();
    (items, service.operations(), service.probes(), got)
}

/// Creates an item that does not exist yet; deletes one that does.
fn service(operation: Operation, plan: &[Fault]) -> Management {
    match operation {
        Put | PutIfNone | Post => Management::new(plan),
        Delete => Management::new(plan).holding("a"),
    }
}

async fn expect(operations: &[Operation], plan: &[Fault], expected: Came<'_>) {
    for operation in operations {
        let came = came_with(verify(*operation), *operation, service(*operation, plan)).await;
        let (items, sent, probes, got) = expected;
        let expected = (items, sent, probes, got.to_owned());
        assert_eq!(came, expected, "{operation:?} with {plan:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_done_although_the_answer_was_lost_is_not_done_again() {
    for lost in [
        Done(Error(ConnectionReset)),
        Done(Status(500)),
        Done(Status(503)),
        // A second before the probe, which follows the time-out by two.
        Late(secs(4)),
    ] {
        expect(&CREATES, &[lost], (1, 1, 1, "201 Created the item")).await;
        expect(&[Delete], &[lost], (0, 1, 1, "204 Deleted")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_not_done_is_done_once_nothing_was_found() {
    for failed in [Undone(Error(ConnectionReset)), Undone(Status(500))] {
        expect(&CREATES, &[failed], (1, 2, 1, "201 made by the operation")).await;
        expect(&[Delete], &[failed], (0, 2, 1, "204")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_whose_head_came_is_the_end() {
    // The retry hands a response over once its head says success: its body is the caller's.
    let lost = [Done(InBody)];
    expect(&CREATES, &lost, (1, 1, 0, "201 the source is broken")).await;
    expect(&[Delete], &lost, (0, 1, 0, "204 the source is broken")).await;
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_after_a_refusal() {
    for refused in [Undone(Error(ConnectionRefused)), Undone(Status(429))] {
        for plan in [vec![refused], vec![refused; 5]] {
            let sent = plan.len() + 1;
            expect(&CREATES, &plan, (1, sent, 0, "201 made by the operation")).await;
            expect(&[Delete], &plan, (0, sent, 0, "204")).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_conflict_after_refusals_alone_is_the_services_own() {
    let refused = Undone(Status(429));
    for operation in CREATES {
        let service = Management::new(&[refused]).holding("a");
        let came = came_with(verify(operation), operation, service).await;
        assert_eq!(came, (1, 2, 0, "409 the item exists".into()));
    }
    let came = came_with(verify(Delete), Delete, Management::new(&[refused])).await;
    assert_eq!(came, (0, 2, 0, "404 no such item".into()));
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_not_forgotten_over_a_refusal() {
    // The second attempt finds nothing and is refused: the outcome before the third is a refusal,
    // but the first may still have been acted on.
    for refused in [Undone(Error(ConnectionRefused)), Undone(Status(429))] {
        let plan = [Undone(Status(500)), Nothing, refused];
        expect(&CREATES, &plan, (1, 3, 2, "201 made by the operation")).await;
        expect(&[Delete], &plan, (0, 3, 2, "204")).await;
        let plan = [refused, Done(Status(500)), refused];
        expect(&CREATES, &plan, (1, 2, 2, "201 Created the item")).await;
        expect(&[Delete], &plan, (0, 2, 2, "204 Deleted")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_fails_in_passing_is_made_again() {
    for failed in [
        Undone(Status(503)),
        Undone(Status(500)),
        Undone(Status(429)),
        Undone(Error(ConnectionRefused)),
        Undone(Error(ConnectionReset)),
        Late(secs(60)),
    ] {
        let plan = [Done(Status(500)), failed];
        expect(&CREATES, &plan, (1, 1, 2, "201 Created the item")).await;
        expect(&[Delete], &plan, (0, 1, 2, "204 Deleted")).await;
        let plan = [Undone(Status(500)), failed];
        expect(&CREATES, &plan, (1, 2, 2, "201 made by the operation")).await;
        expect(&[Delete], &plan, (0, 2, 2, "204")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_keeps_failing_is_what_the_caller_gets() {
    let mut plan = vec![Undone(Status(503)); 6];
    plan[0] = Done(Status(500));
    let told = "503 Unavailable what went wrong";
    expect(&CREATES, &plan, (1, 1, 5, told)).await;
    expect(&[Delete], &plan, (0, 1, 5, told)).await;
    // The error of the probe itself.
    let plan = [Done(Status(500)), Undone(Error(InvalidData))];
    expect(&CREATES, &plan, (1, 1, 1, "invalid data")).await;
    expect(&[Delete], &plan, (0, 1, 1, "invalid data")).await;
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_tells_nothing_is_an_error() {
    for status in (100..=499).filter(|status| !DECIDING.contains(status)) {
        let told: &str = &format!("unverified {status}");
        let plan = [Done(Status(500)), Undone(Status(status))];
        expect(&CREATES, &plan, (1, 1, 1, told)).await;
        expect(&[Delete], &plan, (0, 1, 1, told)).await;
        let plan = [Undone(Status(500)), Undone(Status(status))];
        expect(&CREATES, &plan, (0, 1, 1, told)).await;
        expect(&[Delete], &plan, (1, 1, 1, told)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn three_statuses_say_that_an_item_exists_and_two_that_it_does_not() {
    for status in [200, 203, 204] {
        let plan = [Done(Status(500)), Undone(Status(status))];
        let told = "201 Created what went wrong";
        expect(&CREATES, &plan, (1, 1, 1, told)).await;
        let plan = [Undone(Status(500)), Undone(Status(status))];
        expect(&[Delete], &plan, (0, 2, 1, "204")).await;
    }
    for status in [404, 410] {
        let plan = [Undone(Status(500)), Undone(Status(status))];
        expect(&CREATES, &plan, (1, 2, 1, "201 made by the operation")).await;
        let plan = [Done(Status(500)), Undone(Status(status))];
        expect(&[Delete], &plan, (0, 1, 1, "204 Deleted")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_error_names_the_probe_without_its_query() {
    let service = Management::new(&[Done(Status(500)), Undone(Status(403))]);
    let client = retry().layer(verify(Post).layer(service));
    let error = client.oneshot(request(Post)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot verify whether the request took effect: \
         the probe GET http://service.test/items/a was answered 403 Forbidden"
    );
    let unverified = error.downcast::<Unverified>().unwrap();
    let printed = "Unverified { method: GET, uri: http://service.test/items/a, status: 403 }";
    assert_eq!(format!("{unverified:?}"), printed);
    assert_eq!(unverified.uri(), "http://service.test/items/a");
    assert_eq!(unverified.response().status(), StatusCode::FORBIDDEN);
    assert_eq!(unverified.response().headers()["x-from"], "service");
    assert!(unverified.conflict().is_none());
}

#[tokio::test(start_paused = true)]
async fn the_error_keeps_the_head_of_a_conflict_that_was_not_explained() {
    let plan = [Undone(Status(500)), Nothing, Overtaken, Undone(Status(403))];
    let client = retry().layer(verify(Post).layer(Management::new(&plan)));
    let error = client.oneshot(request(Post)).await.unwrap_err();
    let unverified = error.downcast::<Unverified>().unwrap();
    assert_eq!(unverified.response().status(), StatusCode::FORBIDDEN);
    assert_eq!(
        unverified.conflict().unwrap().status(),
        StatusCode::CONFLICT
    );
    assert_eq!(
        unverified.conflict().unwrap().headers()["x-from"],
        "service"
    );
}

#[tokio::test(start_paused = true)]
async fn on_the_last_attempt_a_conflict_goes_before_a_probe_that_fails() {
    for failed in [Undone(Status(503)), Undone(Error(ConnectionReset))] {
        // Five failures; then nothing is found, the conflict comes, and the probe fails.
        let mut plan = vec![Undone(Status(500))];
        plan.extend([Undone(Status(503)); 4]);
        plan.extend([Nothing, Overtaken, failed]);
        expect(&CREATES, &plan, (1, 2, 6, "409 the item exists")).await;
        expect(&[Delete], &plan, (0, 2, 6, "404 no such item")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_item_that_is_not_the_same_is_a_conflict() {
    for operation in CREATES {
        let service = Management::new(&[Undone(Status(500))]).holding("a");
        let other = verify(operation).same(|_, _| false);
        let came = came_with(other, operation, service).await;
        // A condition that failed, where there is one.
        let told = match operation {
            PutIfNone => "412 Conflict the item",
            Put | Post | Delete => "409 Conflict the item",
        };
        assert_eq!(came, (1, 1, 1, told.into()));
    }
    // A delete deletes whatever is there.
    let other = verify(Delete).same(|_, _| false);
    let came = came_with(other, Delete, service(Delete, &[Undone(Status(500))])).await;
    assert_eq!(came, (0, 2, 1, "204".into()));
}

#[tokio::test(start_paused = true)]
async fn same_sees_the_heads_of_the_request_and_of_the_probes_response() {
    let same = |request: &RequestHead<'_>, found: &ResponseHead<'_>| {
        let Some(Name(name)) = request.extensions().get() else {
            return false;
        };
        *name == "a" && found.status() == 200 && found.headers()["x-from"] == "service"
    };
    for operation in CREATES {
        let service = Management::new(&[Done(Status(500))]);
        let came = came_with(verify(operation).same(same), operation, service).await;
        assert_eq!(came, (1, 1, 1, "201 Created the item".into()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_conflict_with_the_attempt_before_is_no_failure() {
    // The first attempt is done between the probe and the second attempt.
    let plan = [Undone(Status(500)), Nothing, Overtaken];
    expect(&CREATES, &plan, (1, 2, 2, "201 Created the item")).await;
    expect(&[Delete], &plan, (0, 2, 2, "204 Deleted")).await;
    let plan = [Undone(Status(500)), Nothing, Done(Status(412))];
    expect(&CREATES, &plan, (1, 2, 2, "201 Created the item")).await;
    for status in [410, 412] {
        let plan = [Undone(Status(500)), Nothing, Done(Status(status))];
        expect(&[Delete], &plan, (0, 2, 2, "204 Deleted")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_conflict_that_the_probe_does_not_explain_is_handed_up() {
    let plan = [Undone(Status(500)), Nothing, Undone(Status(409))];
    expect(&CREATES, &plan, (0, 2, 2, "409 what went wrong")).await;
    let plan = [Undone(Status(500)), Nothing, Undone(Status(404))];
    expect(&[Delete], &plan, (1, 2, 2, "404 what went wrong")).await;
    for operation in CREATES {
        let plan = [Undone(Status(500)), Nothing, Overtaken];
        let other = verify(operation).same(|_, _| false);
        let came = came_with(other, operation, Management::new(&plan)).await;
        assert_eq!(came, (1, 2, 2, "409 the item exists".into()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_conflict_whose_probe_fails_is_not_told_before_a_probe_explains_it() {
    let plan = [Undone(Status(500)), Nothing, Overtaken, Undone(Status(503))];
    expect(&CREATES, &plan, (1, 2, 3, "201 Created the item")).await;
    expect(&[Delete], &plan, (0, 2, 3, "204 Deleted")).await;
    let plan = [Undone(Status(500)), Nothing, Overtaken, Undone(Status(401))];
    expect(&CREATES, &plan, (1, 2, 2, "unverified 401")).await;
    expect(&[Delete], &plan, (0, 2, 2, "unverified 401")).await;
}

#[tokio::test(start_paused = true)]
async fn only_a_conflict_is_asked_about() {
    for status in [400, 403, 422] {
        let plan = [Undone(Status(500)), Nothing, Undone(Status(status))];
        let told = format!("{status} what went wrong");
        for operation in ALL {
            let came = came_with(verify(operation), operation, service(operation, &plan)).await;
            let items = usize::from(operation == Delete);
            assert_eq!(came, (items, 2, 1, told.clone()));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_answers_400_is_understood_where_told() {
    let told = |operation| verify(operation).conflict_statuses([StatusCode::BAD_REQUEST]);
    let plan = [Undone(Status(500)), Nothing, Done(Status(400))];
    for operation in CREATES {
        let came = came_with(told(operation), operation, service(operation, &plan)).await;
        assert_eq!(came, (1, 2, 2, "201 Created the item".into()));
    }
    let came = came_with(told(Delete), Delete, service(Delete, &plan)).await;
    assert_eq!(came, (0, 2, 2, "204 Deleted".into()));
    // The others are understood, too.
    let plan = [Undone(Status(500)), Nothing, Overtaken];
    for operation in CREATES {
        let came = came_with(told(operation), operation, service(operation, &plan)).await;
        assert_eq!(came, (1, 2, 2, "201 Created the item".into()));
    }
}

/// What the docs warn of: only the service can close this gap.
#[tokio::test(start_paused = true)]
async fn a_probe_can_come_before_an_attempt_that_still_runs_is_done() {
    // One second after the probe, which follows the time-out by two.
    let late = [Late(secs(6))];
    let duplicates = Management::with_duplicates(&late);
    let came = came_with(verify(Post), Post, duplicates.clone()).await;
    assert_eq!(came, (1, 2, 1, "201 made by the operation".into()));
    tokio::time::sleep(secs(2)).await;
    assert_eq!(duplicates.items(), ["a", "a"]);
    // Where names are unique, the late one is in vain.
    for operation in CREATES {
        let service = Management::new(&late);
        let came = came_with(verify(operation), operation, service.clone()).await;
        assert_eq!(came, (1, 2, 1, "201 made by the operation".into()));
        tokio::time::sleep(secs(2)).await;
        assert_eq!(service.items(), ["a"]);
    }
}
