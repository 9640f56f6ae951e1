//! A bounded load, with an outage in the middle, and a quota that is used up near the end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tower_http_retry::BoxError;

use crate::history::History;
use crate::say;

/// The time from one request to the next.
const PERIOD: Duration = Duration::from_millis(50);

/// The most requests that are in flight at the same time.
const IN_FLIGHT: usize = 64;

/// The number of requests after which the quota is used up again. They take 5 seconds.
const QUOTA: u128 = 100;

/// The path that is requested while the upstream is down.
const OUTAGE: &str = "/down";

/// The paths that are requested in turn while the upstream is up.
const TURNS: [&str; 20] = [
    "/ok",
    "/flaky",
    "/ok",
    "/ok",
    "/throttled",
    "/ok",
    "/flaky",
    "/ok",
    "/ok",
    "/slow",
    "/ok",
    "/flaky",
    "/ok",
    "/ok",
    "/cut",
    "/ok",
    "/flaky",
    "/ok",
    "/missing",
    "/ok",
];

type Caller = Client<HttpConnector, Empty<Bytes>>;

/// Sends requests to the proxy until the time is up or the program stops, and prints the number of
/// responses with each status.
pub(crate) async fn send(
    proxy: SocketAddr,
    duration: Duration,
    history: Arc<History>,
    stopping: watch::Receiver<bool>,
) -> Result<(), BoxError> {
    let caller: Caller = Client::builder(TokioExecutor::new()).build_http();
    let places = Arc::new(Semaphore::new(IN_FLIGHT));
    let total = duration.as_millis().div_ceil(PERIOD.as_millis());
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut requests = JoinSet::new();
    for number in 0..total {
        ticks.tick().await;
        if *stopping.borrow() {
            break;
        }
        let place = places.clone().acquire_owned().await?;
        let path = path(number, total);
        history.outage(path == OUTAGE);
        let uri = format!("http://{proxy}{path}").parse()?;
        let caller = caller.clone();
        requests.spawn(async move {
            // The last requests may fail, because the proxy may have stopped already.
            let answer = ask(&caller, uri).await.map(|status| status.to_string());
            drop(place);
            answer.unwrap_or_else(|_| "no answer".to_owned())
        });
    }
    let mut answers = BTreeMap::<String, u64>::new();
    while let Some(answer) = requests.join_next().await {
        *answers.entry(answer?).or_default() += 1;
    }
    for (answer, count) in answers {
        say(&format!("demo: {count} x {answer}"));
    }
    Ok(())
}

/// The path of a request. The upstream is down in the third fifth of the time. In the last fifth, its quota
/// is used up several times.
fn path(number: u128, total: u128) -> &'static str {
    let last_fifth = (total * 4).div_ceil(5);
    match number * 5 / total {
        2 => OUTAGE,
        4 if (number - last_fifth) % QUOTA == 0 => "/quota",
        _ => TURNS[number as usize % TURNS.len()],
    }
}

async fn ask(caller: &Caller, uri: http::Uri) -> Result<StatusCode, BoxError> {
    let request = Request::get(uri).body(Empty::new())?;
    let response = caller.request(request).await?;
    let status = response.status();
    response.into_body().collect().await?;
    Ok(status)
}
