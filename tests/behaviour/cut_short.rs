//! Bodies of connections that fail in ways of their own.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::channel::Channel;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio::time::sleep;
use tower::{Layer, ServiceExt, service_fn};
use tower_http_retry::classify::{Class, Classify, Outcome};
use tower_http_retry::commit::BrokenAnswer;
use tower_http_retry::{BoxError, ByStatus, CommitLayer};

pub fn class(error: &BoxError) -> Class {
    let request = Request::new(());
    let outcome = Outcome::error(&request, &**error);
    ByStatus::new().classify(&outcome).class()
}

/// A stream that writes so many bytes, and then fails.
struct Deaf {
    stream: DuplexStream,
    room: usize,
}

impl AsyncRead for Deaf {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Deaf {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(room) = self.room.checked_sub(buf.len()) else {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        };
        self.room = room;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Over an HTTP/1 connection that fails while the request's body is sent, in the middle of the answer.
async fn upload(request: Request<Channel<Bytes>>) -> Result<Response<Incoming>, BoxError> {
    let (stream, mut far) = duplex(4_096);
    let near = TokioIo::new(Deaf { stream, room: 200 });
    let (mut sender, connection) = http1::handshake(near).await?;
    tokio::spawn(connection);
    tokio::spawn(async move {
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n0123\r\n";
        far.read_u8().await.unwrap();
        far.write_all(head).await.unwrap();
        sleep(Duration::from_secs(60)).await;
    });
    Ok(sender.send_request(request).await?)
}

#[tokio::test(start_paused = true)]
async fn a_response_whose_request_cannot_be_sent_to_its_end_is_transient() {
    let (mut sender, body) = Channel::new(1);
    tokio::spawn(async move {
        sleep(Duration::from_secs(1)).await;
        let _ = sender.send_data(Bytes::from(vec![0; 1_000])).await;
        sleep(Duration::from_secs(60)).await;
    });
    let request = Request::put("http://files.test/file").body(body).unwrap();
    let client = CommitLayer::whole(100).layer(service_fn(upload));
    let error = client.oneshot(request).await.expect_err("a broken answer");
    let broken = error.downcast_ref::<BrokenAnswer>().expect("a head");
    assert_eq!(broken.delivered(), 4);
    assert_eq!(class(&error), Class::Transient);
}
