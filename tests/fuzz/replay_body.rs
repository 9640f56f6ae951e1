//! Attempts' bodies, polled, asked and dropped in any order.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Empty;
use tower::{Layer, Service, service_fn};
use tower_http_retry::{Backoff, BoxError, Jitter, ReplayBody, RetryLayer};

#[derive(Debug, Arbitrary)]
struct Input {
    script: Vec<Gives>,
    is_sized: bool,
    limit: u16,
    does: Vec<Does>,
}

/// What the source does when it is polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Arbitrary)]
enum Gives {
    Data(u8),
    Pending,
    Trailers(u8),
    Fails,
}

#[derive(Clone, Copy, Debug, Arbitrary)]
enum Does {
    /// Polls the body of one attempt.
    Poll(u8),
    Drop(u8),
    /// Fails the attempt under way, so that there may be another.
    Fail,
    /// Drops the request.
    Leave,
}

/// The body that the caller sends.
struct Source {
    left: VecDeque<Gives>,
    whole: Bytes,
    is_sized: bool,
    log: Rc<Log>,
}

/// What the source has done.
#[derive(Default)]
struct Log {
    is_pending: Cell<bool>,
    has_failed: Cell<bool>,
}

/// The body of one attempt, and what came out of it.
struct Reader {
    /// Until it is dropped.
    body: Option<ReplayBody<Source>>,
    data: Vec<u8>,
    trailers: Option<HeaderMap>,
    has_begun: bool,
    is_over: bool,
}

/// What should come out of it.
struct Sent {
    whole: Bytes,
    trailers: Option<HeaderMap>,
    fails: bool,
    /// Whether it is more than is kept.
    is_over_limit: bool,
    log: Rc<Log>,
}

type Bodies = Rc<RefCell<Vec<ReplayBody<Source>>>>;

pub fn fuzz(data: &[u8]) {
    let input = Input::arbitrary_take_rest(Unstructured::new(data));
    // Too few bytes make no input.
    if let Ok(input) = input {
        run(&input);
    }
}

fn run(input: &Input) {
    let (sent, source) = input.source();
    let (bodies, fails) = (Bodies::default(), Rc::<Cell<bool>>::default());
    let mut service = input.layer().layer(service_fn({
        let (bodies, fails) = (bodies.clone(), fails.clone());
        move |request: Request<ReplayBody<Source>>| {
            bodies.borrow_mut().push(request.into_body());
            let fails = fails.clone();
            poll_fn(move |_| fail(&fails))
        }
    }));
    let request = Request::put("http://upstream.test/item")
        .body(source)
        .unwrap();
    let mut request = Some(Box::pin(service.call(request)));
    let mut readers: Vec<Reader> = Vec::new();
    for does in [Does::Fail].iter().chain(&input.does) {
        match *does {
            Does::Poll(reader) => sent.poll(&mut readers, reader.into()),
            Does::Drop(reader) => {
                let index = usize::from(reader) % readers.len();
                readers[index].body = None;
            }
            Does::Fail => {
                fails.set(!readers.is_empty());
                let cx = &mut Context::from_waker(Waker::noop());
                let ended = request
                    .as_mut()
                    .is_some_and(|request| request.as_mut().poll(cx).is_ready());
                if ended {
                    request = None;
                }
                readers.extend(bodies.take().into_iter().map(Reader::new));
            }
            Does::Leave => request = None,
        }
    }
    sent.read_last(&mut readers, input.script.len());
}

fn fail(fails: &Cell<bool>) -> Poll<Result<Response<Empty<Bytes>>, BoxError>> {
    if !fails.take() {
        return Poll::Pending;
    }
    let response = Response::builder().status(503).body(Empty::new());
    Poll::Ready(response.map_err(BoxError::from))
}

impl Input {
    /// There is nothing after trailers, nor after a failure.
    fn source(&self) -> (Sent, Source) {
        let is_last = |gives: &Gives| matches!(gives, Gives::Trailers(_) | Gives::Fails);
        let end = self.script.iter().position(is_last);
        let script = &self.script[..end.map_or(self.script.len(), |end| end + 1)];
        let fails = script.contains(&Gives::Fails);
        let length: usize = script.iter().map(|gives| gives.len()).sum();
        let pieces = script.iter().filter(|gives| gives.len() > 0).count();
        let trailers = script.last().and_then(|gives| gives.trailers());
        let log = Rc::<Log>::default();
        let source = Source {
            left: script.iter().copied().collect(),
            whole: (0..length)
                .map(|index| (index * 7 + index / 251) as u8)
                .collect(),
            is_sized: self.is_sized && !fails,
            log: log.clone(),
        };
        let in_memory = source.is_sized && pieces == 1;
        let kept =
            trailers.as_ref().map_or(0, size_of_trailers) + if in_memory { 0 } else { length };
        let sent = Sent {
            whole: source.whole.clone(),
            trailers,
            fails,
            is_over_limit: kept > usize::from(self.limit),
            log,
        };
        (sent, source)
    }

    /// Retries at once; with more retries, that would take a timer.
    fn layer(&self) -> RetryLayer {
        RetryLayer::new()
            .max_retries(31)
            .within(Duration::MAX)
            .backoff(Backoff::fixed(Duration::ZERO).jitter(Jitter::None))
            .max_replay_bytes(self.limit.into())
            .without_budget()
    }
}

impl Sent {
    fn poll(&self, readers: &mut [Reader], index: usize) {
        let index = index % readers.len();
        let is_superseded = readers[index + 1..].iter().any(|newer| newer.has_begun);
        let attempts = readers.len();
        let reader = &mut readers[index];
        if reader.body.is_none() || reader.is_over {
            return;
        }
        self.check(reader);
        reader.has_begun = true;
        self.log.is_pending.set(false);
        match reader.poll() {
            Poll::Pending => assert!(self.log.is_pending.get(), "a wait that nobody ends"),
            Poll::Ready(Some(Ok(frame))) => reader.take(frame),
            Poll::Ready(Some(Err(error))) => {
                // Over the limit, only an attempt after another has lost anything.
                let is_lost = self.is_over_limit && attempts > 1;
                let is_due = self.log.has_failed.get() || is_superseded || is_lost;
                assert!(is_due, "{error}");
                reader.is_over = true;
            }
            Poll::Ready(None) => {
                assert!(self.is_whole(reader) && !self.fails, "the end comes early");
                assert!(
                    matches!(reader.poll(), Poll::Ready(None)),
                    "more after the end"
                );
                assert!(reader.body.as_ref().is_some_and(ReplayBody::is_end_stream));
                reader.is_over = true;
            }
        }
        self.check(reader);
    }

    fn is_whole(&self, reader: &Reader) -> bool {
        reader.data == self.whole && reader.trailers == self.trailers
    }

    /// What came is what was sent, and what is told of the rest is true.
    fn check(&self, reader: &Reader) {
        let rest = self
            .whole
            .strip_prefix(&*reader.data)
            .expect("what was sent");
        assert!(
            reader.trailers.is_none() || self.is_whole(reader),
            "trailers too early"
        );
        let Some(body) = reader.body.as_ref().filter(|_| !self.fails) else {
            return;
        };
        if reader.is_over && !self.is_whole(reader) {
            return;
        }
        let (hint, rest) = (body.size_hint(), rest.len() as u64);
        assert!(hint.lower() <= rest && hint.upper().is_none_or(|upper| rest <= upper));
        assert!(!body.is_end_stream() || self.is_whole(reader), "more comes");
    }

    /// The last attempt gets all of it.
    fn read_last(&self, readers: &mut [Reader], frames: usize) {
        let last = readers.len() - 1;
        for _ in 0..=frames + 1 {
            self.poll(readers, last);
        }
        let reader = &readers[last];
        if reader.body.is_some() {
            assert!(reader.is_over, "it does not end");
            let is_due = self.fails || (self.is_over_limit && last > 0);
            assert!(self.is_whole(reader) || is_due, "something is lost");
        }
    }
}

impl Reader {
    fn new(body: ReplayBody<Source>) -> Self {
        Self {
            body: Some(body),
            data: Vec::new(),
            trailers: None,
            has_begun: false,
            is_over: false,
        }
    }

    fn poll(&mut self) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let body = self.body.as_mut().expect("a body");
        Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()))
    }

    fn take(&mut self, frame: Frame<Bytes>) {
        assert!(self.trailers.is_none(), "a frame after the trailers");
        match frame.into_data() {
            Ok(data) => self.data.extend_from_slice(&data),
            Err(frame) => self.trailers = frame.into_trailers().ok(),
        }
    }
}

impl Gives {
    fn len(self) -> usize {
        match self {
            Self::Data(length) => length.into(),
            Self::Pending | Self::Trailers(_) | Self::Fails => 0,
        }
    }

    fn trailers(self) -> Option<HeaderMap> {
        let Self::Trailers(value) = self else {
            return None;
        };
        Some(HeaderMap::from_iter([(
            "x-sum".parse().unwrap(),
            u16::from(value).into(),
        )]))
    }
}

impl Body for Source {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        assert!(!self.log.has_failed.get(), "polled after its failure");
        let Some(gives) = self.left.pop_front() else {
            return Poll::Ready(None);
        };
        Poll::Ready(Some(Ok(match gives {
            Gives::Data(length) => Frame::data(self.whole.split_to(length.into())),
            Gives::Trailers(_) => Frame::trailers(gives.trailers().expect("trailers")),
            Gives::Pending => {
                self.log.is_pending.set(true);
                return Poll::Pending;
            }
            Gives::Fails => {
                self.log.has_failed.set(true);
                return Poll::Ready(Some(Err(io::Error::other("the source failed"))));
            }
        })))
    }

    fn is_end_stream(&self) -> bool {
        self.is_sized && self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        match self.is_sized {
            true => SizeHint::with_exact(self.whole.len() as u64),
            false => SizeHint::default(),
        }
    }
}

fn size_of_trailers(trailers: &HeaderMap) -> usize {
    let lines = trailers.iter();
    lines
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum()
}
