//! A server on 127.0.0.1 that treats each connection as planned, and records what it received.

// Not all of it is used without feature `hyper-util`.
#![allow(dead_code)]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;

pub const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
pub const UNAVAILABLE: &str =
    "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// What the server does with one connection.
#[derive(Clone, Copy, Debug)]
pub enum Turn {
    /// Reads the request, and writes this.
    Answer(&'static str),
    /// Reads the request, writes this, and waits until the client closes the connection.
    AnswerAndHold(&'static str),
    /// Reads the request, and closes the connection.
    Close,
    /// Reads the request, and resets the connection.
    Reset,
    /// Reads the head of the request and this many bytes of its body, and resets the connection.
    ResetAfter(usize),
    /// Reads the head of the request and this many bytes of its body, and waits until the client closes the
    /// connection.
    HoldAfter(usize),
    /// Closes the connection without reading.
    Ignore,
}

pub struct Server {
    address: SocketAddr,
    received: Arc<Received>,
}

/// The method of each request, and the part of its body that was read.
#[derive(Default)]
struct Received {
    requests: Mutex<Vec<String>>,
    heard: Notify,
}

/// An address at which connections are refused until a server is started.
pub struct Refusing {
    // Bound, so that no other socket gets the port. Not listening, so that the kernel refuses
    // connections.
    socket: Mutex<Option<TcpSocket>>,
    address: SocketAddr,
}

impl Server {
    /// Starts a server that accepts a connection for each turn of the plan. Further connections are refused.
    pub async fn start(plan: impl Into<Vec<Turn>>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        Self::on(listener, plan.into())
    }

    fn on(listener: TcpListener, plan: Vec<Turn>) -> Self {
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Received::default());
        tokio::spawn(serve(listener, plan, received.clone()));
        Self { address, received }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn uri(&self) -> String {
        uri(self.address)
    }

    /// Returns what was received so far, as in `POST item`.
    pub fn received(&self) -> Vec<String> {
        self.received.requests.lock().unwrap().clone()
    }

    /// Waits for the next request. Returns immediately if one was received since the last wait.
    pub async fn heard(&self) {
        self.received.heard.notified().await;
    }
}

impl Refusing {
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = socket.local_addr().unwrap();
        Self {
            socket: Mutex::new(Some(socket)),
            address,
        }
    }

    pub fn uri(&self) -> String {
        uri(self.address)
    }

    /// Starts a server at this address.
    pub fn open(&self, plan: impl Into<Vec<Turn>>) -> Server {
        let socket = self.socket.lock().unwrap().take();
        let listener = socket.expect("opened twice").listen(16).unwrap();
        Server::on(listener, plan.into())
    }
}

fn uri(address: SocketAddr) -> String {
    format!("http://{address}/item")
}

async fn serve(listener: TcpListener, plan: Vec<Turn>, received: Arc<Received>) {
    for turn in plan {
        let (stream, _) = listener.accept().await.unwrap();
        take(turn, stream, &received).await;
    }
}

async fn take(turn: Turn, mut stream: TcpStream, received: &Received) {
    match turn {
        Turn::Answer(response) => {
            received.read(&mut stream, usize::MAX).await;
            stream.write_all(response.as_bytes()).await.unwrap();
        }
        Turn::AnswerAndHold(response) => {
            received.read(&mut stream, usize::MAX).await;
            stream.write_all(response.as_bytes()).await.unwrap();
            // The connection may end with or without an error.
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        }
        Turn::Close => received.read(&mut stream, usize::MAX).await,
        Turn::Reset => {
            received.read(&mut stream, usize::MAX).await;
            stream.set_zero_linger().unwrap();
        }
        Turn::ResetAfter(bytes) => {
            received.read(&mut stream, bytes).await;
            stream.set_zero_linger().unwrap();
        }
        Turn::HoldAfter(bytes) => {
            received.read(&mut stream, bytes).await;
            // The connection may end with or without an error.
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        }
        Turn::Ignore => {}
    }
}

impl Received {
    /// Reads the head of a request, and up to `most` bytes of its body.
    async fn read(&self, stream: &mut TcpStream, most: usize) {
        let mut bytes = Vec::new();
        let request = loop {
            if let Some(request) = parse(&bytes, most) {
                break request;
            }
            let read = stream.read_buf(&mut bytes).await.unwrap();
            assert_ne!(read, 0, "the client left in the middle of a request");
        };
        self.requests.lock().unwrap().push(request);
        self.heard.notify_one();
    }
}

fn parse(bytes: &[u8], most: usize) -> Option<String> {
    let text = std::str::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length = head.lines().find_map(|line| {
        let value = line.strip_prefix("content-length: ")?;
        Some(value.parse::<usize>().unwrap())
    });
    let length = length.unwrap_or(0).min(most);
    let method = head.split(' ').next()?;
    Some(format!("{method} {}", body.get(..length)?))
}
