//! Bodies that fail before the commit point: what the error says, and what the retry makes of it.

use std::error::Error;
use std::fmt;
use std::future::ready;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, service_fn};
use tower_http_retry::classify::{Class, Classify, Outcome, Verdict};
use tower_http_retry::commit::BrokenAnswer;
use tower_http_retry::event::{EventKind, StopReason, WaitReason};
use tower_http_retry::{BoxError, ByStatus, CommitLayer, RetryAfter, RetryOverride};

use crate::support::body::Broken;
use crate::support::commit::{broken, fails, retry, secs, sent};
use crate::support::content::Part::FailUnknown;
use crate::support::content::{Content, Knows, Origin, data, ok, status, with};
use crate::support::told::{Told, again, again_after_a_time_out, handed_over, success};
use crate::support::upstream::{Body, get, post};

#[tokio::test(start_paused = true)]
async fn a_broken_answer_has_the_head_what_was_delivered_and_the_bodys_own_error() {
    for (layer, script, delivered) in [
        (CommitLayer::first_bytes(), vec![data(""), FailUnknown], 0),
        (CommitLayer::whole(1024), vec![FailUnknown], 0),
        (
            CommitLayer::whole(1024),
            vec![data("half of"), data(""), data(" it"), FailUnknown],
            10,
        ),
        (
            CommitLayer::whole(10),
            vec![data("half of it"), FailUnknown],
            10,
        ),
    ] {
        let mut answer = with(status(206, script), "x-from", "origin");
        answer.extensions_mut().insert(7_u8);
        let error = broken(layer, answer).await;
        assert_eq!(error.response().status(), 206);
        assert_eq!(error.response().header("x-from"), Some("origin"));
        assert!(
            error.response().extensions().is_empty(),
            "they may hold what the next attempt needs"
        );
        assert_eq!(error.delivered(), delivered);
        assert!(error.source().unwrap().is::<Broken>());
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_answer_says_what_failed_and_prints_no_headers() {
    let answer = with(ok([data("half"), FailUnknown]), "set-cookie", "secret");
    let error = broken(CommitLayer::whole(1024), answer).await;
    assert_eq!(
        error.to_string(),
        "the body of the 200 OK response failed after 4 bytes"
    );
    assert_eq!(
        format!("{error:?}"),
        "BrokenAnswer { status: 200, delivered: 4, source: Broken }"
    );
}

#[tokio::test(start_paused = true)]
async fn the_last_broken_answer_is_the_callers_error() {
    let origin = Origin::new([
        fails(ErrorKind::BrokenPipe),
        fails(ErrorKind::ConnectionReset),
    ]);
    let service = retry()
        .max_retries(1)
        .layer(CommitLayer::whole(1024).layer(origin.clone()));
    let error = service.oneshot(get()).await.unwrap_err();
    assert_eq!(origin.seconds(), [0, 1]);
    let error = error.downcast::<BrokenAnswer>().unwrap();
    let source: &io::Error = error.source().unwrap().downcast_ref().unwrap();
    assert_eq!(
        (source.kind(), error.delivered()),
        (ErrorKind::ConnectionReset, 4)
    );
}

#[tokio::test(start_paused = true)]
async fn a_listener_is_told_of_a_broken_answer_as_of_any_error() {
    let told = Told::default();
    let origin = Origin::new([
        fails(ErrorKind::ConnectionRefused),
        fails(ErrorKind::TimedOut),
        ok([]),
    ]);
    let service = told
        .layer()
        .layer(CommitLayer::whole(1024).layer(origin.clone()));
    service.oneshot(get()).await.unwrap();
    let expected = [
        again(Class::Transient),
        again_after_a_time_out(Class::Transient),
        success(),
    ];
    assert_eq!(told.outcomes(), expected);

    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = heard.clone();
    let layer = retry().on_event(move |event| {
        if let EventKind::RetryScheduled { after, reason, .. } = event.kind() {
            let broken: Option<&BrokenAnswer> =
                event.error().and_then(|error| error.downcast_ref());
            let delivered = broken.map(BrokenAnswer::delivered);
            told.lock()
                .unwrap()
                .push((event.status(), delivered, after, reason));
        }
    });
    let answer = with(fails(ErrorKind::ConnectionReset), "retry-after", "7");
    let origin = Origin::new([answer, ok([])]);
    let service = layer.layer(CommitLayer::whole(1024).layer(origin));
    service.oneshot(get()).await.unwrap();
    assert_eq!(
        *heard.lock().unwrap(),
        [(None, Some(4), secs(7), WaitReason::Server)]
    );
}

#[tokio::test(start_paused = true)]
async fn the_retry_after_of_a_broken_answer_bounds_the_wait() {
    let hinted = |name, value| with(fails(ErrorKind::ConnectionReset), name, value);
    assert_eq!(
        sent(retry(), get(), hinted("retry-after", "7")).await,
        [0, 7]
    );
    assert_eq!(
        sent(retry(), get(), hinted("retry-after-ms", "9000")).await,
        [0, 9]
    );
    assert_eq!(sent(retry(), get(), hinted("x-other", "7")).await, [0, 1]);
    let exact = retry().retry_after(RetryAfter::Exact);
    assert_eq!(sent(exact, get(), hinted("retry-after", "7")).await, [0, 7]);
    let ignoring = retry().retry_after(RetryAfter::Ignore);
    assert_eq!(
        sent(ignoring, get(), hinted("retry-after", "7")).await,
        [0, 1]
    );
    // It makes nothing retryable.
    assert_eq!(sent(retry(), post(), hinted("retry-after", "7")).await, [0]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_that_is_too_long_ends_the_request_with_the_broken_answer() {
    let told = Told::default();
    let layer = told.layer().max_retry_after(secs(6));
    let answer = with(fails(ErrorKind::ConnectionReset), "retry-after", "7");
    let origin = Origin::new([answer]);
    let service = layer.layer(CommitLayer::whole(1024).layer(origin.clone()));
    let error = service.oneshot(get()).await.unwrap_err();
    let error = error.downcast::<BrokenAnswer>().unwrap();
    assert_eq!(error.response().header("retry-after"), Some("7"));
    assert_eq!(origin.seconds(), [0]);
    let stop = handed_over(Class::Transient, StopReason::RetryAfterTooLong);
    assert_eq!(told.outcomes(), [stop]);
}

#[tokio::test(start_paused = true)]
async fn an_error_that_is_a_refusal_by_itself_is_none_after_a_head() {
    for kind in [
        ErrorKind::ConnectionRefused,
        ErrorKind::AddrInUse,
        ErrorKind::AddrNotAvailable,
    ] {
        let request = Request::new(());
        let by_itself = io::Error::from(kind);
        let outcome = Outcome::error(&request, &by_itself);
        assert_eq!(ByStatus::new().classify(&outcome), Class::Refused.into());
        let error = broken(CommitLayer::whole(1024), fails(kind)).await;
        let outcome = Outcome::error(&request, &error);
        assert_eq!(ByStatus::new().classify(&outcome), Class::Transient.into());

        assert_eq!(
            sent(retry(), get(), fails(kind)).await,
            [0, 1],
            "not at once"
        );
        assert_eq!(sent(retry(), post(), fails(kind)).await, [0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_post_whose_answer_broke_is_sent_again_if_it_is_declared_repeatable() {
    let reset = || fails(ErrorKind::ConnectionReset);
    assert_eq!(sent(retry(), post(), reset()).await, [0]);
    let mut declared = post();
    declared
        .extensions_mut()
        .insert(RetryOverride::new().repeatable(true));
    assert_eq!(sent(retry(), declared, reset()).await, [0, 1]);
    let mut keyed = post();
    keyed
        .headers_mut()
        .insert("idempotency-key", "1".parse().unwrap());
    assert_eq!(sent(retry(), keyed, reset()).await, [0, 1]);
}

/// Wraps another error, as clients do with what their transport says.
#[derive(Debug)]
struct Wrapped(BoxError);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body failed")
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_answer_is_transient_if_an_error_in_it_is_so_and_permanent_else() {
    let io = |kind| -> BoxError { io::Error::from(kind).into() };
    let transient: Verdict = Class::Transient.into();
    let permanent: Verdict = Class::Permanent.into();
    for (error, expected) in [
        (io(ErrorKind::ConnectionReset), transient),
        (io(ErrorKind::UnexpectedEof), transient),
        (io(ErrorKind::NotConnected), transient),
        (io(ErrorKind::TimedOut), Class::Transient.timed_out()),
        (io(ErrorKind::InvalidData), permanent),
        (Broken.into(), permanent),
        (Wrapped(io(ErrorKind::ConnectionAborted)).into(), transient),
        (Wrapped(io(ErrorKind::ConnectionRefused)).into(), transient),
        (
            Wrapped(io(ErrorKind::TimedOut)).into(),
            Class::Transient.timed_out(),
        ),
        (Wrapped(Broken.into()).into(), permanent),
        (
            Wrapped(Wrapped(io(ErrorKind::BrokenPipe)).into()).into(),
            transient,
        ),
    ] {
        let error = Arc::new(Mutex::new(Some(error)));
        let service = service_fn(move |_: Request<Body>| {
            let error = error.lock().unwrap().take().unwrap();
            let content = Content::new(Knows::Nothing, [FailUnknown]);
            let mut error = Some(error);
            let content = content.map_err(move |_| error.take().unwrap());
            ready(Ok::<_, BoxError>(Response::new(content)))
        });
        let service = CommitLayer::first_bytes().layer(service);
        let error = service.oneshot(get()).await.unwrap_err();
        let request = Request::new(());
        // Whoever wraps it, too.
        let error = Wrapped(error);
        let outcome = Outcome::error(&request, &error);
        assert_eq!(ByStatus::new().classify(&outcome), expected, "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_answer_that_is_permanent_is_handed_over() {
    assert_eq!(sent(retry(), get(), ok([FailUnknown])).await, [0]);
    assert_eq!(
        sent(retry(), get(), ok([data("half"), FailUnknown])).await,
        [0]
    );
    assert_eq!(
        sent(retry(), get(), fails(ErrorKind::InvalidData)).await,
        [0]
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_timed_out_is_waited_for_one_step_longer() {
    assert_eq!(
        sent(retry(), get(), fails(ErrorKind::TimedOut)).await,
        [0, 2]
    );
}
