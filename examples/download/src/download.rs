//! One download, from the request to the complete file.

use std::path::Path;

use http::header::TRANSFER_ENCODING;
use http::{Response, StatusCode, Uri};
use http_body::Body;
use http_body_util::BodyExt;

use crate::arguments::TransferArguments;
use crate::client;
use crate::failure::Failure;
use crate::partial_file::PartialFile;
use crate::progress::Progress;

/// Downloads a file. If this fails or is cancelled, no partial file is left.
pub(crate) async fn download(
    url: Uri,
    file: &Path,
    transfer: &TransferArguments,
    progress: &Progress,
) -> Result<(), Failure> {
    // Created before the request, which would be useless if the file cannot be written.
    let mut partial = PartialFile::create(file)?;
    let response = client::get(url, transfer, progress).await;
    let (response, is_resumable) = response.map_err(Failure::of_request)?;
    if response.status() != StatusCode::OK {
        return Err(Failure::Status(response.status()));
    }
    if is_unframed(&response) {
        return Err(Failure::Unframed);
    }
    let note = (!is_resumable).then(|| note(&response)).flatten();
    let mut body = response.into_body();
    progress.begin(body.size_hint().exact());
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(Failure::Incomplete)?.into_data() else {
            continue; // trailers
        };
        partial.write(&data).await?;
        progress.add(data.len());
    }
    partial.keep().await?;
    progress.finish(note);
    Ok(())
}

/// Whether only the end of the connection marks the end of the body (RFC 9112, section 6.3). Such a body may
/// be incomplete.
fn is_unframed<R: Body>(response: &Response<R>) -> bool {
    let is_of_known_length = response.body().size_hint().exact().is_some();
    !is_of_known_length && !response.headers().contains_key(TRANSFER_ENCODING)
}

/// The reason why a response could not have been resumed, to be printed after the download.
fn note<R: Body>(response: &Response<R>) -> Option<&'static str> {
    match response.body().size_hint().exact() {
        Some(0) => None,
        Some(_) => {
            Some("it could not have been resumed: it has no validator (see --verify-prefix)")
        }
        None => Some("it could not have been resumed: its length was not known"),
    }
}
