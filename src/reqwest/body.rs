use http_body::Body;

use crate::body::ReplayBody;
use crate::error::BoxError;
use crate::hedge::HedgeBody;

/// A body that is in memory becomes bytes, which reqwest can send a second time by itself.
impl<B> From<ReplayBody<B>> for reqwest::Body
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn from(body: ReplayBody<B>) -> Self {
        body.into_bytes().map_or_else(Self::wrap, Self::from)
    }
}

/// A body that is in memory becomes bytes, which reqwest can send a second time by itself.
impl<B> From<HedgeBody<B>> for reqwest::Body
where
    B: Body + Send + Sync + 'static,
    B::Error: Into<BoxError>,
{
    fn from(body: HedgeBody<B>) -> Self {
        body.into_bytes().map_or_else(Self::wrap, Self::from)
    }
}
