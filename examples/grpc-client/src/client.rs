//! The client: a generated one, on top of the retry layer and tonic's channel.

use std::time::Duration;

use http::Uri;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint, Error};
use tower::ServiceBuilder;
use tower_http::map_request_body::{MapRequestBody, MapRequestBodyLayer};
use tower_http_retry::grpc::ByGrpcStatus;
use tower_http_retry::{ReplayBody, Retry, RetryLayer};

use crate::greeter::greeter_client::GreeterClient;
use crate::timeline::{Decision, Timeline};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes calls, with gRPC's retries.
pub(crate) type Client = GreeterClient<Retry<Converted<Channel>, ByGrpcStatus>>;

/// A channel that takes the body of the retry. The function is a pointer, so that the type can be named.
type Converted<S> = MapRequestBody<S, fn(ReplayBody<Body>) -> Body>;

/// Connects the stack, from the outside in. The decisions of the layer are added to the timeline.
pub(crate) async fn connect(server: Uri, timeline: Timeline) -> Result<Client, Error> {
    let channel = Endpoint::from(server)
        .connect_timeout(CONNECT_TIMEOUT)
        .connect()
        .await?;
    let retry = RetryLayer::grpc().on_event(move |event| {
        if let Some(decision) = Decision::of(event) {
            timeline.decided(decision);
        }
    });
    let channel = ServiceBuilder::new()
        .layer(retry)
        .layer(MapRequestBodyLayer::new(Body::new as fn(_) -> _))
        .service(channel);
    Ok(GreeterClient::new(channel))
}
