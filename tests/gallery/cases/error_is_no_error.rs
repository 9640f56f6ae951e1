//! The caller gets the client's error as a `BoxError`.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::ServiceBuilder;
use tower_http_retry::{ReplayBody, RetryLayer};

struct Offline;

fn main() {
    let client = ServiceBuilder::new().layer(RetryLayer::new()).service_fn(
        async |_: Request<ReplayBody<Full<Bytes>>>| Err::<Response<Full<Bytes>>, _>(Offline),
    );
    let _ = client.send(Request::new(Full::<Bytes>::default()));
}
