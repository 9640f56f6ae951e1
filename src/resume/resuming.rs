use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower_service::Service;

use super::asked::Asked;
use super::download::Download;
use super::error::ResumeError;
use super::resumption::Resumption;
use super::settings::Settings;
use super::tries::Tries;
use crate::class::Class;
use crate::classify::{Classify, Outcome};
use crate::error::BoxError;
use crate::reason::StopReason;
use crate::timer::poll_timer;

/// The parts that a [`Resuming`] is created from.
pub(super) struct Start<S, C> {
    pub(super) service: S,
    pub(super) settings: Arc<Settings<C>>,
    pub(super) asked: Asked,
}

pin_project! {
    /// The state of a body that can be resumed, without the current attempt's body.
    pub(super) struct Resuming<S, C, B>
    where
        S: Service<Request<B>>,
    {
        service: S,
        settings: Arc<Settings<C>>,
        asked: Asked,
        download: Download,
        tries: Tries,
        // The error of the last attempt's body, until the next body has arrived.
        broken: Option<BoxError>,
        // Runs while no frame arrives.
        #[pin]
        idle: Option<Sleep>,
        #[pin]
        step: Step<S::Future>,
    }
}

pin_project! {
    #[project = StepProj]
    /// The steps to the next attempt's body.
    enum Step<F> {
        Waiting {
            #[pin]
            timer: Sleep,
        },
        Readying,
        Calling {
            #[pin]
            call: F,
        },
        // The body has arrived.
        Reading,
    }
}

impl<S, C, B> Resuming<S, C, B>
where
    S: Service<Request<B>>,
{
    pub(super) fn new(start: Start<S, C>, download: Download) -> Self {
        let Start {
            service,
            settings,
            asked,
        } = start;
        Self {
            service,
            settings,
            asked,
            download,
            tries: Tries::start(),
            broken: None,
            idle: None,
            step: Step::Reading,
        }
    }

    pub(super) fn download(&self) -> &Download {
        &self.download
    }

    /// Returns the part of an attempt's data that is new to the caller.
    pub(super) fn receive(self: Pin<&mut Self>, data: Bytes) -> Result<Bytes, ResumeError> {
        let mut this = self.project();
        this.idle.set(None);
        match this.download.take(data) {
            Ok(data) => {
                if !data.is_empty() {
                    this.tries.received(data.len() as u64);
                }
                Ok(data)
            }
            Err(unresumable) => {
                let reason = StopReason::Permanent;
                Err(this.download.failed(reason, unresumable.into()))
            }
        }
    }

    /// Ready when no frame has arrived within the idle time-out.
    pub(super) fn poll_idle(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let timeout = this.settings.limits.idle_timeout;
        if timeout == Duration::MAX {
            return Poll::Pending;
        }
        poll_timer(this.idle.as_mut(), || sleep(timeout), cx)
    }
}

impl<S, C, B, R> Resuming<S, C, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    C: Classify,
    B: Default,
    R: Body,
{
    /// Whether an error of an attempt's body is transient.
    pub(super) fn passes(&self, error: &BoxError) -> bool {
        let request = self.asked.head(&self.settings.known_names);
        let outcome = Outcome::of_body(request, &**error)
            .on_attempt(self.tries.total().saturating_add(1))
            .after(self.tries.elapsed());
        match self.settings.classify.classify(&outcome).class() {
            Class::Transient | Class::Refused => true,
            Class::Success | Class::Permanent => false,
        }
    }

    /// Handles a body that broke. Starts the next attempt, if one is allowed.
    pub(super) fn broke(self: Pin<&mut Self>, error: BoxError) -> Result<(), ResumeError> {
        // A `ResumeError` is that of another resume layer below, which has already tried to resume.
        let error = match error.downcast() {
            Ok(resume_error) => return Err(*resume_error),
            Err(error) => error,
        };
        let passes = self.passes(&error);
        let mut this = self.project();
        this.idle.set(None);
        let (settings, download) = (&**this.settings, this.download);
        let generator = || settings.jitter.generator();
        let next = match passes {
            false => Err(StopReason::Permanent),
            true if !download.can_resume() => Err(StopReason::NotReplayable),
            true => this.tries.next(&settings.limits, generator),
        };
        let after = match next {
            Ok(after) => after,
            Err(reason) => return Err(download.failed(reason, error)),
        };
        settings.tell(&Resumption {
            request: this.asked.head(&settings.known_names),
            number: this.tries.total(),
            delivered: download.delivered(),
            expected: download.expected(),
            after,
            error: &*error,
        });
        *this.broken = Some(error);
        // The first resumption, and the first one after progress, has no wait. It uses no timer, because even a timer of zero length yields to
        // other tasks.
        this.step.set(match this.tries.is_first() {
            true => Step::Readying,
            false => Step::Waiting {
                timer: sleep(after),
            },
        });
        Ok(())
    }

    /// Polls the next attempt's body. Ready once it has arrived and continues the last one.
    pub(super) fn poll_resumed(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<R, ResumeError>> {
        let mut this = self.project();
        let download = this.download;
        let failed = |download: &Download, error| download.failed(StopReason::Permanent, error);
        loop {
            match this.step.as_mut().project() {
                StepProj::Waiting { timer } => {
                    ready!(timer.poll(cx));
                    this.step.set(Step::Readying);
                }
                StepProj::Readying => {
                    let ready = ready!(this.service.poll_ready(cx));
                    ready.map_err(|error| failed(download, error.into()))?;
                    if this.tries.elapsed() >= this.settings.limits.window {
                        let error = this.broken.take().expect("a body broke");
                        return Poll::Ready(Err(download.failed(StopReason::Window, error)));
                    }
                    let ask = download.ask().expect("there is something to ask for");
                    let request = this.asked.request(ask, &this.settings.known_names);
                    let call = this.service.call(request);
                    this.step.set(Step::Calling { call });
                }
                StepProj::Calling { call } => {
                    let outcome = ready!(call.poll(cx));
                    this.step.set(Step::Reading);
                    *this.broken = None;
                    let response = outcome.map_err(|error| failed(download, error.into()))?;
                    let resumed = download.resume(&response);
                    resumed.map_err(|unresumable| failed(download, unresumable.into()))?;
                    return Poll::Ready(Ok(response.into_body()));
                }
                StepProj::Reading => unreachable!("the body is there"),
            }
        }
    }
}
