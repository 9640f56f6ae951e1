//! The ways to fail that are recorded separately.

use std::error::Error;
use std::future::ready;
use std::io::{self, ErrorKind};

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The connection was lost, which is reported as `NotConnected`.
    NotConnected,
    /// The server had sent a GOAWAY.
    GoAway,
    /// hyper failed the attempt in this way.
    Overtaken(Overtaken),
    /// The connection ended while the attempt waited for a stream.
    TaskEnded,
    /// The target of a redirect failed.
    OfTarget,
}

/// An error of hyper for a request without a body, on which the server acts nevertheless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overtaken {
    /// hyper read a GOAWAY at the moment when the request was queued.
    ByGoAway,
    /// hyper's task ended before it noticed that the stream of the request had been opened.
    ByEndedTask,
}

pub fn is_go_away(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|cause| cause.downcast_ref().is_some_and(h2::Error::is_go_away))
}

pub fn is_task_ended(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|cause| cause.to_string() == "dispatch task is gone")
}

/// Whether an established connection failed.
pub fn is_lost(error: &(dyn Error + 'static)) -> bool {
    let is_hyper = |error: &hyper::Error| error.is_incomplete_message() || error.is_closed();
    chain(error).any(|cause| kind(cause).is_some() || cause.downcast_ref().is_some_and(is_hyper))
}

pub fn is_not_connected(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|cause| kind(cause) == Some(ErrorKind::NotConnected))
}

fn kind(error: &(dyn Error + 'static)) -> Option<ErrorKind> {
    error.downcast_ref().map(io::Error::kind)
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// Returns the error of a client after a GOAWAY that does not name the streams that were not processed.
pub async fn go_away() -> h2::Error {
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const GO_AWAY: [u8; 17] = [
        0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0,
    ];
    let (near, mut far) = tokio::io::duplex(1_024);
    let frames = [&SETTINGS[..], &GO_AWAY].concat();
    far.write_all(&frames).await.expect("room for two frames");
    let handshake = h2::client::handshake(near).await;
    let (sender, connection) = handshake.expect("a connection");
    // It has no streams, so it ends without waiting.
    connection.await.expect("a graceful end");
    sender.ready().await.expect_err("a GOAWAY")
}

/// Returns the error of a client whose connection was dropped with a request in flight.
pub async fn task_ended() -> hyper::Error {
    let (near, _far) = tokio::io::duplex(1_024);
    let handshake = http1::handshake(TokioIo::new(near)).await;
    let (mut sender, connection) = handshake.expect("a connection");
    let response = sender.send_request(Request::new(Empty::<Bytes>::new()));
    tokio::select! {
        biased;
        _ = connection => panic!("the connection ended"),
        () = ready(()) => {}
    }
    response.await.expect_err("there is no server")
}
