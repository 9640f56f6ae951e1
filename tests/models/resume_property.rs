//! A server that is honest and has no luck: its versions change, caches have old ones, ranges are
//! ignored, connections break anywhere. No download gets a wrong byte or is silently short, and one that
//! can be whole is.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_MATCH, LAST_MODIFIED};
use http::{HeaderMap, Request};
use http_body_util::Empty;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_http_retry::{BoxError, CommitLayer, ResumeLayer, RetryLayer};

use crate::support::body::pattern;
use crate::support::download::{Piece, trailers};
use crate::support::origin::{
    Asked, Claim, End, Origin, Reader, Reply, Version, follow, follow_passing,
};

const IDLE: Duration = Duration::from_secs(30);

/// What becomes of one request.
#[derive(Clone, Debug)]
struct Luck {
    /// The resource has changed.
    changes: bool,
    /// A cache answers with a version that it has. It knows neither `If-Match` nor `If-Unmodified-Since`
    /// (RFC 9111, section 4.3.2). That it is another version is seen only if it says which one.
    cache: Option<usize>,
    ignores_range: bool,
    /// The part starts so much earlier, and ends so much earlier.
    before: u64,
    shorter: u64,
    says_complete: bool,
    /// A 206 that meets the condition need not say which version it is.
    says_version: bool,
    /// Seconds since the version was made.
    age: u64,
    after: u64,
    frames: Vec<usize>,
    has_trailers: bool,
    /// Nothing befalls it otherwise.
    trouble: Option<Trouble>,
}

#[derive(Clone, Copy, Debug)]
enum Trouble {
    /// The body breaks after so many bytes.
    Breaks(usize, Break),
    /// There is no answer.
    Fails(ErrorKind),
    /// Another one.
    Status(u16),
}

#[derive(Clone, Copy, Debug)]
enum Break {
    Error(ErrorKind),
    End,
    Stall,
}

#[derive(Clone, Debug)]
struct Case {
    versions: Vec<Version>,
    range: Option<(u64, Option<u64>)>,
    max_resumes: u32,
    skip_limit: u64,
    verify_prefix: Option<u64>,
    stack: Stack,
    luck: Vec<Luck>,
    reader: Reader,
}

/// What is under the layer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stack {
    Server,
    Retry,
    FirstBytes,
    Whole(usize),
}

/// Versions that differ from one place on, in one byte, or in their length; some in nothing but the
/// encoding, under one ETag, as servers that compress have it.
fn versions() -> impl Strategy<Value = Vec<Version>> {
    let change = prop_oneof![
        (0..40_usize).prop_map(|at| (at, at + 1, 0)),
        (0..40_usize).prop_map(|at| (at, usize::MAX, 0)),
        (-3..=3_isize).prop_map(|longer| (0, 0, longer)),
    ];
    let etag = prop_oneof![4 => Just("\"v_\""), 1 => Just("W/\"v_\""), 1 => Just("W/\"v\""), 2 => Just("")];
    let second = option::weighted(0.7, 0..3_u64);
    let encoding = prop_oneof![6 => Just(None), 1 => Just(Some("gzip"))];
    let others = vec((change, etag, second, encoding), 2..=4);
    (1..40_usize, others).prop_map(|(length, others)| {
        let mut versions: Vec<Version> = Vec::new();
        for (number, (change, etag, modified, encoding)) in others.into_iter().enumerate() {
            let (start, end, longer) = if number == 0 { (0, 0, 0) } else { change };
            let mut content = pattern(length.saturating_add_signed(longer));
            let end = end.min(content.len());
            for byte in &mut content[start.min(end)..end] {
                *byte ^= 1 << number;
            }
            let etag = etag.replace('_', &number.to_string());
            versions.push(Version {
                content: content.into(),
                etag: (!etag.is_empty()).then(|| etag.parse().unwrap()),
                modified,
                is_overtaken: false,
                encoding,
            });
        }
        for number in 0..versions.len() {
            let modified = versions[number].modified;
            let mut later = versions[number + 1..].iter();
            versions[number].is_overtaken = later.any(|later| later.modified == modified);
        }
        versions
    })
}

fn luck() -> impl Strategy<Value = Luck> {
    let few = || prop_oneof![3 => Just(0), 1 => 0..6_u64];
    let head = (
        prop::bool::weighted(0.3),
        option::weighted(0.3, 0..4_usize),
        prop::bool::weighted(0.2),
        few(),
        few(),
        prop::bool::weighted(0.8),
        prop::bool::weighted(0.8),
        prop_oneof![3 => 1..100_u64, 1 => Just(0)],
    );
    let body = (
        prop_oneof![4 => Just(0), 1 => 0..3_000_u64],
        vec(0..20_usize, 0..4),
        any::<bool>(),
        option::weighted(0.8, trouble()),
    );
    (head, body).prop_map(|(head, (after, frames, has_trailers, trouble))| {
        let (changes, cache, ignores_range, before, shorter, says_complete, says_version, age) =
            head;
        Luck {
            changes,
            cache,
            ignores_range,
            before,
            shorter,
            says_complete,
            says_version,
            age,
            after,
            frames,
            has_trailers,
            trouble,
        }
    })
}

fn trouble() -> impl Strategy<Value = Trouble> {
    use ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, TimedOut};
    let breaks = prop_oneof![
        prop::sample::select(vec![ConnectionReset, BrokenPipe, TimedOut]).prop_map(Break::Error),
        Just(Break::End),
        Just(Break::Stall),
    ];
    prop_oneof![
        6 => (0..40_usize, breaks).prop_map(|(at, how)| Trouble::Breaks(at, how)),
        1 => prop::sample::select(vec![ConnectionReset, ConnectionRefused]).prop_map(Trouble::Fails),
        1 => prop::sample::select(vec![503, 500, 429]).prop_map(Trouble::Status),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let range = option::weighted(0.3, (0..10_u64, option::of(0..30_u64)));
    let range = range
        .prop_map(|range| range.map(|(first, more)| (first, more.map(|more| first + more + 1))));
    let limits = (
        0..8_u32,
        prop_oneof![3 => Just(1024), 1 => 0..20_u64],
        option::weighted(0.4, prop_oneof![3 => Just(1024), 1 => 0..20_u64]),
    );
    let stack = prop_oneof![
        3 => Just(Stack::Server),
        1 => Just(Stack::Retry),
        1 => Just(Stack::FirstBytes),
        1 => (0..40_usize).prop_map(Stack::Whole),
    ];
    let reader = (
        option::weighted(0.1, 0..5_usize),
        prop_oneof![4 => Just(0), 1 => 0..700_u64],
        option::weighted(0.2, 1..5_000_u64),
    );
    let reader = reader.prop_map(|(stop, pause, patience)| Reader {
        stop,
        pause: Duration::from_millis(pause),
        patience: patience.map(Duration::from_millis),
    });
    (versions(), range, limits, stack, vec(luck(), 0..8), reader).prop_map(
        |(versions, range, (max_resumes, skip_limit, verify_prefix), stack, luck, reader)| Case {
            versions,
            range,
            max_resumes,
            skip_limit,
            verify_prefix,
            stack,
            luck,
            reader,
        },
    )
}

/// One version with a strong validator; parts that may begin earlier, and end earlier; and no more
/// trouble than there may be.
fn case_that_can_be_whole() -> impl Strategy<Value = Case> {
    case().prop_map(|mut case| {
        case.versions.truncate(1);
        let version = &mut case.versions[0];
        version.is_overtaken = false;
        if !version.has_strong_etag() {
            version.modified.get_or_insert(1);
        }
        case.range = case.range.filter(|(first, _)| *first < version.length());
        case.skip_limit = 1024;
        case.max_resumes = case.max_resumes.max(1);
        case.reader.stop = None;
        // The retry's five are enough for all of it, if need be.
        case.luck.truncate(case.max_resumes.min(5) as usize);
        for luck in &mut case.luck {
            luck.age = luck.age.max(1);
            luck.says_version = true;
            luck.says_complete |= luck.ignores_range || case.range.is_none();
            let is_failure = matches!(luck.trouble, Some(Trouble::Fails(_) | Trouble::Status(_)));
            if is_failure && case.stack == Stack::Server {
                luck.trouble = None;
            }
        }
        case
    })
}

impl Case {
    fn run(&self) -> Option<End> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        runtime.unwrap().block_on(self.download())
    }

    /// None if the response passed, or there was none.
    async fn download(&self) -> Option<End> {
        let (case, mut luck) = (self.clone(), self.luck.clone().into_iter());
        let current = Cell::new(0);
        let origin = Origin::new(self.versions.clone(), move |asked| {
            let luck = luck.next().unwrap_or(Luck::NONE);
            if luck.changes {
                current.set((current.get() + 1).min(case.versions.len() - 1));
            }
            case.answer(asked, current.get(), &luck)
        });
        let retry = RetryLayer::new().without_budget();
        let commit = |layer: CommitLayer| layer.timeout(Duration::from_secs(20));
        let under = ServiceBuilder::new();
        match self.stack {
            Stack::Server => self.through(origin.clone(), &origin).await,
            Stack::Retry => {
                self.through(under.layer(retry).service(origin.clone()), &origin)
                    .await
            }
            Stack::FirstBytes => {
                let under = under.layer(retry).layer(commit(CommitLayer::first_bytes()));
                self.through(under.service(origin.clone()), &origin).await
            }
            Stack::Whole(limit) => {
                let under = under.layer(retry).layer(commit(CommitLayer::whole(limit)));
                self.through(under.service(origin.clone()), &origin).await
            }
        }
    }

    async fn through<S, R>(&self, under: S, origin: &Origin) -> Option<End>
    where
        S: Service<Request<Empty<Bytes>>, Response = http::Response<R>, Error = BoxError> + Clone,
        R: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
    {
        let layer = ResumeLayer::new()
            .max_resumes(self.max_resumes)
            .skip_limit(self.skip_limit)
            .idle_timeout(IDLE);
        let layer = match self.verify_prefix {
            Some(bytes) => layer.verify_prefix(bytes),
            None => layer,
        };
        let mut request = Request::new(Empty::new());
        if let Some((first, end)) = self.range {
            let last = end.map_or(String::new(), |end| (end - 1).to_string());
            let range = format!("bytes={first}-{last}").parse().unwrap();
            request.headers_mut().insert("range", range);
        }
        let response = layer.layer(under).oneshot(request).await.ok()?;
        let first = origin.last().clone();
        let may_compare = self.verify_prefix.is_some();
        let can_be_resumed =
            |claim: &Claim| claim.length() > 0 && (claim.has_strong_validator || may_compare);
        if first.claim.as_ref().is_some_and(can_be_resumed) {
            return Some(follow(response.into_body(), origin, may_compare, &self.reader).await);
        }
        if self.stack == Stack::Server {
            follow_passing(response.into_body(), &first, &self.reader).await;
        }
        None
    }

    fn answer(&self, asked: &Asked, current: usize, luck: &Luck) -> Result<Reply, BoxError> {
        let says_which = |cached: &usize| {
            let version = &self.versions[*cached];
            match &asked.condition {
                Some((name, _)) if *name == IF_MATCH => version.etag.is_some(),
                Some(_) => version.modified.is_some(),
                None => true,
            }
        };
        let cached = luck
            .cache
            .map(|cached| cached.min(current))
            .filter(says_which);
        let number = cached.unwrap_or(current);
        let version = &self.versions[number];
        let mut headers = HeaderMap::new();
        version.describe(luck.age, &mut headers);
        let holds = |condition| version.meets(condition);
        let is_met = asked.condition.as_ref().is_none_or(holds);
        let whole = version.length();
        let status = match luck.trouble {
            Some(Trouble::Fails(kind)) => return Err(io::Error::from(kind).into()),
            Some(Trouble::Status(status)) => status,
            _ if !is_met && cached.is_none() => 412,
            _ if asked.range.is_none() || luck.ignores_range => 200,
            _ if asked.part(whole).is_none() => 416,
            _ => 206,
        };
        let mut part = 0..whole;
        match status {
            200 if luck.says_complete => {
                headers.insert(CONTENT_LENGTH, whole.into());
            }
            206 => {
                part = asked.part(whole).expect("it is there");
                // At least a byte.
                part.start = part.start.saturating_sub(luck.before);
                part.end = part.end.saturating_sub(luck.shorter).max(part.start + 1);
                let complete = match luck.says_complete {
                    true => whole.to_string(),
                    false => "*".to_owned(),
                };
                let range = format!("bytes {}-{}/{complete}", part.start, part.end - 1);
                headers.insert(CONTENT_RANGE, range.parse().unwrap());
                headers.insert(CONTENT_LENGTH, (part.end - part.start).into());
                if !luck.says_version && asked.condition.is_some() {
                    headers.remove(ETAG);
                    headers.remove(LAST_MODIFIED);
                }
            }
            416 => {
                headers.insert(CONTENT_RANGE, format!("bytes */{whole}").parse().unwrap());
                part = 0..0;
            }
            _ => part = 0..0,
        }
        let is_part = status == 206 || (status == 200 && luck.says_complete);
        let claim = Claim {
            version: number,
            part: part.clone(),
            complete: luck.says_complete.then_some(whole),
            encoding: version.encoding.map(|encoding| encoding.parse().unwrap()),
            has_strong_validator: version.is_named(luck.age),
        };
        Ok(Reply {
            after: Duration::from_millis(luck.after),
            status,
            headers,
            pieces: luck.pieces(&version.content[part.start as usize..part.end as usize]),
            known: None,
            claim: is_part.then_some(claim),
            is_faultless: false,
        })
    }
}

impl Luck {
    const NONE: Self = Self {
        changes: false,
        cache: None,
        ignores_range: false,
        before: 0,
        shorter: 0,
        says_complete: true,
        says_version: true,
        age: 1,
        after: 0,
        frames: Vec::new(),
        has_trailers: false,
        trouble: None,
    };

    fn pieces(&self, content: &[u8]) -> Vec<Piece> {
        let (content, end) = match self.trouble {
            Some(Trouble::Breaks(at, how)) => (&content[..at.min(content.len())], Some(how)),
            _ => (content, None),
        };
        let (mut rest, mut pieces) = (content, Vec::new());
        for length in &self.frames {
            let (frame, after) = rest.split_at((*length).min(rest.len()));
            pieces.push(Piece::Data(Bytes::copy_from_slice(frame)));
            rest = after;
        }
        pieces.push(Piece::Data(Bytes::copy_from_slice(rest)));
        if self.has_trailers && end.is_none() {
            pieces.push(trailers("last"));
        }
        pieces.extend(match end {
            Some(Break::Error(kind)) => Some(Piece::Break(kind)),
            Some(Break::Stall) => Some(Piece::Stall),
            Some(Break::End) | None => None,
        });
        pieces
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(5_000) })]

    #[test]
    fn no_download_gets_a_wrong_byte_or_is_silently_short(case in case()) {
        // `follow` looks at each frame.
        case.run();
    }

    #[test]
    fn a_version_that_stays_is_downloaded_whole(case in case_that_can_be_whole()) {
        let end = case.run();
        prop_assert!(matches!(end, Some(End::Whole)), "{end:?}");
    }
}
