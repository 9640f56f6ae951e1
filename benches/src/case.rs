use std::time::Duration;

use clap::ValueEnum;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST,
    HeaderName, HeaderValue, ORIGIN, REFERER, USER_AGENT,
};
use http::{HeaderMap, Method, Request, StatusCode, Uri};

use crate::contender::{Contender, Settings};
use crate::payload::Payload;
use crate::table::Goal;

/// A kind of request, and the responses to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Case {
    Get,
    GetCooldown,
    GetHedge,
    GetHedgeHeaders,
    GetHeaders,
    Post,
    PostStream,
    Retries,
    RetriesHeaders,
    Waits,
    WaitsHeaders,
    WaitsPost,
}

impl Case {
    pub fn title(self) -> &'static str {
        match self {
            Self::Get => "GET, no headers",
            Self::GetCooldown => "GET, no headers, a cooldown that holds nothing",
            Self::GetHedge => "GET, no headers, HedgeLayer alone, not hedged",
            Self::GetHedgeHeaders => "GET, 12 headers, HedgeLayer alone, not hedged",
            Self::GetHeaders => "GET, 12 headers",
            Self::Post => "POST, 12 headers, 1 KiB in memory",
            Self::PostStream => "POST, 12 headers, a stream of 16 chunks",
            Self::Retries => "GET, no headers, 2 retries",
            Self::RetriesHeaders => "GET, 12 headers, 2 retries",
            Self::Waits => "GET, no headers, 2 retries after 1 and 2 ms",
            Self::WaitsHeaders => "GET, 12 headers, 2 retries after 1 and 2 ms",
            Self::WaitsPost => "POST, 12 headers, 1 KiB, 2 retries after 1 and 2 ms",
        }
    }

    /// Returns the goals for instructions and for allocations: how many this crate may add to a request.
    /// The goal for instructions is a multiple of what tower::retry adds, if tower::retry supports the
    /// case.
    pub fn goals(self) -> (Option<Goal>, Option<Goal>) {
        let (instructions, allocations) = match self {
            Self::Get => (Some(0.93), Some(0.0)),
            Self::GetHeaders => (Some(0.38), Some(1.0)),
            Self::Post => (Some(0.47), Some(2.0)),
            // No peer supports these cases.
            Self::GetCooldown | Self::GetHedge => return (None, Some(Goal::AtMost(0.0))),
            Self::GetHedgeHeaders => return (None, Some(Goal::AtMost(1.0))),
            Self::PostStream => return (Some(Goal::AtMost(6_000.0)), Some(Goal::AtMost(5.0))),
            // Without a wait, the peers use no timer.
            Self::Retries | Self::RetriesHeaders => (None, None),
            Self::Waits => (Some(1.0), Some(1.0)),
            Self::WaitsHeaders => (Some(1.0), Some(9.0)),
            Self::WaitsPost => (Some(1.0), Some(10.0)),
        };
        (
            instructions.map(Goal::OfTower),
            allocations.map(Goal::AtMost),
        )
    }

    /// Returns how many attempts of each request fail.
    pub fn failures(self) -> usize {
        match self {
            Self::Get
            | Self::GetCooldown
            | Self::GetHedge
            | Self::GetHedgeHeaders
            | Self::GetHeaders
            | Self::Post
            | Self::PostStream => 0,
            Self::Retries
            | Self::RetriesHeaders
            | Self::Waits
            | Self::WaitsHeaders
            | Self::WaitsPost => 2,
        }
    }

    /// Returns the status of the attempts that fail. A request of this case may be retried after it.
    pub fn failure(self) -> StatusCode {
        match self.is_get() {
            true => StatusCode::SERVICE_UNAVAILABLE,
            false => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    pub fn settings(self) -> Settings {
        if self.failures() == 0 {
            return Settings {
                has_cooldown: self == Self::GetCooldown,
                hedges: matches!(self, Self::GetHedge | Self::GetHedgeHeaders),
                ..Settings::default()
            };
        }
        let wait = match self {
            Self::Waits | Self::WaitsHeaders | Self::WaitsPost => Duration::from_millis(1),
            _ => Duration::ZERO,
        };
        Settings {
            repeats_any_method: !self.is_get(),
            ..Settings::failing(wait)
        }
    }

    pub fn is_get(self) -> bool {
        !matches!(self, Self::Post | Self::PostStream | Self::WaitsPost)
    }

    pub fn has_headers(self) -> bool {
        !matches!(
            self,
            Self::Get | Self::GetCooldown | Self::GetHedge | Self::Retries | Self::Waits
        )
    }

    /// Whether a contender supports this case.
    pub fn is_for(self, contender: Contender) -> bool {
        match self {
            Self::PostStream => contender.can_stream(),
            Self::GetCooldown => contender.can_hold(),
            Self::GetHedge | Self::GetHedgeHeaders => contender.can_hedge(),
            _ => true,
        }
    }
}

/// Creates the requests of a case.
pub struct Requests {
    uri: Uri,
    method: Method,
    has_headers: bool,
}

impl Requests {
    pub fn get(uri: &Uri, has_headers: bool) -> Self {
        Self {
            uri: shared(uri),
            method: Method::GET,
            has_headers,
        }
    }

    pub fn post(uri: &Uri) -> Self {
        Self {
            uri: shared(uri),
            method: Method::POST,
            has_headers: true,
        }
    }

    pub fn of(case: Case) -> Self {
        let uri = in_memory();
        match case.is_get() {
            true => Self::get(&uri, case.has_headers()),
            false => Self::post(&uri),
        }
    }

    // Inlined, it could be mixed with the code that is measured.
    #[inline(never)]
    pub fn make<B: Payload>(&self) -> Request<B> {
        let is_empty = self.method == Method::GET;
        let mut request = Request::new(if is_empty { B::empty() } else { B::full() });
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        if self.has_headers {
            *request.headers_mut() = headers();
        }
        request
    }
}

/// Returns a URI for requests that are not sent over a network.
pub fn in_memory() -> Uri {
    Uri::from_static("http://127.0.0.1:8080/items/7")
}

/// Returns the same URI with separate bytes, which are reference-counted already: cloning it does not
/// allocate.
fn shared(uri: &Uri) -> Uri {
    let own: Uri = uri.to_string().parse().expect("a URI");
    // The first clone allocates the reference count.
    own.clone()
}

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Returns twelve headers that a client typically sends, ten of them with standard names. Their bytes
/// are not shared yet.
fn headers() -> HeaderMap {
    const TOKEN: [u8; 1024] = [b'x'; 1024];
    let token = std::str::from_utf8(&TOKEN).expect("ASCII");
    let lines = [
        (HOST, "inventory.example.com:8443"),
        (
            USER_AGENT,
            "inventory-client/2.7.1 (linux; x86_64) hyper/1.12",
        ),
        (ACCEPT, "application/json, application/problem+json;q=0.9"),
        (ACCEPT_ENCODING, "gzip, deflate, br, zstd"),
        (ACCEPT_LANGUAGE, "en-GB,en;q=0.9,de;q=0.8"),
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_TYPE, "application/json; charset=utf-8"),
        (ORIGIN, "https://shop.example.com"),
        (REFERER, "https://shop.example.com/warehouses/12/items"),
        (
            TRACEPARENT,
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ),
        (X_REQUEST_ID, "7d444840-9dc0-11d1-b245-5ffdce74fad2"),
        (AUTHORIZATION, token),
    ];
    let mut headers = HeaderMap::with_capacity(lines.len());
    for (name, value) in lines {
        headers.insert(name, HeaderValue::from_str(value).expect("a value"));
    }
    headers
}
