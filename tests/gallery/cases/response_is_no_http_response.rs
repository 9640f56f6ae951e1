//! What is retried is HTTP.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tower::ServiceBuilder;
use tower_http_retry::{BoxError, ReplayBody, RetryLayer};

fn main() {
    let client = ServiceBuilder::new().layer(RetryLayer::new()).service_fn(
        async |_: Request<ReplayBody<Full<Bytes>>>| Ok::<_, BoxError>(String::from("an item")),
    );
    let _ = client.send(Request::new(Full::<Bytes>::default()));
}
