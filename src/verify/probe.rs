use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, EXPECT, MaxSizeReached, RANGE, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
};
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, Request, Uri, request};

use crate::authority::Authority;
use crate::head::RequestHead;

/// Headers of the request that are not added to a probe, besides `content-*` and conditions. They are about
/// the content, conditions or connection of the request, or could turn a safe method into another one, or are
/// preferences (RFC 7240), which change the status: 202 with `respond-async`, and 204 with
/// `return=minimal`.
const LEFT_OUT: [HeaderName; 18] = [
    EXPECT,
    RANGE,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("if"),
    HeaderName::from_static("prefer"),
    HeaderName::from_static("repeatability-first-sent"),
    HeaderName::from_static("repeatability-request-id"),
    HeaderName::from_static("x-idempotency-key"),
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-method-override"),
    HeaderName::from_static("x-ms-range"),
];

/// The default probe: a GET on the URI of the PUT or DELETE.
pub(super) fn on_the_same_uri(head: &RequestHead<'_>) -> Option<Request<()>> {
    let is_item = matches!(*head.method, Method::PUT | Method::DELETE);
    is_item.then(|| {
        let mut probe = Request::new(());
        *probe.uri_mut() = head.uri.clone();
        probe
    })
}

/// Completes a probe with the request's host, version and extensions, and with its headers if the host is
/// the same. Adds `Cache-Control: no-cache`, so that no cache answers it.
///
/// Fails if the probe has no room for all headers: without credentials, for example, some services
/// answer 404 for an item that exists.
pub(super) fn complete(
    probe: Request<()>,
    head: &request::Parts,
) -> Result<Request<()>, MaxSizeReached> {
    let (mut probe, ()) = probe.into_parts();
    probe.uri = absolute(probe.uri, &head.uri);
    probe.version = head.version;
    let own = std::mem::take(&mut probe.extensions);
    probe.extensions = head.extensions.clone();
    probe.extensions.extend(own);
    if !probe.headers.contains_key(CACHE_CONTROL) {
        let no_cache = HeaderValue::from_static("no-cache");
        probe.headers.try_insert(CACHE_CONTROL, no_cache)?;
    }
    // The body is empty, even if the closure has copied these headers.
    for name in [CONTENT_LENGTH, TRANSFER_ENCODING, TRAILER, EXPECT] {
        probe.headers.remove(name);
    }
    // The request's credentials are not sent to another host.
    if Authority::of(&probe.uri) == Authority::of(&head.uri) {
        let given = probe.headers.clone();
        for (name, value) in &head.headers {
            if !given.contains_key(name) && !is_left_out(name) {
                probe.headers.try_append(name, value.clone())?;
            }
        }
    }
    Ok(Request::from_parts(probe, ()))
}

fn is_left_out(name: &HeaderName) -> bool {
    let text = name.as_str();
    let is_condition = text.starts_with("if-") || text.contains("-if-");
    let is_of_content = text.starts_with("content-") || text.contains("-copy-source");
    is_condition || is_of_content || LEFT_OUT.contains(name)
}

/// Adds the request's host to a URI without a host.
fn absolute(uri: Uri, request: &Uri) -> Uri {
    if uri.authority().is_some() {
        return uri;
    }
    let mut parts = request.clone().into_parts();
    parts.path_and_query = uri.path_and_query().cloned();
    Uri::from_parts(parts).unwrap_or(uri)
}

/// Returns the URI without its query and user info, which may contain credentials.
pub(super) fn tellable(uri: &Uri) -> Uri {
    let mut parts = without_user_info(uri).into_parts();
    parts.path_and_query = PathAndQuery::try_from(uri.path()).ok();
    Uri::from_parts(parts).unwrap_or_default()
}

pub(super) fn without_user_info(uri: &Uri) -> Uri {
    let mut parts = uri.clone().into_parts();
    parts.authority = uri.authority().and_then(|authority| {
        let host = authority.as_str().rsplit('@').next()?;
        host.parse().ok()
    });
    Uri::from_parts(parts).unwrap_or_default()
}

#[cfg(test)]
mod tests;
