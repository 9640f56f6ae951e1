use std::error::Error;
use std::fmt;

/// Error of a request body that must not be read any more.
///
/// An attempt receives it if it continues to read its body in one of these cases:
///
/// - A later attempt has started to read the body.
/// - It was decided to make a later attempt, and this attempt reads beyond what can be recorded for it.
/// - The caller has dropped the request.
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
///             // The server answers the first attempt before it reads the body.
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
        f.write_str(
            "the request body was superseded by a later attempt, or its request was dropped",
        )
    }
}

impl Error for Superseded {}

/// Why a recording cannot be replayed.
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
                "the request body cannot be sent again: it is longer than the limit for replays"
            }
            Self::SourceFailed => "the request body cannot be sent again: reading it failed",
            Self::UnknownFrame => {
                "the request body cannot be sent again: it has a frame that is neither data nor trailers"
            }
        })
    }
}

impl Error for Unplayable {}
