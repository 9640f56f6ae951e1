//! Tracing events: which there are, at which level, and what they say; and the spans around them.

use std::fmt::Debug;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Request;
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_http::trace::TraceLayer;
use tower_http_retry::event::StopReason;
use tower_http_retry::{Attempt, HedgeLayer};
use tracing::field::{Field, Visit};
use tracing::{Event, Instrument, Subscriber, info_span};
use tracing_subscriber::layer::{Context, Layer as Layered, SubscriberExt};

use crate::support::cooling::cool_down;
use crate::support::download::{Nothing, Server, all, data, exact, fetch, part, reset};
use crate::support::log::told;
use crate::support::stops;
use crate::support::upstream::Answer::{Error, Status};
use crate::support::upstream::{Answer, Body, Upstream, after, get, post};

async fn traced(plan: &[Answer], request: Request<Body>) -> Vec<String> {
    let service = stops::layer().layer(Upstream::new(plan));
    told(service.oneshot(request)).await
}

#[tokio::test(start_paused = true)]
async fn a_success_is_not_told() {
    assert!(traced(&[Status(200)], get()).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_is_no_concern_of_retries_is_not_told() {
    assert!(traced(&[Status(404)], get()).await.is_empty());
    assert_eq!(traced(&[Status(503)], post()).await.len(), 1);
}

const SERVER: &str = "server.address=\"upstream.test\" server.port=8080";

fn retrying(method: &str, status: &str) -> String {
    format!(
        "DEBUG tower_http_retry: retrying http.request.method=\"{method}\" \
         http.request.resend_count=1 http.response.status_code={status} {SERVER} \
         error.type=\"{status}\" wait_ms=1000 reason=back-off"
    )
}

/// What the second attempt came to, if it came to a status, and why there is no third one.
fn gave_up(method: &str, retries: u32, status: Option<&str>, error: &str, why: &str) -> String {
    let status = status.map(|status| format!("http.response.status_code={status} "));
    let waited = retries * 1_000;
    format!(
        "WARN tower_http_retry: gave up http.request.method=\"{method}\" \
         http.request.resend_count={retries} {}{SERVER} error.type=\"{error}\" \
         waited_ms={waited} reason={why}",
        status.unwrap_or_default()
    )
}

/// The whole of what is told of a request that ends so.
fn expected(stop: StopReason) -> Vec<String> {
    let why = stop.to_string();
    let failed = |status, error| gave_up("PUT", 1, status, error, &why);
    match stop {
        StopReason::Success => vec![retrying("PUT", "503")],
        StopReason::Permanent => vec![retrying("PUT", "503"), failed(Some("404"), "404")],
        StopReason::Attempts => vec![retrying("PUT", "503"), failed(None, "timeout")],
        StopReason::NotReplayable => vec![gave_up("PUT", 0, Some("503"), "503", &why)],
        StopReason::NotIdempotent => vec![
            retrying("POST", "429"),
            gave_up("POST", 1, Some("503"), "503", &why),
        ],
        // It has waited for a retry that was not made.
        StopReason::NotReady => vec![
            retrying("PUT", "503"),
            gave_up("PUT", 0, None, "_OTHER", &why).replace("waited_ms=0", "waited_ms=1000"),
        ],
        _ => vec![retrying("PUT", "503"), failed(Some("503"), "503")],
    }
}

#[tokio::test(start_paused = true)]
async fn each_retry_is_debug_and_each_stop_with_a_failure_is_warn() {
    for stop in stops::ALL {
        let told = told(stops::send(stop, stops::layer())).await;
        assert_eq!(told, expected(stop), "{stop:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cooldown_is_warn_when_it_starts_and_info_when_it_ends() {
    let told = told(cool_down(stops::layer())).await;
    let of = "tower_http_retry:";
    let expected = [
        format!(
            "WARN {of} the quota is used up: requests are held http.response.status_code=200 server.address=\"upstream.test\" left_ms=3000"
        ),
        format!(
            "DEBUG {of} held http.request.method=\"GET\" server.address=\"upstream.test\" left_ms=3000"
        ),
        format!(
            "DEBUG {of} not sent http.request.method=\"GET\" server.address=\"upstream.test\" \
             waited_ms=0 reason=not sent: requests are held by a cooldown"
        ),
        format!("INFO {of} requests are no longer held server.address=\"upstream.test\""),
    ];
    assert_eq!(told, expected);
}

#[tokio::test(start_paused = true)]
async fn each_resumption_is_debug_and_has_no_secret() {
    let server = Server::new([
        all([data("012"), reset()]),
        part("bytes 3-9/10", [data("34")]),
        part("bytes 5-9/10", [data("56789")]),
    ]);
    let request = Request::get("http://user:secret@files.test:8080/file?secret=1")
        .header("authorization", "secret")
        .body(Nothing::new());
    let told = told(fetch(exact(), &server, request.unwrap())).await;
    let resuming = |count, delivered, wait| {
        format!(
            "DEBUG tower_http_retry: resuming http.request.method=\"GET\" server.address=\"files.test\" \
             server.port=8080 resume_count={count} delivered_bytes={delivered} expected_bytes=10 wait_ms={wait}"
        )
    };
    assert_eq!(told, [resuming(1, 3, 0), resuming(2, 5, 1_000)]);
}

#[tokio::test(start_paused = true)]
async fn a_hedge_and_its_win_are_debug_and_have_no_secret() {
    let layer = HedgeLayer::new()
        .after(Duration::from_millis(100))
        .control(0.0);
    let hedged = |plan: [Answer; 2]| {
        let request = Request::get("http://user:secret@files.test:8080/file?secret=1")
            .header("authorization", "secret")
            .body(Body::default());
        told(layer.layer(Upstream::new(plan)).oneshot(request.unwrap()))
    };
    let line = |message, elapsed| {
        format!(
            "DEBUG tower_http_retry: {message} http.request.method=\"GET\" \
             server.address=\"files.test\" server.port=8080 elapsed_ms={elapsed}"
        )
    };
    let slow = |millis| after(Duration::from_millis(millis), Status(200));
    let told = hedged([Answer::Never, slow(20)]).await;
    assert_eq!(
        told,
        [line("hedging", 100), line("the hedge was faster", 120)]
    );
    // What follows from that, or is a matter of course, is not told: no more can be paid for here.
    assert!(hedged([slow(200), slow(10)]).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_wait_says_what_determined_it() {
    let asks = Answer::Headers(429, vec![("retry-after", "30".into())]);
    let plan = [Error(ErrorKind::TimedOut), asks, Status(200)];
    let told = traced(&plan, get()).await;
    let waits: Vec<_> = told
        .iter()
        .map(|line| line.split("wait_ms=").nth(1))
        .collect();
    assert_eq!(
        waits,
        [
            Some("2000 reason=back-off, one step up after a time-out"),
            Some("30000 reason=requested by the server")
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_servers_address_has_no_brackets_and_is_absent_where_there_is_none() {
    for (uri, expected) in [
        (
            "http://[::1]:80/",
            " server.address=\"::1\" server.port=80 ",
        ),
        ("http://a.test/", " server.address=\"a.test\" error.type="),
        ("/", " http.response.status_code=503 error.type="),
    ] {
        let mut request = post();
        *request.uri_mut() = uri.parse().unwrap();
        let told = traced(&[Status(503)], request).await.concat();
        assert!(told.contains(expected), "{uri}: {told}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_of_the_attempts_is_no_wait() {
    let slow = |status| after(Duration::from_secs(5), Status(status));
    let told = traced(&[slow(503), slow(404)], get()).await;
    assert!(told[1].contains(" waited_ms=1000 "), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn what_kind_of_error_it_was_is_told_in_few_words() {
    let word = async |kind, request| {
        let told = traced(&[Error(kind), Status(200)], request).await.concat();
        let word = told.split("error.type=\"").nth(1).unwrap();
        word.split('"').next().unwrap().to_owned()
    };
    assert_eq!(word(ErrorKind::ConnectionRefused, post()).await, "refused");
    assert_eq!(word(ErrorKind::ConnectionReset, get()).await, "_OTHER");
    assert_eq!(word(ErrorKind::TimedOut, post()).await, "timeout");
}

#[tokio::test(start_paused = true)]
async fn a_trace_layer_below_has_a_span_for_each_attempt_in_that_of_the_request() {
    let attempts = TraceLayer::new_for_http().make_span_with(|request: &Request<_>| {
        let attempt = request.extensions().get::<Attempt>();
        let retries = attempt.map(|attempt| attempt.number() - 1);
        let retries = retries.filter(|retries| *retries > 0);
        info_span!("attempt", http.request.resend_count = retries)
    });
    let client = ServiceBuilder::new()
        .layer(stops::layer().mark_attempts())
        .layer(attempts.on_request(|_: &Request<_>, _: &tracing::Span| tracing::info!("sent")))
        .service(Upstream::new([Status(503), Status(503), Status(200)]));
    let call = client
        .oneshot(get())
        .instrument(info_span!("request", id = 7));
    let told = told(call).await;
    let sent: Vec<_> = told.iter().filter(|line| line.ends_with(" sent")).collect();
    assert_eq!(
        sent,
        [
            "INFO request{id=7}:attempt: subscriber::tracing: sent",
            "INFO request{id=7}:attempt{http.request.resend_count=1}: subscriber::tracing: sent",
            "INFO request{id=7}:attempt{http.request.resend_count=2}: subscriber::tracing: sent",
        ]
    );
    let retrying = told
        .iter()
        .find(|line| line.contains(" retrying "))
        .unwrap();
    assert!(retrying.starts_with("DEBUG request{id=7}: tower_http_retry: retrying"));
}

/// Which fields an event has as signed numbers, and which as others.
#[derive(Default)]
struct Numbers {
    signed: Vec<&'static str>,
    unsigned: Vec<&'static str>,
}

impl Visit for Numbers {
    fn record_i64(&mut self, field: &Field, _: i64) {
        self.signed.push(field.name());
    }

    fn record_u64(&mut self, field: &Field, _: u64) {
        self.unsigned.push(field.name());
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

/// Keeps the numbers of each event.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<Numbers>>>);

impl<S: Subscriber> Layered<S> for Recorder {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut numbers = Numbers::default();
        event.record(&mut numbers);
        self.0.lock().unwrap().push(numbers);
    }
}

#[tokio::test(start_paused = true)]
async fn numbers_are_signed_as_opentelemetry_has_them() {
    let recorder = Recorder::default();
    let subscriber = tracing_subscriber::registry().with(recorder.clone());
    let _guard = tracing::subscriber::set_default(subscriber);
    let request = Request::get("http://upstream.test:8080/").body(Body::default());
    let layer = stops::layer().max_retries(1);
    let service = layer.layer(Upstream::new([Status(503)]));
    service.oneshot(request.unwrap()).await.unwrap();
    let signed = [
        "http.request.resend_count",
        "http.response.status_code",
        "server.port",
    ];
    let told = recorder.0.lock().unwrap();
    let retried = [&signed[..], &["wait_ms"]].concat();
    let gave_up = [&signed[..], &["waited_ms"]].concat();
    let told: Vec<_> = told
        .iter()
        .map(|numbers| (&numbers.signed, &numbers.unsigned))
        .collect();
    assert_eq!(told, [(&retried, &Vec::new()), (&gave_up, &Vec::new())]);
}
