//! Gets an OAuth 2.0 access token from an endpoint with the failures that Microsoft's retry
//! guidelines for token issuance endpoints describe: `cargo run -p token-client`.
//!
//! The endpoint is a part of this program and listens on 127.0.0.1. It answers 503, then 429 with
//! `Retry-After: 2`, then 504, and then issues the token. A client with the wrong secret gets 400
//! immediately. The program takes about ten seconds, nearly all of which are waits between attempts.
//!
//! Exit status: 0 if the client behaved as the guidelines say, else 1.

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

/// How long one attempt may take until the head of its response arrives.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a token request may take in total, with all attempts and waits, and the body of the response.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(25);

/// A limit far above the size of a token, so that a faulty endpoint cannot fill the memory.
const LARGEST_ANSWER: usize = 64 * 1024;

/// Has only characters that need no percent-encoding in a form.
const CLIENT_ID: &str = "payroll-batch";
const CLIENT_SECRET: &str = "right-secret";
const WRONG_SECRET: &str = "wrong-secret";

/// The `Retry-After` of the 429 response.
const RETRY_AFTER_SECONDS: u64 = 2;

/// Sends token requests, with retries and within [`TOTAL_TIMEOUT`].
type TokenClient = BoxCloneService<Request<Full<Bytes>>, Response<Bytes>, BoxError>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error is closed, the error cannot be reported.
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

/// Builds the stack, from the outside in.
fn token_client() -> TokenClient {
    let client = ServiceBuilder::new()
        .timeout(TOTAL_TIMEOUT)
        // Below the total time-out, which therefore also covers reading the token.
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

/// Creates a request for a token with client credentials (RFC 6749, section 4.4).
///
/// It is a POST. By default, a POST is not repeated if the server may have acted on it, such as after
/// a 503 or 504. This one is safe to repeat: if a response is lost, there is only an unused token,
/// which expires. It would not be safe with a grant that the first attempt uses up, such as an
/// authorization code, or a refresh token that is replaced at each use.
fn token_request(uri: &Uri, secret: &str) -> Result<Request<Full<Bytes>>, http::Error> {
    let form =
        format!("grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={secret}");
    Request::post(uri)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(ACCEPT, "application/json")
        .extension(RetryOverride::new().repeatable(true))
        .body(Full::from(form))
}

/// Prints one line for each attempt: its outcome, then what follows and why.
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
        // The start of an attempt needs no line: its outcome has one.
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
    // A real client must not print its token. This one is not real.
    say(&format!("  the token, good for {seconds} seconds: {token}"));
    Ok(())
}

/// Checks that the client retried until it got a token, and that no attempt was too early.
fn expect_patience(response: &Response<Bytes>, endpoint: &Endpoint) -> Result<(), BoxError> {
    let attempts = response.extensions().get::<Attempts>();
    ensure(
        attempts.is_some_and(|attempts| attempts.count == 4),
        "the client counts four attempts",
    )?;
    let [first, second, third, fourth] = endpoint.seen().authenticated[..] else {
        return Err("expected: the endpoint counts four requests".into());
    };
    // By default, jitter shortens a wait by up to half of its step. The steps are 1, 2, 4 and 8 seconds.
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

/// Checks that the client got the error of its request, and did not retry.
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

/// Prints a line. Does not panic if the reader has closed the pipe, as `head` does.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// A token endpoint that fails three times: it restarts, then throttles, then has a slow backend.
#[derive(Clone, Default)]
struct Endpoint {
    seen: Arc<Mutex<Seen>>,
}

/// The requests that have arrived at the endpoint.
#[derive(Default)]
struct Seen {
    /// The time at which each request with the right secret arrived.
    authenticated: Vec<Instant>,
    /// The number of requests with a wrong secret.
    rejected: usize,
}

impl Endpoint {
    /// Serves on a free port until the program ends.
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

    /// Records a request with the right secret, and returns its number; the first is 1.
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

/// An error response (RFC 6749, section 5.2).
fn refuse(error: &str) -> axum::response::Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response()
}

/// A successful response (RFC 6749, section 5.1).
fn issue_token() -> axum::response::Response {
    let token = json!({
        "access_token": "not-a-real-token",
        "token_type": "Bearer",
        "expires_in": 3599,
    });
    ([(CACHE_CONTROL, "no-store")], Json(token)).into_response()
}
