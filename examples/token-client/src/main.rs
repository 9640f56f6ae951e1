//! Gets an OAuth 2.0 access token from an endpoint that fails as Microsoft's retry guidelines for
//! token issuance endpoints say it may: `cargo run -p token-client`.
//!
//! The endpoint is a part of this program and listens on 127.0.0.1. It answers 503, then 429 with
//! `Retry-After: 2`, then 504, and then issues the token; a client with the wrong secret gets 400
//! at once. Takes about ten seconds, nearly all of them the waits between the attempts.
//!
//! Exit status: 0 if all went as the guidelines say, else 1.

use std::collections::HashMap;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::response::{IntoResponse, Json};
use axum::routing::post;
use axum::{Form, Router};
use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::util::BoxCloneService;
use tower::{ServiceBuilder, ServiceExt};
use tower_http_retry::event::{Event, EventKind};
use tower_http_retry::{Attempts, BoxError, RetryLayer, RetryOverride};

/// How long one attempt may take until its response's head.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a token may take altogether: attempts, waits, and reading the token.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(25);

/// Far more than a token needs, so that a broken endpoint cannot fill the memory.
const LARGEST_ANSWER: usize = 64 * 1024;

/// Not only letters, but nothing that a form would need percent-encoding for.
const CLIENT_ID: &str = "payroll-batch";
const CLIENT_SECRET: &str = "right-secret";
const WRONG_SECRET: &str = "wrong-secret";

/// What the endpoint asks for with its 429.
const RETRY_AFTER_SECONDS: u64 = 2;

/// Sends token requests, with retries and within [`TOTAL_TIMEOUT`].
type TokenClient = BoxCloneService<Request<Full<Bytes>>, Response<Bytes>, BoxError>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if standard error is closed.
            let _ = writeln!(io::stderr(), "token-client: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), BoxError> {
    let endpoint = Endpoint::default();
    let uri = endpoint.listen().await?;
    let client = token_client();

    say("A client with the right secret:");
    let response = client
        .clone()
        .oneshot(token_request(&uri, CLIENT_SECRET)?)
        .await?;
    expect_token(&response)?;
    expect_patience(&response, &endpoint)?;

    say("\nA client with the wrong secret:");
    let response = client.oneshot(token_request(&uri, WRONG_SECRET)?).await?;
    expect_rejection(&response, &endpoint)
}

/// The stack, from the outside in.
fn token_client() -> TokenClient {
    let client = ServiceBuilder::new()
        .timeout(TOTAL_TIMEOUT)
        // Under the total time-out, which therefore covers the reading of the token, too.
        .and_then(read_whole)
        .layer(RetryLayer::new().mark_responses().on_event(tell))
        .timeout(ATTEMPT_TIMEOUT)
        .service(Client::builder(TokioExecutor::new()).build_http());
    BoxCloneService::new(client)
}

async fn read_whole(response: Response<Incoming>) -> Result<Response<Bytes>, BoxError> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, LARGEST_ANSWER).collect().await?;
    Ok(Response::from_parts(head, body.to_bytes()))
}

/// A request for a token by client credentials (RFC 6749, section 4.4).
///
/// It is a POST, which by default is not sent again once the server may have acted on it, as after
/// a 503 or 504. This one is safe to repeat: all that a lost answer leaves behind is a token that
/// nobody uses, and that expires. It would not be with a grant that is used up by the first
/// attempt, as an authorization code is, or a refresh token that is replaced at each use.
fn token_request(uri: &Uri, secret: &str) -> Result<Request<Full<Bytes>>, http::Error> {
    let form =
        format!("grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={secret}");
    Request::post(uri)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(ACCEPT, "application/json")
        .extension(RetryOverride::new().repeatable(true))
        .body(Full::from(form))
}

/// Prints one line for what each attempt came to: the outcome, then what follows and why.
fn tell(event: &Event<'_>) {
    let outcome = match (event.status(), event.error()) {
        (Some(status), _) => status.to_string(),
        (None, Some(error)) => error.to_string(),
        (None, None) => "no outcome".to_owned(),
    };
    let next = match event.kind() {
        EventKind::RetryScheduled { after, reason, .. } => {
            format!("waits {:.1} s: {reason}", after.as_secs_f64())
        }
        EventKind::Stopped(stop) => format!("stops: {stop}"),
        // That an attempt is sent needs no line: its outcome has one.
        _ => return,
    };
    let at = event.elapsed().as_secs_f64();
    let attempt = event.attempt();
    say(&format!(
        "  {at:>4.1} s  attempt {attempt}  {outcome:<24}  {next}"
    ));
}

fn expect_token(response: &Response<Bytes>) -> Result<(), BoxError> {
    ensure(response.status() == StatusCode::OK, "the answer is 200")?;
    let answer: Value = serde_json::from_slice(response.body())?;
    let (Some(token), Some("Bearer"), Some(seconds)) = (
        answer["access_token"].as_str(),
        answer["token_type"].as_str(),
        answer["expires_in"].as_u64(),
    ) else {
        return Err("expected: the answer is a bearer token".into());
    };
    // A real client keeps its token to itself; this one is made up.
    say(&format!("  the token, good for {seconds} seconds: {token}"));
    Ok(())
}

/// The client came back until it was served, and never earlier than it should.
fn expect_patience(response: &Response<Bytes>, endpoint: &Endpoint) -> Result<(), BoxError> {
    let attempts = response.extensions().get::<Attempts>();
    ensure(
        attempts.is_some_and(|attempts| attempts.count == 4),
        "the client counts four attempts",
    )?;
    let [first, second, third, fourth] = endpoint.seen().authenticated[..] else {
        return Err("expected: the endpoint counts four requests".into());
    };
    // By default jitter takes away up to half of a step. The steps are 1, 2 and 4 seconds.
    ensure(
        second - first >= Duration::from_millis(500),
        "half a step, or more, before the second attempt",
    )?;
    ensure(
        third - second >= Duration::from_secs(RETRY_AFTER_SECONDS),
        "the third attempt is no earlier than the 429 with Retry-After asks for",
    )?;
    ensure(
        fourth - third >= Duration::from_secs(4),
        "the wait after a time-out is one step further up: half of 8 seconds, or more",
    )
}

/// The client was told that its request is wrong, and did not insist.
fn expect_rejection(response: &Response<Bytes>, endpoint: &Endpoint) -> Result<(), BoxError> {
    let answer: Value = serde_json::from_slice(response.body())?;
    say(&format!("  the answer: {} {answer}", response.status()));
    ensure(
        response.status() == StatusCode::BAD_REQUEST,
        "the answer is 400",
    )?;
    ensure(
        answer["error"] == "invalid_client",
        "the answer names the error invalid_client",
    )?;
    ensure(
        endpoint.seen().rejected == 1,
        "the endpoint counts one request of the rejected client",
    )?;
    ensure(
        endpoint.seen().authenticated.len() == 4,
        "the endpoint counts no more requests of the first client",
    )
}

fn ensure(holds: bool, expectation: &str) -> Result<(), BoxError> {
    match holds {
        true => Ok(()),
        false => Err(format!("expected: {expectation}").into()),
    }
}

/// Prints a line; a reader that has gone away, as `head` does, is no reason to panic.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// A token endpoint on a bad day: restarting, then throttling, then with a slow backend.
#[derive(Clone, Default)]
struct Endpoint {
    seen: Arc<Mutex<Seen>>,
}

/// What has arrived at the endpoint.
#[derive(Default)]
struct Seen {
    /// When each request with the right secret arrived.
    authenticated: Vec<Instant>,
    /// How many had a wrong one.
    rejected: usize,
}

impl Endpoint {
    /// Serves on a free port, for as long as this program runs.
    async fn listen(&self) -> Result<Uri, BoxError> {
        const PATH: &str = "/oauth2/v2.0/token";
        let router = Router::new()
            .route(PATH, post(answer))
            .with_state(self.clone());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let uri = format!("http://{}{PATH}", listener.local_addr()?).parse()?;
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(uri)
    }

    /// Takes note of a request with the right secret, and tells its number; the first is 1.
    fn let_in(&self) -> usize {
        let mut seen = self.seen();
        seen.authenticated.push(Instant::now());
        seen.authenticated.len()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(
    State(endpoint): State<Endpoint>,
    Form(form): Form<HashMap<String, String>>,
) -> axum::response::Response {
    let field = |name| form.get(name).map(String::as_str);
    if field("grant_type") != Some("client_credentials") {
        return refuse("unsupported_grant_type");
    }
    if (field("client_id"), field("client_secret")) != (Some(CLIENT_ID), Some(CLIENT_SECRET)) {
        endpoint.seen().rejected += 1;
        return refuse("invalid_client");
    }
    match endpoint.let_in() {
        1 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        2 => {
            let seconds = RETRY_AFTER_SECONDS.to_string();
            (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, seconds)]).into_response()
        }
        3 => StatusCode::GATEWAY_TIMEOUT.into_response(),
        _ => issue_token(),
    }
}

/// RFC 6749, section 5.2.
fn refuse(error: &str) -> axum::response::Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response()
}

/// RFC 6749, section 5.1.
fn issue_token() -> axum::response::Response {
    let token = json!({
        "access_token": "not-a-real-token",
        "token_type": "Bearer",
        "expires_in": 3599,
    });
    ([(CACHE_CONTROL, "no-store")], Json(token)).into_response()
}
