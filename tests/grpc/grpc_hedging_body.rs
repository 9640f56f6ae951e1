//! What is read of a call's body for hedges that are due before its connection has begun to read it.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io::{Error, ErrorKind};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, StreamBody};
use serde_json::json;
use tokio::time::sleep;
use tonic::codegen::tokio_stream::{self, Stream, StreamExt};
use tower::{Layer, ServiceExt, service_fn};
use tower_http_retry::BoxError;
use tower_http_retry::hedge::HedgeBody;

use crate::support::hedged::layer;

/// How many bytes each attempt reads, from 10 ms after it was sent on; or the error that it gets.
async fn read<B>(body: B) -> Vec<Result<usize, String>>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let policy = json!({ "maxAttempts": 2, "nonFatalStatusCodes": ["UNAVAILABLE"] });
    let read = RefCell::new(Vec::new());
    let service = service_fn(|request: Request<HedgeBody<B>>| {
        let read = &read;
        async move {
            sleep(Duration::from_millis(10)).await;
            let body = request.into_body().collect().await;
            let length = body.map(|body| body.to_bytes().len());
            read.borrow_mut()
                .push(length.map_err(|error| error.to_string()));
            let unavailable = Response::builder().header("grpc-status", "14");
            Ok::<_, BoxError>(unavailable.body(Empty::<Bytes>::new()).unwrap())
        }
    });
    let request = Request::post("http://upstream.test/a.B/C").body(body);
    let call = layer(&policy).layer(service).oneshot(request.unwrap());
    call.await.unwrap();
    read.take()
}

fn frames(sizes: Vec<usize>) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> + Unpin {
    let frame = |size| Ok(Frame::data(Bytes::from(vec![7; size])));
    tokio_stream::iter(sizes.into_iter().map(frame))
}

#[tokio::test(start_paused = true)]
async fn a_body_without_a_length_is_hedged_if_it_gives_all_at_once() {
    assert_eq!(read(StreamBody::new(frames(vec![5]))).await, vec![Ok(5); 2]);
    assert_eq!(
        read(StreamBody::new(frames(vec![5; 20]))).await,
        vec![Ok(100); 2]
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_too_large_is_sent_once_and_whole() {
    const KIB: usize = 1024;
    // Beyond what is kept in one frame, in several, and in more frames than are read ahead.
    for sizes in [vec![1_025 * KIB], vec![512 * KIB; 4], vec![KIB; 100]] {
        let length = sizes.iter().sum();
        assert_eq!(read(StreamBody::new(frames(sizes))).await, [Ok(length)]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_fails_while_it_is_read_ahead_fails_with_its_own_error() {
    for before in [0, 3] {
        let failing = frames(vec![5; before]).map(|frame| frame.map_err(Error::other));
        let error = || Error::new(ErrorKind::InvalidData, "not UTF-8");
        let failing = failing.chain(tokio_stream::iter([Err(error())]));
        assert_eq!(
            read(StreamBody::new(failing)).await,
            [Err("not UTF-8".to_owned())]
        );
    }
}
