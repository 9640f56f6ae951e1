//! Whatever a response's body is made of: what comes up is what the body gave, in order, or the answer
//! is a broken one because the body failed before its commit point.

use std::task::Poll;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use http_body_util::Empty;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tokio_test::task::{self, Spawn};
use tower::{Layer, Service};
use tower_http_retry::commit::{BrokenAnswer, CommittedBody};
use tower_http_retry::{BoxError, CommitLayer};

use crate::support::body::{pattern, trailers};
use crate::support::content::{Content, Knows, Origin, Part};

#[derive(Clone, Debug)]
struct Case {
    /// How often the body is pending before a frame, and the frame's length.
    frames: Vec<(usize, usize)>,
    trailers: Option<(usize, HeaderMap)>,
    /// How often the body is pending before its end or its error.
    pending_at_end: usize,
    fails: bool,
    knows: Knows,
    /// By how much the `Content-Length` is more than the body.
    length: Option<i64>,
    /// None for the first bytes.
    limit: Option<usize>,
}

fn case() -> impl Strategy<Value = Case> {
    let length = prop_oneof![3 => Just(0), 4 => 1..4_usize, 2 => 4..40_usize];
    let frames = vec((0..3_usize, length), 0..8);
    let last = option::of((0..3_usize, Just(trailers([("x-sum", "7")]))));
    let knows = prop_oneof![Just(Knows::Nothing), Just(Knows::AtLeast), Just(Knows::All)];
    let announced = option::of(prop_oneof![3 => Just(0), 2 => 1..5_i64, 1 => -5..0_i64]);
    let limit = option::weighted(0.7, (0..4_usize, any::<bool>(), 0..60_usize));
    let body = (frames, last, 0..3_usize, any::<bool>(), knows);
    (body, announced, limit).prop_map(
        |((frames, trailers, pending_at_end, fails, knows), length, limit)| {
            let size: usize = frames.iter().map(|(_, length)| length).sum();
            // At, just below or just above what the body takes; or anywhere.
            let limit = limit.map(|(above, is_near, anywhere)| match is_near {
                true => (size + above).saturating_sub(2),
                false => anywhere,
            });
            Case {
                frames,
                trailers,
                pending_at_end,
                fails,
                knows,
                length,
                limit,
            }
        },
    )
}

/// What the caller gets.
#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Data(Vec<u8>),
    Trailers(HeaderMap),
    Error,
}

#[derive(Debug, PartialEq)]
enum Outcome {
    Broken { delivered: u64 },
    Response(Vec<Piece>),
}

impl Case {
    fn script(&self) -> Vec<Part> {
        let mut script = Vec::new();
        let mut rest = Bytes::from(pattern(self.size()));
        for (pending, length) in &self.frames {
            script.extend(vec![Part::Pending; *pending]);
            script.push(Part::Data(rest.split_to(*length)));
        }
        if let Some((pending, trailers)) = &self.trailers {
            script.extend(vec![Part::Pending; *pending]);
            script.push(Part::Trailers(trailers.clone()));
        }
        script.extend(vec![Part::Pending; self.pending_at_end]);
        if self.fails {
            script.push(Part::FailUnknown);
        }
        script
    }

    fn size(&self) -> usize {
        self.frames.iter().map(|(_, length)| length).sum()
    }

    fn content_length(&self) -> Option<u64> {
        let length = self.length? + i64::try_from(self.size()).unwrap();
        Some(u64::try_from(length).unwrap_or(0))
    }

    fn answer(&self) -> Response<Content> {
        let response = Response::builder();
        let response = match self.content_length() {
            Some(length) => response.header("content-length", length),
            None => response,
        };
        response
            .body(Content::new(self.knows, self.script()))
            .unwrap()
    }

    /// Every frame, and the error.
    fn pieces(&self) -> Vec<Piece> {
        let piece = |part: Part| match part {
            Part::Data(data) => Some(Piece::Data(data.to_vec())),
            Part::Trailers(trailers) => Some(Piece::Trailers(trailers)),
            Part::FailUnknown => Some(Piece::Error),
            _ => None,
        };
        self.script().into_iter().filter_map(piece).collect()
    }

    /// By the rules.
    fn expected(&self) -> Outcome {
        let pieces = self.pieces();
        let announced = self.content_length().unwrap_or(0);
        let known = match self.knows {
            Knows::Nothing => 0,
            Knows::AtLeast | Knows::All => self.size() as u64,
        };
        if self
            .limit
            .is_some_and(|limit| announced.max(known) > limit as u64)
        {
            return Outcome::Response(pieces);
        }
        let mut read = Vec::new();
        for (index, piece) in pieces.iter().enumerate() {
            let rest = &pieces[index + 1..];
            match (piece, self.limit) {
                (Piece::Error, _) => {
                    return Outcome::Broken {
                        delivered: read.len() as u64,
                    };
                }
                (Piece::Trailers(_), None) => return Outcome::Response(pieces[index..].to_vec()),
                // The trailers of a body that is read whole are followed by its end, or by its error.
                (Piece::Trailers(_), Some(_)) => {}
                (Piece::Data(data), limit) => {
                    read.extend(data);
                    if limit.is_some_and(|limit| read.len() > limit)
                        || (limit.is_none() && !read.is_empty())
                    {
                        return Outcome::Response([&[Piece::Data(read)], rest].concat());
                    }
                }
            }
        }
        if announced > read.len() as u64 {
            return Outcome::Broken {
                delivered: read.len() as u64,
            };
        }
        let data = (!read.is_empty()).then_some(Piece::Data(read));
        let last = pieces
            .into_iter()
            .filter(|piece| matches!(piece, Piece::Trailers(_)));
        Outcome::Response(data.into_iter().chain(last).collect())
    }
}

/// Sends a request, and polls until its answer is there.
fn answer(case: &Case) -> Result<Response<CommittedBody<Content>>, BoxError> {
    let layer = match case.limit {
        Some(limit) => CommitLayer::whole(limit),
        None => CommitLayer::first_bytes(),
    };
    let mut service = layer.layer(Origin::new([case.answer()]));
    let mut call = task::spawn(service.call(Request::new(Empty::<Bytes>::new())));
    loop {
        if let Poll::Ready(outcome) = call.poll() {
            return outcome;
        }
        assert!(call.is_woken(), "a wait without a waker");
    }
}

/// Reads to the end, or to the error.
fn read(case: &Case, body: CommittedBody<Content>) -> Vec<Piece> {
    let mut body = task::spawn(body);
    let mut hints = Vec::new();
    let mut pieces = Vec::new();
    loop {
        let hint = body.size_hint();
        hints.push((
            hint.lower(),
            hint.upper(),
            body.is_end_stream(),
            pieces.len(),
        ));
        match next(&mut body) {
            None => break,
            Some(Err(_)) => {
                pieces.push(Piece::Error);
                break;
            }
            Some(Ok(frame)) => pieces.push(match frame.into_data() {
                Ok(data) => Piece::Data(data.to_vec()),
                Err(frame) => Piece::Trailers(frame.into_trailers().unwrap()),
            }),
        }
    }
    for (lower, upper, is_end, given) in hints {
        let length = |piece: &Piece| match piece {
            Piece::Data(data) => data.len() as u64,
            Piece::Trailers(_) | Piece::Error => 0,
        };
        let left: u64 = pieces[given..].iter().map(length).sum();
        assert!(
            lower <= left && upper.is_none_or(|upper| left <= upper),
            "{lower} {upper:?} of {left}"
        );
        if case.knows == Knows::All {
            assert_eq!((lower, upper), (left, Some(left)));
        }
        assert!(!is_end || given == pieces.len(), "more comes after the end");
    }
    if pieces.last() != Some(&Piece::Error) {
        assert!(body.is_end_stream());
        assert!(next(&mut body).is_none(), "a frame after the end");
    }
    pieces
}

fn next(body: &mut Spawn<CommittedBody<Content>>) -> Option<Result<Frame<Bytes>, BoxError>> {
    loop {
        let polled = body.enter(|cx, body| body.poll_frame(cx));
        if let Poll::Ready(frame) = polled {
            return frame;
        }
        assert!(body.is_woken(), "a wait without a waker");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 5_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_caller_gets_what_the_body_gave_or_an_error_because_it_failed_before_its_commit_point(case in case()) {
        let outcome = match answer(&case) {
            Ok(response) => Outcome::Response(read(&case, response.into_body())),
            Err(error) => {
                let error = error.downcast::<BrokenAnswer>().unwrap();
                Outcome::Broken { delivered: error.delivered() }
            }
        };
        prop_assert_eq!(outcome, case.expected());
    }
}
