//! Hedges over a balancer.

use http::Request;
use tokio::time::timeout;
use tower::balance::p2c::Balance;
use tower::buffer::Buffer;
use tower::discover::ServiceList;
use tower::load::{CompleteOnResponse, PendingRequestsDiscover};
use tower::{Layer, ServiceExt};
use tower_http_retry::hedge::HedgeBody;

use crate::support::hedging::{exact, millis};
use crate::support::upstream::Answer::Never;
use crate::support::upstream::{Body, Upstream, get};

#[tokio::test(start_paused = true)]
async fn a_hedge_goes_to_the_replica_that_has_fewer_requests_in_flight() {
    let replicas = [Upstream::new([Never]), Upstream::new([Never])];
    let list = ServiceList::new::<Request<HedgeBody<Body>>>(replicas.to_vec());
    let loads = PendingRequestsDiscover::new::<Request<HedgeBody<Body>>>(
        list,
        CompleteOnResponse::default(),
    );
    let client = exact().layer(Buffer::new(Balance::new(loads), 8));
    assert!(timeout(millis(150), client.oneshot(get())).await.is_err());
    let mut sent = replicas.map(|replica| replica.millis());
    sent.sort();
    assert_eq!(sent, [[0], [100]]);
}
