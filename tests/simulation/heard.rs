//! The body of a response as it arrives from the network, which records its progress.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use http::header::CONTENT_TYPE;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tower_http_retry::BoxError;

use super::journal::{Journal, Progress, What};
use super::plan::Plan;
use super::policy::Commit;
use super::sabotage::Sabotage;

pub struct Heard {
    body: Incoming,
    ear: Option<Ear>,
}

/// Records the progress of a body.
struct Ear {
    journal: Journal,
    id: u32,
    attempt: u32,
    /// The number of bytes beyond which the response is not held back.
    limit: u64,
    promised: Option<u64>,
    read: u64,
    is_over: bool,
    /// Whether an error is treated as the end.
    swallows: bool,
}

impl Heard {
    /// Returns a response whose body is not recorded, because a layer below follows it.
    pub fn unheard(response: Response<Incoming>) -> Response<Self> {
        response.map(|body| Self { body, ear: None })
    }

    pub fn of(
        response: Response<Incoming>,
        plan: &Plan,
        journal: &Journal,
        (id, attempt): (u32, u32),
    ) -> Response<Self> {
        let content_type = response.headers().get(CONTENT_TYPE);
        let is_event_stream = content_type.is_some_and(|kind| kind == "text/event-stream");
        let limit = plan.policy.commit.and_then(Commit::limit);
        let ear = Ear {
            journal: journal.clone(),
            id,
            attempt,
            limit: limit.unwrap_or(u64::MAX),
            promised: response.body().size_hint().exact(),
            read: 0,
            is_over: false,
            swallows: plan.sabotage == Some(Sabotage::SwallowsBreaks),
        };
        if is_event_stream || ear.promised.is_some_and(|promised| promised > ear.limit) {
            ear.write(Progress::Beyond);
        }
        response.map(|body| {
            let mut heard = Self {
                body,
                ear: Some(ear),
            };
            heard.listen_for_the_end();
            heard
        })
    }

    /// Records the end, because a body that is known to be at its end is not polled again.
    fn listen_for_the_end(&mut self) {
        if let Some(ear) = self.ear.as_mut().filter(|_| self.body.is_end_stream()) {
            ear.end();
        }
    }
}

impl Ear {
    fn write(&self, is: Progress) {
        let attempt = self.attempt;
        self.journal.write(self.id, What::Body { attempt, is });
    }

    fn hear(&mut self, frame: Option<&Result<Frame<Bytes>, BoxError>>) {
        let Some(frame) = frame else {
            return self.end();
        };
        let Ok(frame) = frame else {
            self.is_over = true;
            return self.write(Progress::Broke);
        };
        let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
        if self.read == 0 && (bytes > 0 || frame.is_trailers()) {
            self.write(Progress::First);
        }
        let was_beyond = self.read > self.limit;
        self.read += bytes;
        if self.read > self.limit && !was_beyond {
            self.write(Progress::Beyond);
        }
    }

    fn end(&mut self) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        let is_whole = self.promised.is_none_or(|promised| promised == self.read);
        self.write(if is_whole {
            Progress::Whole
        } else {
            Progress::Broke
        });
    }
}

impl Body for Heard {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let frame = frame.map(|frame| frame.map_err(BoxError::from));
        let Some(ear) = &mut self.ear else {
            return Poll::Ready(frame);
        };
        ear.hear(frame.as_ref());
        if ear.swallows {
            return Poll::Ready(frame.and_then(Result::ok).map(Ok));
        }
        self.listen_for_the_end();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
