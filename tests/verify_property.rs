//! Whatever goes wrong, and in whatever order: a create that is verified leaves no two items, and a
//! success that is told is true.

mod support;

use std::io::ErrorKind::{ConnectionRefused, ConnectionReset};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use proptest::prelude::*;
use support::management::Failure::{Error, Status};
use support::management::Fault::{self, Done, Nothing, Undone};
use support::management::{Body, Management, Name};
use tower::{Layer, ServiceExt};
use tower_http_retry::{
    Attempts, Backoff, BoxError, RetryLayer, RetryOverride, VerifyBody, VerifyLayer,
};

/// The first attempt and five retries.
const ATTEMPTS: usize = 6;

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

fn operation() -> impl Strategy<Value = Method> {
    prop_oneof![Just(Method::POST), Just(Method::PUT), Just(Method::DELETE)]
}

fn request(method: &Method) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method.clone());
    let request = request.uri("http://service.test/items/a");
    let request = request.extension(RetryOverride::new().repeatable(true));
    request.extension(Name("a")).body("an item".into()).unwrap()
}

fn run(method: &Method, service: &Management) -> Result<Response<VerifyBody<Body>>, BoxError> {
    let verify = VerifyLayer::new().probe(|head| Request::get(head.uri.clone()).body(()).ok());
    let retry = RetryLayer::new().backoff(Backoff::fixed(Duration::from_secs(1)));
    let client = retry.layer(verify.layer(service.clone()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(client.oneshot(request(method)))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4_000) })]

    #[test]
    fn a_verified_operation_is_done_once_and_told_as_it_is(method in operation(), plan in plan()) {
        // Nothing but the layer keeps a POST from making two items of one name.
        let mut service = Management::with_duplicates(&plan);
        if method == Method::DELETE {
            service = service.holding("a");
        }
        let outcome = run(&method, &service);
        let items = service.items().len();
        prop_assert!(items <= 1, "{items} items");

        let status = outcome.as_ref().map_or(0, |response| response.status().as_u16());
        let is_done = (items == 0) == (method == Method::DELETE);
        if (200..300).contains(&status) {
            prop_assert!(is_done, "{status}, but it is not done");
        }
        // That it cannot be done because it is done is never told.
        prop_assert!(![404, 409, 410, 412].contains(&status), "{status}");

        let attempts = outcome.as_ref().ok().and_then(|response| response.extensions().get::<Attempts>());
        prop_assert!(attempts.is_none_or(|attempts| attempts.count as usize <= ATTEMPTS));
        // An attempt fails only by a fault: so many leave one attempt without.
        let faults = plan.iter().filter(|fault| **fault != Nothing).count();
        if faults < ATTEMPTS {
            prop_assert!((200..300).contains(&status), "{outcome:?}");
        }
    }
}
