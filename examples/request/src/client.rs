//! The client: hyper-util's, below the retry layer.

use std::io;
use std::time::Instant;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body::Body;
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::io::AsyncWriteExt;
use tower::{Layer, ServiceExt};
use tower_http_retry::{AttemptsHandle, BoxError, ReplayBody, Retry};

use crate::arguments::Arguments;
use crate::payload::{Payload, RequestBody};
use crate::report::Report;
use crate::timeline::{Origin, Timeline};

/// Sends the same request any number of times.
pub(crate) struct Client {
    service: Retry<HyperClient<HttpConnector, ReplayBody<RequestBody>>>,
    method: Method,
    url: Uri,
    headers: HeaderMap,
    payload: Payload,
    prints_body: bool,
}

impl Client {
    pub(crate) fn new(arguments: &Arguments, timeline: Timeline) -> Self {
        let mut connector = HttpConnector::new();
        // Otherwise the latencies would include delays by Nagle's algorithm.
        connector.set_nodelay(true);
        let client = HyperClient::builder(TokioExecutor::new())
            .http2_only(arguments.request.http2)
            .build(connector);
        let layer = arguments.retries.layer();
        let layer = layer.on_event(move |event| timeline.tell(event));
        Self {
            service: layer.layer(client),
            method: arguments.request.method(),
            url: arguments.url.clone(),
            headers: arguments.request.headers(),
            payload: arguments.request.payload(),
            prints_body: arguments.prints_body(),
        }
    }

    /// Sends request `number`, and reads its response to the end.
    pub(crate) async fn send(&self, number: u64) -> Report {
        let started = Instant::now();
        let attempts = AttemptsHandle::new();
        let mut status = None;
        let origin = Origin { number, started };
        let outcome = self.exchange(origin, &attempts, &mut status).await;
        Report {
            number,
            status,
            error: outcome.err(),
            attempts: attempts.get(),
            took: started.elapsed(),
        }
    }

    async fn exchange(
        &self,
        origin: Origin,
        attempts: &AttemptsHandle,
        status: &mut Option<StatusCode>,
    ) -> Result<(), BoxError> {
        let mut request = self.request().await?;
        // Unlike the extension of the response, it also has the attempts of a request that ends in an error.
        request.extensions_mut().insert(attempts.clone());
        request.extensions_mut().insert(origin);
        let response = self.service.clone().oneshot(request).await?;

        *status = Some(response.status());
        match self.prints_body {
            true => print(response.into_body()).await,
            false => drain(response.into_body()).await,
        }
    }

    async fn request(&self) -> io::Result<Request<RequestBody>> {
        let mut request = Request::new(self.payload.open().await?);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = self.headers.clone();
        let expects_body = matches!(self.method, Method::POST | Method::PUT | Method::PATCH);
        if expects_body && request.body().is_end_stream() {
            // hyper does not send it for an empty body, but some servers require it (RFC 9110,
            // section 8.6).
            let length = request.headers_mut().entry(CONTENT_LENGTH);
            length.or_insert(0.into());
        }
        Ok(request)
    }
}

/// Writes a body to standard output, each frame as soon as it arrives.
async fn print<R>(mut body: R) -> Result<(), BoxError>
where
    R: Body<Data = bytes::Bytes, Error: Into<BoxError>> + Unpin,
{
    let mut stdout = tokio::io::stdout();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(Into::into)?.into_data() else {
            continue; // trailers
        };
        // Standard output is line-buffered: without the flush, an incomplete line would be delayed.
        match stdout.write_all(&data).await.and(stdout.flush().await) {
            Ok(()) => {}
            // The reader has closed the pipe, as `head` does.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(format!("cannot write to standard output: {error}").into()),
        }
    }
    Ok(())
}

/// Reads a body to its end: only then is the request complete, and its connection free for reuse.
async fn drain<R>(mut body: R) -> Result<(), BoxError>
where
    R: Body<Error: Into<BoxError>> + Unpin,
{
    while let Some(frame) = body.frame().await {
        frame.map_err(Into::into)?;
    }
    Ok(())
}
