use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Empty;
use tower::Service;

/// A service in memory that reads each request body to its end and responds immediately.
///
/// Its clones share a plan without a reference count, for which threads would contend.
#[derive(Clone, Copy)]
pub struct Upstream {
    plan: &'static Plan,
}

/// Which responses are failures: the first `failures` of each `period` responses.
struct Plan {
    failure: StatusCode,
    failures: usize,
    period: usize,
    answered: AtomicUsize,
}

impl Upstream {
    /// Responds with `failures` failures, then one success, and so on.
    pub fn failing(failures: usize) -> Self {
        Self::failing_with(StatusCode::SERVICE_UNAVAILABLE, failures)
    }

    /// Like [`failing`](Self::failing), with this status.
    pub fn failing_with(failure: StatusCode, failures: usize) -> Self {
        Self::new(failure, failures, failures + 1)
    }

    /// Responds with `size` failures, then `size` successes, and so on.
    pub fn failing_in_waves(size: usize) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, size, 2 * size)
    }

    /// Responds with `failures` failures after which any request may be retried, and then only with
    /// successes.
    pub fn refusing(failures: usize) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, failures, usize::MAX)
    }

    fn new(failure: StatusCode, failures: usize, period: usize) -> Self {
        let plan = Plan {
            failure,
            failures,
            period,
            answered: AtomicUsize::new(0),
        };
        // Leaked, because the program creates only a few of them.
        let plan = Box::leak(Box::new(plan));
        Self { plan }
    }

    /// Returns how many attempts were answered. They are only counted if some of them fail.
    pub fn answered(&self) -> usize {
        self.plan.answered.load(Ordering::Relaxed)
    }

    /// Returns the status of the next response.
    pub fn answer(&self) -> StatusCode {
        if self.plan.failures == 0 {
            return StatusCode::OK;
        }
        let number = self.plan.answered.fetch_add(1, Ordering::Relaxed);
        match number % self.plan.period < self.plan.failures {
            true => self.plan.failure,
            false => StatusCode::OK,
        }
    }
}

impl<B: Body> Service<Request<B>> for Upstream {
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        read(request.into_body());
        let mut response = Response::new(Empty::new());
        *response.status_mut() = self.answer();
        ready(Ok(response))
    }
}

/// Reads a body as hyper does: a body that is at its end is not polled.
pub fn read<B: Body>(body: B) {
    let mut body = pin!(body);
    let mut context = Context::from_waker(Waker::noop());
    while !body.is_end_stream() {
        let Poll::Ready(frame) = body.as_mut().poll_frame(&mut context) else {
            panic!("a body that is not in memory");
        };
        match frame {
            Some(frame) => assert!(frame.is_ok(), "a broken body"),
            None => break,
        }
    }
}
