/// Result of a probe.
///
/// It is an extension of each response that a [`VerifyLayer`](crate::VerifyLayer) makes from the response
/// to a probe.
///
/// # Example
///
/// ```
/// use http::Response;
/// use tower_http_retry::verify::Verified;
///
/// /// Returns whether an earlier attempt, whose response was lost, created the item.
/// fn was_created_before<R>(response: &Response<R>) -> bool {
///     response.extensions().get() == Some(&Verified::Created)
/// }
///
/// let mut response = Response::new(());
/// assert!(!was_created_before(&response));
/// response.extensions_mut().insert(Verified::Created);
/// assert!(was_created_before(&response));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verified {
    /// The item exists. The response is the probe's, with the status 201.
    ///
    /// If it has no `Location`, the probe's URI is added, unless that URI is the request's own (RFC 9110,
    /// section 15.3.2) or has a query.
    Created,
    /// The item does not exist any more. The response is a 204 without headers.
    Deleted,
    /// An item exists, but it is [not the one](crate::VerifyLayer::same) that the request creates. The
    /// request was not sent again.
    ///
    /// The response is the probe's, with the status 409, or 412 if the request has `If-None-Match`.
    Conflict,
    /// The probe failed transiently. The response is the probe's, with its own status.
    ///
    /// The caller receives it if the retry above does not retry it.
    Unavailable,
}
