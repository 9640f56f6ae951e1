//! How much a request that is in flight keeps.

use std::mem::size_of;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use tower::Service;
use tower_http_retry::{ReplayBody, Retry};

type Body = Full<Bytes>;
type Inner = Client<HttpConnector, ReplayBody<Body>>;

fn future_of<S: Service<Request<Body>>>() -> usize {
    size_of::<S::Future>()
}

/// Beside the client's handle, which the retries need: what is kept of the request to send it again,
/// and the attempt that is under way. What a time-out or a retry needs is elsewhere.
#[test]
fn a_future_over_hyper_utils_client_is_small() {
    let own = future_of::<Retry<Inner>>() - size_of::<Inner>();
    assert!(own <= 304, "{own} bytes beside the client");
}
