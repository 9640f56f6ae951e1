//! Whatever two attempts take and come to: when a hedge is sent, whose outcome is returned and when, and
//! when each attempt is let go, on the paused clock.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tokio::time::{Instant, sleep, timeout};
use tower::{Layer, Service, ServiceExt};
use tower_http_retry::hedge::{HedgeBody, HedgeEventKind as Kind, Losers, NotSent};
use tower_http_retry::{BoxError, HedgeLayer};

use crate::hedge_reference::{Attempt, Entry, Fate, HORIZON, Purse, Way, expected};

type Body = Full<Bytes>;

/// Requests through one layer, one after the other.
#[derive(Clone, Debug)]
struct Case {
    /// None for one that is too long to be waited for.
    delay: Option<u64>,
    /// What a success earns, in quarters of a hedge.
    quarters: u32,
    withholds: bool,
    /// For how long losers go on.
    keeps: Option<u64>,
    requests: Vec<Way>,
}

fn attempt() -> impl Strategy<Value = Attempt> {
    let fate = prop_oneof![
        3 => Just(Fate::Status(200)),
        1 => Just(Fate::Status(204)),
        1 => Just(Fate::Status(404)),
        2 => Just(Fate::Status(503)),
        1 => Just(Fate::Status(429)),
        1 => Just(Fate::Error(ErrorKind::ConnectionReset)),
        1 => Just(Fate::Error(ErrorKind::ConnectionRefused)),
        1 => Just(Fate::Error(ErrorKind::InvalidInput)),
    ];
    (option::weighted(0.9, 0..12_u64), fate).prop_map(|(takes, fate)| Attempt { takes, fate })
}

fn way() -> impl Strategy<Value = Way> {
    let dropped = prop_oneof![6 => Just(None), 3 => (0..20_u64).prop_map(Some)];
    let may_be = prop::bool::weighted(0.9);
    let is_ready = prop::bool::weighted(0.9);
    (attempt(), attempt(), may_be, is_ready, dropped).prop_map(
        |(first, hedge, may_be_hedged, is_ready, dropped)| Way {
            first,
            hedge,
            may_be_hedged,
            is_ready,
            dropped,
        },
    )
}

fn case() -> impl Strategy<Value = Case> {
    let requests = vec(way(), 1..=8);
    let delay = option::weighted(0.95, 0..8_u64);
    let withholds = prop::bool::weighted(0.1);
    let keeps = option::weighted(0.3, 0..12_u64);
    (delay, 0..=4_u32, withholds, keeps, requests).prop_map(
        |(delay, quarters, withholds, keeps, requests)| Case {
            delay,
            quarters,
            withholds,
            keeps,
            requests,
        },
    )
}

/// What happened to one request, at so many milliseconds from its start.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(u64, Entry)>>>);

impl Log {
    fn write(&self, start: Instant, entry: Entry) {
        let at = start.elapsed().as_millis() as u64;
        self.0.lock().unwrap().push((at, entry));
    }
}

/// Answers as a way says.
#[derive(Clone)]
struct Inner {
    way: Way,
    log: Log,
    start: Instant,
    /// The service itself, which is ready, and then its clone.
    polled: Arc<Mutex<u32>>,
}

/// An attempt that is under way.
struct Call {
    log: Log,
    start: Instant,
    is_hedge: bool,
    has_ended: bool,
}

impl Call {
    fn end(&mut self) {
        self.has_ended = true;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let (is_hedge, has_ended) = (self.is_hedge, self.has_ended);
        let entry = match has_ended {
            true => Entry::Ended { is_hedge },
            false => Entry::Cut { is_hedge },
        };
        self.log.write(self.start, entry);
    }
}

impl Service<Request<HedgeBody<Body>>> for Inner {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let mut polled = self.polled.lock().unwrap();
        *polled += 1;
        match *polled == 1 || self.way.is_ready {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }

    fn call(&mut self, request: Request<HedgeBody<Body>>) -> Self::Future {
        let is_hedge = request.body().is_hedge();
        self.log.write(self.start, Entry::Sent { is_hedge });
        let attempt = match is_hedge {
            true => self.way.hedge,
            false => self.way.first,
        };
        let mut call = Call {
            log: self.log.clone(),
            start: self.start,
            is_hedge,
            has_ended: false,
        };
        Box::pin(async move {
            match attempt.takes {
                // Ready when it is first polled.
                Some(0) => {}
                Some(millis) => sleep(Duration::from_millis(millis)).await,
                None => std::future::pending().await,
            }
            call.end();
            answer(attempt.fate, is_hedge)
        })
    }
}

fn answer(fate: Fate, is_hedge: bool) -> Result<Response<Body>, BoxError> {
    match fate {
        Fate::Status(status) => {
            let response = Response::builder().status(status).extension(is_hedge);
            Ok(response.body(Body::default()).unwrap())
        }
        Fate::Error(kind) => Err(io::Error::new(kind, format!("{is_hedge}")).into()),
    }
}

/// Whose outcome it is, and which.
fn returned(outcome: Result<Response<Body>, BoxError>) -> Entry {
    let (is_hedge, fate) = match outcome {
        Ok(response) => {
            let is_hedge = *response
                .extensions()
                .get::<bool>()
                .expect("the service's own");
            (is_hedge, Fate::Status(response.status().as_u16()))
        }
        Err(error) => {
            let error = error.downcast::<io::Error>().expect("the service's own");
            (error.to_string() == "true", Fate::Error(error.kind()))
        }
    };
    Entry::Returned { is_hedge, fate }
}

/// Sends one request, and waits until nothing of it is left.
async fn send<L>(layer: &HedgeLayer<tower_http_retry::ByStatus, L>, way: &Way) -> Vec<(u64, Entry)>
where
    L: Losers<<Inner as Service<Request<HedgeBody<Body>>>>::Future>,
{
    let (log, start) = (Log::default(), Instant::now());
    let inner = Inner {
        way: *way,
        log: log.clone(),
        start,
        polled: Arc::default(),
    };
    let mut service = layer.layer(inner);
    let service: &mut _ = ServiceExt::<Request<Body>>::ready(&mut service)
        .await
        .unwrap();
    let method = match way.may_be_hedged {
        true => Method::GET,
        false => Method::POST,
    };
    let mut request = Request::new(Body::default());
    (*request.method_mut(), *request.uri_mut()) =
        (method, "http://upstream.test/".parse().unwrap());
    let call = service.call(request);
    if way.dropped == Some(0) {
        // It was never polled.
        drop(call);
    } else {
        let mut call = Box::pin(call);
        let until = Duration::from_millis(way.dropped.unwrap_or(HORIZON));
        if let Ok(outcome) = timeout(until, pin!(call.as_mut())).await {
            log.write(start, returned(outcome));
        }
    }
    sleep(Duration::from_millis(HORIZON)).await;
    let entries = log.0.lock().unwrap();
    entries.clone()
}

async fn run(case: &Case) -> (Vec<Vec<(u64, Entry)>>, Vec<Kind>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let notes = told.clone();
    let delay = case.delay.map_or(Duration::MAX, Duration::from_millis);
    let layer = HedgeLayer::new()
        .after(delay)
        .extra_load(f64::from(case.quarters) / 4.0)
        .control(if case.withholds { 1.0 } else { 0.0 })
        .on_event(move |event| notes.lock().unwrap().push(event.kind()));
    let mut logs = Vec::new();
    for way in &case.requests {
        logs.push(match case.keeps {
            Some(keeps) => {
                let layer = layer.clone().keep_losers(Duration::from_millis(keeps));
                send(&layer, way).await
            }
            None => send(&layer, way).await,
        });
    }
    let told = told.lock().unwrap().clone();
    (logs, told)
}

/// Of entries at one time, an order of their own: which is dropped first is no promise.
fn sorted(mut log: Vec<(u64, Entry)>) -> Vec<(u64, Entry)> {
    log.sort();
    log
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 5_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_request_goes_as_the_rules_of_hedging_say(case in case()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let (logs, told) = runtime.block_on(run(&case));
        let mut purse = Purse::new(case.quarters);
        let mut all_told = Vec::new();
        for (way, log) in case.requests.iter().zip(logs) {
            let (expected, told) = expected(way, case.delay, case.withholds, case.keeps, &mut purse);
            prop_assert_eq!(sorted(log), sorted(expected), "{:?}", way);
            all_told.extend(told);
        }
        let told: Vec<_> = told
            .into_iter()
            .map(|kind| match kind {
                // Which of two reasons it is told for is no promise.
                Kind::NotSent(NotSent::Budget | NotSent::NotReady) => None,
                kind => Some(kind),
            })
            .collect();
        prop_assert_eq!(told, all_told);
    }
}
