//! Whatever goes wrong, in whatever order, and whatever probes are answered: a create that is
//! verified leaves no two items, and a success that is told is true.

use std::io::ErrorKind::{ConnectionRefused, ConnectionReset};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use proptest::prelude::*;
use tower::{Layer, ServiceExt};
use tower_http_retry::verify::{Unverified, Verified, VerifyBody};
use tower_http_retry::{Attempts, Backoff, BoxError, RetryLayer, RetryOverride, VerifyLayer};

use crate::support::management::Answer::{self, Broken, Redirected, Truth};
use crate::support::management::Failure::{Error, Status};
use crate::support::management::Fault::{self, Done, Nothing, Undone};
use crate::support::management::{Body, Management, Name};

use Operation::{Delete, Post, Put, PutIfNone};

/// The first attempt and five retries.
const ATTEMPTS: usize = 6;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operation {
    Post,
    /// Without conditions.
    Put,
    PutIfNone,
    Delete,
}

/// What the server may have acted on, and has or has not; what nobody acted on; nothing.
fn fault() -> impl Strategy<Value = Fault> {
    let failure = || {
        prop_oneof![
            Just(Error(ConnectionReset)),
            Just(Status(500)),
            Just(Status(503)),
        ]
    };
    prop_oneof![
        3 => failure().prop_map(Done),
        3 => failure().prop_map(Undone),
        1 => Just(Undone(Error(ConnectionRefused))),
        1 => Just(Undone(Status(429))),
        2 => Just(Nothing),
    ]
}

/// A plan call by call: each attempt calls up to three times.
fn plan() -> impl Strategy<Value = Vec<Fault>> {
    prop::collection::vec(fault(), 0..=3 * ATTEMPTS)
}

/// Any status but those by which a service says whether the item exists: these are the truth.
fn status() -> impl Strategy<Value = u16> {
    let is_no_proof = |status: &u16| ![200, 203, 204, 404, 410].contains(status);
    (100_u16..=999).prop_filter("a proof", is_no_proof)
}

/// How probes are answered; where redirects are seen, by another resource with any status, too.
fn answers() -> impl Strategy<Value = Vec<Answer>> {
    let is_seen = cfg!(feature = "tower-http");
    let redirected = move |status| if is_seen { Redirected(status) } else { Truth };
    let any_status = prop_oneof![
        prop::sample::select(vec![200, 204, 404, 410]),
        100_u16..=999
    ];
    let answer = prop_oneof![
        8 => Just(Truth),
        2 => prop::sample::select(vec![429, 500, 503]).prop_map(Answer::Status),
        1 => status().prop_map(Answer::Status),
        1 => prop::sample::select(vec![ConnectionReset, ConnectionRefused]).prop_map(Broken),
        1 => any_status.prop_map(redirected),
    ];
    prop::collection::vec(answer, 0..=2 * ATTEMPTS)
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![Just(Post), Just(Put), Just(PutIfNone), Just(Delete)]
}

fn request(operation: Operation) -> Request<Full<Bytes>> {
    let method = match operation {
        Post => Method::POST,
        Put | PutIfNone => Method::PUT,
        Delete => Method::DELETE,
    };
    let mut request = Request::builder().method(method);
    if operation == PutIfNone {
        request = request.header("if-none-match", "*");
    }
    let request = request.uri("http://service.test/items/a");
    let request = request.extension(RetryOverride::new().repeatable(true));
    request.extension(Name("a")).body("an item".into()).unwrap()
}

fn run(
    verify: VerifyLayer,
    operation: Operation,
    service: &Management,
) -> Result<Response<VerifyBody<Body>>, BoxError> {
    let retry = RetryLayer::new().backoff(Backoff::fixed(Duration::from_secs(1)));
    let client = retry.layer(verify.layer(service.clone()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime
        .unwrap()
        .block_on(client.oneshot(request(operation)))
}

/// Whether another attempt follows it, at the latest.
fn is_passing(answer: Answer) -> bool {
    match answer {
        Truth | Broken(_) => true,
        Answer::Status(status) => status == 429 || (500..=599).contains(&status),
        Redirected(_) => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4_000) })]

    #[test]
    fn a_verified_operation_is_done_once_and_told_as_it_is(
        operation in operation(),
        plan in plan(),
        answers in answers(),
        by_content: bool,
    ) {
        // Nothing but the layer keeps a POST from making two items of one name.
        let mut service = Management::with_duplicates(&plan).answering(&answers);
        if operation == Delete {
            service = service.holding("a");
        }
        let mut verify = VerifyLayer::new().probe(|head| Request::get(head.uri()).body(()).ok());
        if operation == Put {
            verify = verify.put_creates();
        }
        if by_content {
            verify = verify.same_body(8, |_, _, content| content == "the item");
        }
        let outcome = run(verify, operation, &service);
        let items = service.items().len();
        prop_assert!(items <= 1, "{items} items");

        let status = outcome.as_ref().map_or(0, |response| response.status().as_u16());
        let is_done = (items == 0) == (operation == Delete);
        let verified = outcome.as_ref().ok().and_then(|response| response.extensions().get());
        let is_told = matches!(verified, Some(Verified::Created | Verified::Deleted));
        if is_told || (200..300).contains(&status) {
            prop_assert!(is_done, "{status}, but it is not done");
        }
        // That it cannot be done because it is done is never told.
        prop_assert!(![404, 409, 410, 412].contains(&status), "{status}");

        let attempts = outcome.as_ref().ok().and_then(|response| response.extensions().get::<Attempts>());
        prop_assert!(attempts.is_none_or(|attempts| attempts.count as usize <= ATTEMPTS));
        // An attempt fails only by a fault or an answer: so many leave one attempt without.
        let faults = plan.iter().filter(|fault| **fault != Nothing).count();
        let wrong = answers.iter().filter(|answer| **answer != Truth).count();
        if faults + wrong < ATTEMPTS && answers.iter().all(|answer| is_passing(*answer)) {
            prop_assert!((200..300).contains(&status), "{outcome:?}");
        }
    }

    #[test]
    fn a_put_that_may_replace_is_sent_until_it_is_made_and_told_as_the_service_does(
        plan in plan(),
        answers in answers(),
        has_probe: bool,
    ) {
        let service = Management::replacing(&plan).answering(&answers).holding("a");
        let mut verify = VerifyLayer::new();
        if has_probe {
            verify = verify.probe(|head| Request::get(head.uri()).body(()).ok());
        }
        let outcome = run(verify, Put, &service);
        prop_assert_eq!(service.probes(), 0);
        prop_assert!(!outcome.as_ref().is_err_and(|error| error.is::<Unverified>()));
        if let Ok(response) = outcome {
            prop_assert_eq!(response.extensions().get::<Verified>(), None);
            let is_told = response.status().is_success();
            prop_assert!(!is_told || service.replacements() > 0, "{} is not true", response.status());
        }
    }
}
