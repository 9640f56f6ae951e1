//! The client: hyper-util's, under the layers that retry and resume.

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

/// Asks for a file. The body of the response is whole, or ends with an error. The other value says whether
/// it is resumed if it breaks off.
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
        // Above the retry: each resumption is a request, which is retried if need be.
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
        // A response whose first bytes never come is retried, without a resumption.
        .layer(CommitLayer::first_bytes())
        .service(Client::builder(TokioExecutor::new()).build_http::<ReplayBody<Empty<Bytes>>>());
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = url;
    let response = client.oneshot(request).await?;
    let is_resumable = response.body().is_resumable();
    Ok((response, is_resumable))
}
