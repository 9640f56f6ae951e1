use std::error::Error;
use std::fmt;

/// A body was read on after a later attempt had begun to read it, past what is kept for one, or after
/// the caller had dropped the request.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use std::sync::{Arc, Mutex};
/// use http::{Request, Response, StatusCode};
/// use http_body_util::{BodyExt, Full};
/// use tower::{ServiceBuilder, ServiceExt};
/// use tower_http_retry::body::Superseded;
/// use tower_http_retry::{BoxError, ReplayBody, RetryLayer};
///
/// type Body = Full<bytes::Bytes>;
/// let earlier = Arc::new(Mutex::new(None::<ReplayBody<Body>>));
/// let client = ServiceBuilder::new().layer(RetryLayer::new()).service_fn(|request: Request<ReplayBody<Body>>| {
///     let earlier = earlier.clone();
///     async move {
///         let kept = earlier.lock().unwrap().take();
///         let Some(old) = kept else {
///             // The first attempt is answered before its body is read.
///             *earlier.lock().unwrap() = Some(request.into_body());
///             let mut response = Response::new(Body::default());
///             *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
///             return Ok(response);
///         };
///         let body = request.into_body().collect().await.unwrap().to_bytes();
///         assert!(old.collect().await.unwrap_err().is::<Superseded>());
///         Ok::<_, BoxError>(Response::new(Body::new(body)))
///     }
/// });
///
/// let response = client.oneshot(Request::put("/").body(Body::from("item")).unwrap()).await.unwrap();
/// assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "item");
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Superseded;

impl fmt::Display for Superseded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request body was taken over by a later attempt, or dropped by its caller")
    }
}

impl Error for Superseded {}

/// Why a record cannot be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unplayable {
    OverLimit,
    SourceFailed,
    UnknownFrame,
}

impl fmt::Display for Unplayable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OverLimit => {
                "the request body cannot be sent again: it is over the limit for replays"
            }
            Self::SourceFailed => "the request body cannot be sent again: its source failed",
            Self::UnknownFrame => {
                "the request body cannot be sent again: it has a frame of an unknown kind"
            }
        })
    }
}

impl Error for Unplayable {}
