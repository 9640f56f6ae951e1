//! What is left of a response is read, so that its connection can be used again.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::ServiceBuilder;
use tower_http_retry::{BoxError, ReplayBody, RetryLayer};

fn main() {
    let client = ServiceBuilder::new().layer(RetryLayer::new()).service_fn(
        async |_: Request<ReplayBody<Full<Bytes>>>| {
            Ok::<_, BoxError>(Response::new(b"an item".to_vec()))
        },
    );
    let _ = client.send(Request::new(Full::<Bytes>::default()));
}
