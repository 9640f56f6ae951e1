//! What a server gets of a request's body on each attempt, from hyper's client over a socket.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRAILER, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Request, Response};
use http_body::Body;
use http_body_util::channel::{Channel, Sender};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower::{Layer, ServiceExt};
use tower_http_retry::{BoxError, ReplayBody, RetryLayer};

use crate::support::body::Does::{self, Data, Fail, Pending, Trailers};
use crate::support::body::{Broken, Source, at_once, data, pattern, trailers};

use Protocol::{Http1, Http2};
use Unread::{Closed, Dropped, Held};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Protocol {
    Http1,
    Http2,
}

/// What the server does with what it has not read when it answers.
#[derive(Clone, Copy, Debug)]
enum Unread {
    Dropped,
    /// With its connection, once the answer is out.
    Closed,
    /// Neither read nor refused.
    Held,
}

/// How the server answers one attempt: after how many bytes, with which status.
#[derive(Clone, Copy)]
struct Plan {
    read: usize,
    status: u16,
    unread: Unread,
}

const fn reads_all(status: u16) -> Plan {
    Plan {
        read: usize::MAX,
        status,
        unread: Dropped,
    }
}

/// An attempt as the server saw it.
#[derive(Default)]
struct Seen {
    headers: HeaderMap,
    data: Vec<u8>,
    trailers: Option<HeaderMap>,
}

struct Upstream {
    address: SocketAddr,
    protocol: Protocol,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    plan: Vec<Plan>,
    /// How many attempts' heads have come.
    begun: watch::Sender<usize>,
    seen: Mutex<Vec<Seen>>,
    held: Mutex<Vec<Incoming>>,
}

impl Upstream {
    async fn new(protocol: Protocol, plan: impl Into<Vec<Plan>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            plan: plan.into(),
            begun: watch::Sender::new(0),
            seen: Mutex::new(Vec::new()),
            held: Mutex::new(Vec::new()),
        });
        let sharing = shared.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(protocol, stream, sharing.clone()));
            }
        });
        Self {
            address,
            protocol,
            shared,
            accepting,
        }
    }

    fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.shared.seen.lock().unwrap())
    }

    fn put<B>(&self, body: B) -> Request<B> {
        let uri = format!("http://{}/item", self.address);
        Request::put(uri).body(body).unwrap()
    }

    /// What the caller gets at the end of all attempts.
    async fn send<B>(&self, layer: RetryLayer, request: Request<B>) -> Result<u16, BoxError>
    where
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let client: Client<HttpConnector, ReplayBody<B>> = Client::builder(TokioExecutor::new())
            .http2_only(self.protocol == Http2)
            .build_http();
        let sending = layer.layer(client).oneshot(request);
        // Only a test that hangs comes to the time-out.
        let response = tokio::time::timeout(Duration::from_secs(60), sending);
        Ok(response
            .await
            .unwrap_or_else(|_| panic!("hang"))?
            .status()
            .as_u16())
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(protocol: Protocol, stream: TcpStream, shared: Arc<Shared>) {
    let close = watch::Sender::new(false);
    let mut closing = close.subscribe();
    let service = service_fn(move |request| answer(request, shared.clone(), close.clone()));
    let builder = auto::Builder::new(TokioExecutor::new());
    let builder = match protocol {
        Http1 => builder.http1_only(),
        Http2 => builder.http2_only(),
    };
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = closing.wait_for(|closing| *closing) => connection.as_mut().graceful_shutdown(),
    }
    // A client that went away is not what these tests are about.
    let _ = connection.await;
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
    close: watch::Sender<bool>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let (head, mut body) = request.into_parts();
    shared.begun.send_modify(|begun| *begun += 1);
    let attempt = *shared.begun.borrow();
    let plan = shared.plan[attempt - 1];
    let mut seen = Seen {
        headers: head.headers,
        ..Seen::default()
    };
    while seen.data.len() < plan.read {
        let Some(Ok(frame)) = body.frame().await else {
            break;
        };
        match frame.into_data() {
            Ok(data) => seen.data.extend_from_slice(&data),
            Err(frame) => seen.trailers = frame.into_trailers().ok(),
        }
    }
    shared.seen.lock().unwrap().push(seen);
    match plan.unread {
        Dropped => {}
        Closed => drop(close.send(true)),
        Held => shared.held.lock().unwrap().push(body),
    }
    let response = Response::builder().status(plan.status);
    Ok(response.body(Empty::new()).unwrap())
}

const PROTOCOLS: [Protocol; 2] = [Http1, Http2];

fn length(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()
}

fn frames(whole: &[u8]) -> Vec<Does> {
    let frames = whole.chunks(8 << 10).map(Bytes::copy_from_slice);
    frames.flat_map(|frame| [Data(frame), Pending]).collect()
}

#[tokio::test]
async fn a_body_in_memory_has_the_same_content_length_on_each_attempt() {
    for protocol in PROTOCOLS {
        let plan = [reads_all(503), reads_all(503), reads_all(200)];
        let upstream = Upstream::new(protocol, plan).await;
        let request = upstream.put(Full::<Bytes>::from("an item"));
        assert_eq!(upstream.send(at_once(), request).await.unwrap(), 200);
        let seen = upstream.seen();
        assert_eq!(seen.len(), 3);
        for seen in seen {
            assert_eq!(length(&seen.headers), Some("7"), "{protocol:?}");
            assert!(!seen.headers.contains_key(TRANSFER_ENCODING));
            assert_eq!(seen.data, b"an item");
        }
    }
}

#[tokio::test]
async fn a_streamed_body_is_streamed_on_each_attempt_although_its_size_is_known_by_then() {
    for protocol in PROTOCOLS {
        for script in [vec![data("an "), Pending, data("item")], vec![]] {
            let whole = if script.is_empty() { "" } else { "an item" };
            let plan = [reads_all(503), reads_all(503), reads_all(200)];
            let upstream = Upstream::new(protocol, plan).await;
            let request = upstream.put(Source::streamed(script));
            assert_eq!(upstream.send(at_once(), request).await.unwrap(), 200);
            let seen = upstream.seen();
            assert_eq!(seen.len(), 3);
            for seen in seen {
                let encoding = seen.headers.get(TRANSFER_ENCODING);
                let chunked = (protocol == Http1).then_some("chunked");
                assert_eq!(encoding.map(|value| value.to_str().unwrap()), chunked);
                assert_eq!(length(&seen.headers), None, "{protocol:?}");
                assert_eq!(seen.data, whole.as_bytes());
            }
        }
    }
}

#[tokio::test]
async fn trailers_arrive_on_each_attempt() {
    for protocol in PROTOCOLS {
        let upstream = Upstream::new(protocol, [reads_all(503), reads_all(200)]).await;
        let sum = trailers([("x-sum", "12"), ("x-sum", "34")]);
        let source = Source::streamed([data("an "), data("item"), Trailers(sum.clone())]);
        let mut request = upstream.put(source);
        // HTTP/1.1 sends only what is announced.
        request
            .headers_mut()
            .insert(TRAILER, "x-sum".parse().unwrap());
        assert_eq!(upstream.send(at_once(), request).await.unwrap(), 200);
        let seen = upstream.seen();
        assert_eq!(seen.len(), 2);
        for seen in seen {
            assert_eq!(seen.data, b"an item");
            assert_eq!(seen.trailers.as_ref(), Some(&sum), "{protocol:?}");
        }
    }
}

#[tokio::test]
async fn an_empty_post_is_sent_the_same_on_each_attempt() {
    for protocol in PROTOCOLS {
        // A refusal: the server did not act on it, so that a POST may be sent again.
        let plan = [reads_all(429), reads_all(429), reads_all(200)];
        let upstream = Upstream::new(protocol, plan).await;
        let mut request = upstream.put(Empty::<Bytes>::new());
        *request.method_mut() = Method::POST;
        assert_eq!(upstream.send(at_once(), request).await.unwrap(), 200);
        let seen = upstream.seen();
        assert_eq!(seen.len(), 3);
        for attempt in &seen {
            assert!(matches!(length(&attempt.headers), None | Some("0")));
            assert_eq!(attempt.headers, seen[0].headers, "{protocol:?}");
            assert!(attempt.data.is_empty());
        }
    }
}

#[tokio::test]
async fn eight_mebibytes_in_memory_arrive_whole_after_an_answer_that_came_early() {
    let whole = pattern(8 << 20);
    for protocol in PROTOCOLS {
        for (read, unread) in [
            (usize::MAX, Dropped),
            (64 << 10, Dropped),
            (64 << 10, Closed),
        ] {
            let early = Plan {
                read,
                status: 503,
                unread,
            };
            let upstream = Upstream::new(protocol, [early, reads_all(200)]).await;
            let request = upstream.put(Full::<Bytes>::from(whole.clone()));
            let sent = upstream.send(at_once().max_replay_bytes(0), request).await;
            assert_eq!(sent.unwrap(), 200, "{protocol:?}, {unread:?}");
            let seen = upstream.seen();
            assert!(seen.len() == 2 && seen[1].data == whole);
            assert_eq!(length(&seen[1].headers), Some("8388608"));
        }
    }
}

#[tokio::test]
async fn an_upload_that_is_answered_in_its_middle_arrives_whole_with_the_next_attempt() {
    let whole = pattern(512 << 10);
    for protocol in PROTOCOLS {
        for unread in [Dropped, Closed] {
            let early = Plan {
                read: 64 << 10,
                status: 503,
                unread,
            };
            let upstream = Upstream::new(protocol, [early, reads_all(200)]).await;
            let request = upstream.put(Source::streamed(frames(&whole)));
            let sent = upstream.send(at_once(), request).await;
            assert_eq!(sent.unwrap(), 200, "{protocol:?}, {unread:?}");
            let seen = upstream.seen();
            assert!(seen.len() == 2 && seen[1].data == whole);
            assert!(whole.starts_with(&seen[0].data));
        }
    }
}

/// The second half of the body is there only once the second attempt is: the first one waits for
/// it when the second takes its place.
#[tokio::test]
async fn an_upload_that_waits_for_its_source_goes_on_with_the_next_attempt() {
    let whole = pattern(512 << 10);
    for protocol in PROTOCOLS {
        for unread in [Dropped, Closed, Held] {
            let early = Plan {
                read: 64 << 10,
                status: 503,
                unread,
            };
            let upstream = Upstream::new(protocol, [early, reads_all(200)]).await;
            let (sender, body) = Channel::<Bytes, Broken>::new(1);
            let mut begun = upstream.shared.begun.subscribe();
            let (first, second) = (whole[..200_000].to_vec(), whole[200_000..].to_vec());
            let giving = tokio::spawn(async move {
                let mut sender = give(sender, &first).await;
                begun.wait_for(|begun| *begun == 2).await.unwrap();
                sender = give(sender, &second).await;
                drop(sender);
            });
            let sent = upstream.send(at_once(), upstream.put(body)).await;
            assert_eq!(sent.unwrap(), 200, "{protocol:?}, {unread:?}");
            giving.await.unwrap();
            let seen = upstream.seen();
            assert!(seen.len() == 2 && seen[1].data == whole);
        }
    }
}

async fn give(mut sender: Sender<Bytes, Broken>, data: &[u8]) -> Sender<Bytes, Broken> {
    for frame in data.chunks(8 << 10) {
        let frame = Bytes::copy_from_slice(frame);
        sender
            .send_data(frame)
            .await
            .expect("the source is read to its end");
    }
    sender
}

#[tokio::test]
async fn an_upload_over_the_limit_arrives_whole_and_its_answer_is_handed_over() {
    let whole = pattern(512 << 10);
    for protocol in PROTOCOLS {
        let upstream = Upstream::new(protocol, [reads_all(503)]).await;
        let request = upstream.put(Source::streamed(frames(&whole)));
        let layer = at_once().max_replay_bytes(whole.len() - 1);
        assert_eq!(upstream.send(layer, request).await.unwrap(), 503);
        let seen = upstream.seen();
        assert!(seen.len() == 1 && seen[0].data == whole, "{protocol:?}");
    }
}

#[tokio::test]
async fn a_source_that_fails_is_told_to_the_caller_and_not_sent_again() {
    for protocol in PROTOCOLS {
        let upstream = Upstream::new(protocol, [reads_all(200); 2]).await;
        let request = upstream.put(Source::streamed([data("half"), Pending, Fail]));
        let error = upstream.send(at_once(), request).await.unwrap_err();
        let mut cause = Some(&*error as &(dyn Error + 'static));
        while cause.is_some_and(|cause| !cause.is::<Broken>()) {
            cause = cause.and_then(Error::source);
        }
        // Of HTTP/2, hyper tells only that the stream was reset from this side.
        assert!(cause.is_some() || protocol == Http2, "{error:?}");
        assert!(*upstream.shared.begun.borrow() <= 1, "sent again");
    }
}
