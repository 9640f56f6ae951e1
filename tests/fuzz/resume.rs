//! A hostile server, against the laws of a download.
//!
//! It keeps what HTTP promises and a client has to rely on:
//!
//! - A strong validator names one version.
//! - A 206 to a condition that does not hold carries the validator of what it sends, of the kind that was
//!   asked for; with a `Last-Modified`, a `Date`. A cache does that, which knows no `If-Match`.
//! - The bytes are those of the version and of the place that the head claims. Otherwise, no client could
//!   know without having read them before.
//!
//! Nothing else is sure.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::time::Duration;

use arbitrary::Arbitrary;
use bytes::Bytes;
use http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, IF_MATCH,
    LAST_MODIFIED,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body_util::Empty;
use tower::{Layer, ServiceExt};
use tower_http_retry::{Backoff, BoxError, Jitter, ResumeLayer};

use super::call::on_the_clock;
use super::download::{Piece, trailers};
use super::input::{millis, with_input};
use super::origin::{
    Asked, Claim, End, Origin, Reader, Reply, Version, date, follow, follow_passing, is_of_length,
};

#[derive(Debug, Arbitrary)]
struct Input {
    layer: Settings,
    reads: Reads,
    /// The caller's own.
    range: Option<(u8, Option<u8>)>,
    length: u8,
    first: Describes,
    others: [Changes; 3],
    /// After the last of them, the server is as it should be.
    answers: Vec<Answer>,
}

#[derive(Clone, Copy, Debug, Arbitrary)]
struct Settings {
    max_resumes: u8,
    skip_limit: u8,
    idle_seconds: u8,
    verify_prefix: Option<u8>,
    #[arbitrary(with = millis)]
    window: Duration,
}

#[derive(Clone, Copy, Debug, Arbitrary)]
struct Reads {
    stop: Option<u8>,
    pause: u8,
    patience: u8,
}

/// What a version says of itself.
#[derive(Clone, Copy, Debug, Arbitrary)]
struct Describes {
    etag: u8,
    second: u8,
    encoding: u8,
}

/// How a version differs from the first one.
#[derive(Clone, Copy, Debug, Arbitrary)]
struct Changes {
    describes: Describes,
    /// From this byte on, or in it alone.
    at: u8,
    is_one_byte: bool,
    length: i8,
}

#[derive(Clone, Debug, Arbitrary)]
struct Answer {
    version: u8,
    kind: u8,
    start: u8,
    end: u8,
    length: u8,
    range: u8,
    etag: u8,
    modified: u8,
    age: u8,
    encoding: u8,
    media: u8,
    known: u8,
    /// After the last of them, the rest.
    body: Vec<Does>,
}

#[derive(Clone, Copy, Debug, Arbitrary)]
enum Does {
    Data(u8),
    Nothing,
    Wait(u16),
    Trailers(u8),
    Break(u8),
    Fail,
    Stall,
    End,
    /// The rest and so much more.
    More(u8),
}

const SECOND: Duration = Duration::from_secs(1);

pub fn fuzz(data: &[u8]) {
    with_input(data, |input| on_the_clock(run(input)));
}

async fn run(input: &Input) {
    let server = Server {
        versions: input.versions(),
        answers: RefCell::new(input.answers.clone().into_iter()),
        version: RefCell::new(0),
        has_idle_timeout: input.layer.idle_timeout().is_some(),
    };
    let versions = server.versions.clone();
    let origin = Origin::new(versions, move |asked| server.answer(asked));
    let service = input.layer.layer().layer(origin.clone());
    let Ok(response) = service.oneshot(input.request()).await else {
        return assert!(origin.exchanges()[0].reply.is_none());
    };
    let first = origin.last().clone();
    assert_eq!(response.status(), first.status);
    assert_eq!(*response.headers(), first.headers);
    let (reader, body) = (input.reads.reader(), response.into_body());
    let may_compare = input.layer.verify_prefix.is_some();
    if !can_be_resumed(&first, may_compare) {
        follow_passing(body, &first, &reader).await;
        return assert_eq!(origin.exchanges().len(), 1);
    }
    let end = follow(body, &origin, may_compare, &reader).await;
    input.check_requests(&origin);
    if let End::Failed(error) = &end {
        let exchanges = origin.exchanges();
        let last = exchanges.last().and_then(|last| last.reply.as_ref());
        let is_faultless = |reply: &Reply| reply.is_faultless && reply.status == 206;
        let is_due = may_compare || !first.is_faultless || !last.is_some_and(is_faultless);
        assert!(
            is_due || error.unresumable().is_none(),
            "{error:?} of {last:?}"
        );
    }
}

/// The layer's rules, by what the server meant to say.
fn can_be_resumed(reply: &Reply, may_compare: bool) -> bool {
    let Some(claim) = &reply.claim else {
        return false;
    };
    let is_stream = reply
        .headers
        .get(CONTENT_TYPE)
        .is_some_and(|media| media == STREAM);
    let has_room = reply.known.is_none_or(|known| known <= claim.length());
    let is_named = claim.has_strong_validator || may_compare;
    !is_stream && claim.length() > 0 && has_room && is_named && is_of_length(reply)
}

impl Input {
    fn request(&self) -> Request<Empty<Bytes>> {
        let mut request = Request::new(Empty::new());
        if let Some((first, last)) = self.range {
            let range = match last {
                Some(length) => format!("bytes={first}-{}", u32::from(first) + u32::from(length)),
                None => format!("bytes={first}-"),
            };
            let range = range.try_into().expect("a value");
            request.headers_mut().insert("range", range);
        }
        request
    }

    /// How often was asked, and when.
    fn check_requests(&self, origin: &Origin) {
        let exchanges = origin.exchanges();
        let (start, window) = (exchanges[0].at, self.layer.window());
        for (before, exchange) in exchanges.iter().zip(&exchanges[1..]) {
            assert!(exchange.at - start < window, "{exchange:?}");
            assert!(before.delivered <= exchange.delivered);
        }
        // Two bytes with a second between them are progress, after which the count starts again.
        let waits = |piece: &Piece| matches!(piece, Piece::Wait(_));
        let mut replies = exchanges
            .iter()
            .filter_map(|exchange| exchange.reply.as_ref());
        let is_slow = self.reads.pause > 0 || replies.any(|reply| reply.pieces.iter().any(waits));
        let progress = origin.delivered().len() / 2;
        let series = if is_slow { 1 + progress } else { 1 };
        let most = series * self.layer.max_resumes() as usize;
        assert!(exchanges.len() <= 1 + most, "{} requests", exchanges.len());
    }

    fn versions(&self) -> Vec<Version> {
        let length = usize::from(self.length % 64);
        let first: Vec<u8> = (b'0'..).take(length).collect();
        let mut versions = vec![self.first.version(0, first.clone())];
        for (number, changes) in (1..).zip(&self.others) {
            let mut content = first.clone();
            let length = length.saturating_add_signed((changes.length / 8).into());
            content.resize(length, b'~');
            let at = usize::from(changes.at).min(length);
            let end = if changes.is_one_byte { at + 1 } else { length };
            for byte in &mut content[at..end.min(length)] {
                *byte ^= 0x80 >> number;
            }
            versions.push(changes.describes.version(number, content));
        }
        // Of those made in one second, only the last one is there when it is over.
        for number in 0..versions.len() {
            let modified = versions[number].modified;
            let mut later = versions[number + 1..].iter();
            versions[number].is_overtaken = later.any(|later| later.modified == modified);
        }
        versions
    }
}

impl Settings {
    fn layer(&self) -> ResumeLayer {
        let layer = ResumeLayer::new()
            .backoff(Backoff::exponential(SECOND).jitter(Jitter::None))
            .max_resumes(self.max_resumes())
            .window(self.window())
            .skip_limit(match self.skip_limit {
                0 => 1024 * 1024,
                limit => u64::from(limit % 64),
            });
        let layer = match self.verify_prefix {
            Some(bytes) => layer.verify_prefix(match bytes {
                0 => u64::MAX,
                bytes => bytes.into(),
            }),
            None => layer,
        };
        match self.idle_timeout() {
            Some(timeout) => layer.idle_timeout(timeout),
            None => layer,
        }
    }

    fn max_resumes(&self) -> u32 {
        u32::from(self.max_resumes % 8)
    }

    fn window(&self) -> Duration {
        match self.window {
            Duration::ZERO => Duration::MAX,
            window => window,
        }
    }

    fn idle_timeout(&self) -> Option<Duration> {
        (self.idle_seconds > 0).then(|| SECOND * self.idle_seconds.into())
    }
}

impl Reads {
    fn reader(self) -> Reader {
        let patience =
            (self.patience > 0).then(|| Duration::from_millis(100) * self.patience.into());
        Reader {
            stop: self.stop.map(usize::from),
            pause: Duration::from_millis(self.pause.into()),
            patience,
        }
    }
}

impl Describes {
    fn version(self, number: u8, content: Vec<u8>) -> Version {
        let etag = match self.etag {
            0..128 => Some(format!("\"v{number}\"")),
            // Which others have as well.
            128..192 => Some("W/\"v\"".to_owned()),
            192.. => None,
        };
        let encodings = [None, None, Some("gzip"), Some("br")];
        Version {
            content: content.into(),
            etag: etag.map(|etag| etag.try_into().expect("a value")),
            modified: (self.second < 192).then(|| 10 * u64::from(self.second % 3)),
            is_overtaken: false,
            encoding: encodings[usize::from(self.encoding % 4)],
        }
    }
}

struct Server {
    versions: Vec<Version>,
    answers: RefCell<std::vec::IntoIter<Answer>>,
    /// The present one.
    version: RefCell<usize>,
    has_idle_timeout: bool,
}

const STREAM: &str = "text/event-stream";

impl Server {
    fn answer(&self, asked: &Asked) -> Result<Reply, BoxError> {
        let answer = self.answers.borrow_mut().next();
        let answer = answer.unwrap_or(Answer::AS_IT_SHOULD_BE);
        if answer.version >= 128 {
            *self.version.borrow_mut() = usize::from(answer.version) % self.versions.len();
        }
        let version = *self.version.borrow();
        match answer.kind {
            0..192 if asked.range.is_none() => Ok(self.all(version, &answer)),
            192..216 => Ok(self.all(version, &answer)),
            0..192 | 216..224 => Ok(self.part(asked, version, answer)),
            224..248 => {
                let statuses = [204, 304, 404, 412, 416, 503, 201, 226];
                let status = statuses[usize::from(answer.kind % 8)];
                Ok(self.other(status, version, &answer))
            }
            248.. => Err(io::Error::from(kind(answer.kind)).into()),
        }
    }

    fn all(&self, version: usize, answer: &Answer) -> Reply {
        let whole = 0..self.versions[version].length();
        let mut head = Head::new(answer, whole);
        let length = head.length(answer);
        let claim = length.map(|length| (0..length, Some(length)));
        head.is_faultless &= claim.is_some();
        self.reply(200, version, answer, head, claim)
    }

    fn part(&self, asked: &Asked, version: usize, mut answer: Answer) -> Reply {
        let version = self.version_of_part(asked, version, &mut answer);
        let whole = self.versions[version].length();
        let Some(part) = asked.part(whole).and_then(|part| answer.moved(part, whole)) else {
            return self.other(416, version, &answer);
        };
        let mut head = Head::new(&answer, part.clone());
        let goes_on = |asked: Range<u64>| asked.start == part.start && part.end <= asked.end;
        head.is_faultless &= asked.part(whole).is_some_and(goes_on);
        let holds = |condition| self.versions[version].meets(condition);
        head.is_faultless &= asked.condition.as_ref().is_none_or(holds);
        let length = head.length(&answer);
        let range = head.range(&answer, whole);
        let claim = range.filter(|(part, _)| {
            let is_length = length.is_none_or(|length| length == part.end - part.start);
            is_length && answer.media < 240
        });
        self.reply(206, version, &answer, head, claim)
    }

    /// Where the condition does not hold, the 206 says so, or is of the version for which it does.
    fn version_of_part(&self, asked: &Asked, version: usize, answer: &mut Answer) -> usize {
        let Some(condition) = &asked.condition else {
            return version;
        };
        let present = &self.versions[version];
        if present.meets(condition) {
            return version;
        }
        let by_etag = condition.0 == IF_MATCH;
        if by_etag && present.etag.is_some() {
            // As it is, weak, or twice.
            answer.etag %= 192;
        } else if !by_etag && present.modified.is_some() {
            answer.modified %= 128;
            answer.age %= 224;
        } else {
            let mut versions = self.versions.iter();
            let named = versions.position(|version| version.meets(condition));
            return named.expect("a condition that a version meets");
        }
        version
    }

    fn other(&self, status: u16, version: usize, answer: &Answer) -> Reply {
        let mut head = Head::new(answer, 0..0);
        if status == 416 {
            let whole = self.versions[version].length();
            let whole = whole.saturating_add_signed(i64::from(answer.range as i8) / 8);
            head.line(CONTENT_RANGE, format!("bytes */{whole}"));
        }
        head.is_faultless = false;
        self.reply(status, version, answer, head, None)
    }

    fn reply(
        &self,
        status: u16,
        version: usize,
        answer: &Answer,
        mut head: Head,
        claim: Option<(Range<u64>, Option<u64>)>,
    ) -> Reply {
        let (number, version) = (version, &self.versions[version]);
        let has_strong_validator = head.validators(answer, version);
        head.content(answer, version);
        let promised = claim
            .as_ref()
            .map_or(head.part.clone(), |(part, _)| part.clone());
        let pieces = answer.pieces(&version.content, promised.clone(), self.has_idle_timeout);
        let length = promised.end - promised.start;
        let claim = claim.map(|(part, complete)| Claim {
            version: number,
            part,
            complete,
            encoding: head.headers.get(CONTENT_ENCODING).cloned(),
            has_strong_validator,
        });
        let is_more = |piece: &Does| matches!(piece, Does::More(_));
        Reply {
            after: Duration::ZERO,
            status,
            headers: head.headers,
            pieces,
            known: match answer.known {
                0..128 => None,
                128..240 => Some(length),
                240.. => Some(length + u64::from(answer.known - 240)),
            },
            claim,
            is_faultless: head.is_faultless && !answer.body.iter().any(is_more),
        }
    }
}

impl Answer {
    const AS_IT_SHOULD_BE: Self = Self {
        version: 0,
        kind: 0,
        start: 0,
        end: 0,
        length: 0,
        range: 0,
        etag: 0,
        modified: 0,
        age: 0,
        encoding: 0,
        media: 0,
        known: 0,
        body: Vec::new(),
    };

    /// The part that is sent in the place of the one that was asked for; none if it is empty.
    fn moved(&self, part: Range<u64>, whole: u64) -> Option<Range<u64>> {
        let moved = |place: u64, by: u8| match by {
            0..192 => place,
            192..224 => place.saturating_sub(u64::from(by - 191)),
            224.. => place + u64::from(by - 223),
        };
        let part = moved(part.start, self.start)..moved(part.end, self.end).min(whole);
        (part.start < part.end).then_some(part)
    }

    /// The content of the part, as the script has it.
    fn pieces(&self, content: &Bytes, part: Range<u64>, has_idle_timeout: bool) -> Vec<Piece> {
        let length = content.len();
        let place = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(length);
        let (mut at, end) = (place(part.start), place(part.end));
        let mut pieces = Vec::with_capacity(self.body.len() + 1);
        for does in &self.body {
            pieces.push(match *does {
                Does::Data(bytes) => {
                    let start = at;
                    at = end.min(at + usize::from(bytes));
                    Piece::Data(content.slice(start..at))
                }
                Does::Nothing => Piece::Data(Bytes::new()),
                Does::Wait(millis) => Piece::Wait(Duration::from_millis(millis.into())),
                Does::Trailers(value) => trailers(["a", "b", "c"][usize::from(value % 3)]),
                Does::Break(error) => Piece::Break(kind(error)),
                Does::Fail => Piece::Fail,
                Does::Stall if has_idle_timeout => Piece::Stall,
                Does::Stall => Piece::Break(ErrorKind::TimedOut),
                Does::End => return pieces,
                // There is more than the head says, where there is all that it says.
                Does::More(bytes) if end as u64 == part.end => {
                    let mut more = content.slice(at..end).to_vec();
                    more.resize(more.len() + usize::from(bytes), b'!');
                    at = end;
                    Piece::Data(more.into())
                }
                Does::More(_) => return pieces,
            });
        }
        if at < end {
            pieces.push(Piece::Data(content.slice(at..end)));
        }
        pieces
    }
}

fn kind(number: u8) -> ErrorKind {
    use ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, Other, UnexpectedEof};
    let kinds = [
        ConnectionReset,
        UnexpectedEof,
        BrokenPipe,
        ConnectionRefused,
        Other,
    ];
    kinds[usize::from(number) % kinds.len()]
}

/// The lines of a head, and whether they are as they should be.
struct Head {
    part: Range<u64>,
    headers: HeaderMap,
    is_faultless: bool,
}

impl Head {
    fn new(answer: &Answer, part: Range<u64>) -> Self {
        let mut head = Self {
            part,
            headers: HeaderMap::new(),
            is_faultless: true,
        };
        let media = match answer.media {
            0..192 => return head,
            192..224 => HeaderValue::from_static("text/plain"),
            224..240 => HeaderValue::from_static(STREAM),
            240.. => HeaderValue::from_static("multipart/byteranges; boundary=x"),
        };
        head.is_faultless = answer.media < 240;
        head.headers.insert(CONTENT_TYPE, media);
        head
    }

    fn line(&mut self, name: HeaderName, value: impl TryInto<HeaderValue>) {
        let value = value.try_into().ok().expect("a value");
        self.headers.append(name, value);
    }

    /// The length that the head says, if it says one.
    fn length(&mut self, answer: &Answer) -> Option<u64> {
        let length = self.part.end - self.part.start;
        let malformed = [
            "ten",
            "+10",
            "-1",
            "",
            "10, 10",
            "1e1",
            "0x10",
            "99999999999999999999",
        ];
        match answer.length {
            0..160 => self.line(CONTENT_LENGTH, length),
            160..192 => return None,
            192..200 => {
                self.line(CONTENT_LENGTH, length);
                self.line(CONTENT_LENGTH, length);
            }
            200..208 => {
                self.line(CONTENT_LENGTH, length);
                self.line(CONTENT_LENGTH, length + 1);
            }
            208..224 => {
                let malformed = malformed[usize::from(answer.length % 8)];
                self.line(CONTENT_LENGTH, malformed);
            }
            224.. => {
                self.is_faultless = false;
                let length = length.saturating_add_signed(i64::from(answer.length) - 240);
                self.line(CONTENT_LENGTH, length);
                return Some(length);
            }
        }
        self.is_faultless &= answer.length < 200;
        (answer.length < 200).then_some(length)
    }

    /// The part and the complete length that the head says, if it says one part.
    fn range(&mut self, answer: &Answer, whole: u64) -> Option<(Range<u64>, Option<u64>)> {
        let Range { start, end } = self.part.clone();
        let (first, last) = (start, end - 1);
        let line = match answer.range {
            0..160 => {
                self.line(CONTENT_RANGE, format!("bytes {first}-{last}/{whole}"));
                return Some((start..end, Some(whole)));
            }
            160..192 => {
                self.line(CONTENT_RANGE, format!("bytes {first}-{last}/*"));
                return Some((start..end, None));
            }
            192..224 => {
                self.is_faultless = false;
                let whole = whole.saturating_add_signed(i64::from(answer.range) - 208);
                self.line(CONTENT_RANGE, format!("bytes {first}-{last}/{whole}"));
                return (end <= whole).then_some((start..end, Some(whole)));
            }
            224..228 => None,
            228..232 => Some(format!("bytes {first}-{last}/{whole}")),
            232..236 => Some(format!("bytes {}-{last}/{whole}", last + 1)),
            236..238 => Some(format!("{first}-{last}/{whole}")),
            238..240 => Some(format!("bytes={first}-{last}/{whole}")),
            240..242 => Some(format!("items {first}-{last}/{whole}")),
            242..244 => Some(format!("bytes */{whole}")),
            244..246 => Some(format!("bytes {first}-{last}")),
            246..248 => Some(format!(
                "bytes {first}-{last}/{whole}, {first}-{last}/{whole}"
            )),
            248..250 => Some(format!("bytes {first}-{}/{whole}", u64::MAX)),
            250..252 => Some(format!("bytes -{last}/{whole}")),
            252.. => Some(format!("bytes {first}-+{last}/{whole}")),
        };
        self.is_faultless = false;
        if let Some(line) = line {
            let is_doubled = (228..232).contains(&answer.range);
            for _ in 0..=u8::from(is_doubled) {
                self.line(CONTENT_RANGE, line.clone());
            }
        }
        None
    }

    /// Whether there is a strong one.
    fn validators(&mut self, answer: &Answer, version: &Version) -> bool {
        let mut is_strong = false;
        if let Some(etag) = &version.etag {
            match answer.etag {
                0..128 => {
                    self.line(ETAG, etag);
                    is_strong = version.has_strong_etag();
                }
                // As what compresses it leaves of it.
                128..160 if version.has_strong_etag() => {
                    self.line(ETAG, [b"W/", etag.as_bytes()].concat());
                }
                128..160 => self.line(ETAG, etag),
                160..192 => {
                    self.line(ETAG, etag);
                    self.line(ETAG, etag);
                }
                192..224 => {}
                224.. => {
                    let malformed = ["v0", "\"v0", "\"a b\"", "'v0'"];
                    self.line(ETAG, malformed[usize::from(answer.etag % 4)]);
                }
            }
            self.is_faultless &= answer.etag < 128;
        }
        if let Some(modified) = version.modified {
            let value = date(modified);
            let is_dated = match answer.modified {
                0..112 => {
                    self.line(LAST_MODIFIED, value);
                    true
                }
                112..128 => {
                    self.line(LAST_MODIFIED, value.clone());
                    self.line(LAST_MODIFIED, value);
                    false
                }
                128..192 => false,
                192.. => {
                    self.line(LAST_MODIFIED, "yesterday");
                    false
                }
            };
            let age = match answer.age {
                _ if version.is_overtaken => 0,
                0..192 => 1 + u64::from(answer.age),
                192.. => 0,
            };
            if answer.age < 224 {
                self.line(DATE, date(modified + age));
            }
            is_strong |= is_dated && answer.age < 224 && age > 0;
            self.is_faultless &= is_dated && answer.age < 192;
        }
        is_strong
    }

    fn content(&mut self, answer: &Answer, version: &Version) {
        let encoding = match answer.encoding {
            0..224 => version.encoding,
            224..240 => None,
            240.. => Some("gzip"),
        };
        self.is_faultless &= encoding == version.encoding;
        if let Some(encoding) = encoding {
            self.line(CONTENT_ENCODING, encoding);
        }
    }
}
