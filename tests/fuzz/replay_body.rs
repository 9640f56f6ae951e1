//! Attempts' bodies, polled, asked and dropped in any order.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use arbitrary::Arbitrary;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use http_body_util::Empty;
use tokio_test::task::{self, Spawn};
use tower::{Layer, Service, service_fn};
use tower_http_retry::body::Superseded;
use tower_http_retry::{BoxError, ReplayBody, RetryLayer};

use super::body::{self, Broken, Source, at_once, pattern};
use super::input::with_input;

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

/// The body of one attempt, and what came out of it.
struct Reader {
    /// Until it is dropped.
    body: Option<Spawn<ReplayBody<Source>>>,
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
    /// Once a reader was given the source's own error.
    has_failed: Cell<bool>,
    /// Once the caller has dropped the request before its answer was there.
    is_left: Cell<bool>,
}

type Bodies = Rc<RefCell<Vec<ReplayBody<Source>>>>;

pub fn fuzz(data: &[u8]) {
    with_input(data, run);
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
            Does::Leave => sent
                .is_left
                .set(request.take().is_some() || sent.is_left.get()),
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
        let whole = Bytes::from(pattern(length));
        let mut left = whole.clone();
        let does = script.iter().map(|gives| gives.does(&mut left));
        let is_sized = self.is_sized && !fails;
        let source = match is_sized {
            true => Source::sized(does),
            false => Source::streamed(does),
        };
        let recorded = if is_sized && pieces == 1 { 0 } else { length };
        let kept = trailers.as_ref().map_or(0, size_of_trailers) + recorded;
        let sent = Sent {
            whole,
            trailers,
            fails,
            is_over_limit: kept > usize::from(self.limit),
            has_failed: Cell::default(),
            is_left: Cell::default(),
        };
        (sent, source)
    }

    /// Retries at once; with more retries, that would take a timer.
    fn layer(&self) -> RetryLayer {
        at_once()
            .max_retries(31)
            .window(Duration::MAX)
            .max_replay_bytes(self.limit.into())
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
        match reader.poll() {
            Poll::Pending => assert!(reader.is_woken(), "a wait that nobody ends"),
            Poll::Ready(Some(Ok(frame))) => reader.take(frame),
            Poll::Ready(Some(Err(error))) => {
                self.has_failed
                    .set(self.has_failed.get() || error.is::<Broken>());
                // Over the limit, only an attempt after another has lost anything.
                let is_lost = self.is_over_limit && attempts > 1;
                let is_left = self.is_left.get() && error.is::<Superseded>();
                let is_due = self.has_failed.get() || is_superseded || is_lost || is_left;
                assert!(is_due, "{error}");
                assert!(matches!(reader.poll(), Poll::Ready(None)), "told again");
                reader.is_over = true;
            }
            Poll::Ready(None) => {
                assert!(self.is_whole(reader) && !self.fails, "the end comes early");
                assert!(
                    matches!(reader.poll(), Poll::Ready(None)),
                    "more after the end"
                );
                assert!(
                    reader
                        .body
                        .as_ref()
                        .is_some_and(|body| body.is_end_stream())
                );
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
            let is_due = self.fails || (self.is_over_limit && last > 0) || self.is_left.get();
            assert!(self.is_whole(reader) || is_due, "something is lost");
        }
    }
}

impl Reader {
    fn new(body: ReplayBody<Source>) -> Self {
        Self {
            body: Some(task::spawn(body)),
            data: Vec::new(),
            trailers: None,
            has_begun: false,
            is_over: false,
        }
    }

    fn poll(&mut self) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let body = self.body.as_mut().expect("a body");
        body.enter(|cx, body| body.poll_frame(cx))
    }

    fn is_woken(&self) -> bool {
        self.body.as_ref().is_some_and(Spawn::is_woken)
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

    /// The next of the whole's bytes, where it gives any.
    fn does(self, whole: &mut Bytes) -> body::Does {
        match self {
            Self::Data(length) => body::Does::Data(whole.split_to(length.into())),
            Self::Pending => body::Does::Pending,
            Self::Trailers(_) => body::Does::Trailers(self.trailers().expect("trailers")),
            Self::Fails => body::Does::Fail,
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

fn size_of_trailers(trailers: &HeaderMap) -> usize {
    let lines = trailers.iter();
    lines
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum()
}
