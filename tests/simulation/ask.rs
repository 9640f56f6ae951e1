//! A request of the caller.

use std::time::Duration;

use fastrand::Rng;
use http::Method;
use tower_http_retry::RetryOverride;

use super::file::File;
use super::payload::Shape;
use super::plan::{SERVERS, millis, one_in};
use super::policy::Policy;

#[derive(Clone, Debug)]
pub struct Ask {
    pub id: u32,
    pub at: Duration,
    pub server: u64,
    pub method: Method,
    pub has_key: bool,
    pub body: Shape,
    /// The file that it downloads, if it does.
    pub file: Option<File>,
    pub own: Own,
    /// The time after which the caller drops the future.
    pub gives_up: Option<Duration>,
    /// The number of bytes of a download after which the caller drops the body.
    pub has_enough: Option<u64>,
}

/// The override of a request.
#[derive(Clone, Copy, Debug)]
pub enum Own {
    Nothing,
    Once,
    Repeatable(bool),
    Retries(u32),
    Within(Duration),
    AttemptTimeout(Duration),
}

/// The limits of one request, from its layer and its override.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub max_retries: u32,
    pub window: Duration,
    pub attempt_timeout: Duration,
    pub may_be_repeated: bool,
}

impl Ask {
    pub fn draw(random: &mut Rng, id: u32, policy: &Policy) -> Self {
        let methods = [
            Method::GET,
            Method::GET,
            Method::GET,
            Method::PUT,
            Method::DELETE,
            Method::PATCH,
            Method::POST,
            Method::POST,
        ];
        let method = methods[random.usize(..methods.len())].clone();
        let has_none = [Method::GET, Method::DELETE].contains(&method) || random.u8(..6) == 0;
        let body = if has_none {
            Shape::empty()
        } else {
            Shape::draw(random)
        };
        let gives_up = millis(random, 1..=900);
        // If bytes are compared, responses to all kinds of requests may be resumed.
        let is_download = method == Method::GET && (policy.compares() || random.u8(..4) > 0);
        let enough = random.u64(1..20_000);
        Self {
            id,
            at: millis(random, 0..=800),
            server: random.u64(..SERVERS),
            method,
            has_key: random.u8(..4) == 0,
            body,
            file: is_download.then(|| File::draw(random, id)),
            own: Own::draw(random),
            gives_up: one_in(random, 8, gives_up),
            has_enough: one_in(random, 12, enough),
        }
    }

    pub fn limits(&self, policy: &Policy) -> Limits {
        let repeatable = [Method::GET, Method::PUT, Method::DELETE].contains(&self.method);
        let mut limits = Limits {
            max_retries: policy.max_retries,
            window: policy.window,
            attempt_timeout: policy.attempt_timeout,
            may_be_repeated: repeatable || self.has_key,
        };
        match self.own {
            Own::Nothing => {}
            Own::Once => limits.max_retries = 0,
            Own::Repeatable(repeatable) => limits.may_be_repeated = repeatable,
            Own::Retries(retries) => limits.max_retries = retries,
            Own::Within(window) => limits.window = window,
            Own::AttemptTimeout(timeout) => limits.attempt_timeout = timeout,
        }
        limits
    }
}

impl Own {
    fn draw(random: &mut Rng) -> Self {
        match random.u8(..24) {
            0 => Self::Once,
            1 | 2 => Self::Repeatable(random.bool()),
            3 => Self::Retries(random.u32(0..=8)),
            4 => Self::Within(millis(random, 0..=3_000)),
            5 => Self::AttemptTimeout(millis(random, 1..=800)),
            _ => Self::Nothing,
        }
    }

    pub fn over(self) -> Option<RetryOverride> {
        let own = RetryOverride::new();
        match self {
            Self::Nothing => None,
            Self::Once => Some(RetryOverride::once()),
            Self::Repeatable(repeatable) => Some(own.repeatable(repeatable)),
            Self::Retries(retries) => Some(own.max_retries(retries)),
            Self::Within(window) => Some(own.window(window)),
            Self::AttemptTimeout(timeout) => Some(own.attempt_timeout(timeout)),
        }
    }
}
