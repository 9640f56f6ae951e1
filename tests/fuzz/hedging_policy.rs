//! gRFC A6's hedges once more: what a service config says of a call, read from its JSON.

use std::cell::RefCell;
use std::future::{pending, ready};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::Empty;
use serde_json::Value;
use tokio::time::{Instant, timeout};
use tower::{Layer, ServiceExt, service_fn};
use tower_http_retry::grpc::ServiceConfig;
use tower_http_retry::hedge::HedgeBody;
use tower_http_retry::{BoxError, HedgeLayer};

use super::call::on_the_clock;
use super::service_policy::{is_among, is_throttled, max_attempts, method};

type Body = Empty<bytes::Bytes>;

/// The `hedgingPolicy` of a call, and the `retryThrottling` of all.
pub struct Hedging<'a> {
    policy: &'a Value,
    throttling: &'a Value,
}

/// How long a call that is not answered is waited for.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

impl<'a> Hedging<'a> {
    /// Of a config that is one.
    pub fn of(config: &'a Value, path: &str) -> Self {
        Self {
            policy: &method(config, path)["hedgingPolicy"],
            throttling: &config["retryThrottling"],
        }
    }

    /// What becomes of a call whose attempts are answered this code at once, and of one that is never
    /// answered.
    pub fn check(&self, config: &impl Fn() -> ServiceConfig, path: &str, code: u8) {
        let (answered, sent) = call(config(), path, Some(code));
        assert_eq!(answered, Some(code));
        assert_eq!(sent, vec![Duration::ZERO; self.attempts(code)]);
        let (answered, sent) = call(config(), path, None);
        assert_eq!(answered, None);
        self.check_times(&sent);
    }

    /// How many attempts there are, each of which fails at once.
    fn attempts(&self, code: u8) -> usize {
        if self.policy.is_null() || code == 0 || !self.is_not_fatal(code) {
            return 1;
        }
        let is_last = |attempt| {
            attempt == max_attempts(self.policy) || is_throttled(self.throttling, attempt)
        };
        let last = (1..).find(|attempt| is_last(*attempt));
        last.expect("no more than the policy has") as usize
    }

    fn is_not_fatal(&self, code: u8) -> bool {
        is_among(code, &self.policy["nonFatalStatusCodes"])
    }

    fn check_times(&self, sent: &[Duration]) {
        if self.policy.is_null() {
            return assert_eq!(sent, [Duration::ZERO]);
        }
        let seconds = match &self.policy["hedgingDelay"] {
            Value::Null => 0.0,
            text => {
                let text = text.as_str().expect("a duration").trim_end_matches('s');
                text.parse::<f64>().expect("seconds")
            }
        };
        // A timer ends with a whole millisecond.
        let step = ((seconds * 1e9).round() as u128).div_ceil(1_000_000);
        let due = (0..max_attempts(self.policy)).map(|hedge| step * u128::from(hedge));
        let due = due.filter(|due| *due <= PATIENCE.as_millis());
        let sent = sent.iter().map(Duration::as_millis);
        assert_eq!(sent.collect::<Vec<_>>(), due.collect::<Vec<_>>());
    }
}

/// The code that a call ends with, if it ends, and when its attempts were sent.
fn call(config: ServiceConfig, path: &str, code: Option<u8>) -> (Option<u8>, Vec<Duration>) {
    on_the_clock(async {
        let start = Instant::now();
        let sent = RefCell::new(Vec::new());
        let service = service_fn(|_: Request<HedgeBody<Body>>| {
            sent.borrow_mut().push(start.elapsed());
            let answer = code.map(|code| {
                let response = Response::builder().header("grpc-status", u16::from(code));
                response.body(Body::new()).expect("a response")
            });
            async {
                match answer {
                    Some(answer) => ready(Ok::<_, BoxError>(answer)).await,
                    None => pending().await,
                }
            }
        });
        let request = Request::post(format!("http://upstream.test{path}")).body(Body::new());
        let layer = HedgeLayer::new().service_config(config);
        let call = layer.layer(service).oneshot(request.expect("a request"));
        let ended = timeout(PATIENCE, call).await.ok();
        let code = ended.map(|outcome| {
            let response = outcome.expect("a response");
            let code = response.headers()["grpc-status"].to_str().expect("text");
            code.parse().expect("a code")
        });
        (code, sent.take())
    })
}
