use std::fmt;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};

use super::body::CommittedBody;
use super::point::{Point, Settings, is_failure};
use crate::broken_answer::BrokenAnswer;
use crate::content::content_length;
use crate::error::BoxError;
use crate::read_ahead::{Answering, ReadAhead};
use crate::whole_body::WholeBody;

pin_project! {
    /// Response future of [`Commit`](crate::commit::Commit).
    ///
    /// Dropping it drops the inner service's future, or the response that is being read.
    ///
    /// # Panics
    ///
    /// Panics when polled again after it has completed. Panics when polled outside a tokio runtime with time
    /// enabled, if it has to wait for a body and a [time-out](crate::CommitLayer::timeout) is set or the body
    /// of a [5xx or 429](crate::CommitLayer::read_failures) is read.
    pub struct CommitFuture<F, R>
    where
        R: Body,
    {
        #[pin]
        answering: Answering<F, R>,
        settings: Settings,
        // The commit point of the response, once its head has arrived.
        point: Option<Point>,
        // Created after the head has arrived, if the body has a time limit and did not arrive immediately.
        timer: Option<Pin<Box<Sleep>>>,
    }
}

impl<F, R: Body + Unpin> CommitFuture<F, R> {
    pub(super) fn new(call: F, settings: Settings) -> Self {
        Self {
            answering: Answering::new(call),
            settings,
            point: None,
            timer: None,
        }
    }
}

impl<F, R, E> Future for CommitFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
    R: Body + Unpin,
    R::Error: Into<BoxError>,
{
    type Output = Result<Response<CommittedBody<R>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (point, timer, settings) = (this.point, this.timer, this.settings);
        let mut timed_out = false;
        let answer = this.answering.poll_read(cx, |response, cx| {
            let point = *point.get_or_insert_with(|| settings.point_of(response));
            let read = match point {
                Point::Head => Poll::Ready(()),
                Point::FirstBytes => response.body_mut().poll_first(cx),
                Point::Whole { limit } => response.body_mut().poll_whole(limit, cx),
            };
            let timeout = settings.timeout_of(response.status());
            if read.is_pending() && timeout != Duration::MAX {
                let timer = timer.get_or_insert_with(|| Box::pin(sleep(timeout)));
                ready!(timer.as_mut().poll(cx));
                timed_out = true;
                return Poll::Ready(());
            }
            read
        });
        let mut answer = ready!(answer).map_err(Into::into)?;
        if !is_failure(answer.status()) {
            if let Some(source) = broken(&mut answer, timed_out) {
                let delivered = answer.body().read() as u64;
                let (head, _) = answer.into_parts();
                return Poll::Ready(Err(BrokenAnswer::new(head, delivered, source).into()));
            }
        }
        let is_whole = matches!(point, Some(Point::Whole { .. })) && missed(&answer).is_none();
        if let (true, Some(body)) = (is_whole, answer.body_mut().whole()) {
            answer.extensions_mut().insert(WholeBody(body));
        }
        Poll::Ready(Ok(answer.map(CommittedBody::new)))
    }
}

/// The error of a response whose body failed before the commit point.
fn broken<R>(answer: &mut Response<ReadAhead<R>>, timed_out: bool) -> Option<BoxError>
where
    R: Body + Unpin,
    R::Error: Into<BoxError>,
{
    if timed_out {
        let late = "the response body did not arrive within the time-out";
        return Some(io::Error::new(ErrorKind::TimedOut, late).into());
    }
    if let Some(error) = answer.body_mut().take_error() {
        return Some(error.into());
    }
    missed(answer).map(|announced| {
        let short =
            format!("the response body is shorter than its content-length of {announced} bytes");
        io::Error::new(ErrorKind::UnexpectedEof, short).into()
    })
}

/// The `Content-Length`, if the body ended before it was reached.
fn missed<R: Body + Unpin>(answer: &Response<ReadAhead<R>>) -> Option<u64> {
    let body = answer.body();
    let announced = content_length(answer.headers())?;
    (body.is_read() && (body.read() as u64) < announced).then_some(announced)
}

impl<F, R: Body> fmt::Debug for CommitFuture<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommitFuture").finish_non_exhaustive()
    }
}
