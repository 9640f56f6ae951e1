//! A hand-written service in which the first 429 holds all requests until the end of its `Retry-After`.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{Request, Response};
use http_body_util::Empty;
use tokio::time::{Instant, sleep_until};
use tower::{Service, ServiceExt};

/// The service of one client, below its retries.
#[derive(Clone)]
pub struct Hold<S> {
    inner: S,
    until: Arc<Mutex<Option<Instant>>>,
}

impl<S> Hold<S> {
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            until: Arc::default(),
        }
    }

    fn until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the end of the hold, or `None` if requests are not held.
    fn end(&self) -> Option<Instant> {
        self.until().filter(|end| *end > Instant::now())
    }

    fn hold(&self, wait: Duration) {
        let mut until = self.until();
        *until = (*until).max(Some(Instant::now() + wait));
    }
}

impl<S, B> Service<Request<B>> for Hold<S>
where
    S: Service<Request<B>, Response = Response<Empty<Bytes>>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = S::Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let hold = self.clone();
        Box::pin(async move {
            // Another request may have been answered 429 while this one waited.
            while let Some(end) = hold.end() {
                sleep_until(end).await;
            }
            let response = hold.inner.clone().oneshot(request).await?;
            if let Some(wait) = retry_after(&response) {
                hold.hold(wait);
            }
            Ok(response)
        })
    }
}

fn retry_after(response: &Response<Empty<Bytes>>) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    Some(Duration::from_secs(seconds.parse().ok()?))
}
