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

/// A service in memory: reads each request's body to its end, and answers at once.
///
/// Its clones share their plan without a reference count, which two threads would contend for.
#[derive(Clone, Copy)]
pub struct Upstream {
    plan: &'static Plan,
}

/// Of each `period` answers the first are failures, so many.
struct Plan {
    failure: StatusCode,
    failures: usize,
    period: usize,
    answered: AtomicUsize,
}

impl Upstream {
    /// Answers with so many failures, then a success, and so on.
    pub fn failing(failures: usize) -> Self {
        Self::failing_with(StatusCode::SERVICE_UNAVAILABLE, failures)
    }

    /// The same, with this status.
    pub fn failing_with(failure: StatusCode, failures: usize) -> Self {
        Self::new(failure, failures, failures + 1)
    }

    /// Answers so many with failures, then as many with successes, and so on.
    pub fn failing_in_waves(size: usize) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, size, 2 * size)
    }

    /// Answers with so many failures, which allow any request to be sent again; then only with
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
        // As long as the program: it makes few of them.
        let plan = Box::leak(Box::new(plan));
        Self { plan }
    }

    /// How many attempts were answered, where any is to fail.
    pub fn answered(&self) -> usize {
        self.plan.answered.load(Ordering::Relaxed)
    }

    /// The status of the next answer.
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

/// As hyper does: a body that is at its end is not polled.
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
