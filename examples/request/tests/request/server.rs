//! Servers on 127.0.0.1 that note what they are sent.

use std::io;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::response::IntoResponse;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, StatusCode, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a server was sent.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// A server that reads each request to its end before it answers.
pub(crate) struct Server {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Answers each request by its number; the first is 1.
    pub(crate) async fn start<A: IntoResponse>(
        answer: impl Fn(usize) -> A + Clone + Send + Sync + 'static,
    ) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        let handler = async move |request: axum::extract::Request| {
            let (head, body) = request.into_parts();
            let seen = Seen {
                method: head.method,
                version: head.version,
                headers: head.headers,
                body: to_bytes(body, usize::MAX).await.unwrap(),
            };
            let number = {
                let mut log = log.lock().unwrap();
                log.push(seen);
                log.len()
            };
            answer(number).into_response()
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/item", listener.local_addr().unwrap());
        let router = Router::new().fallback(handler);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, seen }
    }

    /// Answers 503 to the first requests, and then 200.
    pub(crate) async fn failing(times: usize) -> Self {
        Self::start(move |number| {
            let status = match number > times {
                true => StatusCode::OK,
                false => StatusCode::SERVICE_UNAVAILABLE,
            };
            (status, format!("answer {number}"))
        })
        .await
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The only request that there was.
    pub(crate) fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1);
        seen[0].clone()
    }
}

/// Reads the head of each request, says `answer`, and closes the connection.
pub(crate) async fn closing_server(answer: &'static str) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            // Whether the client waits for the answer is the client's affair.
            let _ = close_after(answer, connection).await;
        }
    });
    url
}

pub(crate) async fn close_after(answer: &str, mut connection: TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await?);
    }
    connection.write_all(answer.as_bytes()).await
}
