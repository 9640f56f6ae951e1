//! Answers of all kinds under a retry and a commit layer: the caller gets what one attempt gave.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::io::{self, ErrorKind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arbitrary::Arbitrary;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Empty};
use tokio::time::{Instant, sleep};
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_http_retry::classify::Class;
use tower_http_retry::commit::BrokenAnswer;
use tower_http_retry::{Backoff, BoxError, CommitLayer, Jitter, ReplayBody, RetryLayer};

use super::body::pattern;
use super::call::on_the_clock;
use super::download::{Piece, trailers};
use super::input::{status, with_input};
use super::origin::Sent;
use super::outcomes::ERRORS;

#[derive(Debug, Arbitrary)]
struct Input {
    /// The whole up to this limit, or the first bytes.
    whole: Option<u8>,
    reads_failures: bool,
    timeout: Option<u8>,
    method: u8,
    retries: u8,
    has_jitter: bool,
    /// The caller drops the body after so many frames.
    stop: Option<u8>,
    /// After the last of them, all is well.
    attempts: Vec<Attempt>,
}

#[derive(Clone, Debug, Arbitrary)]
struct Attempt {
    after: u8,
    comes: Comes,
}

#[derive(Clone, Debug, Arbitrary)]
enum Comes {
    Answer(Head, Vec<Gives>, Ends),
    Error(u8),
}

#[derive(Clone, Copy, Debug, Arbitrary)]
struct Head {
    #[arbitrary(with = status)]
    status: StatusCode,
    hint: Option<u8>,
    /// Of the length that the head says.
    length: u8,
    known: u8,
    is_stream: bool,
}

#[derive(Clone, Copy, Debug, Arbitrary)]
enum Gives {
    Data(u8),
    Nothing(u8),
    Wait(u8),
}

#[derive(Clone, Copy, Debug, Arbitrary)]
enum Ends {
    End,
    Trailers(u8),
    Break(u8),
    Fail,
}

/// What an attempt has come to at its commit point.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Came {
    /// Of which so much was read, and whether that is all.
    Answer {
        read: u64,
        is_whole: bool,
    },
    /// What the body's own error is; none that a classifier knows.
    Broken {
        delivered: u64,
        kind: Option<ErrorKind>,
    },
    Error(ErrorKind),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Point {
    Head,
    FirstBytes,
    Whole(u64),
}

pub fn fuzz(data: &[u8]) {
    with_input(data, |input| on_the_clock(run(input)));
}

async fn run(input: &Input) {
    let start = Instant::now();
    let sent = RefCell::new(Vec::new());
    let given = Cell::new(None);
    let service = service_fn(|_: Request<ReplayBody<Empty<Bytes>>>| {
        sent.borrow_mut().push(start.elapsed());
        let attempt = input.attempt(sent.borrow().len());
        let given = &given;
        async move {
            sleep(attempt.delay()).await;
            let response = attempt.response()?;
            given.set(Some(response.body().given.clone()));
            Ok::<_, BoxError>(response)
        }
    });
    let seen = Arc::new(Mutex::new(Vec::new()));
    let see = seen.clone();
    let retry = input.retry().classify_fn(move |outcome| {
        see.lock().unwrap().push(outcome.body().cloned());
        outcome.by_status()
    });
    let client = ServiceBuilder::new()
        .layer(retry)
        .layer(input.commit())
        .service(service);
    let mut request = Request::new(Empty::new());
    *request.method_mut() = input.method();
    let result = client.oneshot(request).await;

    let attempts = input.attempts_made();
    let sent = sent.take();
    assert_eq!(sent.len(), attempts);
    for (number, times) in (1..).zip(sent.windows(2)) {
        let attempt = input.attempt(number);
        let least = attempt.delay() + attempt.hint(input.came(number));
        assert!(
            times[1] - times[0] >= least,
            "against the hint of {attempt:?}"
        );
    }
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen.len(), attempts);
    for (number, body) in (1..).zip(&seen) {
        let is_whole = matches!(input.came(number), Came::Answer { is_whole: true, .. });
        let whole = is_whole.then(|| input.attempt(number).whole());
        assert_eq!(*body, whole, "what a classifier sees");
    }
    let (last, came) = (input.attempt(attempts), input.came(attempts));
    match (result, came) {
        (Ok(response), Came::Answer { read, .. }) => {
            let given = given.take().expect("a body").load(Ordering::Relaxed);
            assert_eq!(given, read, "read before the commit point");
            check_answer(response, &last, input.stop, seen[attempts - 1].as_ref()).await;
        }
        (Err(error), Came::Broken { delivered, kind }) => {
            let broken: &BrokenAnswer = error.downcast_ref().expect("a `BrokenAnswer`");
            let Comes::Answer(head, ..) = last.comes else {
                panic!("{broken:?} without a head");
            };
            assert_eq!(broken.response().status(), head.status);
            assert_eq!(broken.delivered(), delivered);
            let source = broken.source().expect("a source");
            let source = source.downcast_ref().map(io::Error::kind);
            assert_eq!(source, kind);
        }
        (Err(error), Came::Error(kind)) => {
            let error: &io::Error = error.downcast_ref().expect("its own error");
            assert_eq!(error.kind(), kind);
        }
        (result, came) => panic!("{:?} for {came:?}", result.map(Response::into_parts)),
    }
}

/// All of one attempt, and nothing else.
async fn check_answer<R>(
    response: Response<R>,
    attempt: &Attempt,
    stop: Option<u8>,
    whole: Option<&Bytes>,
) where
    R: Body<Data = Bytes, Error = BoxError>,
{
    let plan = attempt.response().expect("a response");
    assert_eq!(response.status(), plan.status());
    assert_eq!(response.headers(), plan.headers());
    let Comes::Answer(head, _, ends) = &attempt.comes else {
        panic!("a response to {attempt:?}");
    };
    let (mut body, all) = (std::pin::pin!(response.into_body()), attempt.whole());
    let fails = matches!(ends, Ends::Break(_) | Ends::Fail);
    let (mut data, mut has_trailers) = (Vec::new(), false);
    let mut frames = 0_u32;
    loop {
        let (left, hint) = ((all.len() - data.len()) as u64, body.size_hint());
        // The inner body's own is true, or of what is missing as well.
        let is_true = head.known < 224;
        assert!(hint.upper().is_none_or(|upper| left <= upper));
        assert!(hint.lower() <= left || !is_true, "{hint:?} of {left} bytes");
        let is_over = body.is_end_stream();
        if stop.map(u32::from) == Some(frames) {
            return;
        }
        frames += 1;
        let frame = body.frame().await;
        assert!(!is_over || frame.is_none(), "{frame:?} after the end");
        match frame {
            None => {
                assert!(!fails, "an error is lost");
                assert_eq!(left, 0, "silently short");
                assert_eq!(has_trailers, matches!(ends, Ends::Trailers(_)));
                break;
            }
            Some(Err(error)) => {
                assert_eq!(left, 0, "an error before the data");
                match ends {
                    Ends::Break(kind) => {
                        let error: &io::Error = error.downcast_ref().expect("its own error");
                        assert_eq!(error.kind(), self::kind(*kind).0);
                    }
                    Ends::Fail => assert!(!error.is::<io::Error>()),
                    Ends::End | Ends::Trailers(_) => panic!("{error}"),
                }
                return;
            }
            Some(Ok(frame)) => match frame.into_data() {
                Ok(more) => {
                    assert!(!has_trailers, "data after the trailers");
                    // In one frame.
                    assert!(whole.is_none_or(|whole| *whole == more), "not the whole");
                    data.extend_from_slice(&more);
                    assert!(all.starts_with(&data), "other bytes");
                }
                Err(frame) => {
                    assert!(!has_trailers && left == 0, "trailers too early");
                    has_trailers = true;
                    let Ends::Trailers(value) = ends else {
                        panic!("{frame:?}");
                    };
                    assert_eq!(
                        frame.trailers_ref().unwrap()["x-trailer"],
                        VALUES[usize::from(value % 3)]
                    );
                }
            },
        }
    }
    assert!(body.is_end_stream(), "no end after the end");
    assert!(body.frame().await.is_none(), "a frame after the end");
}

impl Input {
    fn commit(&self) -> CommitLayer {
        let layer = match self.whole {
            Some(limit) => CommitLayer::whole(limit.into()),
            None => CommitLayer::first_bytes(),
        };
        let layer = layer.read_failures(self.reads_failures);
        match self.timeout() {
            Some(timeout) => layer.timeout(timeout),
            None => layer,
        }
    }

    /// Odd, so that nothing else comes at the same moment.
    fn timeout(&self) -> Option<Duration> {
        let millis = |millis: u8| Duration::from_millis(2 * u64::from(millis) + 1);
        self.timeout.map(millis)
    }

    fn retry(&self) -> RetryLayer {
        let jitter = if self.has_jitter {
            Jitter::Full
        } else {
            Jitter::None
        };
        let backoff = Backoff::exponential(Duration::from_millis(10)).jitter(jitter);
        RetryLayer::new()
            .backoff(backoff)
            .max_retries(self.retries())
            .without_budget()
    }

    fn retries(&self) -> u32 {
        u32::from(self.retries % 6)
    }

    fn method(&self) -> Method {
        let methods = [Method::GET, Method::HEAD, Method::POST, Method::CONNECT];
        methods[usize::from(self.method % 8 / 2)].clone()
    }

    fn attempt(&self, number: usize) -> Attempt {
        let attempt = self.attempts.get(number - 1).cloned();
        attempt.unwrap_or(Attempt {
            after: 0,
            comes: Comes::Answer(Head::WELL, Vec::new(), Ends::End),
        })
    }

    /// By the rules of the retry.
    fn attempts_made(&self) -> usize {
        let goes_on = |number: &usize| {
            let may_repeat = [Method::GET, Method::HEAD].contains(&self.method());
            *number <= self.retries() as usize
                && match self.class(*number) {
                    Class::Refused => true,
                    Class::Transient => may_repeat,
                    _ => false,
                }
        };
        1 + (1..).take_while(goes_on).count()
    }

    fn class(&self, number: usize) -> Class {
        let of = |kind: ErrorKind| {
            let known = ERRORS.iter().find(|(known, _)| *known == kind);
            known.map_or(Class::Permanent, |(_, class)| *class)
        };
        match self.came(number) {
            Came::Error(kind) => of(kind),
            // The server has acted on the request.
            Came::Broken { kind, .. } => match kind.map_or(Class::Permanent, of) {
                Class::Refused | Class::Transient => Class::Transient,
                other => other,
            },
            Came::Answer { .. } => match self.attempt(number).status() {
                100..400 => Class::Success,
                _ if self.method() == Method::CONNECT => Class::Permanent,
                429 => Class::Refused,
                500..600 => Class::Transient,
                _ => Class::Permanent,
            },
        }
    }

    fn point(&self, head: &Head, attempt: &Attempt) -> Point {
        let status = head.status.as_u16();
        let has_no_body = [Method::HEAD, Method::CONNECT].contains(&self.method())
            || matches!(status, 100..200 | 204 | 304);
        if has_no_body || (head.is_failure() && !self.reads_failures) {
            return Point::Head;
        }
        let Some(limit) = self.whole.map(u64::from) else {
            return Point::FirstBytes;
        };
        let lengths = [head.announced(attempt), head.known(attempt)];
        match lengths.into_iter().flatten().any(|length| length > limit) || head.is_stream {
            true => Point::Head,
            false => Point::Whole(limit),
        }
    }

    /// Goes through the body as the layer has to.
    fn came(&self, number: usize) -> Came {
        let attempt = self.attempt(number);
        let (head, gives, ends) = match &attempt.comes {
            Comes::Error(error) => return Came::Error(kind(*error).0),
            Comes::Answer(head, gives, ends) => (head, gives, ends),
        };
        let (point, known) = (self.point(head, &attempt), head.known(&attempt));
        let (mut read, mut empty, mut waited) = (0, 0_u32, Duration::ZERO);
        let answer = |read| Came::Answer {
            read,
            is_whole: false,
        };
        let broken = |delivered, kind| match head.is_failure() {
            true => answer(delivered),
            false => Came::Broken { delivered, kind },
        };
        let is_enough = |read: u64, empty: u32| match point {
            Point::Head => true,
            Point::FirstBytes => read > 0 || empty > 64,
            Point::Whole(limit) => {
                let left = known.map_or(0, |known| known.saturating_sub(read));
                read + left > limit || empty > 1024
            }
        };
        for gives in gives {
            if is_enough(read, empty) {
                return answer(read);
            }
            match gives {
                Gives::Wait(millis) => {
                    waited += wait(*millis);
                    // A failure is given a second.
                    let second = head.is_failure().then_some(Duration::from_secs(1));
                    let timeout = self.timeout().or(second);
                    if timeout.is_some_and(|timeout| waited > timeout) {
                        return broken(read, Some(ErrorKind::TimedOut));
                    }
                }
                Gives::Data(0) => empty += 1,
                Gives::Data(bytes) => read += u64::from(*bytes),
                Gives::Nothing(count) => empty += u32::from(*count),
            }
        }
        if is_enough(read, empty) {
            return answer(read);
        }
        match ends {
            Ends::Break(error) => return broken(read, Some(kind(*error).0)),
            Ends::Fail => return broken(read, None),
            Ends::Trailers(_) if point == Point::FirstBytes => return answer(read),
            Ends::Trailers(_) if is_enough(read, empty + 1) => return answer(read),
            Ends::End | Ends::Trailers(_) => {}
        }
        if head.announced(&attempt).is_some_and(|length| read < length) {
            return broken(read, Some(ErrorKind::UnexpectedEof));
        }
        Came::Answer {
            read,
            is_whole: matches!(point, Point::Whole(_)),
        }
    }
}

impl Attempt {
    fn delay(&self) -> Duration {
        Duration::from_millis(2 * u64::from(self.after))
    }

    fn status(&self) -> u16 {
        match &self.comes {
            Comes::Answer(head, ..) => head.status.as_u16(),
            Comes::Error(_) => 0,
        }
    }

    /// What the next attempt has to wait for.
    fn hint(&self, came: Came) -> Duration {
        match (&self.comes, came) {
            (Comes::Answer(head, ..), Came::Answer { .. } | Came::Broken { .. }) => {
                Duration::from_millis(head.hint.unwrap_or(0).into())
            }
            _ => Duration::ZERO,
        }
    }

    fn length(&self) -> u64 {
        let Comes::Answer(_, gives, _) = &self.comes else {
            return 0;
        };
        let length = |gives: &Gives| match gives {
            Gives::Data(bytes) => u64::from(*bytes),
            Gives::Nothing(_) | Gives::Wait(_) => 0,
        };
        gives.iter().map(length).sum()
    }

    fn whole(&self) -> Bytes {
        pattern(self.length() as usize).into()
    }

    fn response(&self) -> Result<Response<Sent>, BoxError> {
        let (head, gives, ends) = match &self.comes {
            Comes::Error(error) => return Err(io::Error::from(kind(*error).0).into()),
            Comes::Answer(head, gives, ends) => (head, gives, ends),
        };
        let (mut whole, mut pieces) = (self.whole(), Vec::new());
        for gives in gives {
            match gives {
                Gives::Data(bytes) => pieces.push(Piece::Data(whole.split_to((*bytes).into()))),
                Gives::Nothing(count) => {
                    let nothing = vec![Piece::Data(Bytes::new()); (*count).into()];
                    pieces.extend(nothing);
                }
                Gives::Wait(millis) => pieces.push(Piece::Wait(wait(*millis))),
            }
        }
        pieces.extend(match ends {
            Ends::End => None,
            Ends::Trailers(value) => Some(trailers(VALUES[usize::from(value % 3)])),
            Ends::Break(error) => Some(Piece::Break(kind(*error).0)),
            Ends::Fail => Some(Piece::Fail),
        });
        let mut response = Response::new(Sent::new(pieces, head.known(self)));
        *response.status_mut() = head.status;
        let headers = response.headers_mut();
        if let Some(length) = head.announced(self) {
            headers.insert("content-length", length.into());
        }
        if let Some(hint) = head.hint {
            headers.insert("retry-after-ms", u16::from(hint).into());
        }
        if head.is_stream {
            headers.insert("content-type", "text/event-stream".parse().unwrap());
        }
        Ok(response)
    }
}

impl Head {
    const WELL: Self = Self {
        status: StatusCode::OK,
        hint: None,
        length: 0,
        known: 0,
        is_stream: false,
    };

    fn is_failure(&self) -> bool {
        self.status.is_server_error() || self.status == StatusCode::TOO_MANY_REQUESTS
    }

    /// The length that it says: none, the true one, a smaller or a larger one.
    fn announced(&self, attempt: &Attempt) -> Option<u64> {
        let length = attempt.length();
        match self.length {
            0..96 => None,
            96..192 => Some(length),
            192..224 => Some(length.saturating_sub(u64::from(self.length - 191))),
            224.. => Some(length + u64::from(self.length - 223)),
        }
    }

    /// The length that the body says: none, the true one, or, as it was cut, a larger one.
    fn known(&self, attempt: &Attempt) -> Option<u64> {
        let length = attempt.length();
        match self.known {
            0..128 => None,
            128..224 => Some(length),
            224.. => Some(length + u64::from(self.known - 223)),
        }
    }
}

const VALUES: [&str; 3] = ["a", "b", "c"];

fn kind(number: u8) -> (ErrorKind, Class) {
    ERRORS[usize::from(number) % ERRORS.len()]
}

fn wait(millis: u8) -> Duration {
    Duration::from_millis(2 * u64::from(millis))
}
