//! A scripted request body, and functions that read the body of each attempt.

// Each test binary uses only a part of this.
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

/// What a source does when it is polled.
#[derive(Clone, Debug)]
pub enum Does {
    Data(Bytes),
    Trailers(HeaderMap),
    /// Is pending, and wakes the task immediately.
    Pending,
    Fail,
    Panic,
}

use Does::{Data, Fail, Panic, Pending, Trailers};

/// The error of a source.
#[derive(Clone, Copy, Debug)]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the source is broken")
    }
}

impl std::error::Error for Broken {}

/// A body that follows a script. It panics if it is polled after its end or its error.
pub struct Source {
    script: VecDeque<Does>,
    knows_size: bool,
    known: u64,
    ended: bool,
}

impl Source {
    /// Creates a body that reports neither its size nor, in advance, its end.
    pub fn streamed(script: impl IntoIterator<Item = Does>) -> Self {
        Self {
            script: script.into_iter().collect(),
            knows_size: false,
            known: 0,
            ended: false,
        }
    }

    /// Sets by how many bytes the size hint exceeds the data.
    pub fn known(mut self, bytes: u64) -> Self {
        self.known = bytes;
        self
    }

    /// Creates a body that reports its size and its end.
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

/// Returns bytes in which no two positions close to each other have the same content.
pub fn pattern(length: usize) -> Vec<u8> {
    let byte = |index: usize| (index.wrapping_mul(2_654_435_761) >> 13) as u8;
    (0..length).map(byte).collect()
}

/// The outcome of a request.
#[derive(Debug)]
pub struct Sent {
    pub result: Result<StatusCode, BoxError>,
    pub attempts: u32,
    pub stop: Option<StopReason>,
}

impl Sent {
    /// Returns the status, the number of attempts, and why there was no further one, for an assertion.
    pub fn told(&self) -> (u16, u32, Option<StopReason>) {
        let status = self.result.as_ref().map_or(0, StatusCode::as_u16);
        (status, self.attempts, self.stop)
    }
}

/// Returns a layer that retries immediately, without a timer.
pub fn at_once() -> RetryLayer {
    RetryLayer::new()
        .backoff(Backoff::fixed(Duration::ZERO).jitter(Jitter::None))
        .without_budget()
        .mark_responses()
}

/// Sends a PUT to a service that responds to attempt n with the status that `plan(n, body)` returns.
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

/// Polls a body once, with a waker that does nothing.
pub fn poll<B>(body: &mut ReplayBody<B>) -> Polled
where
    B: Body<Error: Into<BoxError>>,
{
    Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()))
}

/// Returns the next frame of a body. Panics if the body stays pending.
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

/// Returns the data of the next frame.
pub fn next_data<B>(body: &mut ReplayBody<B>) -> Bytes
where
    B: Body<Error: Into<BoxError>>,
{
    let frame = next(body).expect("a frame").expect("no error");
    frame.into_data().expect("data")
}

/// Returns the error that comes next.
pub fn next_error<B>(body: &mut ReplayBody<B>) -> BoxError
where
    B: Body<Error: Into<BoxError>>,
{
    next(body).expect("an error").expect_err("an error")
}

/// The rest of a body.
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

/// Reads a body to its end, and asserts that it remains at its end.
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
