//! What a load balancer under a retry promises of the next attempt.

use std::time::Duration;

use http::{Request, Response};
use tower::balance::p2c::Balance;
use tower::buffer::Buffer;
use tower::discover::ServiceList;
use tower::load::{CompleteOnResponse, PeakEwmaDiscover, PendingRequestsDiscover};
use tower::{Layer, Service, ServiceExt};
use tower_http_retry::{Attempt, BoxError, ReplayBody, RetryLayer};

use crate::support::upstream::Answer::Status;
use crate::support::upstream::{Body, Upstream, after, get};

type Sent = Request<ReplayBody<Body>>;

/// Sends 64 requests one after the other, each at most twice.
async fn send_all<S>(balancer: S)
where
    S: Service<Sent, Response = Response<Body>, Error = BoxError> + Send + 'static,
    S::Future: Send,
{
    let layer = RetryLayer::new().without_budget().max_retries(1);
    let client = layer.mark_attempts().layer(Buffer::new(balancer, 8));
    for _ in 0..64 {
        client.clone().oneshot(get()).await.unwrap();
    }
}

/// One that fails at once, and one that takes some time.
fn replicas() -> [Upstream; 2] {
    let working = after(Duration::from_millis(100), Status(200));
    [Upstream::new([Status(503)]), Upstream::new([working])]
}

/// How many retries came here.
fn retries(replica: &Upstream) -> usize {
    let seen = replica.seen();
    let attempts = seen.iter().map(|seen| seen.extensions.get::<Attempt>());
    attempts
        .filter(|attempt| attempt.unwrap().number() == 2)
        .count()
}

#[tokio::test(start_paused = true)]
async fn a_retry_over_a_balancer_can_go_to_the_replica_that_failed() {
    let replicas = replicas();
    let list = ServiceList::new::<Sent>(replicas.to_vec());
    let loads = PendingRequestsDiscover::new::<Sent>(list, CompleteOnResponse::default());
    send_all(Balance::new(loads)).await;
    // By chance: that all of some thirty went to the other one is not to be seen.
    assert_ne!(retries(&replicas[0]), 0);
}

#[tokio::test(start_paused = true)]
async fn a_balancer_by_response_time_prefers_the_replica_that_fails_at_once() {
    let replicas = replicas();
    let list = ServiceList::new::<Sent>(replicas.to_vec());
    let (default, decay) = (Duration::from_secs(1), Duration::from_secs(10));
    let loads = PeakEwmaDiscover::new::<Sent>(list, default, decay, CompleteOnResponse::default());
    send_all(Balance::new(loads)).await;
    let [failing, working] = replicas.map(|replica| replica.count());
    assert!(failing > working, "{failing} attempts, and {working}");
}
