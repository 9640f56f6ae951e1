//! Bytes are a body once they are wrapped in one.

use http::{Request, Response};
use http_body_util::Empty;
use tower::ServiceBuilder;
use tower_http_retry::{BoxError, ReplayBody, RetryLayer};

fn main() {
    let client = ServiceBuilder::new().layer(RetryLayer::new()).service_fn(
        async |_: Request<ReplayBody<Vec<u8>>>| {
            Ok::<_, BoxError>(Response::new(Empty::<bytes::Bytes>::new()))
        },
    );
    let _ = client.send(Request::new(b"an item".to_vec()));
}
