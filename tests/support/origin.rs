//! A resource that changes, a server that sends its versions as planned, and the invariants of a download.

// Each test binary uses only a part of this.
#![allow(dead_code)]

use std::cell::{Ref, RefCell};
use std::error::Error;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{
    CONTENT_LENGTH, DATE, ETAG, IF_MATCH, IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::{Instant, sleep, timeout};
use tower::Service;
use tower_http_retry::BoxError;
use tower_http_retry::event::StopReason;
use tower_http_retry::resume::ResumeError;

use super::download::{Piece, Pieces};

/// One state of the resource. A strong validator identifies exactly one version.
#[derive(Clone, Debug)]
pub struct Version {
    pub content: Bytes,
    pub etag: Option<HeaderValue>,
    /// The second in which the version was created.
    pub modified: Option<u64>,
    /// Whether a later version was created in the same second. In this case no `Date` makes `Last-Modified` a
    /// strong validator.
    pub is_overtaken: bool,
    pub encoding: Option<&'static str>,
}

impl Version {
    pub fn length(&self) -> u64 {
        self.content.len() as u64
    }

    pub fn has_strong_etag(&self) -> bool {
        let is_strong = |etag: &HeaderValue| !etag.as_bytes().starts_with(b"W/");
        self.etag.as_ref().is_some_and(is_strong)
    }

    /// Whether a condition holds for this version.
    pub fn meets(&self, (name, value): &Condition) -> bool {
        if *name == IF_MATCH {
            return self.has_strong_etag() && self.etag.as_ref() == Some(value);
        }
        !self.is_overtaken && self.modified.map(date).as_ref() == Some(value)
    }

    /// Adds the headers of this version to a response whose `Date` is `age` seconds after the last change.
    pub fn describe(&self, age: u64, headers: &mut HeaderMap) {
        if let Some(etag) = &self.etag {
            headers.insert(ETAG, etag.clone());
        }
        if let Some(modified) = self.modified {
            let age = if self.is_overtaken { 0 } else { age };
            headers.insert(LAST_MODIFIED, date(modified));
            headers.insert(DATE, date(modified + age));
        }
        if let Some(encoding) = self.encoding {
            headers.insert("content-encoding", HeaderValue::from_static(encoding));
        }
    }

    /// Whether a response with all these headers, `age` seconds after the last change, has a strong
    /// validator.
    pub fn is_named(&self, age: u64) -> bool {
        self.has_strong_etag() || (self.modified.is_some() && !self.is_overtaken && age > 0)
    }
}

/// Formats a second as an HTTP date.
pub fn date(second: u64) -> HeaderValue {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(784_900_000 + second);
    httpdate::fmt_http_date(time).try_into().expect("a date")
}

/// `If-Match` or `If-Unmodified-Since` with its validator.
pub type Condition = (HeaderName, HeaderValue);

/// What a request asks for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The first byte, and the end, which is exclusive.
    pub range: Option<(u64, Option<u64>)>,
    pub condition: Option<Condition>,
}

impl Asked {
    fn by(headers: &HeaderMap) -> Self {
        let range = headers.get(RANGE).map(|range| {
            let range = range.to_str().expect("text");
            let (first, last) = range
                .strip_prefix("bytes=")
                .and_then(|range| range.split_once('-'))
                .expect("a range");
            let end = (!last.is_empty()).then(|| last.parse::<u64>().expect("a number") + 1);
            (first.parse().expect("a number"), end)
        });
        let mut conditions = [IF_MATCH, IF_UNMODIFIED_SINCE]
            .into_iter()
            .filter_map(|name| Some((name.clone(), headers.get(name)?.clone())));
        let condition = conditions.next();
        assert!(conditions.next().is_none(), "two conditions");
        Self { range, condition }
    }

    /// Returns the part of a version of this length, or `None` if it does not have this part.
    pub fn part(&self, length: u64) -> Option<Range<u64>> {
        let (start, end) = self.range.unwrap_or((0, None));
        let end = end.unwrap_or(length).min(length);
        (start < end).then_some(start..end)
    }
}

/// What the server does with a request.
#[derive(Clone, Debug)]
pub struct Reply {
    pub after: Duration,
    pub status: u16,
    pub headers: HeaderMap,
    pub pieces: Vec<Piece>,
    /// The exact size hint of the body.
    pub known: Option<u64>,
    /// `None` if it must not be taken for a part of a download.
    pub claim: Option<Claim>,
    /// Whether a client has no reason to refuse to resume with this reply.
    pub is_faultless: bool,
}

/// The meaning of the head of a reply, if it is read correctly.
#[derive(Clone, Debug)]
pub struct Claim {
    pub version: usize,
    pub part: Range<u64>,
    pub complete: Option<u64>,
    pub encoding: Option<HeaderValue>,
    pub has_strong_validator: bool,
}

impl Claim {
    pub fn length(&self) -> u64 {
        self.part.end - self.part.start
    }
}

/// A request and its reply.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub at: Duration,
    pub asked: Asked,
    /// How many bytes the caller had by then.
    pub delivered: u64,
    /// `None` if the service returned an error.
    pub reply: Option<Reply>,
}

type Plan = Box<dyn FnMut(&Asked) -> Result<Reply, BoxError>>;

/// The server.
pub struct Origin {
    shared: Rc<Shared>,
    is_ready: bool,
}

struct Shared {
    versions: Vec<Version>,
    start: Instant,
    plan: RefCell<Plan>,
    exchanges: RefCell<Vec<Exchange>>,
    delivered: RefCell<Vec<u8>>,
}

impl Origin {
    pub fn new(
        versions: Vec<Version>,
        plan: impl FnMut(&Asked) -> Result<Reply, BoxError> + 'static,
    ) -> Self {
        let shared = Shared {
            versions,
            start: Instant::now(),
            plan: RefCell::new(Box::new(plan)),
            exchanges: RefCell::default(),
            delivered: RefCell::default(),
        };
        Self {
            shared: Rc::new(shared),
            is_ready: false,
        }
    }

    pub fn exchanges(&self) -> Ref<'_, Vec<Exchange>> {
        self.shared.exchanges.borrow()
    }

    /// Returns the last reply.
    pub fn last(&self) -> Ref<'_, Reply> {
        Ref::map(self.exchanges(), |exchanges| {
            let last = exchanges.last().and_then(|last| last.reply.as_ref());
            last.expect("a reply")
        })
    }

    pub fn version(&self, claim: &Claim) -> &Version {
        &self.shared.versions[claim.version]
    }

    /// Returns the bytes that the caller has received.
    pub fn delivered(&self) -> Ref<'_, Vec<u8>> {
        self.shared.delivered.borrow()
    }
}

impl Clone for Origin {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            is_ready: false,
        }
    }
}

impl<B: Body> Service<Request<B>> for Origin {
    type Response = Response<Sent>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Sent>, BoxError>>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        assert!(self.is_ready, "called before it was ready");
        self.is_ready = false;
        assert!(request.body().is_end_stream());
        let asked = Asked::by(request.headers());
        let reply = self.shared.plan.borrow_mut()(&asked);
        self.shared.exchanges.borrow_mut().push(Exchange {
            at: self.shared.start.elapsed(),
            asked,
            delivered: self.shared.delivered.borrow().len() as u64,
            reply: reply.as_ref().ok().cloned(),
        });
        Box::pin(async {
            let reply = reply?;
            if !reply.after.is_zero() {
                sleep(reply.after).await;
            }
            let mut response = Response::new(Sent::new(reply.pieces, reply.known));
            *response.status_mut() = reply.status.try_into().expect("a status");
            *response.headers_mut() = reply.headers;
            Ok(response)
        })
    }
}

/// A body that may report its size, as hyper's bodies do.
pub struct Sent {
    pieces: Pieces,
    known: Option<u64>,
    /// How many bytes were read from it.
    pub given: Arc<AtomicU64>,
}

impl Sent {
    pub fn new(pieces: Vec<Piece>, known: Option<u64>) -> Self {
        Self {
            pieces: Pieces::new(pieces),
            known,
            given: Arc::default(),
        }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.pieces).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            let length = frame.data_ref().map_or(0, Bytes::len) as u64;
            self.given.fetch_add(length, Ordering::Relaxed);
            self.known = self.known.map(|known| known.saturating_sub(length));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.known == Some(0) && self.pieces.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        self.known
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// How a caller reads.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    /// Drops the body after this many frames.
    pub stop: Option<usize>,
    /// A pause after each frame.
    pub pause: Duration,
    /// Drops the future of a frame after this time, and polls the body again.
    pub patience: Option<Duration>,
}

impl Reader {
    /// Returns the next frame. Panics if it does not come within a year.
    async fn next<R>(&self, body: &mut Pin<&mut R>) -> Option<Result<Frame<Bytes>, BoxError>>
    where
        R: Body<Data = Bytes, Error = BoxError>,
    {
        if let Some(patience) = self.patience {
            if let Ok(frame) = timeout(patience, body.frame()).await {
                return frame;
            }
        }
        let longest = Duration::from_secs(365 * 24 * 60 * 60);
        timeout(longest, body.frame()).await.expect("a frame")
    }
}

/// How a download ended.
#[derive(Debug)]
pub enum End {
    Whole,
    Failed(Box<ResumeError>),
    /// The caller has dropped the body.
    Dropped,
}

/// Reads a response that can be resumed, and asserts the invariants of a download. The server must have
/// sent its head just before.
///
/// The caller gets the beginning of the part of one version. This is the version of the first response
/// or, if bytes may be compared, the version of the current one. Nothing is taken from a response that
/// contradicts the first one. If the body ends without an error, it is complete.
pub async fn follow<R>(body: R, origin: &Origin, may_compare: bool, reader: &Reader) -> End
where
    R: Body<Data = Bytes, Error = BoxError>,
{
    let first = origin.last().claim.clone().expect("a part of a version");
    let before = origin.exchanges().len();
    let end = read(body, origin, &first, may_compare, reader).await;
    let exchanges = origin.exchanges();
    for exchange in &exchanges[before..] {
        check_request(exchange, origin, &first, &exchanges[0].asked, may_compare);
    }
    end
}

async fn read<R>(body: R, origin: &Origin, first: &Claim, may_compare: bool, reader: &Reader) -> End
where
    R: Body<Data = Bytes, Error = BoxError>,
{
    let mut body = std::pin::pin!(body);
    let mut frames = 0;
    let end = loop {
        let left = first.length() - origin.delivered().len() as u64;
        assert_eq!(body.size_hint().exact(), Some(left), "a size");
        let is_over = body.is_end_stream();
        assert!(!is_over || left == 0, "the end before the last byte");
        if reader.stop == Some(frames) {
            return End::Dropped;
        }
        frames += 1;
        match reader.next(&mut body).await {
            None => {
                assert_eq!(left, 0, "silently short");
                break End::Whole;
            }
            Some(Err(error)) => {
                let error = error.downcast::<ResumeError>().expect("a `ResumeError`");
                let delivered = origin.delivered().len() as u64;
                assert_eq!(error.delivered(), delivered);
                assert_eq!(error.expected(), first.length());
                assert!(error.source().is_some());
                // After the last byte, the response had more data, or an error that is not a break.
                let is_final = error.reason() == StopReason::Permanent;
                assert!(left > 0 || is_final, "{error:?} after the last byte");
                break End::Failed(error);
            }
            Some(Ok(frame)) => {
                assert!(!is_over, "{frame:?} after the end");
                take(frame, left, origin, first, may_compare);
            }
        }
        if !reader.pause.is_zero() {
            sleep(reader.pause).await;
        }
    };
    assert!(body.is_end_stream(), "no end after the end");
    assert!(body.frame().await.is_none(), "a frame after the end");
    end
}

fn take(frame: Frame<Bytes>, left: u64, origin: &Origin, first: &Claim, may_compare: bool) {
    let data = match frame.into_data() {
        Ok(data) => data,
        Err(trailers) => {
            assert_eq!(left, 0, "trailers before the last byte");
            let trailers = trailers.into_trailers().expect("trailers");
            let is_it = |piece: &Piece| matches!(piece, Piece::Trailers(sent) if *sent == trailers);
            let last = origin.last();
            assert!(last.pieces.iter().any(is_it), "trailers of another attempt");
            return;
        }
    };
    if data.is_empty() {
        return;
    }
    let reply = origin.last();
    let claim = reply.claim.as_ref().expect("data that no download has");
    let at = first.part.start + origin.delivered().len() as u64;
    let mut delivered = origin.shared.delivered.borrow_mut();
    delivered.extend_from_slice(&data);
    assert!(
        is_beginning(&delivered, origin.version(claim), first),
        "of version {}, {} bytes are not the bytes from {} on",
        claim.version,
        delivered.len(),
        first.part.start,
    );
    let is_first = claim.version == first.version;
    assert!(is_first || may_compare, "two versions are spliced");
    assert!(claim.part.start <= at, "a gap before {claim:?}");
    assert_eq!(claim.encoding, first.encoding, "another encoding");
    if let (Some(one), Some(other)) = (claim.complete, first.complete) {
        assert_eq!(one, other, "another length");
    }
    let is_within = reply.status == 200 || claim.part.end <= first.part.end;
    assert!(is_within, "{claim:?} is more than was asked for");
}

fn is_beginning(delivered: &[u8], version: &Version, first: &Claim) -> bool {
    let start = first.part.start as usize;
    version.content.get(start..start + delivered.len()) == Some(delivered)
}

/// Asserts that a resumption requests the rest of the version that the caller has or, if bytes may be
/// compared, the whole part again.
fn check_request(
    exchange: &Exchange,
    origin: &Origin,
    first: &Claim,
    callers: &Asked,
    may_compare: bool,
) {
    let asked = &exchange.asked;
    let Some(condition) = &asked.condition else {
        assert!(may_compare, "{asked:?} could not show a change");
        assert_eq!(asked.range, callers.range);
        return;
    };
    let next = first.part.start + exchange.delivered;
    assert_eq!(asked.range, Some((next, Some(first.part.end))));
    let had = &origin.delivered()[..exchange.delivered as usize];
    let is_it = |version: &Version| version.meets(condition) && is_beginning(had, version, first);
    assert!(
        origin.shared.versions.iter().any(is_it),
        "{condition:?} of another"
    );
}

/// Reads a response that the layer passes through unchanged.
pub async fn follow_passing<R>(body: R, sent: &Reply, reader: &Reader)
where
    R: Body<Data = Bytes, Error = BoxError>,
{
    let mut body = std::pin::pin!(body);
    for (frames, piece) in sent.pieces.iter().enumerate() {
        match piece {
            Piece::Wait(_) => continue,
            // It stays pending.
            Piece::Stall => return,
            Piece::Data(_) | Piece::Trailers(_) | Piece::Break(_) | Piece::Fail => {}
        }
        if reader.stop == Some(frames) {
            return;
        }
        assert!(!body.is_end_stream(), "the end before {piece:?}");
        let frame = reader.next(&mut body).await.expect("a frame");
        match (piece, frame) {
            (Piece::Data(sent), Ok(frame)) => assert_eq!(frame.data_ref(), Some(sent)),
            (Piece::Trailers(sent), Ok(frame)) => assert_eq!(frame.trailers_ref(), Some(sent)),
            (Piece::Break(kind), Err(error)) => {
                let error = error.downcast::<std::io::Error>().expect("its own error");
                return assert_eq!(error.kind(), *kind);
            }
            (Piece::Fail, Err(error)) => return assert!(!error.is::<ResumeError>()),
            (piece, frame) => panic!("{frame:?} for {piece:?}"),
        }
    }
    assert!(reader.next(&mut body).await.is_none(), "more than was sent");
}

/// Whether the head of a reply, or its body, reports the length of the body.
pub fn is_of_length(reply: &Reply) -> bool {
    let lengths = reply.headers.get_all(CONTENT_LENGTH).iter();
    let mut lengths = lengths.map(|length| {
        let length = length.to_str().ok()?;
        let is_digits = length.bytes().all(|byte| byte.is_ascii_digit());
        length.parse::<u64>().ok().filter(|_| is_digits)
    });
    let first = lengths.next().flatten();
    reply.known.is_some() || (first.is_some() && lengths.all(|length| length == first))
}
