use http::{Extensions, Method, Uri};

/// Whether a response is another resource's: tower-http's `FollowRedirect`, under this crate's
/// layers, followed a redirect from this URI. Always false without the feature `tower-http`.
pub(crate) fn was_redirected(uri: &Uri, response: &Extensions) -> bool {
    effective_uri(response).is_some_and(|effective| effective != uri)
}

/// Whether a response may answer another request than this: as above, or a redirect from the URI to
/// itself was followed by a GET, as after a form was posted. That one leaves no trace.
pub(crate) fn may_be_redirected(method: &Method, uri: &Uri, response: &Extensions) -> bool {
    let becomes_a_get = ![Method::GET, Method::HEAD].contains(method);
    effective_uri(response).is_some_and(|effective| becomes_a_get || effective != uri)
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
