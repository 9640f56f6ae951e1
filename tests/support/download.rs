//! A server whose responses break off as planned, and functions that read them.

// Each test binary uses only a part of this.
#![allow(dead_code)]

use std::collections::VecDeque;
use std::future::{Future, Ready, ready};
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty};
use tokio::time::{Instant, Sleep, sleep};
use tower::{Layer, Service, ServiceExt};
use tower_http_retry::resume::{ResumeError, Unresumable};
use tower_http_retry::{Backoff, BoxError, Jitter, ResumeLayer};

/// What a body does next.
#[derive(Clone, Debug)]
pub enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
    Break(ErrorKind),
    /// Fails with an error that no classifier knows.
    Fail,
    Wait(Duration),
    /// Stays pending.
    Stall,
}

pub fn data(data: &'static str) -> Piece {
    Piece::Data(Bytes::from_static(data.as_bytes()))
}

pub fn reset() -> Piece {
    Piece::Break(ErrorKind::ConnectionReset)
}

pub fn trailers(value: &'static str) -> Piece {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-trailer", value.parse().unwrap());
    Piece::Trailers(trailers)
}

/// A body that does not report its size.
pub struct Pieces {
    left: VecDeque<Piece>,
    timer: Option<Pin<Box<Sleep>>>,
    /// The only strong reference, which shows that the body has not been dropped.
    alive: Arc<()>,
}

impl Pieces {
    pub fn new(pieces: impl IntoIterator<Item = Piece>) -> Self {
        Self {
            left: pieces.into_iter().collect(),
            timer: None,
            alive: Arc::default(),
        }
    }

    /// Whether nothing is left.
    pub fn is_over(&self) -> bool {
        self.left.is_empty() && self.timer.is_none()
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            if let Some(timer) = &mut self.timer {
                std::task::ready!(timer.as_mut().poll(cx));
                self.timer = None;
            }
            return Poll::Ready(match self.left.pop_front() {
                None => None,
                Some(Piece::Data(data)) => Some(Ok(Frame::data(data))),
                Some(Piece::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
                Some(Piece::Break(kind)) => Some(Err(io::Error::from(kind).into())),
                Some(Piece::Fail) => Some(Err("the body is broken".into())),
                Some(Piece::Wait(time)) => {
                    self.timer = Some(Box::pin(sleep(time)));
                    continue;
                }
                Some(Piece::Stall) => {
                    self.left.push_front(Piece::Stall);
                    return Poll::Pending;
                }
            });
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// Returns a response with these header lines, except those with an empty value.
pub fn answer(
    status: u16,
    lines: &[(&str, &str)],
    pieces: impl IntoIterator<Item = Piece>,
) -> Response<Pieces> {
    let mut response = Response::builder().status(status);
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        response = response.header(*name, *value);
    }
    response.body(Pieces::new(pieces)).unwrap()
}

/// Returns a 200 with all ten bytes of version 1.
pub fn all(pieces: impl IntoIterator<Item = Piece>) -> Response<Pieces> {
    answer(200, &[("content-length", "10"), ("etag", "\"v1\"")], pieces)
}

/// Returns a 206 with a part of version 1. Its length is that of the range.
pub fn part(range: &str, pieces: impl IntoIterator<Item = Piece>) -> Response<Pieces> {
    let (bytes, _) = range
        .strip_prefix("bytes ")
        .unwrap()
        .split_once('/')
        .unwrap();
    let (first, last) = bytes.split_once('-').unwrap();
    let length = last.parse::<u64>().unwrap() - first.parse::<u64>().unwrap() + 1;
    let length = length.to_string();
    let lines = [
        ("content-range", range),
        ("content-length", &length),
        ("etag", "\"v1\""),
    ];
    answer(206, &lines, pieces)
}

/// A service that responds as planned. It panics if it is called more often than planned, or before it
/// was ready.
pub struct Server {
    shared: Arc<Shared>,
    is_ready: bool,
}

pub struct Shared {
    start: Instant,
    plan: Mutex<VecDeque<Result<Response<Pieces>, BoxError>>>,
    asked: Mutex<Vec<Asked>>,
    alive: Mutex<Vec<std::sync::Weak<()>>>,
}

/// A request that the server received.
#[derive(Clone, Debug)]
pub struct Asked {
    pub at: Duration,
    pub request: Request<()>,
    pub is_empty: bool,
}

impl Server {
    pub fn new(plan: impl IntoIterator<Item = Response<Pieces>>) -> Self {
        Self::failing(plan.into_iter().map(Ok))
    }

    pub fn failing(plan: impl IntoIterator<Item = Result<Response<Pieces>, BoxError>>) -> Self {
        let shared = Shared {
            start: Instant::now(),
            plan: Mutex::new(plan.into_iter().collect()),
            asked: Mutex::default(),
            alive: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
            is_ready: false,
        }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// Returns when each request arrived, in milliseconds.
    pub fn millis(&self) -> Vec<u128> {
        let millis = |asked: &Asked| asked.at.as_millis();
        self.asked().iter().map(millis).collect()
    }

    /// Returns the range of each request, or "-" if it had none.
    pub fn ranges(&self) -> Vec<String> {
        self.header("range")
    }

    /// Returns the value of a header for each request, or "-" if it had none.
    pub fn header(&self, name: &str) -> Vec<String> {
        let value = |asked: &Asked| match asked.request.headers().get(name) {
            Some(value) => value.to_str().unwrap().to_owned(),
            None => "-".to_owned(),
        };
        self.asked().iter().map(value).collect()
    }

    /// Returns how many response bodies have not been dropped yet.
    pub fn alive(&self) -> usize {
        let alive = self.shared.alive.lock().unwrap();
        alive.iter().filter(|body| body.strong_count() > 0).count()
    }
}

impl Clone for Server {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            is_ready: false,
        }
    }
}

impl<B: Body> Service<Request<B>> for Server {
    type Response = Response<Pieces>;
    type Error = BoxError;
    type Future = Ready<Result<Response<Pieces>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        assert!(self.is_ready, "called before it was ready");
        self.is_ready = false;
        let (head, body) = request.into_parts();
        self.shared.asked.lock().unwrap().push(Asked {
            at: self.shared.start.elapsed(),
            request: Request::from_parts(head, ()),
            is_empty: body.is_end_stream(),
        });
        let answer = self.shared.plan.lock().unwrap().pop_front();
        let answer = answer.expect("asked more often than planned");
        if let Ok(response) = &answer {
            let body = Arc::downgrade(&response.body().alive);
            self.shared.alive.lock().unwrap().push(body);
        }
        ready(answer)
    }
}

pub type Nothing = Empty<Bytes>;

pub fn get() -> Request<Nothing> {
    Request::get("http://files.test/file")
        .body(Nothing::new())
        .unwrap()
}

/// Returns a layer that waits exactly 0, 1, 2, 4, .. seconds.
pub fn exact() -> ResumeLayer {
    let backoff = Backoff::exponential(Duration::from_secs(1)).jitter(Jitter::None);
    ResumeLayer::new().backoff(backoff)
}

/// What a caller has read.
#[derive(Debug, Default)]
pub struct Got {
    pub data: String,
    pub trailers: Vec<String>,
    pub error: Option<BoxError>,
}

impl Got {
    /// Returns the data of a body that ended without an error.
    pub fn whole(self) -> String {
        assert!(self.error.is_none(), "{self:?}");
        self.data
    }

    pub fn resume_error(&self) -> &ResumeError {
        let error = self.error.as_ref().expect("an error");
        error.downcast_ref().expect("a `ResumeError`")
    }

    /// Returns the data, and why the download could not be resumed.
    pub fn unresumable(&self) -> (&str, Option<Unresumable>) {
        let error = self.resume_error();
        assert_eq!(error.delivered(), self.data.len() as u64);
        (&self.data, error.unresumable())
    }

    /// Returns the data, and the kind of the error at its end.
    pub fn broken(&self) -> (&str, ErrorKind) {
        let error = self.resume_error();
        assert_eq!(error.delivered(), self.data.len() as u64);
        let source = std::error::Error::source(error).expect("a source");
        let io = source.downcast_ref::<io::Error>().expect("an io error");
        (&self.data, io.kind())
    }
}

/// Reads a body to its end, and checks its size hint and `is_end_stream` before each frame.
pub async fn read<R>(body: R) -> Got
where
    R: Body<Data = Bytes, Error = BoxError>,
{
    let mut body = Box::pin(body);
    let mut got = Got::default();
    let promised = body.size_hint().exact();
    loop {
        if let Some(promised) = promised {
            let left = promised - got.data.len() as u64;
            assert_eq!(body.size_hint().exact(), Some(left), "after {got:?}");
            assert!(left == 0 || !body.is_end_stream(), "after {got:?}");
        }
        if body.is_end_stream() {
            assert!(body.frame().await.is_none());
        }
        match body.frame().await {
            None => break,
            Some(Err(error)) => {
                got.error = Some(error);
                break;
            }
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => got.data += std::str::from_utf8(&data).unwrap(),
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap();
                    let value = trailers["x-trailer"].to_str().unwrap();
                    got.trailers.push(value.to_owned());
                }
            },
        }
    }
    if promised.is_some() {
        assert!(body.is_end_stream(), "after the end");
        assert!(body.frame().await.is_none(), "a frame after the end");
    }
    got
}

/// Sends a GET through the layer, and reads the body to its end.
pub async fn download(layer: ResumeLayer, server: &Server) -> Got {
    fetch(layer, server, get()).await
}

pub async fn fetch(layer: ResumeLayer, server: &Server, request: Request<Nothing>) -> Got {
    let response = layer.layer(server.clone()).oneshot(request).await.unwrap();
    read(response.into_body()).await
}
