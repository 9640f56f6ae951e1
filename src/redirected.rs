use http::{Extensions, Method, Uri};

#[cfg(feature = "reqwest")]
mod client;

#[cfg(feature = "reqwest")]
pub(crate) use client::FollowsRedirects;
#[cfg(feature = "reqwest")]
pub use client::MaybeRedirected;

/// Whether a response is another resource's: a redirect from this URI was followed under this crate's
/// layers, by tower-http's `FollowRedirect` or by reqwest. Always false without the features `tower-http`
/// and `reqwest`.
pub(crate) fn was_redirected(uri: &Uri, response: &Extensions) -> bool {
    let by_layer = || effective_uri(response).is_some_and(|effective| effective != uri);
    by_client(response) == Some(true) || by_layer()
}

/// Whether a response may answer another request than this: as above, or a redirect from the URI to
/// itself was followed by a GET, as after a form was posted. That one leaves no trace. Of a client that
/// follows redirects, any response may.
pub(crate) fn may_be_redirected(method: &Method, uri: &Uri, response: &Extensions) -> bool {
    let becomes_a_get = ![Method::GET, Method::HEAD].contains(method);
    let is_followed = || effective_uri(response).is_some();
    by_client(response).is_some()
        || was_redirected(uri, response)
        || (becomes_a_get && is_followed())
}

/// Whether the client followed a redirect to another URI; none if it follows none.
#[cfg(feature = "reqwest")]
fn by_client(response: &Extensions) -> Option<bool> {
    let FollowsRedirects { to_another_uri } = response.get()?;
    Some(*to_another_uri)
}

#[cfg(not(feature = "reqwest"))]
fn by_client(_: &Extensions) -> Option<bool> {
    None
}

/// The URI of the last request that `FollowRedirect` made, if it is in the stack.
#[cfg(feature = "tower-http")]
fn effective_uri(response: &Extensions) -> Option<&Uri> {
    use tower_http::follow_redirect::RequestUri;

    let RequestUri(uri) = response.get()?;
    Some(uri)
}

#[cfg(not(feature = "tower-http"))]
fn effective_uri(_: &Extensions) -> Option<&Uri> {
    None
}

#[cfg(test)]
mod tests;
