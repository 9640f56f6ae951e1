//! The arguments of the program. A wrong argument ends it with status 2 and a message that names
//! the argument.

use std::num::NonZeroU64;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, ValueEnum};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use humantime::parse_duration;
use tower_http_retry::{Backoff, Cooldown, Idempotency, Jitter, RetryLayer};

use crate::payload::Payload;

const AFTER_HELP: &str = "\
Durations are written like 100ms, 10s, 5m, 1h30m.

With --cooldown, a quota counts as used up if rate-limit headers say so (if they are read), or if all
attempts are refused. A request that would be held beyond --within is not sent, and fails.

Exit status: 0 for a 2xx or 3xx, 22 for another status, 7 for an error, 2 for wrong arguments.
With --count: 7 if there was any error, else 22 if there was any status but 2xx and 3xx.";

/// Sends an HTTP request, and retries it if it fails transiently.
#[derive(Debug, Parser)]
#[command(name = "request", version, after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// The URL of the request, which starts with http:// and a host
    #[arg(value_parser = parse_url)]
    pub(crate) url: Uri,

    #[command(flatten)]
    pub(crate) request: RequestArguments,

    #[command(flatten)]
    pub(crate) retries: RetryArguments,

    #[command(flatten)]
    pub(crate) many: ManyArguments,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Request")]
pub(crate) struct RequestArguments {
    /// The method [default: POST with data, else GET]
    #[arg(short = 'X', long)]
    method: Option<Method>,

    /// A header; repeat it for more
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = parse_header)]
    headers: Vec<(HeaderName, HeaderValue)>,

    /// The body, as application/x-www-form-urlencoded unless a header says otherwise
    #[arg(
        short,
        long,
        conflicts_with = "data_binary",
        allow_hyphen_values = true
    )]
    data: Option<String>,

    /// The body: the argument itself, a file, or standard input (@-)
    #[arg(long, value_name = "DATA|@FILE|@-", allow_hyphen_values = true)]
    #[arg(value_parser = Payload::parse)]
    data_binary: Option<Payload>,

    /// Use HTTP/2 with prior knowledge that the server supports it
    #[arg(long)]
    pub http2: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Retries")]
pub(crate) struct RetryArguments {
    /// The maximum number of retries [default: 5]
    #[arg(long, value_name = "N")]
    retries: Option<u32>,

    /// The wait before the first retry, doubled for each further one [default: 1s]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    base: Option<Duration>,

    /// How to spread the waits [default: equal]
    #[arg(long, value_name = "KIND")]
    jitter: Option<JitterKind>,

    /// How long after the first attempt retries may start [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    within: Option<Duration>,

    /// How long an attempt may take until the head of its response arrives [default: no limit]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    attempt_timeout: Option<Duration>,

    /// The longest wait that the server may ask for [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    max_server_wait: Option<Duration>,

    /// If the server's rate-limit headers say that a quota is used up, wait until it is renewed
    #[arg(long)]
    rate_limit_headers: bool,

    /// Hold requests and retries while a quota is used up, until it is renewed
    #[arg(long)]
    cooldown: bool,

    /// Repeat any method, such as POST, even if the server may have acted on the attempt
    #[arg(long)]
    replay_any: bool,

    /// How many bytes of a streamed body to record; a longer body is not retried [default: 1048576]
    #[arg(long, value_name = "BYTES")]
    replay_limit: Option<usize>,

    /// Retry even if retries do not help; by default, a budget shared by all requests limits them
    #[arg(long)]
    no_budget: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Many requests")]
pub(crate) struct ManyArguments {
    /// How many requests to send with one client
    #[arg(long, value_name = "N", default_value = "1", value_parser = parse_positive)]
    pub(crate) count: NonZeroU64,

    /// How many requests to send concurrently
    #[arg(long, value_name = "M", default_value = "1", value_parser = parse_positive)]
    pub(crate) concurrency: NonZeroU64,

    /// Print a line of JSON for each request, instead of the body
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum JitterKind {
    None,
    Full,
    Equal,
    Decorrelated,
}

impl Arguments {
    /// Reads the arguments. Ends the program if one of them is wrong, and after `--help`.
    pub(crate) fn read() -> Self {
        let arguments = Self::parse();
        let reads_standard_input = arguments.request.payload() == Payload::StandardInput;
        if reads_standard_input && !arguments.is_one() {
            let message = "'--data-binary @-' cannot be used with '--count' above 1: \
                           standard input can be read only once";
            let error = Self::command().error(ErrorKind::ArgumentConflict, message);
            error.exit();
        }
        arguments
    }

    pub(crate) fn is_one(&self) -> bool {
        self.many.count.get() == 1
    }

    pub(crate) fn prints_body(&self) -> bool {
        self.is_one() && !self.many.json
    }
}

impl RequestArguments {
    pub(crate) fn method(&self) -> Method {
        let has_body = self.data.is_some() || self.data_binary.is_some();
        let implied = if has_body { Method::POST } else { Method::GET };
        self.method.clone().unwrap_or(implied)
    }

    pub(crate) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        if self.data.is_some() {
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            headers.entry(CONTENT_TYPE).or_insert(form);
        }
        headers
    }

    pub(crate) fn payload(&self) -> Payload {
        match (&self.data_binary, &self.data) {
            (Some(payload), _) => payload.clone(),
            (None, Some(data)) => Payload::Data(data.clone().into()),
            (None, None) => Payload::default(),
        }
    }
}

impl RetryArguments {
    /// Builds a layer. Settings without an argument keep the layer's defaults.
    pub(crate) fn layer(&self) -> RetryLayer {
        let mut layer = RetryLayer::new()
            .backoff(self.backoff())
            .rate_limit_headers(self.rate_limit_headers);
        if let Some(retries) = self.retries {
            layer = layer.max_retries(retries);
        }
        if let Some(window) = self.within {
            layer = layer.window(window);
        }
        if let Some(timeout) = self.attempt_timeout {
            layer = layer.attempt_timeout(timeout);
        }
        if let Some(wait) = self.max_server_wait {
            layer = layer.max_retry_after(wait);
        }
        if let Some(bytes) = self.replay_limit {
            layer = layer.max_replay_bytes(bytes);
        }
        if self.cooldown {
            layer = layer.cooldown(cooldown());
        }
        if self.replay_any {
            layer = layer.idempotency(Idempotency::any());
        }
        if self.no_budget {
            layer = layer.without_budget();
        }
        layer
    }

    fn backoff(&self) -> Backoff {
        let backoff = self
            .base
            .map_or_else(Backoff::default, Backoff::exponential);
        match self.jitter {
            None => backoff,
            Some(JitterKind::None) => backoff.jitter(Jitter::None),
            Some(JitterKind::Full) => backoff.jitter(Jitter::Full),
            Some(JitterKind::Equal) => backoff.jitter(Jitter::Equal),
            Some(JitterKind::Decorrelated) => backoff.jitter(Jitter::Decorrelated),
        }
    }
}

/// Creates a cooldown without limits: this program has its own limits for the time and the number of
/// requests.
fn cooldown() -> Cooldown {
    Cooldown::new()
        .max_hold(Duration::MAX)
        .max_waiting(usize::MAX)
}

fn parse_url(text: &str) -> Result<Uri, String> {
    const NEEDED: &str = "it must begin with http:// and a host";
    let uri: Uri = text.parse().map_err(|error| format!("{error}; {NEEDED}"))?;
    let Some(authority) = uri
        .authority()
        .filter(|authority| !authority.host().is_empty())
    else {
        return Err(NEEDED.into());
    };
    if uri.scheme_str() != Some("http") {
        return Err(NEEDED.into());
    }
    // The client would ignore user info, and would use port 80 if the port is invalid.
    if authority.as_str().contains('@') {
        return Err("user info is not sent; say -H 'authorization: ..' instead".into());
    }
    let after_host = authority.as_str().strip_prefix(authority.host());
    if after_host != Some("") && authority.port_u16().is_none() {
        return Err("its port must be a number up to 65535".into());
    }
    Ok(uri)
}

fn parse_positive(text: &str) -> Result<NonZeroU64, &'static str> {
    text.parse()
        .map_err(|_| "it must be a whole number above zero")
}

fn parse_header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("it must be 'name: value'")?;
    let name = name.trim().parse().map_err(|error| format!("{error}"))?;
    let value = value.trim().parse().map_err(|error| format!("{error}"))?;
    Ok((name, value))
}
