//! The layer that verifies goes under the retry, whose body tells it which attempt it sees.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Service, ServiceBuilder};
use tower_http_retry::{BoxError, ReplayBody, RetryLayer, VerifyLayer};

fn client() -> impl Service<Request<Full<Bytes>>> {
    ServiceBuilder::new()
        .layer(VerifyLayer::new())
        .layer(RetryLayer::new())
        .service_fn(async |_: Request<ReplayBody<Full<Bytes>>>| {
            Ok::<_, BoxError>(Response::new(Full::<Bytes>::default()))
        })
}

fn main() {
    let _ = client();
}
