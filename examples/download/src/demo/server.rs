//! A server with one file, which supports range requests.

use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use http::header::{CONTENT_RANGE, ETAG, IF_MATCH, RANGE};
use http::{HeaderName, Request, Response, StatusCode};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::content::{Content, Part};
use super::listener::Listener;

/// Serves the content at each path, until it is dropped.
pub(crate) struct Server {
    listener: Listener,
    requests: Arc<AtomicU32>,
}

impl Server {
    pub(crate) async fn start(content: Content) -> io::Result<Self> {
        let requests = Arc::new(AtomicU32::new(0));
        let counted = requests.clone();
        let listener =
            Listener::start(move |connection| serve(connection, content, counted.clone())).await?;
        Ok(Self { listener, requests })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// How many requests have arrived.
    pub(crate) fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }
}

async fn serve(connection: TcpStream, content: Content, requests: Arc<AtomicU32>) {
    let service = service_fn(move |request| {
        requests.fetch_add(1, Ordering::Relaxed);
        let answer = answer(content, &request);
        async move { answer }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(connection), service);
    // An error is expected, because the proxy cuts the connection.
    let _ = connection.await;
}

/// Evaluates the precondition (RFC 9110, section 13.1.1), and then a single range (section 14.2).
fn answer<B>(content: Content, request: &Request<B>) -> http::Result<Response<Part>> {
    let header = |name: HeaderName| request.headers().get(name)?.to_str().ok();
    let (etag, length) = (content.etag(), content.length());
    let response = Response::builder().header(ETAG, &etag);
    if header(IF_MATCH).is_some_and(|condition| condition != etag && condition != "*") {
        let response = response.status(StatusCode::PRECONDITION_FAILED);
        return response.body(content.part(0..0));
    }
    match header(RANGE).and_then(|range| first_and_last(range, length)) {
        None => response.body(content.part(0..length)),
        Some(range) if range.is_empty() => response
            .status(StatusCode::RANGE_NOT_SATISFIABLE)
            .header(CONTENT_RANGE, format!("bytes */{length}"))
            .body(content.part(0..0)),
        Some(range) => {
            let (first, last) = range.into_inner();
            response
                .status(StatusCode::PARTIAL_CONTENT)
                .header(CONTENT_RANGE, format!("bytes {first}-{last}/{length}"))
                .body(content.part(first..last + 1))
        }
    }
}

/// Parses a range from one byte to another one. Returns `None` for any other text, which is ignored. The
/// range is empty if the file has no byte in it.
fn first_and_last(range: &str, length: u64) -> Option<RangeInclusive<u64>> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = (first.parse().ok()?, last.parse::<u64>().ok()?);
    Some(first..=last.min(length.saturating_sub(1)))
}
