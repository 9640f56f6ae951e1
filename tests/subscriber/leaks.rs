//! Secrets in URLs, headers, bodies and errors, and all that is told or printed: none is found.

use crate::support::errors::abandoned;
use std::fmt::{Debug, Display, Write as _};
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use http::header::SET_COOKIE;
use http::{Method, Request, Response};
use metrics_exporter_prometheus::PrometheusBuilder;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_http_retry::classify::Classify;
use tower_http_retry::verify::Unverified;
use tower_http_retry::{Attempt, BoxError, ByStatus, ReplayBody, VerifyLayer};

use crate::support::cooling::cool_down;
use crate::support::upstream::Body;
use crate::support::{log, stops};

/// All that was told or printed.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<String>>);

impl Output {
    fn write(&self, text: impl Display) {
        writeln!(self.0.lock().unwrap(), "{text}").unwrap();
    }

    fn debug(&self, value: impl Debug) {
        self.write(format_args!("{value:?}"));
    }

    /// Fails if a secret is in it, or one of these is not.
    fn has_no_secret_but(&self, shown: &[&str]) {
        let output = self.0.lock().unwrap();
        assert!(!output.contains("secret"), "{output}");
        for shown in shown {
            assert!(output.contains(shown), "{shown} is not in {output}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_told_of_a_request_has_no_secret() {
    let output = Output::default();
    let recorder = PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    for stop in stops::ALL {
        let events = output.clone();
        let layer = stops::layer()
            .metrics_by_authority()
            .on_event(move |event| {
                events.debug(event);
                events.debug((event.host(), event.path(), event.error_type()));
            });
        let lines = log::told(stops::send(stop, layer)).await;
        output.write(lines.join("\n"));
        output.write(stop);
    }
    // Its requests have a secret in their query.
    let events = output.clone();
    let layer = stops::layer().on_event(move |event| events.debug(event));
    output.write(log::told(cool_down(layer)).await.join("\n"));
    output.write(recorder.handle().render());
    output.has_no_secret_but(&[
        "Event { kind: AttemptStarted",
        "(\"upstream.test\", \"/item\", Some(\"503\"))",
        "WARN tower_http_retry: gave up",
        "Event { kind: CooldownStarted",
        "Event { kind: Held",
        "WARN tower_http_retry: the quota is used up",
        "authority=\"upstream.test:8080\"} 1",
    ]);
}

fn request(method: Method) -> Request<Body> {
    let request = Request::builder().method(method);
    let request = request.uri("http://user-secret:secret@upstream.test/item?token=secret");
    let request = request.header("authorization", "Bearer secret");
    request.body(Body::from("secret")).unwrap()
}

fn response(status: u16) -> Response<Body> {
    let response = Response::builder().status(status);
    let response = response.header(SET_COOKIE, "secret");
    response.body(Body::from("secret")).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_is_printed_of_a_request_has_no_secret() {
    let output = Output::default();
    let classified = output.clone();
    let layer = stops::layer().mark_attempts().max_retries(1);
    let layer = layer.classify_fn(move |outcome| {
        classified.debug(outcome);
        classified.debug(outcome.result());
        ByStatus::new().classify(outcome)
    });
    let sent = output.clone();
    let service = layer.layer(service_fn(move |request: Request<ReplayBody<Body>>| {
        sent.debug(request.extensions().get::<Attempt>());
        sent.debug(request.body());
        ready(Ok::<_, BoxError>(response(503)))
    }));
    let future = service.oneshot(request(Method::PUT));
    output.debug(&layer);
    let response = future.await.unwrap();
    assert_eq!(response.status(), 503);
    output.has_no_secret_but(&[
        "Outcome {",
        "ResponseHead {",
        "ReplayBody {",
        "RetryLayer {",
    ]);
}

/// Answers once; then it is never ready.
#[derive(Clone)]
struct Stuck {
    is_called: bool,
}

impl Service<Request<ReplayBody<Body>>> for Stuck {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Ready<Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self.is_called {
            true => Poll::Pending,
            false => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, _: Request<ReplayBody<Body>>) -> Self::Future {
        self.is_called = true;
        ready(Ok(response(503)))
    }
}

#[tokio::test(start_paused = true)]
async fn errors_have_no_secret() {
    let output = Output::default();
    let stuck = stops::layer().layer(Stuck { is_called: false });
    let error = stuck.oneshot(request(Method::PUT)).await.unwrap_err();
    assert!(abandoned(&error).is_some());
    output.debug(&error);
    output.write(error);

    // The probe, a GET, is not let in.
    let verify = VerifyLayer::new().put_creates();
    let layers = stops::layer().layer(verify.layer(service_fn(
        |request: Request<ReplayBody<Body>>| {
            let status = if request.method() == Method::GET {
                401
            } else {
                503
            };
            ready(Ok::<_, BoxError>(response(status)))
        },
    )));
    let error = layers.oneshot(request(Method::PUT)).await.unwrap_err();
    assert!(error.is::<Unverified>());
    output.debug(&error);
    output.write(error);
    output.has_no_secret_but(&["Abandoned {", "Unverified {", "http://upstream.test/item"]);
}
