//! The content of a response, which follows a script with delays, and a service that responds with it.

// Each test binary uses only a part of this.
#![allow(dead_code)]

use std::collections::VecDeque;
use std::future::{Future, Ready, ready};
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::{Instant, Sleep, sleep};
use tower::Service;
use tower_http_retry::BoxError;

use super::body::Broken;

/// What the content does when it is polled.
#[derive(Clone, Debug)]
pub enum Part {
    Data(Bytes),
    Trailers(HeaderMap),
    /// Is pending, and wakes the task immediately.
    Pending,
    /// Is pending for this time.
    After(Duration),
    Never,
    /// Fails with an I/O error of this kind.
    Fail(ErrorKind),
    /// Fails with an error that no classifier knows.
    FailUnknown,
    Panic,
}

use Part::{After, Data, Fail, FailUnknown, Never, Panic, Pending, Trailers};

/// What the content reports in advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knows {
    Nothing,
    /// Its size, as the lower bound.
    AtLeast,
    /// Its size and its end.
    All,
}

/// A body that follows a script. It panics if it is polled after its end or its error.
pub struct Content {
    script: VecDeque<Part>,
    knows: Knows,
    timer: Option<Pin<Box<Sleep>>>,
    polls: Polls,
    has_ended: bool,
}

/// Counts the polls of a [`Content`].
#[derive(Clone, Default)]
pub struct Polls(Arc<AtomicUsize>);

impl Polls {
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Whether the content has not been dropped yet.
    pub fn is_held(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

impl Content {
    pub fn new(knows: Knows, script: impl IntoIterator<Item = Part>) -> Self {
        Self {
            script: script.into_iter().collect(),
            knows,
            timer: None,
            polls: Polls::default(),
            has_ended: false,
        }
    }

    pub fn polls(&self) -> Polls {
        self.polls.clone()
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        assert!(!self.has_ended, "the content was polled after its end");
        self.polls.0.fetch_add(1, Ordering::Relaxed);
        loop {
            if let Some(timer) = &mut self.timer {
                ready!(timer.as_mut().poll(cx));
                self.timer = None;
            }
            let Some(part) = self.script.pop_front() else {
                self.has_ended = true;
                return Poll::Ready(None);
            };
            return Poll::Ready(Some(match part {
                Data(data) => Ok(Frame::data(data)),
                Trailers(trailers) => Ok(Frame::trailers(trailers)),
                Pending => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                After(delay) => {
                    self.timer = Some(Box::pin(sleep(delay)));
                    continue;
                }
                Never => {
                    self.script.push_front(Never);
                    return Poll::Pending;
                }
                Fail(kind) => {
                    self.has_ended = true;
                    Err(io::Error::from(kind).into())
                }
                FailUnknown => {
                    self.has_ended = true;
                    Err(Broken.into())
                }
                Panic => panic!("the content panics, as this test wants it to"),
            }));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.knows == Knows::All && self.script.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let length = |part: &Part| match part {
            Data(data) => data.len() as u64,
            Trailers(_) | Pending | After(_) | Never | Fail(_) | FailUnknown | Panic => 0,
        };
        let size = self.script.iter().map(length).sum();
        let mut hint = SizeHint::new();
        match self.knows {
            Knows::Nothing => {}
            Knows::AtLeast => hint.set_lower(size),
            Knows::All => hint.set_exact(size),
        }
        hint
    }
}

pub fn data(data: &'static str) -> Part {
    Data(Bytes::from_static(data.as_bytes()))
}

/// Returns a response with this status. Its body reports neither its size nor its end.
pub fn status(status: u16, script: impl IntoIterator<Item = Part>) -> Response<Content> {
    let content = Content::new(Knows::Nothing, script);
    Response::builder().status(status).body(content).unwrap()
}

pub fn ok(script: impl IntoIterator<Item = Part>) -> Response<Content> {
    status(200, script)
}

/// Adds a header to a response.
pub fn with<R>(mut response: Response<R>, name: &'static str, value: &'static str) -> Response<R> {
    let value = value.parse().unwrap();
    response.headers_mut().append(name, value);
    response
}

/// Returns all frames of a body in order: the data as text, the trailers, or the error.
pub async fn frames<R>(mut body: R) -> Vec<String>
where
    R: Body<Data = Bytes, Error = BoxError> + Unpin,
{
    let mut frames = Vec::new();
    while let Some(frame) = body.frame().await {
        frames.push(match frame {
            Ok(frame) => match frame.into_data() {
                Ok(data) => String::from_utf8(data.to_vec()).unwrap(),
                Err(frame) => format!("{:?}", frame.into_trailers().unwrap()),
            },
            Err(error) => {
                frames.push(format!("error: {error}"));
                return frames;
            }
        });
    }
    frames
}

/// A service that responds as planned. It panics if it is called more often than planned.
#[derive(Clone)]
pub struct Origin {
    shared: Arc<Shared>,
}

struct Shared {
    start: Instant,
    plan: Mutex<VecDeque<Response<Content>>>,
    seen: Mutex<Vec<(Method, Duration)>>,
}

impl Origin {
    pub fn new(plan: impl IntoIterator<Item = Response<Content>>) -> Self {
        let shared = Shared {
            start: Instant::now(),
            plan: Mutex::new(plan.into_iter().collect()),
            seen: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Returns the time since the service was created.
    pub fn elapsed(&self) -> Duration {
        self.shared.start.elapsed()
    }

    /// Returns when each call arrived, in seconds. Panics if these are not whole seconds.
    pub fn seconds(&self) -> Vec<u64> {
        let seen = self.shared.seen.lock().unwrap();
        let whole = |(_, at): &(Method, Duration)| {
            assert_eq!(at.subsec_nanos(), 0, "a call came at {at:?}");
            at.as_secs()
        };
        seen.iter().map(whole).collect()
    }

    pub fn methods(&self) -> Vec<Method> {
        let seen = self.shared.seen.lock().unwrap();
        seen.iter().map(|(method, _)| method.clone()).collect()
    }
}

impl<B> Service<Request<B>> for Origin {
    type Response = Response<Content>;
    type Error = BoxError;
    type Future = Ready<Result<Response<Content>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let seen = (request.method().clone(), self.elapsed());
        self.shared.seen.lock().unwrap().push(seen);
        let response = self.shared.plan.lock().unwrap().pop_front();
        ready(Ok(response.expect("called more often than planned")))
    }
}
