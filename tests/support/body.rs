//! A request body that gives its frames by a script, and a way to read what each attempt is given.

// Each binary of tests uses what it needs.
#![allow(dead_code)]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::ready;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::support::step::Step;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Empty;
use tower::{Layer, ServiceExt, service_fn};
use tower_http_retry::event::StopReason;
use tower_http_retry::{Backoff, BoxError, Jitter, ReplayBody, RetryLayer};

/// What the source does when it is polled.
#[derive(Clone, Debug)]
pub enum Does {
    Data(Bytes),
    Trailers(HeaderMap),
    /// Is not ready; wakes whoever polls it.
    Pending,
    Fail,
    Panic,
}

use Does::{Data, Fail, Panic, Pending, Trailers};

/// The source's own error.
#[derive(Clone, Copy, Debug)]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the source is broken")
    }
}

impl std::error::Error for Broken {}

/// Does what its script says, and panics when it is polled after its end or its error.
pub struct Source {
    script: VecDeque<Does>,
    knows_size: bool,
    known: u64,
    ended: bool,
}

impl Source {
    /// Does not know its size, nor its end before it comes.
    pub fn streamed(script: impl IntoIterator<Item = Does>) -> Self {
        Self {
            script: script.into_iter().collect(),
            knows_size: false,
            known: 0,
            ended: false,
        }
    }

    /// Says that it has so many bytes more than it gives.
    pub fn known(mut self, bytes: u64) -> Self {
        self.known = bytes;
        self
    }

    /// Knows its size and its end.
    pub fn sized(script: impl IntoIterator<Item = Does>) -> Self {
        Self {
            knows_size: true,
            ..Self::streamed(script)
        }
    }
}

impl Body for Source {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        assert!(!self.ended, "the source was polled after its end");
        let Some(does) = self.script.pop_front() else {
            self.ended = true;
            return Poll::Ready(None);
        };
        Poll::Ready(Some(match does {
            Data(data) => Ok(Frame::data(data)),
            Trailers(trailers) => Ok(Frame::trailers(trailers)),
            Pending => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Fail => {
                self.ended = true;
                Err(Broken)
            }
            Panic => panic!("the source panics, as this test wants it to"),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.knows_size && self.script.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if !self.knows_size {
            return SizeHint::default();
        }
        let length = |does: &Does| match does {
            Data(data) => data.len() as u64,
            Trailers(_) | Pending | Fail | Panic => 0,
        };
        SizeHint::with_exact(self.known + self.script.iter().map(length).sum::<u64>())
    }
}

pub fn data(data: &'static str) -> Does {
    Data(Bytes::from_static(data.as_bytes()))
}

pub fn trailers<const N: usize>(lines: [(&'static str, &'static str); N]) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    for (name, value) in lines {
        trailers.append(name, value.parse().unwrap());
    }
    trailers
}

/// Bytes that are not the same at any two places near each other.
pub fn pattern(length: usize) -> Vec<u8> {
    let byte = |index: usize| (index.wrapping_mul(2_654_435_761) >> 13) as u8;
    (0..length).map(byte).collect()
}

/// What came of a request.
#[derive(Debug)]
pub struct Sent {
    pub result: Result<StatusCode, BoxError>,
    pub attempts: u32,
    pub stop: Option<StopReason>,
}

impl Sent {
    /// For an assertion: the status, how many attempts there were, and why there was no other.
    pub fn told(&self) -> (u16, u32, Option<StopReason>) {
        let status = self.result.as_ref().map_or(0, StatusCode::as_u16);
        (status, self.attempts, self.stop)
    }
}

/// Retries at once, which takes no timer.
pub fn at_once() -> RetryLayer {
    RetryLayer::new()
        .backoff(Backoff::fixed(Duration::ZERO).jitter(Jitter::None))
        .without_budget()
        .mark_responses()
}

/// Sends a PUT to a service that answers attempt n with the status that `plan(n, body)` gives.
pub async fn send<B: Body>(
    layer: RetryLayer,
    body: B,
    plan: impl FnMut(u32, ReplayBody<B>) -> u16,
) -> Sent {
    let plan = RefCell::new(plan);
    let attempts = Cell::new(0);
    let stop = Arc::new(Mutex::new(None));
    let told = stop.clone();
    let layer = layer.on_event(move |event| {
        if let Step::Stop(stop) = Step::from(event.kind()) {
            assert_eq!(told.lock().unwrap().replace(stop), None, "stopped twice");
        }
    });
    let service = service_fn(|request: Request<ReplayBody<B>>| {
        attempts.set(attempts.get() + 1);
        let status = plan.borrow_mut()(attempts.get(), request.into_body());
        let response = Response::builder().status(status);
        ready(Ok::<_, BoxError>(
            response.body(Empty::<Bytes>::new()).unwrap(),
        ))
    });
    let request = Request::put("http://upstream.test/item").body(body);
    let result = layer.layer(service).oneshot(request.unwrap()).await;
    Sent {
        result: result.map(|response| response.status()),
        attempts: attempts.get(),
        stop: *stop.lock().unwrap(),
    }
}

pub type Polled = Poll<Option<Result<Frame<Bytes>, BoxError>>>;

/// Polls once, with a waker that does nothing.
pub fn poll<B>(body: &mut ReplayBody<B>) -> Polled
where
    B: Body<Error: Into<BoxError>>,
{
    Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()))
}

/// The next frame of a body whose source is not pending for long.
pub fn next<B>(body: &mut ReplayBody<B>) -> Option<Result<Frame<Bytes>, BoxError>>
where
    B: Body<Error: Into<BoxError>>,
{
    for _ in 0..100 {
        if let Poll::Ready(frame) = poll(body) {
            return frame;
        }
    }
    panic!("the body is pending for ever");
}

/// The data of the next frame.
pub fn next_data<B>(body: &mut ReplayBody<B>) -> Bytes
where
    B: Body<Error: Into<BoxError>>,
{
    let frame = next(body).expect("a frame").expect("no error");
    frame.into_data().expect("data")
}

/// The error that comes next.
pub fn next_error<B>(body: &mut ReplayBody<B>) -> BoxError
where
    B: Body<Error: Into<BoxError>>,
{
    next(body).expect("an error").expect_err("an error")
}

/// All that is left of a body.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Whole {
    pub data: Vec<u8>,
    pub trailers: Option<HeaderMap>,
}

impl Whole {
    pub fn data(data: impl AsRef<[u8]>) -> Self {
        Self {
            data: data.as_ref().to_vec(),
            trailers: None,
        }
    }
}

/// Reads to the end, which it must stay at.
pub fn read<B>(body: &mut ReplayBody<B>) -> Result<Whole, BoxError>
where
    B: Body<Error: Into<BoxError>>,
{
    let mut whole = Whole::default();
    while let Some(frame) = next(body) {
        assert_eq!(whole.trailers, None, "a frame after the trailers");
        match frame?.into_data() {
            Ok(data) => whole.data.extend_from_slice(&data),
            Err(frame) => whole.trailers = frame.into_trailers().ok(),
        }
    }
    assert!(next(body).is_none(), "a frame after the end");
    assert!(body.is_end_stream());
    Ok(whole)
}
