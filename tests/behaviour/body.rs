//! What each attempt is given of a request's body, byte for byte, and when it is sent no more.

use crate::support::errors::abandoned;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::channel::Channel;
use tokio_test::task::{self, Spawn};
use tower_http_retry::body::Superseded;
use tower_http_retry::event::StopReason;
use tower_http_retry::{Backoff, BoxError, Jitter, ReplayBody};

use crate::support::body::Does::{self, Data, Fail, Panic, Pending, Trailers};
use crate::support::body::{
    Broken, Polled, Source, Whole, at_once, data, next, next_data, next_error, pattern, read, send,
    trailers,
};

const REPLAYED: Option<StopReason> = Some(StopReason::Success);

fn letters() -> Vec<Does> {
    ["a", "bc", "def", "ghij", "klmno"].map(data).to_vec()
}

/// Polls a body on a task of its own, which notices that it is woken.
fn poll_task<B: Body<Error: Into<BoxError>>>(body: &mut Spawn<ReplayBody<B>>) -> Polled {
    body.enter(|cx, body| body.poll_frame(cx))
}

fn is_superseded(polled: Polled) -> bool {
    matches!(polled, Poll::Ready(Some(Err(error))) if error.is::<Superseded>())
}

#[tokio::test(start_paused = true)]
async fn a_streamed_body_is_sent_again_with_its_frames_and_trailers_in_order() {
    let lines = [("x-b", "1"), ("x-a", "2"), ("x-b", "3"), ("x-c", "4")];
    let script = letters().into_iter().chain([Trailers(trailers(lines))]);
    let sent = send(at_once(), Source::streamed(script), |attempt, mut body| {
        for letters in letters() {
            let Data(letters) = letters else { panic!() };
            assert_eq!(next_data(&mut body), letters, "attempt {attempt}");
        }
        let given = next(&mut body).unwrap().unwrap().into_trailers().unwrap();
        assert!(given.iter().eq(trailers(lines).iter()), "{given:?}");
        assert!(next(&mut body).is_none() && body.is_end_stream());
        if attempt < 3 { 503 } else { 200 }
    });
    assert_eq!(sent.await.told(), (200, 3, REPLAYED));
}

#[tokio::test(start_paused = true)]
async fn a_body_over_the_limit_goes_on_unharmed_and_is_not_sent_again() {
    for source in [Source::streamed(letters()), Source::sized(letters())] {
        let sent = send(at_once().max_replay_bytes(14), source, |_, mut body| {
            assert_eq!(read(&mut body).unwrap(), Whole::data("abcdefghijklmno"));
            503
        });
        assert_eq!(sent.await.told(), (503, 1, Some(StopReason::NotReplayable)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_exactly_at_the_limit_is_sent_again() {
    let layer = at_once().max_replay_bytes(15);
    let sent = send(layer, Source::streamed(letters()), |attempt, mut body| {
        assert_eq!(read(&mut body).unwrap(), Whole::data("abcdefghijklmno"));
        if attempt < 2 { 503 } else { 200 }
    });
    assert_eq!(sent.await.told(), (200, 2, REPLAYED));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_answered_before_it_reads_can_still_read_all() {
    let (first, second) = (Cell::new(None), Cell::new(None));
    let sent = send(
        at_once(),
        Source::streamed(letters()),
        |attempt, mut body| {
            if attempt == 1 {
                assert_eq!(next_data(&mut body), "a");
                first.set(Some(body));
                return 503;
            }
            second.set(Some(body));
            200
        },
    );
    assert_eq!(sent.await.told(), (200, 2, REPLAYED));
    // The one before it may go on as long as nothing is lost for it.
    let mut first = first.take().unwrap();
    assert_eq!(next_data(&mut first), "bc");
    assert!(next_error(&mut first).is::<Superseded>());
    let mut second = second.take().unwrap();
    assert_eq!(read(&mut second).unwrap(), Whole::data("abcdefghijklmno"));
}

#[tokio::test(start_paused = true)]
async fn trailers_count_towards_the_limit() {
    // "x-sum" and "abcde" after the 15 letters.
    for (limit, told) in [
        (15, (503, 1, Some(StopReason::NotReplayable))),
        (24, (503, 1, Some(StopReason::NotReplayable))),
        (25, (503, 6, Some(StopReason::Attempts))),
    ] {
        let last = Trailers(trailers([("x-sum", "abcde")]));
        let source = Source::streamed(letters().into_iter().chain([last]));
        let sent = send(at_once().max_replay_bytes(limit), source, |_, mut body| {
            let whole = read(&mut body).unwrap();
            assert_eq!(whole.data, b"abcdefghijklmno");
            assert_eq!(whole.trailers, Some(trailers([("x-sum", "abcde")])));
            503
        });
        assert_eq!(sent.await.told(), told, "limit {limit}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_was_read_counts_towards_the_limit() {
    let layer = at_once().max_replay_bytes(6);
    let sent = send(layer, Source::streamed(letters()), |attempt, mut body| {
        if attempt == 1 {
            (0..3).for_each(|_| drop(next_data(&mut body)));
            return 503;
        }
        assert_eq!(read(&mut body).unwrap(), Whole::data("abcdefghijklmno"));
        503
    });
    assert_eq!(sent.await.told(), (503, 2, Some(StopReason::NotReplayable)));
}

#[tokio::test(start_paused = true)]
async fn an_earlier_attempt_reads_on_during_the_wait_only_as_far_as_the_record_reaches() {
    let kept = Cell::new(None);
    let layer = at_once().backoff(Backoff::fixed(Duration::from_millis(1)).jitter(Jitter::None));
    let source = Source::streamed(letters());
    let plan = |attempt, mut body: ReplayBody<Source>| {
        if attempt == 1 {
            next_data(&mut body);
            kept.set(Some(body));
            return 503;
        }
        assert_eq!(read(&mut body).unwrap(), Whole::data("abcdefghijklmno"));
        200
    };
    let mut sending = task::spawn(send(layer.max_replay_bytes(9), source, plan));
    assert!(sending.poll().is_pending());
    let mut old = kept.take().unwrap();
    // The last of these is more than the limit; it is kept, and the next is not read.
    for letters in ["bc", "def", "ghij"] {
        assert_eq!(next_data(&mut old), letters);
    }
    let error = next_error(&mut old);
    assert!(error.is::<Superseded>());
    assert_eq!(
        error.to_string(),
        "the request body was superseded by a later attempt, or its request was dropped"
    );
    assert_eq!(sending.await.told(), (200, 2, Some(StopReason::Success)));
}

#[tokio::test(start_paused = true)]
async fn an_earlier_attempt_reads_on_after_the_next_was_made_only_as_far_as_the_record_reaches() {
    let mut kept = None;
    let source = Source::streamed(letters());
    let sent = send(
        at_once().max_replay_bytes(3),
        source,
        |attempt, mut body| {
            if attempt == 1 {
                assert_eq!(next_data(&mut body), "a");
                kept = Some(body);
                return 503;
            }
            let old = kept.as_mut().unwrap();
            for letters in ["bc", "def"] {
                assert_eq!(next_data(old), letters);
            }
            assert!(next_error(old).is::<Superseded>());
            assert_eq!(read(&mut body).unwrap(), Whole::data("abcdefghijklmno"));
            200
        },
    );
    assert_eq!(sent.await.told(), (200, 2, Some(StopReason::Success)));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_during_the_wait_is_given_up_with_what_came_last() {
    let kept = Cell::new(None);
    let layer = at_once().backoff(Backoff::fixed(Duration::from_millis(1)).jitter(Jitter::None));
    let source = Source::streamed([data("a"), Fail]);
    let mut sending = task::spawn(send(layer, source, |_, mut body| {
        next_data(&mut body);
        kept.set(Some(body));
        503
    }));
    assert!(sending.poll().is_pending());
    let mut old = kept.take().unwrap();
    assert!(next_error(&mut old).is::<Broken>());
    let sent = sending.await;
    assert_eq!(
        (sent.attempts, sent.stop),
        (1, Some(StopReason::NotReplayable))
    );
    let error = sent.result.unwrap_err();
    let (_, last) = abandoned(&error).unwrap();
    assert_eq!(last.unwrap().status(), 503);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_fails_its_attempt_with_its_own_error_and_nothing_is_sent_again() {
    // A refusal could be sent again, were the body whole.
    for status in [503, 429] {
        let source = Source::streamed([data("a"), Fail]);
        let sent = send(at_once(), source, |_, mut body| {
            assert_eq!(next_data(&mut body), "a");
            assert!(next_error(&mut body).is::<Broken>());
            assert!(!body.is_end_stream(), "a broken body must not seem whole");
            status
        });
        let told = (status, 1, Some(StopReason::NotReplayable));
        assert_eq!(sent.await.told(), told);
    }
}

#[tokio::test(start_paused = true)]
async fn a_later_attempt_is_not_given_half_of_a_source_that_failed_or_panicked() {
    for fault in [Fail, Panic] {
        let mut old = None;
        let source = Source::streamed([data("a"), data("b"), fault]);
        let sent = send(at_once(), source, |attempt, mut body| {
            if attempt == 1 {
                assert_eq!(next_data(&mut body), "a");
                old = Some(body);
                return 503;
            }
            // The fault comes after the second attempt was made, before it is read.
            let old = old.as_mut().unwrap();
            assert_eq!(next_data(old), "b");
            drop(catch_unwind(AssertUnwindSafe(|| next(old))));
            assert!(!body.is_end_stream() && body.size_hint().exact().is_none());
            let reason = "the request body cannot be sent again: reading it failed";
            assert_eq!(next_error(&mut body).to_string(), reason);
            assert!(!body.is_end_stream(), "a broken body must not seem whole");
            503
        });
        let told = (503, 2, Some(StopReason::NotReplayable));
        assert_eq!(sent.await.told(), told);
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panicked_is_not_sent_again() {
    let sent = send(at_once(), Source::streamed([Panic]), |_, mut body| {
        catch_unwind(AssertUnwindSafe(|| next(&mut body))).unwrap_err();
        429
    });
    assert_eq!(sent.await.told(), (429, 1, Some(StopReason::NotReplayable)));
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_the_middle_of_an_upload_loses_nothing() {
    let script = letters().into_iter().flat_map(|does| [Pending, does]);
    let sent = send(at_once(), Source::streamed(script), |attempt, mut body| {
        if attempt == 1 {
            assert_eq!(
                (next_data(&mut body), next_data(&mut body)),
                ("a".into(), "bc".into())
            );
            return 503;
        }
        assert_eq!(read(&mut body).unwrap(), Whole::data("abcdefghijklmno"));
        200
    });
    assert_eq!(sent.await.told(), (200, 2, REPLAYED));
}

#[tokio::test(start_paused = true)]
async fn an_older_attempt_is_told_once_that_a_newer_one_reads() {
    let mut old = Vec::new();
    let sent = send(
        at_once(),
        Source::streamed(letters()),
        |attempt, mut body| {
            if attempt < 3 {
                next_data(&mut body);
                old.push(body);
                return 503;
            }
            assert_eq!(next_data(&mut body), "a");
            for old in &mut old {
                assert!(next_error(old).is::<Superseded>());
                for _ in 0..2 {
                    assert!(!old.is_end_stream(), "it must not seem whole");
                    assert!(next(old).is_none());
                }
            }
            assert_eq!(read(&mut body).unwrap(), Whole::data("bcdefghijklmno"));
            assert!(next(&mut old[0]).is_none());
            200
        },
    );
    assert_eq!(sent.await.told(), (200, 3, REPLAYED));
}

#[tokio::test(start_paused = true)]
async fn an_older_attempt_that_waits_for_the_source_is_woken_when_a_newer_one_reads() {
    let (mut sender, body) = Channel::<Bytes, Broken>::new(2);
    let mut old = None;
    let sent = send(at_once(), body, |attempt, body| {
        let mut body = task::spawn(body);
        if attempt == 1 {
            assert!(poll_task(&mut body).is_pending());
            // It moves to another task, and only that one has to be woken.
            let mut moved = task::spawn(body.into_inner());
            assert!(poll_task(&mut moved).is_pending());
            old = Some(moved);
            return 503;
        }
        let old = old.as_mut().unwrap();
        assert!(!old.is_woken());
        assert!(poll_task(&mut body).is_pending());
        assert!(old.is_woken());
        assert!(is_superseded(poll_task(old)));
        assert!(matches!(poll_task(old), Poll::Ready(None)));
        assert!(!body.is_woken());
        sender.try_send(Frame::data("ab".into())).unwrap();
        assert!(
            body.is_woken(),
            "the older attempt took the newer one's place"
        );
        assert_eq!(next_data(&mut body), "ab");
        200
    });
    assert_eq!(sent.await.told(), (200, 2, REPLAYED));
}

#[tokio::test(start_paused = true)]
async fn an_older_attempt_goes_on_until_a_newer_one_reads_and_what_it_read_is_kept() {
    let mut old = None;
    let sent = send(
        at_once(),
        Source::streamed(letters()),
        |attempt, mut body| {
            if attempt == 1 {
                assert_eq!(next_data(&mut body), "a");
                old = Some(body);
                return 503;
            }
            let old = old.as_mut().unwrap();
            assert_eq!(
                (next_data(old), next_data(old)),
                ("bc".into(), "def".into())
            );
            assert_eq!(read(&mut body).unwrap(), Whole::data("abcdefghijklmno"));
            200
        },
    );
    assert_eq!(sent.await.told(), (200, 2, REPLAYED));
}

/// As `Body` promises: "once the end of the stream is reached, implementations should continue to
/// return `Poll::Ready(None)`", and `is_end_stream` means that they will.
#[tokio::test(start_paused = true)]
async fn an_older_attempt_that_has_all_of_the_body_stays_at_its_end() {
    for source in [Source::streamed(letters()), Source::sized(letters())] {
        let mut old = None;
        let sent = send(at_once(), source, |attempt, mut body| {
            assert_eq!(read(&mut body).unwrap(), Whole::data("abcdefghijklmno"));
            if attempt == 1 {
                old = Some(body);
                return 503;
            }
            let mut old = old.take().unwrap();
            assert!(old.is_end_stream(), "the end is taken back");
            assert!(next(&mut old).is_none(), "an error after the end");
            200
        });
        assert_eq!(sent.await.told(), (200, 2, REPLAYED));
    }
}

#[tokio::test(start_paused = true)]
async fn two_attempts_that_read_at_the_same_time_lose_nothing() {
    let whole = pattern(20_000);
    let frames = whole.chunks(7).map(Bytes::copy_from_slice);
    let script = frames.flat_map(|frame| [Pending, Data(frame)]);
    let mut older = Vec::new();
    let sent = send(at_once(), Source::streamed(script), |attempt, mut body| {
        if attempt < 4 {
            older.push(thread::spawn(move || {
                let mut data = Vec::new();
                while let Some(frame) = next(&mut body) {
                    let Ok(frame) = frame else { break };
                    data.extend(frame.into_data().unwrap());
                }
                data
            }));
            return 503;
        }
        assert_eq!(read(&mut body).unwrap(), Whole::data(&whole));
        200
    });
    assert_eq!(sent.await.told(), (200, 4, REPLAYED));
    for old in older {
        assert!(whole.starts_with(&old.join().unwrap()));
    }
}

#[tokio::test(start_paused = true)]
async fn what_hyper_goes_by_is_the_same_on_each_attempt_and_true_at_each_place() {
    let total = 15;
    for knows_size in [true, false] {
        let script = [
            data("a"),
            data(""),
            Pending,
            data("bcdefgh"),
            data("ijklmno"),
        ];
        let source = match knows_size {
            true => Source::sized(script),
            false => Source::streamed(script),
        };
        // The first attempt reads half, so that the second comes from the record and the source.
        let sent = send(at_once(), source, |attempt, mut body| {
            let mut read = 0;
            assert!(!body.is_end_stream());
            loop {
                let hint = body.size_hint();
                match knows_size {
                    true => assert_eq!(hint.exact(), Some(total - read), "attempt {attempt}"),
                    false => assert_eq!((hint.lower(), hint.upper()), (0, None)),
                }
                match read == total {
                    true => assert!(body.is_end_stream() || !knows_size),
                    false => assert!(!body.is_end_stream(), "attempt {attempt}"),
                }
                if attempt == 1 && read == 8 {
                    return 503;
                }
                let Some(frame) = next(&mut body) else { break };
                read += frame.unwrap().into_data().unwrap().len() as u64;
            }
            assert!(body.is_end_stream() && read == total);
            if attempt < 4 { 503 } else { 200 }
        });
        assert_eq!(sent.await.told(), (200, 4, REPLAYED));
    }
}

#[tokio::test(start_paused = true)]
async fn a_streamed_body_that_turns_out_empty_is_streamed_on_each_attempt() {
    let sent = send(at_once(), Source::streamed([]), |attempt, mut body| {
        // Were it at its end now, the next attempt would have another framing than the first.
        assert!(!body.is_end_stream());
        assert_eq!(body.size_hint().upper(), None);
        assert_eq!(read(&mut body).unwrap(), Whole::default());
        if attempt < 3 { 503 } else { 200 }
    });
    assert_eq!(sent.await.told(), (200, 3, REPLAYED));
}
