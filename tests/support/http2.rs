//! An HTTP/2 server on 127.0.0.1 that treats each stream as planned, and records what it received.

// Each test binary uses only a part of this.
#![allow(dead_code)]

use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use h2::{Reason, RecvStream};
use http::{Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// What the server does with one connection.
#[derive(Clone, Debug)]
pub enum Connection {
    /// Speaks HTTP/2, and treats the streams in this way, one after another.
    Streams(Vec<Turn>),
    /// Reads the head of the first request, writes these bytes, and waits until the client closes the
    /// connection. Closes the connection itself if there is another request.
    Wire(Vec<u8>),
    /// Reads the head of the first request, writes these bytes, and closes the connection.
    WireAndClose(Vec<u8>),
    /// Closes the connection without reading.
    Ignore,
}

/// What the server does with one stream after it has read the request.
#[derive(Clone, Copy, Debug)]
pub enum Turn {
    Answer,
    /// Responds with a content length of 8 and these bytes. Then resets the stream for the reason, or ends it
    /// if there is none.
    Item(&'static str, Option<Reason>),
    Reset(Reason),
    /// Closes the connection.
    Close,
}

pub struct Server {
    address: SocketAddr,
    received: Arc<Received>,
}

/// For each connection, the method and body of each request. For [`Connection::Wire`] and
/// [`Connection::WireAndClose`], only the method.
#[derive(Default)]
struct Received {
    connections: Mutex<Vec<Vec<String>>>,
    heard: Notify,
}

impl Server {
    /// Starts a server that accepts a connection for each entry of the plan. Further connections are refused.
    pub async fn start(plan: impl Into<Vec<Connection>>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Received::default());
        tokio::spawn(serve(listener, plan.into(), received.clone()));
        Self { address, received }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn uri(&self) -> String {
        format!("http://{}/item", self.address)
    }

    /// Returns what each connection received so far, as in `POST item`.
    pub fn received(&self) -> Vec<Vec<String>> {
        self.received.connections.lock().unwrap().clone()
    }

    /// Waits for the next request. Returns immediately if one was received since the last wait.
    pub async fn heard(&self) {
        self.received.heard.notified().await;
    }
}

async fn serve(listener: TcpListener, plan: Vec<Connection>, received: Arc<Received>) {
    for connection in plan {
        let (stream, _) = listener.accept().await.unwrap();
        received.connections.lock().unwrap().push(Vec::new());
        match connection {
            Connection::Streams(turns) => serve_streams(stream, turns, &received).await,
            Connection::Wire(bytes) => {
                let mut wire = Wire::new(stream);
                received.hear(wire.request().await.expect("the client left early"));
                wire.stream.write_all(&bytes).await.unwrap();
                if let Some(request) = wire.request().await {
                    received.hear(request);
                }
            }
            Connection::WireAndClose(bytes) => {
                let mut wire = Wire::new(stream);
                received.hear(wire.request().await.expect("the client left early"));
                wire.stream.write_all(&bytes).await.unwrap();
            }
            Connection::Ignore => {}
        }
    }
}

async fn serve_streams(stream: TcpStream, turns: Vec<Turn>, received: &Received) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    let mut turns = turns.into_iter();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let request = tokio::select! {
            request = read(request) => request,
            // The connection is polled to receive the frames of the request. The client sends one request at
            // a time.
            _ = connection.accept() => panic!("the request was not read to its end"),
        };
        received.hear(request);
        match turns.next() {
            Some(Turn::Answer) => drop(respond.send_response(Response::new(()), true)),
            Some(Turn::Item(item, end)) => {
                let head = Response::builder().header("content-length", 8);
                let head = head.body(()).unwrap();
                let mut stream = respond.send_response(head, false).unwrap();
                stream.send_data(item.into(), end.is_none()).unwrap();
                if let Some(reason) = end {
                    // A reset discards data that has not been written yet.
                    let written =
                        poll_fn(|cx| Poll::Ready(connection.poll_accept(cx).is_pending()));
                    assert!(written.await, "the client sends one request at a time");
                    stream.send_reset(reason);
                }
            }
            Some(Turn::Reset(reason)) => respond.send_reset(reason),
            Some(Turn::Close) | None => return,
        }
    }
}

async fn read(request: Request<RecvStream>) -> String {
    let method = request.method().clone();
    let mut stream = request.into_body();
    let mut body = Vec::new();
    while let Some(data) = stream.data().await {
        body.extend(data.unwrap());
    }
    format!("{method} {}", String::from_utf8(body).unwrap())
}

impl Received {
    fn hear(&self, request: String) {
        let mut connections = self.connections.lock().unwrap();
        connections.last_mut().unwrap().push(request);
        self.heard.notify_one();
    }
}

/// The frames of a connection, as bytes.
struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
    at: usize,
}

impl Wire {
    fn new(stream: TcpStream) -> Self {
        const PREFACE: usize = 24;
        Self {
            stream,
            read: Vec::new(),
            at: PREFACE,
        }
    }

    /// Returns the method of the next HEADERS frame, or `None` if the client closes the connection first.
    async fn request(&mut self) -> Option<String> {
        const FRAME_HEAD: usize = 9;
        loop {
            while let Some(frame) = self.read.get(self.at..self.at + FRAME_HEAD + 1) {
                let length = u32::from_be_bytes([0, frame[0], frame[1], frame[2]]);
                self.at += FRAME_HEAD + length as usize;
                if frame[3] == HEADERS {
                    return Some(method(frame[FRAME_HEAD]).to_owned());
                }
            }
            // The connection may end with or without an error.
            match self.stream.read_buf(&mut self.read).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }
}

/// Returns the method for an indexed header field of HPACK's static table.
fn method(index: u8) -> &'static str {
    match index {
        0x82 => "GET",
        0x83 => "POST",
        _ => panic!("a header block that starts with {index:#x}"),
    }
}

const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const GO_AWAY: u8 = 7;

/// Returns an empty SETTINGS frame, which a server sends first.
pub fn settings() -> Vec<u8> {
    frame(SETTINGS, 0, &[])
}

/// Returns a GOAWAY frame. Streams above the last one were not processed.
pub fn go_away(last_stream: u32, reason: Reason) -> Vec<u8> {
    let payload = [last_stream.to_be_bytes(), u32::from(reason).to_be_bytes()];
    frame(GO_AWAY, 0, &payload.concat())
}

/// Returns a response on the first stream with this header block.
pub fn head(block: &[u8]) -> Vec<u8> {
    frame(HEADERS, 1, block)
}

fn frame(kind: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    const END_STREAM_AND_HEADERS: u8 = 0x5;
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let flags = if kind == HEADERS {
        END_STREAM_AND_HEADERS
    } else {
        0
    };
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()];
    [&head.concat(), payload].concat()
}
