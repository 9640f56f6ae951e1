//! A server whose every byte is given.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::listener::Listener;

/// Takes one request on each connection, and closes it after the answer.
pub(crate) struct ScriptedServer {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<String>>>,
    _listener: Listener,
}

impl ScriptedServer {
    /// Gives these answers in turn, and the last one from then on.
    pub(crate) async fn start(answers: impl Into<Vec<Vec<u8>>>) -> Self {
        let answers = answers.into();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        let listener = Listener::start(move |mut connection| {
            let (answers, log) = (answers.clone(), log.clone());
            async move {
                let head = read_head(&mut connection).await;
                let number = {
                    let mut log = log.lock().unwrap();
                    log.push(head);
                    log.len()
                };
                let answer = &answers[number.min(answers.len()) - 1];
                // Whether the client waits for the answer is the client's affair.
                let _ = connection.write_all(answer).await;
            }
        });
        let listener = listener.await.unwrap();
        Self {
            url: format!("http://{}/item", listener.address()),
            seen,
            _listener: listener,
        }
    }

    /// The heads of the requests.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// The head of a request, in lower case; cut off where the client closes the connection.
pub(crate) async fn read_head(connection: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match connection.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap().to_lowercase()
}

pub(crate) fn answer(status: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {status}\r\nconnection: close\r\n");
    for header in headers {
        answer.push_str(header);
        answer.push_str("\r\n");
    }
    answer.push_str("\r\n");
    [answer.as_bytes(), body.as_ref()].concat()
}

/// The beginning of ten bytes in version `"v1"`.
pub(crate) fn ten_bytes(beginning: &str) -> Vec<u8> {
    answer("200 OK", &["content-length: 10", "etag: \"v1\""], beginning)
}

/// The last six of ten bytes, in this version.
pub(crate) fn last_six(etag: &str) -> Vec<u8> {
    let headers = ["content-length: 6", "content-range: bytes 4-9/10", etag];
    answer("206 Partial Content", &headers, "456789")
}
