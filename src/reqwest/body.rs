use http_body::Body;

use crate::body::ReplayBody;
use crate::error::BoxError;
use crate::hedge::HedgeBody;

/// Converts a body that is in memory to bytes, so that reqwest can send it more than once.
impl<B> From<ReplayBody<B>> for reqwest::Body
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn from(body: ReplayBody<B>) -> Self {
        body.into_bytes().map_or_else(Self::wrap, Self::from)
    }
}

/// Converts a body that is in memory to bytes, so that reqwest can send it more than once.
impl<B> From<HedgeBody<B>> for reqwest::Body
where
    B: Body + Send + Sync + 'static,
    B::Error: Into<BoxError>,
{
    fn from(body: HedgeBody<B>) -> Self {
        body.into_bytes().map_or_else(Self::wrap, Self::from)
    }
}
