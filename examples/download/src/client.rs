//! The client: hyper-util's, below the layers that retry and resume.

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::Body;
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tower::{ServiceBuilder, ServiceExt};
use tower_http_retry::{BoxError, CommitLayer, ReplayBody};

use crate::arguments::TransferArguments;
use crate::progress::Progress;

/// Requests a file. Returns the response, and whether it can be resumed. A body that can be resumed is whole
/// or ends with an error.
pub(crate) async fn get(
    url: Uri,
    transfer: &TransferArguments,
    progress: &Progress,
) -> Result<
    (
        Response<impl Body<Data = Bytes, Error = BoxError> + Unpin>,
        bool,
    ),
    BoxError,
> {
    let (resumptions, retries) = (progress.clone(), progress.clone());
    let client = ServiceBuilder::new()
        // Above the retry, so that each resumption is a request that can be retried.
        .layer(
            transfer
                .resume_layer()
                .on_resume(move |resumption| resumptions.resume(resumption)),
        )
        .layer(
            transfer
                .retry_layer()
                .on_event(move |event| retries.retry(event)),
        )
        // If the first bytes of a response do not arrive, the request is retried without a resumption.
        .layer(CommitLayer::first_bytes())
        .service(Client::builder(TokioExecutor::new()).build_http::<ReplayBody<Empty<Bytes>>>());
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = url;
    let response = client.oneshot(request).await?;
    let is_resumable = response.body().is_resumable();
    Ok((response, is_resumable))
}
