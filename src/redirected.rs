use http::{Extensions, Uri};

/// Whether a response is another resource's: tower-http's `FollowRedirect`, under this crate's
/// layers, followed a redirect from this URI. Always false without the feature `tower-http`.
pub(crate) fn was_redirected(uri: &Uri, response: &Extensions) -> bool {
    effective_uri(response).is_some_and(|effective| effective != uri)
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
