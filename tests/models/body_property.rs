//! Whatever a body is made of and wherever its readers stop: the last attempt gets all of it, or
//! the request is not sent again.

use std::collections::HashMap;
use std::task::Poll;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;
use tokio_test::task::{self, Spawn};
use tower_http_retry::body::Superseded;
use tower_http_retry::event::StopReason;
use tower_http_retry::{BoxError, ReplayBody};

use crate::support::body::Does::{self, Data, Fail, Panic, Pending, Trailers};
use crate::support::body::{Sent, Source, at_once, pattern, send, trailers};

#[derive(Clone, Debug)]
struct Case {
    /// How often the source is pending before a frame, and the frame's length.
    frames: Vec<(usize, usize)>,
    trailers: Option<(usize, HeaderMap)>,
    /// How often the source is pending before it tells its end.
    pending_at_end: usize,
    knows_size: bool,
    /// Whether nobody else has a share in a frame's memory.
    is_unique: bool,
    limit: usize,
    attempts: Vec<Reads>,
}

/// How many frames an attempt reads before it is answered, and after that, before the next reads.
#[derive(Clone, Copy, Debug)]
struct Reads {
    until_answer: usize,
    late: usize,
}

fn case() -> impl Strategy<Value = Case> {
    let length = prop_oneof![4 => 0..3_usize, 4 => 0..40_usize, 1 => 1_020..1_030_usize];
    let frames = vec((0..3_usize, length), 0..10);
    let values = prop_oneof![Just(""), Just("1"), Just("12345678")];
    let trailers = values.prop_map(|value| trailers([("x-sum", value), ("x-sum", "2")]));
    let trailers = option::of((0..3_usize, trailers));
    let count = prop_oneof![2 => 0..12_usize, 1 => Just(usize::MAX)];
    let late = prop_oneof![1 => Just(0), 1 => 0..12_usize];
    let reads = (count, late).prop_map(|(until_answer, late)| Reads { until_answer, late });
    let body = (frames, trailers, 0..3_usize, any::<bool>(), any::<bool>());
    let limit = option::weighted(0.6, (any::<Index>(), 0..3_usize));
    let case = (body, limit, vec(reads, 1..=6));
    case.prop_map(
        |((frames, trailers, pending_at_end, knows_size, is_unique), limit, attempts)| {
            let mut case = Case {
                frames,
                trailers,
                pending_at_end,
                knows_size,
                is_unique,
                limit: usize::MAX,
                attempts,
            };
            // At, just below or just above what some number of pieces takes.
            if let Some((pieces, above)) = limit {
                let body = Sending::new(&case);
                let size = body.recorded(pieces.index(body.pieces.len() + 1));
                case.limit = (size + above).saturating_sub(1);
            }
            case
        },
    )
}

impl Case {
    fn script(&self) -> Vec<Does> {
        let mut script = Vec::new();
        let whole = pattern(self.frames.iter().map(|(_, length)| length).sum());
        let mut rest = Bytes::from(whole);
        for (pending, length) in &self.frames {
            script.extend(vec![Pending; *pending]);
            let frame = rest.split_to(*length);
            script.push(Data(match self.is_unique {
                true => frame.to_vec().into(),
                false => frame,
            }));
        }
        if let Some((pending, trailers)) = &self.trailers {
            script.extend(vec![Pending; *pending]);
            script.push(Trailers(trailers.clone()));
        }
        script.extend(vec![Pending; self.pending_at_end]);
        script
    }

    fn source(&self) -> Source {
        match self.knows_size {
            true => Source::sized(self.script()),
            false => Source::streamed(self.script()),
        }
    }
}

/// What should be true of a body: empty frames say nothing, all others are its pieces.
struct Sending {
    pieces: Vec<Does>,
    in_memory: bool,
    limit: usize,
    /// How many pieces the source has given.
    given: usize,
    /// Whether the record is dropped, because it was over the limit.
    is_lost: bool,
    /// The size hint at each place, which all attempts have to share.
    hints: HashMap<usize, (u64, Option<u64>)>,
}

/// One attempt's body, and how many pieces of it have been read.
struct Reader {
    body: Spawn<ReplayBody<Source>>,
    pieces: usize,
    at_end: bool,
    /// Whether it was given its error.
    is_told: bool,
}

#[derive(Debug, PartialEq)]
enum Came {
    Far,
    ToTheEnd,
    /// The record is dropped; what is before this reader is gone.
    ToNothing,
}

impl Sending {
    fn new(case: &Case) -> Self {
        let says_something = |does: &Does| match does {
            Data(data) => !data.is_empty(),
            Trailers(_) => true,
            Pending | Fail | Panic => false,
        };
        let pieces: Vec<_> = case.script().into_iter().filter(says_something).collect();
        let data = pieces.iter().filter(|piece| matches!(piece, Data(_)));
        Self {
            in_memory: case.knows_size && data.count() == 1,
            pieces,
            limit: case.limit,
            given: 0,
            is_lost: false,
            hints: HashMap::new(),
        }
    }

    /// What the first so many pieces take of the limit.
    fn recorded(&self, pieces: usize) -> usize {
        let size = |piece: &Does| match piece {
            Data(data) if !self.in_memory => data.len(),
            Trailers(trailers) => {
                let lines = trailers.iter();
                lines
                    .map(|(name, value)| name.as_str().len() + value.len())
                    .sum()
            }
            Data(_) | Pending | Fail | Panic => 0,
        };
        self.pieces[..pieces].iter().map(size).sum()
    }

    /// Reads so many frames; an older attempt, no further than to the first that is too much.
    fn read(&mut self, reader: &mut Reader, frames: usize, is_older: bool) -> Came {
        for _ in 0..frames {
            self.check(reader);
            let before = self.recorded(self.given);
            match reader.next() {
                Some(Ok(frame)) => self.pass(reader, &frame),
                Some(Err(error)) => {
                    assert!(!error.is::<Superseded>());
                    assert!(reader.pieces < self.given && self.is_lost, "{error}");
                    reader.is_told = true;
                    return Came::ToNothing;
                }
                None => {
                    assert_eq!(reader.pieces, self.pieces.len(), "the end came early");
                    reader.at_end = true;
                    self.check(reader);
                    assert!(reader.body.is_end_stream());
                    return Came::ToTheEnd;
                }
            }
            let after = self.recorded(self.given);
            match after > before && after > self.limit {
                true if is_older => return Came::Far,
                is_over => self.is_lost |= is_over,
            }
        }
        self.check(reader);
        Came::Far
    }

    fn pass(&mut self, reader: &mut Reader, frame: &Frame<Bytes>) {
        if frame.data_ref().is_some_and(Bytes::is_empty) {
            assert_eq!(reader.pieces, self.given, "an empty frame is recorded");
            return;
        }
        match (
            &self.pieces[reader.pieces],
            frame.data_ref(),
            frame.trailers_ref(),
        ) {
            (Data(sent), Some(given), None) => assert_eq!(sent, given),
            (Trailers(sent), None, Some(given)) => assert!(sent.iter().eq(given.iter())),
            (sent, ..) => panic!("{frame:?} for {sent:?}"),
        }
        reader.pieces += 1;
        self.given = self.given.max(reader.pieces);
    }

    /// What hyper goes by is true, and the same on each attempt.
    fn check(&mut self, reader: &Reader) {
        let length = |piece: &Does| match piece {
            Data(data) => data.len() as u64,
            Trailers(_) | Pending | Fail | Panic => 0,
        };
        let left: u64 = self.pieces[reader.pieces..].iter().map(length).sum();
        let hint = reader.body.size_hint();
        assert!(hint.lower() <= left && hint.upper().is_none_or(|upper| left <= upper));
        let hint = (hint.lower(), hint.upper());
        assert_eq!(*self.hints.entry(reader.pieces).or_insert(hint), hint);
        if reader.body.is_end_stream() {
            assert_eq!(reader.pieces, self.pieces.len(), "more comes after the end");
        }
    }
}

impl Reader {
    fn new(body: ReplayBody<Source>) -> Self {
        Self {
            body: task::spawn(body),
            pieces: 0,
            at_end: false,
            is_told: false,
        }
    }

    fn next(&mut self) -> Option<Result<Frame<Bytes>, BoxError>> {
        loop {
            let polled = self.body.enter(|cx, body| body.poll_frame(cx));
            if let Poll::Ready(frame) = polled {
                return frame;
            }
            assert!(self.body.is_woken(), "a wait without a waker");
        }
    }
}

/// Sends the case's body, checks each attempt, and gives what came of it and what should have.
fn run(case: &Case) -> (Sent, (u16, u32, Option<StopReason>)) {
    let mut sending = Sending::new(case);
    let mut readers: Vec<Reader> = Vec::new();
    let mut expected = (0, 0, None);
    let mut ends_at_once = None;
    let layer = at_once().max_replay_bytes(case.limit);
    let plan = |attempt: u32, body: ReplayBody<Source>| {
        assert_eq!(expected.2, None, "sent again");
        let index = attempt as usize - 1;
        let is_last = attempt as usize == case.attempts.len();
        let mut reader = Reader::new(body);
        // Sent with the same framing each time.
        let at_once = reader.body.is_end_stream();
        assert_eq!(*ends_at_once.get_or_insert(at_once), at_once);
        if let Some(older) = readers.last_mut() {
            sending.read(older, case.attempts[index - 1].late, true);
        }
        sending.check(&reader);
        let frames = match is_last {
            true => usize::MAX,
            false => case.attempts[index].until_answer,
        };
        let came = sending.read(&mut reader, frames, false);
        for older in &mut readers {
            let has_end = older.at_end || at_once || older.pieces == sending.pieces.len();
            if frames > 0 && !has_end {
                match older.next() {
                    Some(Err(error)) => assert!(error.is::<Superseded>(), "{error}"),
                    None => assert!(older.is_told, "the end came early"),
                    Some(Ok(frame)) => panic!("{frame:?}"),
                }
                older.is_told = true;
            }
        }
        readers.push(reader);
        let status = if is_last && came == Came::ToTheEnd {
            200
        } else {
            503
        };
        let stop = match status {
            200 => Some(StopReason::Success),
            _ => sending.is_lost.then_some(StopReason::NotReplayable),
        };
        expected = (status, attempt, stop);
        status
    };
    let sent = task::spawn(send(layer, case.source(), plan)).poll();
    let Poll::Ready(sent) = sent else {
        panic!("a retry at once waits for nothing")
    };
    (sent, expected)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 5_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_last_attempt_gets_what_was_sent_or_the_request_is_not_sent_again(case in case()) {
        let (sent, expected) = run(&case);
        prop_assert_eq!(sent.told(), expected);
        // None is an attempt that should have had another one after it.
        prop_assert!(expected.2.is_some());
    }
}
