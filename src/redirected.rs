use http::{Extensions, Method, Uri};

#[cfg(feature = "reqwest")]
mod client;

#[cfg(feature = "reqwest")]
pub(crate) use client::FollowsRedirects;
#[cfg(feature = "reqwest")]
pub use client::MaybeRedirected;

/// Whether a response is that of another URI, because a redirect was followed below this crate's layers, by
/// tower-http's `FollowRedirect` or by reqwest. Always false without the features `tower-http` and `reqwest`.
pub(crate) fn was_redirected(uri: &Uri, response: &Extensions) -> bool {
    let by_layer = || effective_uri(response).is_some_and(|effective| effective != uri);
    by_client(response) == Some(true) || by_layer()
}

/// Whether a response may answer a request other than this one. There are three cases:
///
/// - It is that of another URI: see [`was_redirected`].
/// - `FollowRedirect` is below, and the method is neither GET nor HEAD. It may have followed a redirect
///   from the URI to itself with a GET, for example after a form was posted. This cannot be detected.
/// - The client follows redirects.
pub(crate) fn may_be_redirected(method: &Method, uri: &Uri, response: &Extensions) -> bool {
    let becomes_a_get = ![Method::GET, Method::HEAD].contains(method);
    let is_followed = || effective_uri(response).is_some();
    by_client(response).is_some()
        || was_redirected(uri, response)
        || (becomes_a_get && is_followed())
}

/// Returns whether the client followed a redirect to another URI, or none if it does not follow redirects.
#[cfg(feature = "reqwest")]
fn by_client(response: &Extensions) -> Option<bool> {
    let FollowsRedirects { to_another_uri } = response.get()?;
    Some(*to_another_uri)
}

#[cfg(not(feature = "reqwest"))]
fn by_client(_: &Extensions) -> Option<bool> {
    None
}

/// Returns the URI of the last request that `FollowRedirect` made, if it is in the stack.
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
