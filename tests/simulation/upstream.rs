//! The hyper server on the simulated network, which answers each attempt as planned.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Buf;
use http::header::LOCATION;
use http::response::Builder;
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::sleep;
use tower_http_retry::{Attempts, BoxError};
use turmoil::net::{TcpListener, TcpStream};

use super::answer::{Answer, Does, Reads};
use super::journal::{Journal, What};
use super::network::PORT;
use super::payload::{Payload, Shape};
use super::plan::{Plan, Protocol, SERVERS, TARGETS};
use super::serving::serve;

/// The header with the number of retries, which the retry layer adds.
pub const RETRIES: &str = "x-retries";
/// The header of a response with the number of the attempt.
pub const ATTEMPT: &str = "x-attempt";
/// The header of a request with the number of a hedge.
pub const HEDGE: &str = "x-hedge";
/// The header of a request with the number of a resumption.
pub const PART: &str = "x-part";

#[derive(Clone)]
pub struct Upstream {
    pub plan: Arc<Plan>,
    pub journal: Journal,
    pub server: u64,
    /// Notifies the connections to shut down.
    pub shut_down: Arc<Notify>,
    /// How often the server has started.
    pub starts: Arc<AtomicU32>,
}

/// Spawns local tasks. When a host crashes, local tasks are dropped in the order in which they were
/// spawned, unlike the other tasks of a runtime.
#[derive(Clone, Copy)]
struct Local;

impl<F: Future<Output: 'static> + 'static> Executor<F> for Local {
    fn execute(&self, future: F) {
        spawn_local(future);
    }
}

/// Returns the host name of a server.
pub fn name(server: u64) -> String {
    format!("server-{server}")
}

/// Returns the mark that determines the bytes of a body. The body of a request has the mark of attempt 0.
pub fn mark(id: u32, attempt: u32) -> usize {
    (id * 7_919 + attempt * 104_729) as usize
}

impl Upstream {
    pub async fn serve(self) -> turmoil::Result {
        self.starts.fetch_add(1, Ordering::Relaxed);
        let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
        for connection in 0.. {
            let (stream, _) = listener.accept().await?;
            let lifetime = self.plan.lifetime(self.server, connection);
            spawn_local(self.clone().converse(stream, lifetime));
        }
        Ok(())
    }

    async fn converse(self, stream: TcpStream, lifetime: Option<(Duration, bool)>) {
        let shut_down = self.shut_down.notified();
        let mut server = auto::Builder::new(Local);
        server.http2().max_concurrent_streams(self.plan.streams);
        server = match self.plan.protocol {
            Protocol::Http1 => server.http1_only(),
            Protocol::Http2 => server.http2_only(),
        };
        let service = service_fn(|request| self.clone().answer(request));
        let mut connection = pin!(server.serve_connection(TokioIo::new(stream), service));
        let (lifetime, says_so) = lifetime.unwrap_or((Duration::MAX, false));
        // The connection may end with or without an error.
        let is_shut_down = tokio::select! {
            biased;
            _ = connection.as_mut() => false,
            () = shut_down => true,
            () = sleep(lifetime) => says_so,
        };
        if is_shut_down {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Payload>, BoxError> {
        let (head, body) = request.into_parts();
        let (id, attempt) = identify(&head.uri, &head.headers);
        self.journal.write(id, What::Came { attempt });
        let answer = self.plan.answer(id, attempt);
        self.take(id, attempt, answer.reads, body).await?;
        if answer.acts() {
            self.journal.write(id, What::Acted);
        }
        sleep(answer.thinks).await;
        match answer.does {
            Does::Answer(200) if self.plan.ask(id).file.is_some() => {
                Ok(self.send(&answer, id, attempt, &head.headers))
            }
            Does::Answer(status) => Ok(respond(&answer, id, attempt, status)),
            Does::Hang => pending().await,
            Does::Abort => Err("the server gives up".into()),
            Does::Redirect => {
                let other = name((self.server + 1) % SERVERS);
                let mut response = respond(&answer, id, attempt, 303);
                let target = format!("http://{other}/{}", TARGETS + id).parse()?;
                response.headers_mut().insert(LOCATION, target);
                Ok(response)
            }
            Does::Refuse => Err(h2::Error::from(h2::Reason::REFUSED_STREAM).into()),
        }
    }

    /// Returns a response with the current version of the requested file.
    fn send(
        &self,
        answer: &Answer,
        id: u32,
        attempt: u32,
        headers: &HeaderMap,
    ) -> Response<Payload> {
        let file = self.plan.ask(id).file.as_ref().expect("a file");
        let at = turmoil::sim_elapsed().unwrap_or_default();
        let restarts = self.starts.load(Ordering::Relaxed) - 1;
        let version = file.version(at, restarts);
        let builder = hinting(answer, Response::builder().header(ATTEMPT, attempt));
        let response = serve(file, version, headers, answer, builder);
        if response.status().is_success() {
            self.journal.write(id % TARGETS, What::Served { version });
        }
        response
    }

    async fn take(
        &self,
        id: u32,
        attempt: u32,
        reads: Reads,
        mut body: Incoming,
    ) -> Result<(), BoxError> {
        match reads {
            Reads::All => {
                let whole = body.collect().await?;
                let is_right = match id {
                    TARGETS.. => Shape::empty().is(0, whole),
                    _ => self.plan.ask(id).body.is(mark(id, 0), whole),
                };
                self.journal.write(id, What::Took { attempt, is_right });
            }
            Reads::Some(mut bytes) => {
                while let Some(frame) = body.frame().await {
                    let data = frame?.into_data().unwrap_or_default();
                    bytes = bytes.saturating_sub(data.remaining());
                    if bytes == 0 {
                        break;
                    }
                }
            }
            Reads::Nothing => {}
        }
        Ok(())
    }
}

/// Returns the number of a request, or of the target of a redirect, and that of its attempt.
fn identify(uri: &Uri, headers: &HeaderMap) -> (u32, u32) {
    let id = uri.path().trim_start_matches('/').parse().expect("an id");
    let part = headers.get(PART).filter(|_| id < TARGETS);
    let attempt = || 1 + headers.get(RETRIES).map_or(0, number);
    let hedge = headers.get(HEDGE).map(number);
    (part.map_or(id, number), hedge.unwrap_or_else(attempt))
}

/// Returns the number of the attempt that was answered.
pub fn attempt_of<R>(response: &Response<R>) -> u32 {
    number(&response.headers()[ATTEMPT])
}

/// Returns the number of attempts according to a response.
pub fn count_of<R>(response: &Response<R>) -> u32 {
    let attempts = response.extensions().get();
    attempts.map_or(1, |attempts: &Attempts| attempts.count)
}

pub fn number(value: &HeaderValue) -> u32 {
    let value = value.to_str().expect("text");
    value.parse().expect("a number")
}

fn respond(answer: &Answer, id: u32, attempt: u32, status: u16) -> Response<Payload> {
    let mut response = Response::builder().status(status).header(ATTEMPT, attempt);
    if answer.body.has_trailers {
        response = response.header("trailer", "x-mark");
    }
    let body = Payload::new(&answer.body, mark(id, attempt), &Arc::default());
    let body = match answer.cut {
        Some(cut) if body.breaks() && !cut.how.is_silent() => body.ending(cut.how),
        _ => body,
    };
    hinting(answer, response).body(body).expect("a response")
}

fn hinting(answer: &Answer, response: Builder) -> Builder {
    match answer.hint {
        Some((form, hint)) => form.write(hint, response),
        None => response,
    }
}
