//! Forwards requests to the upstream, with request ids, retries and spans.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{
    CONNECTION, HOST, HeaderName, RETRY_AFTER, TE, TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tower::util::BoxCloneSyncService;
use tower::{ServiceBuilder, ServiceExt};
use tower_http::request_id::{
    MakeRequestUuid, PropagateRequestIdLayer, RequestId, SetRequestIdLayer,
};
use tower_http::trace::{DefaultOnFailure, TraceLayer};
use tower_http_retry::{Backoff, BoxError, Cooldown, ReplayBody, RetryError, RetryLayer};
use tracing::{Level, Span, info_span};

use crate::history::History;

/// How long an attempt may take until the head of its response arrives.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long after the first attempt a retry may start.
const WINDOW: Duration = Duration::from_secs(5);

/// The wait before the first retry. It is short because of the demonstration.
const BASE: Duration = Duration::from_millis(100);

const RETRIES: u32 = 3;

/// How long a request may be held while the upstream's quota is used up. If the hold is longer, the request
/// is answered with `Retry-After`.
const MAX_HOLD: Duration = Duration::from_secs(2);

const REQUEST_ID: &str = "x-request-id";

/// The longest request id that is accepted, in bytes. A UUID has 36.
const LONGEST_ID: usize = 128;

/// The headers of a single connection (RFC 9110, section 7.6.1), in addition to those that `Connection`
/// lists.
const HOP_BY_HOP: [HeaderName; 6] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Sends a request to the upstream, with retries.
type Sender = BoxCloneSyncService<Request, Response, BoxError>;

#[derive(Clone)]
struct Gateway {
    upstream: Authority,
    sender: Sender,
    history: Arc<History>,
}

/// Creates a router that forwards all requests that no other route matches. The retry layer logs failures, so
/// the trace layers above and below it log them only at `DEBUG`.
pub(crate) fn router(upstream: SocketAddr, cooldown: Cooldown, history: Arc<History>) -> Router {
    let upstream = upstream.to_string();
    let gateway = Gateway {
        upstream: upstream.parse().expect("an address is an authority"),
        sender: sender(cooldown, history.clone()),
        history,
    };
    let quiet = DefaultOnFailure::new().level(Level::DEBUG);
    // The request id is set before the span, which contains it, and after `cleaned`, which removes it if
    // the caller's `Connection` header lists it.
    let identified = ServiceBuilder::new()
        .map_request(cleaned)
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(request_span)
                .on_failure(quiet),
        )
        .layer(PropagateRequestIdLayer::x_request_id());
    Router::new()
        .fallback(forward)
        .layer(identified)
        .with_state(gateway)
}

/// Builds the stack, from the outside in.
fn sender(cooldown: Cooldown, history: Arc<History>) -> Sender {
    let retry = RetryLayer::new()
        .max_retries(RETRIES)
        .backoff(Backoff::exponential(BASE))
        .window(WINDOW)
        .attempt_timeout(ATTEMPT_TIMEOUT)
        .rate_limit_headers(true)
        .cooldown(cooldown.max_hold(MAX_HOLD))
        .on_event(move |event| history.hear(event));
    let quiet = DefaultOnFailure::new().level(Level::DEBUG);
    let trace = TraceLayer::new_for_http()
        .make_span_with(attempt_span)
        .on_failure(quiet);
    let service = ServiceBuilder::new()
        .map_response(|response: http::Response<_>| response.map(Body::new))
        .layer(retry)
        .layer(trace)
        .service(Client::builder(TokioExecutor::new()).build_http());
    BoxCloneSyncService::new(service)
}

/// Has no query, which may contain credentials.
fn request_span(request: &Request) -> Span {
    let id = request.extensions().get::<RequestId>();
    info_span!(
        "request",
        id = id.and_then(|id| id.header_value().to_str().ok()),
        http.request.method = %request.method(),
        url.path = request.uri().path(),
    )
}

/// The span of an attempt. As in OpenTelemetry, the first attempt has no count.
fn attempt_span(request: &http::Request<ReplayBody<Body>>) -> Span {
    let attempt = request.body().attempt().number();
    let retries = (attempt > 1).then_some(attempt - 1);
    info_span!("attempt", http.request.resend_count = retries)
}

async fn forward(State(gateway): State<Gateway>, mut request: Request) -> Response {
    // A gateway to a fixed upstream does not support tunnels.
    if request.method() == Method::CONNECT {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    *request.uri_mut() = gateway.uri(request.uri());
    let via = via(request.version());
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    // The client sets it to the upstream's host.
    headers.remove(HOST);
    headers.append(VIA, via);
    let start = Instant::now();
    let answered = gateway.sender.oneshot(request).await;
    gateway.history.took(start.elapsed());
    match answered {
        Ok(mut response) => {
            remove_hop_by_hop(response.headers_mut());
            response
        }
        Err(error) => failure(&error),
    }
}

/// The response to a request that got no response from the upstream.
fn failure(error: &BoxError) -> Response {
    match error.downcast_ref() {
        Some(RetryError::AttemptTimedOut { .. }) => {
            (StatusCode::GATEWAY_TIMEOUT, "the upstream did not answer\n").into_response()
        }
        Some(RetryError::CoolingDown { left, .. }) => (
            StatusCode::SERVICE_UNAVAILABLE,
            [(RETRY_AFTER, HeaderValue::from(retry_after(*left)))],
            "the upstream takes no requests now\n",
        )
            .into_response(),
        _ => (StatusCode::BAD_GATEWAY, "the upstream failed\n").into_response(),
    }
}

/// The value of `Retry-After`, rounded up to whole seconds, so that no retry is too early. It is at least
/// one, because no time may be left if a request was rejected because too many others wait.
fn retry_after(left: Duration) -> u64 {
    let begun = u64::from(left.subsec_nanos() > 0);
    left.as_secs().saturating_add(begun).max(1)
}

/// The HTTP version with which the request was received (RFC 9110, section 7.6.3).
fn via(version: Version) -> HeaderValue {
    HeaderValue::from_static(match version {
        Version::HTTP_10 => "1.0 proxy",
        Version::HTTP_2 => "2 proxy",
        _ => "1.1 proxy",
    })
}

impl Gateway {
    fn uri(&self, asked: &Uri) -> Uri {
        let path = asked.path_and_query().cloned();
        Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(self.upstream.clone())
            .path_and_query(path.unwrap_or_else(|| PathAndQuery::from_static("/")))
            .build()
            .expect("all parts are there")
    }
}

/// Removes the headers of the caller's connection, and a request id that is too long to be logged and
/// returned.
fn cleaned(mut request: Request) -> Request {
    let headers = request.headers_mut();
    remove_hop_by_hop(headers);
    if headers
        .get(REQUEST_ID)
        .is_some_and(|id| id.len() > LONGEST_ID)
    {
        headers.remove(REQUEST_ID);
    }
    request
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_after_is_in_whole_seconds_and_never_too_early() {
        for (nanos, seconds) in [
            (0, 1),
            (1, 1),
            (1_000_000_000, 1),
            (1_000_000_001, 2),
            (59_500_000_000, 60),
        ] {
            assert_eq!(retry_after(Duration::from_nanos(nanos)), seconds);
        }
        assert_eq!(retry_after(Duration::MAX), u64::MAX);
    }
}
