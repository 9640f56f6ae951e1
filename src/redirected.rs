use http::{Extensions, Uri};

/// Whether a redirect was followed under this layer: the response then answers another request than
/// the one for `uri`. Known from tower-http's `FollowRedirect` alone.
#[cfg(feature = "tower-http")]
pub(crate) fn was_redirected(uri: &Uri, response: &Extensions) -> bool {
    use tower_http::follow_redirect::RequestUri;

    let answered = response.get::<RequestUri>();
    answered.is_some_and(|RequestUri(answered)| answered != uri)
}

#[cfg(not(feature = "tower-http"))]
pub(crate) fn was_redirected(_: &Uri, _: &Extensions) -> bool {
    false
}
