use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, EXPECT, MaxSizeReached, RANGE, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
};
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, Request, Uri, request};

use crate::authority::Authority;
use crate::head::RequestHead;

/// What a probe does not take over, beside `content-*` and conditions: headers about the request's
/// content, its conditions, its connection, what would make a safe method do something, and
/// preferences (RFC 7240), by which the same item is answered otherwise: 202 with `respond-async`,
/// and 204 with `return=minimal`.
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

/// The default: the item is where it is put, and where it is deleted.
pub(super) fn on_the_same_uri(head: &RequestHead<'_>) -> Option<Request<()>> {
    let is_item = matches!(*head.method, Method::PUT | Method::DELETE);
    is_item.then(|| {
        let mut probe = Request::new(());
        *probe.uri_mut() = head.uri.clone();
        probe
    })
}

/// Fills in what the probe's maker leaves out: the request's host, and if it is the same one, its
/// headers; its version, and its extensions. No cache may answer with what it remembers.
///
/// A probe that does not have room for all of its headers is none: without credentials, say, an item
/// that exists is answered 404 by some services.
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
    // Its body is empty, whatever its maker has copied.
    for name in [CONTENT_LENGTH, TRANSFER_ENCODING, TRAILER, EXPECT] {
        probe.headers.remove(name);
    }
    // To another host, credentials are for the probe's maker to give.
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

/// The URI on the request's host, if it names none itself.
fn absolute(uri: Uri, request: &Uri) -> Uri {
    if uri.authority().is_some() {
        return uri;
    }
    let mut parts = request.clone().into_parts();
    parts.path_and_query = uri.path_and_query().cloned();
    Uri::from_parts(parts).unwrap_or(uri)
}

/// As it may be told: without the query and the user info, where secrets stand.
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
