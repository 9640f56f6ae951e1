use std::time::Duration;

use bytes::Bytes;
use clap::ValueEnum;
use http::{Method, StatusCode};
use http_body_util::Full;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::client::{Tower, Visit};
use crate::payload::Chunks;
use crate::upstream::Upstream;

mod backon;
mod reqwest_retry;
mod resilience;
mod this_crate;
mod tower_retry;

pub type RequestBody = Full<Bytes>;

/// The maximum number of retries of a request.
const MAX_RETRIES: u32 = 5;

/// A way to send requests. `Reqwest` is the base of `ReqwestRetry`, and `Bare` that of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Contender {
    Bare,
    ThisCrate,
    TowerRetry,
    Resilience,
    Backon,
    ReqwestRetry,
    Reqwest,
}

/// The settings of all contenders.
#[derive(Clone, Copy)]
pub struct Settings {
    /// The wait before the first retry. It doubles with each further retry.
    pub wait: Duration,
    /// Whether many attempts fail on purpose, so that the budget must be large enough.
    pub expects_failures: bool,
    /// Whether requests of all methods may be retried. It is for contenders that decide before the first
    /// attempt how many attempts a request gets.
    pub repeats_any_method: bool,
    /// Whether requests are held while a quota is used up.
    pub has_cooldown: bool,
    /// Whether slow requests are hedged, instead of retrying requests that fail.
    pub hedges: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            wait: Duration::from_secs(1),
            expects_failures: false,
            repeats_any_method: false,
            has_cooldown: false,
            hedges: false,
        }
    }
}

impl Settings {
    pub fn failing(wait: Duration) -> Self {
        Self {
            wait,
            expects_failures: true,
            ..Self::default()
        }
    }
}

impl Contender {
    /// The columns of the table.
    pub const COLUMNS: [Self; 6] = [
        Self::Bare,
        Self::ThisCrate,
        Self::TowerRetry,
        Self::Resilience,
        Self::Backon,
        Self::ReqwestRetry,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::ThisCrate => "this crate",
            Self::TowerRetry => "tower::retry",
            Self::Resilience => "tower-resilience-retry",
            Self::Backon => "backon",
            Self::ReqwestRetry => "reqwest-retry",
            Self::Reqwest => "reqwest",
        }
    }

    /// Returns the contender that its figures are compared with.
    pub fn base(self) -> Self {
        match self {
            Self::ReqwestRetry | Self::Reqwest => Self::Reqwest,
            _ => Self::Bare,
        }
    }

    pub fn is_base(self) -> bool {
        self == self.base()
    }

    /// Whether it takes a request body that is not `Clone`.
    pub fn can_stream(self) -> bool {
        matches!(self, Self::Bare | Self::ThisCrate)
    }

    /// Whether it holds requests while a quota is used up.
    pub fn can_hold(self) -> bool {
        matches!(self, Self::Bare | Self::ThisCrate)
    }

    /// Whether it has a layer that only hedges slow requests.
    pub fn can_hedge(self) -> bool {
        matches!(self, Self::Bare | Self::ThisCrate)
    }

    /// Calls `visit` with this contender over a service in memory.
    pub fn in_memory<V>(self, upstream: Upstream, settings: &Settings, visit: V) -> V::Output
    where
        V: Visit<RequestBody>,
    {
        match self {
            Self::Bare => visit.visit(Tower(upstream)),
            Self::ThisCrate if settings.hedges => visit.visit(Tower(this_crate::hedge(upstream))),
            Self::ThisCrate => visit.visit(Tower(this_crate::retry(upstream, settings))),
            Self::TowerRetry => visit.visit(Tower(tower_retry::retry(upstream, settings))),
            Self::Resilience => visit.visit(Tower(resilience::retry(upstream, settings))),
            Self::Backon => visit.visit(backon::Backon::new(upstream, settings)),
            Self::ReqwestRetry => visit.visit(reqwest_retry::in_memory(upstream, Some(settings))),
            Self::Reqwest => visit.visit(reqwest_retry::in_memory(upstream, None)),
        }
    }

    /// Calls `visit` with this contender over a service in memory, for a request body that is not
    /// `Clone`. Returns `None` if the contender does not support it.
    pub fn streamed<V>(self, upstream: Upstream, settings: &Settings, visit: V) -> Option<V::Output>
    where
        V: Visit<Chunks>,
    {
        match self {
            Self::Bare => Some(visit.visit(Tower(upstream))),
            Self::ThisCrate => Some(visit.visit(Tower(this_crate::retry(upstream, settings)))),
            _ => None,
        }
    }

    /// Calls `visit` with this contender over a client of hyper-util or reqwest.
    pub fn over_network<V>(self, is_http2: bool, settings: &Settings, visit: V) -> V::Output
    where
        V: Visit<RequestBody>,
    {
        match self {
            Self::Bare => visit.visit(Tower(hyper::<RequestBody>(is_http2))),
            Self::ThisCrate => visit.visit(Tower(this_crate::retry(hyper(is_http2), settings))),
            Self::TowerRetry => visit.visit(Tower(tower_retry::retry(hyper(is_http2), settings))),
            Self::Resilience => visit.visit(Tower(resilience::retry(hyper(is_http2), settings))),
            Self::Backon => visit.visit(backon::Backon::new(hyper(is_http2), settings)),
            Self::ReqwestRetry => {
                visit.visit(reqwest_retry::over_network(is_http2, Some(settings)))
            }
            Self::Reqwest => visit.visit(reqwest_retry::over_network(is_http2, None)),
        }
    }
}

fn hyper<B>(is_http2: bool) -> HyperClient<HttpConnector, B>
where
    B: http_body::Body<Data: Send> + Send,
{
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    HyperClient::builder(TokioExecutor::new())
        .http2_only(is_http2)
        .build(connector)
}

/// Whether a request may be retried after a failure if the server may have processed it.
fn is_idempotent(method: &Method) -> bool {
    method.is_safe() || *method == Method::PUT || *method == Method::DELETE
}

/// Whether a response is a transient failure.
fn may_pass(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

/// Whether a request is retried. After 429, which means that the server did not process it, it always
/// is.
fn is_retryable(status: StatusCode, is_idempotent: bool) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || (status.is_server_error() && is_idempotent)
}
