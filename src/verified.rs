/// What a probe found: an extension of the response that was made from its answer.
///
/// # Example
///
/// ```
/// use http::Response;
/// use tower_http_retry::verify::Verified;
///
/// /// Whether the item was made by an attempt whose answer was lost.
/// fn was_made_before<R>(response: &Response<R>) -> bool {
///     response.extensions().get() == Some(&Verified::Created)
/// }
/// # assert!(!was_made_before(&Response::new(())));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verified {
    /// The item exists: 201, with the probe's response. Its `Location`, where it has none, is the
    /// probe's URI, if that is not the request's own (RFC 9110, section 15.3.2) and has no query.
    Created,
    /// The item is gone: 204, without headers.
    Deleted,
    /// An item exists that is [not the one](crate::VerifyLayer::same) that was to be created: 409,
    /// or 412 where the request has `If-None-Match`, with the probe's response. It was not sent
    /// again.
    Conflict,
    /// The probe failed in a way that may pass: its own response, with its status. It is what the
    /// caller gets where the retry above does not ask anew.
    Unavailable,
}
