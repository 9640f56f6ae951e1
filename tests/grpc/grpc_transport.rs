//! gRPC's retries over connections that fail.

use std::future::ready;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::level::Level;
use crate::support::step::Step;
use bytes::Bytes;
use h2::Reason as Reset;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpSocket;
use tokio::time::Instant;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_http_retry::classify::{Class, Classify, Outcome};
use tower_http_retry::event::{StopReason, WaitReason};
use tower_http_retry::grpc::ByGrpcStatus;
use tower_http_retry::{BoxError, Budget, ReplayBody, RetryLayer};

use crate::support::calls::{Layer, exact, got, greeted, millis};
use crate::support::greeter::{
    Greeter, GreeterClient, Turn as Answer, channel_to, hello, retrying,
};
use crate::support::http2::{Connection, Server, Turn, go_away, settings};

/// The class of each outcome, and what followed from it.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<(Class, Step)>>>);

impl Told {
    fn to(&self, layer: Layer) -> Layer {
        let told = self.0.clone();
        layer.on_event(move |event| {
            if let Some(class) = event.class() {
                told.lock().unwrap().push((class, Step::from(event.kind())));
            }
        })
    }

    fn steps(&self) -> Vec<(Class, Step)> {
        self.0.lock().unwrap().clone()
    }
}

fn transparently() -> (Class, Step) {
    let (after, reason) = (Duration::ZERO, WaitReason::Transparent);
    (Class::Refused, Step::Retry { after, reason })
}

fn after(class: Class, wait: u64) -> (Class, Step) {
    let (after, reason) = (millis(wait), WaitReason::Backoff);
    (class, Step::Retry { after, reason })
}

fn stop(class: Class, stop: StopReason) -> (Class, Step) {
    (class, Step::Stop(stop))
}

fn success() -> (Class, Step) {
    stop(Class::Success, StopReason::Success)
}

/// What a call over hyper-util's client came to.
struct Came {
    result: Result<Response<Incoming>, BoxError>,
    steps: Vec<(Class, Step)>,
    /// `grpc-previous-rpc-attempts` of each attempt.
    counted: Vec<Option<String>>,
    took: Duration,
    server: Server,
}

async fn call(layer: Layer, plan: impl Into<Vec<Connection>>) -> Came {
    call_with("item", layer, plan).await
}

async fn call_with(body: &'static str, layer: Layer, plan: impl Into<Vec<Connection>>) -> Came {
    let server = Server::start(plan).await;
    let told = Told::default();
    let counted = Arc::new(Mutex::new(Vec::new()));
    let hear = {
        let counted = counted.clone();
        move |request: Request<ReplayBody<Full<Bytes>>>| {
            let header = request.headers().get("grpc-previous-rpc-attempts");
            let header = header.map(|header| header.to_str().unwrap().to_owned());
            counted.lock().unwrap().push(header);
            request
        }
    };
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    let client = ServiceBuilder::new()
        .layer(told.to(layer))
        .map_request(hear)
        .service(client);
    let request = Request::post(server.uri()).body(Full::from(body)).unwrap();
    let start = Instant::now();
    let result = client.oneshot(request).await;
    let (took, steps) = (start.elapsed(), told.steps());
    let counted = counted.lock().unwrap().clone();
    Came {
        result,
        steps,
        counted,
        took,
        server,
    }
}

impl Came {
    fn counted(&self) -> Vec<Option<&str>> {
        self.counted.iter().map(Option::as_deref).collect()
    }

    fn reset(&self) -> Reset {
        let error = self.result.as_ref().unwrap_err();
        let mut chain = std::iter::successors(Some(&**error as _), |&error| {
            std::error::Error::source(error)
        });
        let find =
            |cause: &(dyn std::error::Error + 'static)| cause.downcast_ref::<h2::Error>()?.reason();
        chain.find_map(find).unwrap()
    }
}

const REFUSE: Turn = Turn::Reset(Reset::REFUSED_STREAM);

fn streams(turns: &[Turn]) -> Vec<Connection> {
    vec![Connection::Streams(turns.to_vec())]
}

fn goes_away() -> Connection {
    Connection::Wire([settings(), go_away(0, Reset::NO_ERROR)].concat())
}

fn answers() -> Connection {
    Connection::Streams(vec![Turn::Answer])
}

#[tokio::test(start_paused = true)]
async fn a_refused_stream_is_sent_again_once_at_once_and_not_counted() {
    let budget = Budget::throttle(10, 0.1);
    let layer = exact().budget(budget.clone());
    let came = call(layer, streams(&[REFUSE, Turn::Answer])).await;
    assert_eq!(came.result.as_ref().unwrap().status(), 200);
    assert_eq!(came.steps, [transparently(), success()]);
    assert_eq!(came.counted(), [None, None]);
    assert_eq!((came.took, budget.level()), (Duration::ZERO, Some(10_000)));
    assert_eq!(came.server.received(), [["POST item"; 2]]);
}

#[tokio::test(start_paused = true)]
async fn the_second_refused_stream_is_the_failure_that_it_stands_for() {
    let budget = Budget::throttle(10, 0.1);
    let layer = exact().budget(budget.clone());
    let came = call(layer, streams(&[REFUSE, REFUSE, REFUSE, Turn::Answer])).await;
    assert_eq!(came.result.as_ref().unwrap().status(), 200);
    let refused = Class::Refused;
    let steps = [
        transparently(),
        after(refused, 100),
        after(refused, 200),
        success(),
    ];
    assert_eq!(came.steps, steps);
    assert_eq!(came.counted(), [None, None, Some("1"), Some("2")]);
    assert_eq!((came.took, budget.level()), (millis(300), Some(8_100)));
}

#[tokio::test(start_paused = true)]
async fn a_go_away_that_leaves_the_stream_out_is_as_a_refused_stream() {
    let budget = Budget::throttle(10, 0.1);
    let layer = exact().budget(budget.clone());
    let came = call(layer, [goes_away(), goes_away(), answers()]).await;
    assert_eq!(came.result.as_ref().unwrap().status(), 200);
    assert_eq!(
        came.steps,
        [transparently(), after(Class::Refused, 100), success()]
    );
    assert_eq!(came.counted(), [None, None, Some("1")]);
    assert_eq!((came.took, budget.level()), (millis(100), Some(9_100)));
    assert_eq!(came.server.received(), [["POST"], ["POST"], ["POST item"]]);
}

#[tokio::test(start_paused = true)]
async fn a_go_away_that_may_include_the_call_is_unavailable() {
    let budget = Budget::throttle(10, 0.1);
    let layer = exact().budget(budget.clone());
    let came = call_with("", layer, [goes_away(), answers()]).await;
    assert_eq!(came.result.as_ref().unwrap().status(), 200);
    assert_eq!(came.steps, [after(Class::Transient, 100), success()]);
    assert_eq!(came.counted(), [None, Some("1")]);
    assert_eq!((came.took, budget.level()), (millis(100), Some(9_100)));

    let none = exact().classify(ByGrpcStatus::new().except(Code::Unavailable as i32));
    let came = call_with("", none, [goes_away(), answers()]).await;
    let permanent = stop(Class::Permanent, StopReason::Permanent);
    assert_eq!(came.steps, [permanent]);
}

#[tokio::test(start_paused = true)]
async fn a_transparent_retry_is_none_of_the_five_attempts() {
    let came = call(exact(), streams(&[REFUSE; 7])).await;
    assert_eq!(came.reset(), Reset::REFUSED_STREAM);
    let refused = Class::Refused;
    let waits = [100, 200, 400, 800].map(|wait| after(refused, wait));
    let steps = [
        &[transparently()][..],
        &waits,
        &[stop(refused, StopReason::Attempts)],
    ];
    assert_eq!(came.steps, steps.concat());
    assert_eq!(came.server.received(), [["POST item"; 6]]);
    let counted = [None, None, Some("1"), Some("2"), Some("3"), Some("4")];
    assert_eq!(came.counted(), counted);
}

#[tokio::test(start_paused = true)]
async fn without_a_code_to_retry_a_refused_stream_is_sent_again_once() {
    let layer = || exact().classify(ByGrpcStatus::new().except(Code::Unavailable as i32));
    let came = call(layer(), streams(&[REFUSE, Turn::Answer])).await;
    assert_eq!(came.steps, [transparently(), success()]);
    for (plan, received) in [
        (
            streams(&[REFUSE, REFUSE, Turn::Answer]),
            vec![vec!["POST item"; 2]],
        ),
        (
            vec![goes_away(), goes_away(), answers()],
            vec![vec!["POST"]; 2],
        ),
    ] {
        let budget = Budget::throttle(10, 0.1);
        let came = call(layer().budget(budget.clone()), plan).await;
        assert!(came.result.is_err());
        assert_eq!(
            came.steps,
            [
                transparently(),
                stop(Class::Permanent, StopReason::Permanent)
            ]
        );
        assert_eq!(came.server.received(), received);
        assert_eq!((came.took, budget.level()), (Duration::ZERO, Some(10_000)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_transparent_retry_is_made_whatever_the_throttle_says() {
    let budget = Budget::throttle(1, 0.1);
    let layer = || exact().budget(budget.clone());
    let came = call(layer(), streams(&[REFUSE, REFUSE, Turn::Answer])).await;
    let denied = stop(Class::Refused, StopReason::Budget);
    assert_eq!(came.steps, [transparently(), denied]);
    assert_eq!(budget.level(), Some(0));
    let came = call(layer(), streams(&[REFUSE, Turn::Answer])).await;
    assert_eq!(came.steps, [transparently(), success()]);
}

#[tokio::test(start_paused = true)]
async fn where_there_are_no_retries_there_is_no_transparent_one() {
    let came = call(exact().max_retries(0), streams(&[REFUSE, Turn::Answer])).await;
    assert_eq!(came.reset(), Reset::REFUSED_STREAM);
    assert_eq!(came.steps, [stop(Class::Refused, StopReason::Attempts)]);
}

#[tokio::test(start_paused = true)]
async fn any_other_reset_is_the_code_that_its_reason_stands_for() {
    for (reason, code) in [
        (Reset::NO_ERROR, Code::Internal),
        (Reset::PROTOCOL_ERROR, Code::Internal),
        (Reset::INTERNAL_ERROR, Code::Internal),
        (Reset::CANCEL, Code::Cancelled),
        (Reset::ENHANCE_YOUR_CALM, Code::ResourceExhausted),
        (Reset::INADEQUATE_SECURITY, Code::PermissionDenied),
    ] {
        let plan = || streams(&[Turn::Reset(reason), Turn::Answer]);
        let came = call(exact(), plan()).await;
        assert_eq!(came.reset(), reason);
        assert_eq!(
            came.steps,
            [stop(Class::Permanent, StopReason::Permanent)],
            "{reason}"
        );
        let layer = exact().classify(ByGrpcStatus::new().also(code as i32));
        let came = call(layer, plan()).await;
        let steps = [after(Class::Transient, 100), success()];
        assert_eq!(came.steps, steps, "{reason}");
        assert_eq!(came.counted(), [None, Some("1")]);
    }
}

/// What a call over tonic's channel came to at a server that fails in this way, until it is gone.
async fn call_by_tonic(
    layer: Layer,
    plan: impl Into<Vec<Connection>>,
) -> (Status, Vec<(Class, Step)>) {
    let server = Server::start(plan).await;
    let told = Told::default();
    let channel = channel_to(server.address());
    let mut client = GreeterClient::new(retrying(&told.to(layer), channel));
    let status = client.say_hello(hello("Ada")).await.unwrap_err();
    (status, told.steps())
}

#[tokio::test(start_paused = true)]
async fn tonics_errors_are_read_as_those_of_the_connection_beneath() {
    let mut cases = vec![
        (streams(&[REFUSE]), transparently()),
        (vec![goes_away()], transparently()),
        (streams(&[Turn::Close]), after(Class::Transient, 100)),
    ];
    for reason in [Reset::CANCEL, Reset::INTERNAL_ERROR] {
        let permanent = stop(Class::Permanent, StopReason::Permanent);
        cases.push((streams(&[Turn::Reset(reason)]), permanent));
    }
    for (plan, expected) in cases {
        let shown = format!("{plan:?}");
        let (status, steps) = call_by_tonic(exact().max_retries(1), plan).await;
        assert_eq!(steps[0], expected, "{shown} {steps:?} {status:?}");
    }
}

fn bound() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    socket
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_refused_is_unavailable_and_tried_again() {
    let socket = bound();
    let told = Told::default();
    let layer = told.to(exact());
    let channel = channel_to(socket.local_addr().unwrap());
    let start = Instant::now();
    let mut client = GreeterClient::new(retrying(&layer, channel));
    let status = client.say_hello(hello("Ada")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let refused = Class::Refused;
    let mut steps: Vec<_> = [100, 200, 400, 800].map(|wait| after(refused, wait)).into();
    steps.push(stop(refused, StopReason::Attempts));
    assert_eq!((told.steps(), start.elapsed()), (steps, millis(1_500)));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_comes_up_during_the_waits_is_reached() {
    let socket = bound();
    let channel = channel_to(socket.local_addr().unwrap());
    let socket = Mutex::new(Some(socket));
    let server = Arc::new(Mutex::new(None));
    let (up, sent) = (server.clone(), Mutex::new(0));
    let layer = RetryLayer::grpc().on_event(move |event| {
        let mut sent = sent.lock().unwrap();
        *sent += i32::from(Step::from(event.kind()) == Step::Sent);
        if let (3, Some(socket)) = (*sent, socket.lock().unwrap().take_if(|_| *sent == 3)) {
            let listener = socket.listen(16).unwrap();
            *up.lock().unwrap() = Some(Greeter::on(listener, [Answer::Ok]));
        }
    });
    let mut client = GreeterClient::new(retrying(&layer, channel));
    assert_eq!(got(client.say_hello(hello("Ada")).await), greeted());
    let server = server.lock().unwrap().take().unwrap();
    let counted = server.headers("grpc-previous-rpc-attempts");
    assert_eq!(counted, [Some("2".to_owned())]);
}

/// A channel whose host is looked up in vain.
fn unresolved(kind: ErrorKind) -> Channel {
    let resolve = move |_: Name| ready(Err::<std::vec::IntoIter<_>, _>(io::Error::from(kind)));
    let connector = HttpConnector::new_with_resolver(service_fn(resolve));
    Endpoint::from_static("http://greeter.test").connect_with_connector_lazy(connector)
}

/// So a connect time-out of tonic's channel looks, too.
#[tokio::test(start_paused = true)]
async fn a_connect_that_fails_before_there_is_a_connection_is_unavailable_and_tried_again() {
    for kind in [ErrorKind::Other, ErrorKind::TimedOut] {
        let told = Told::default();
        let layer = told.to(exact().max_retries(1));
        let mut client = GreeterClient::new(retrying(&layer, unresolved(kind)));
        let status = client.say_hello(hello("Ada")).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "so tonic says");
        let classes: Vec<_> = told.steps().iter().map(|(class, _)| *class).collect();
        assert_eq!(classes, [Class::Refused; 2], "{kind}");
    }
}

#[tokio::test]
async fn a_call_that_its_connection_never_started_is_refused_transparently() {
    let (near, _far) = tokio::io::duplex(1024);
    let (mut sender, connection) = http1::handshake(TokioIo::new(near)).await.unwrap();
    drop(connection);
    let call = Request::new(Full::<Bytes>::default());
    let error = sender.send_request(call).await.unwrap_err();
    assert!(error.is_canceled());
    let request = Request::new(());
    let outcome = || Outcome::error(&request, &error);
    let transparent = Class::Refused.transparent();
    assert_eq!(ByGrpcStatus::new().classify(&outcome()), transparent);
    // Without a code to retry, the first time only.
    let none = ByGrpcStatus::new().except(14);
    assert_eq!(none.classify(&outcome()), transparent);
    let second = none.classify(&outcome().on_attempt(2));
    assert_eq!(second, Class::Permanent.into());
}
