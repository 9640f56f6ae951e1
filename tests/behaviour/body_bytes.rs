//! A request body as bytes, for clients that can send nothing else again.

use bytes::Bytes;
use http_body_util::{Empty, Full};
use tower_http_retry::ReplayBody;
use tower_http_retry::event::StopReason;

use crate::support::body::Does::{Data, Fail, Pending, Trailers};
use crate::support::body::{
    Broken, Does, Source, Whole, at_once, data, next_data, next_error, pattern, poll, read, send,
    trailers,
};

/// What `into_bytes` made of it, on each of two attempts; or what was read of the body then.
async fn twice(source: Source) -> Vec<Result<Bytes, Whole>> {
    let mut came = Vec::new();
    let layer = at_once().max_retries(1);
    send(layer, source, |_, body| {
        came.push(
            body.into_bytes()
                .map_err(|mut body| read(&mut body).unwrap()),
        );
        503
    })
    .await;
    came
}

#[tokio::test(start_paused = true)]
async fn a_body_in_memory_is_given_as_bytes_on_each_attempt() {
    // A copy is kept of the first two, and a clone of the others.
    for length in [1, 1_024, 1_025, 3 << 20] {
        let item = Bytes::from(pattern(length));
        let came = twice(Source::sized([Data(item.clone())])).await;
        assert_eq!(came, [Ok(item.clone()), Ok(item)]);
    }
    let mut came = Vec::new();
    send(
        at_once().max_retries(1),
        Full::<Bytes>::from("an item"),
        |_, body| {
            came.push(body.into_bytes().ok());
            503
        },
    )
    .await;
    assert_eq!(
        came,
        [Some(Bytes::from("an item")), Some(Bytes::from("an item"))]
    );
}

#[tokio::test(start_paused = true)]
async fn an_empty_body_is_no_bytes() {
    for source in [Source::sized([]), Source::sized([data("")])] {
        let came = twice(source).await;
        assert_eq!(came, [Ok(Bytes::new()), Ok(Bytes::new())]);
    }
    let empty = ReplayBody::<Empty<Bytes>>::default();
    assert_eq!(empty.into_bytes().ok(), Some(Bytes::new()));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_not_in_memory_comes_back_whole() {
    let half = || [data("half"), data("rest")];
    let lines = trailers([("x-sum", "7")]);
    let cases = [
        Source::streamed(half()),
        Source::streamed([data("halfrest")]),
        Source::sized(half()),
        Source::sized([Pending, data("half"), data("rest")]),
        Source::sized([data("half"), Pending, data("rest")]),
        Source::sized([data(""), data("half"), data("rest")]),
    ];
    for source in cases {
        let expected = Whole::data("halfrest");
        assert_eq!(twice(source).await, [Err(expected.clone()), Err(expected)]);
    }
    let with_trailers = Source::sized([data("half"), Trailers(lines.clone())]);
    let expected = Whole {
        data: b"half".to_vec(),
        trailers: Some(lines),
    };
    let came = twice(with_trailers).await;
    assert_eq!(came, [Err(expected.clone()), Err(expected)]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_of_a_stream_over_the_limit_that_knows_its_size() {
    for limit in [0, 3, 4, 7] {
        let mut came = Vec::new();
        let layer = at_once().max_retries(1).max_replay_bytes(limit);
        let source = Source::sized([data("half"), data("rest")]);
        let sent = send(layer, source, |_, body| {
            let mut body = body.into_bytes().unwrap_err();
            came.push(read(&mut body).unwrap());
            503
        })
        .await;
        assert_eq!(
            sent.told(),
            (503, 1, Some(StopReason::NotReplayable)),
            "{limit}"
        );
        assert_eq!(came, [Whole::data("halfrest")]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_meanwhile_fails_the_attempt_that_reads_on() {
    let mut is_checked = false;
    let sent = send(at_once(), Source::sized([Fail]).known(4), |_, body| {
        let mut body = body.into_bytes().unwrap_err();
        assert!(next_error(&mut body).is::<Broken>());
        assert!(matches!(poll(&mut body), std::task::Poll::Ready(None)));
        is_checked = true;
        503
    })
    .await;
    assert_eq!(sent.told(), (503, 1, Some(StopReason::NotReplayable)));
    assert!(is_checked);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_was_read_in_part_is_not_given_as_bytes() {
    let mut came = Vec::new();
    send(
        at_once().max_retries(1),
        Full::<Bytes>::from("an item"),
        |attempt, mut body| {
            if attempt == 1 {
                assert_eq!(next_data(&mut body), "an item");
            }
            came.push(
                body.into_bytes()
                    .map_err(|mut body| read(&mut body).unwrap()),
            );
            503
        },
    )
    .await;
    assert_eq!(came, [Err(Whole::default()), Ok(Bytes::from("an item"))]);
}

/// An older attempt that still reads loses nothing of a body in memory.
#[tokio::test(start_paused = true)]
async fn bytes_of_a_later_attempt_leave_an_older_ones_body_alone() {
    let mut older = None;
    let script: [Does; 1] = [data("an item")];
    send(
        at_once().max_retries(1),
        Source::sized(script),
        |attempt, body| {
            match attempt {
                1 => older = Some(body),
                _ => {
                    assert_eq!(body.into_bytes().ok(), Some(Bytes::from("an item")));
                    let mut older = older.take().unwrap();
                    assert_eq!(next_data(&mut older), "an item");
                }
            }
            503
        },
    )
    .await;
}
