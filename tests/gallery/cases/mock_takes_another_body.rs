//! A mock takes the caller's body, where the client gets a `ReplayBody`.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::ServiceBuilder;
use tower_http_retry::{BoxError, RetryLayer};

fn main() {
    let client = ServiceBuilder::new().layer(RetryLayer::new()).service_fn(
        async |_: Request<Full<Bytes>>| Ok::<_, BoxError>(Response::new(Full::<Bytes>::default())),
    );
    let _ = client.send(Request::new(Full::<Bytes>::default()));
}
