//! Requests of many threads through one layer, each with a runtime and a clock of its own: nothing is
//! counted twice, and nothing is lost.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use http::{Request, Response};
use http_body_util::Full;
use tokio::time::sleep;
use tower::{Layer, Service, ServiceExt};
use tower_http_retry::hedge::{Hedge, HedgeBody, HedgeEventKind as Kind, Hedged};
use tower_http_retry::{BoxError, HedgeLayer};

const THREADS: usize = 64;

type Body = Full<Bytes>;

/// What a request's first attempt and its hedge are answered, and after how many milliseconds.
#[derive(Clone, Copy)]
struct Answers([(u64, u16); 2]);

const QUICK: Answers = Answers([(0, 200), (0, 200)]);
/// It earns nothing.
const SLOW: Answers = Answers([(3, 404), (9, 404)]);

#[derive(Clone, Default)]
struct Inner {
    seen: Arc<AtomicUsize>,
}

impl Service<Request<HedgeBody<Body>>> for Inner {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<HedgeBody<Body>>) -> Self::Future {
        self.seen.fetch_add(1, Ordering::Relaxed);
        let Answers(answers) = *request.extensions().get().expect("answers");
        let (millis, status) = answers[usize::from(request.body().is_hedge())];
        Box::pin(async move {
            if millis > 0 {
                sleep(Duration::from_millis(millis)).await;
            }
            let response = Response::builder().status(status);
            Ok(response.body(Body::default()).unwrap())
        })
    }
}

/// How often each step was told.
#[derive(Default)]
struct Told {
    sent: AtomicUsize,
    won: AtomicUsize,
    lost: AtomicUsize,
    failed: AtomicUsize,
}

impl Told {
    fn hear(&self, kind: Kind) {
        let count = match kind {
            Kind::Sent => &self.sent,
            Kind::Won => &self.won,
            Kind::Lost => &self.lost,
            Kind::Failed => &self.failed,
            _ => return,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

type Client = Hedge<Inner>;

struct World {
    client: Client,
    seen: Arc<AtomicUsize>,
    told: Arc<Told>,
}

impl World {
    fn new(extra_load: f64) -> Self {
        let told = Arc::new(Told::default());
        let heard = told.clone();
        let layer = HedgeLayer::new()
            .after(Duration::from_millis(1))
            .extra_load(extra_load)
            .control(0.0)
            .mark_responses()
            .on_event(move |event| heard.hear(event.kind()));
        let inner = Inner::default();
        let seen = inner.seen.clone();
        let client = layer.layer(inner);
        Self { client, seen, told }
    }

    fn sent(&self) -> usize {
        self.told.sent.load(Ordering::Relaxed)
    }

    /// How many of so many requests, one after the other, are hedged; they earn nothing.
    fn spend(&self, requests: usize) -> usize {
        let before = self.sent();
        run(async {
            for _ in 0..requests {
                send(&self.client, SLOW).await;
            }
        });
        self.sent() - before
    }

    /// Each thread does this at once.
    fn each<T: Send>(&self, act: impl Fn(usize, &Client) -> T + Sync) -> Vec<T> {
        let barrier = Barrier::new(THREADS);
        thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|number| {
                    let (client, act, barrier) = (self.client.clone(), &act, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        act(number, &client)
                    })
                })
                .collect();
            let joined = threads.into_iter().map(|thread| thread.join().unwrap());
            joined.collect()
        })
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(future)
}

async fn send(client: &Client, answers: Answers) -> Response<Body> {
    let mut request = Request::new(Body::default());
    request.extensions_mut().insert(answers);
    client.clone().oneshot(request).await.unwrap()
}

/// 64 successes buy one hedge, and nothing is left.
#[test]
fn the_purse_has_what_successes_have_earned_to_the_last_one() {
    let world = World::new(1.0 / 64.0);
    assert_eq!(world.spend(3), 1, "one is there from the start");
    for round in 0..10 {
        for successes in [1, 2] {
            world.each(|_, client| run(async { repeat(client, successes).await }));
            assert_eq!(world.spend(4), successes, "round {round}");
        }
    }
    // One success too many would show here, one that was lost below.
    run(async { repeat(&world.client, 63).await });
    assert_eq!(world.spend(1), 0);
    run(async { repeat(&world.client, 1).await });
    assert_eq!(world.spend(2), 1);
}

async fn repeat(client: &Client, times: usize) {
    for _ in 0..times {
        send(client, QUICK).await;
    }
}

#[test]
fn every_hedge_is_told_and_paid_for_and_has_one_outcome() {
    const REQUESTS: usize = 200;
    let share = 0.25;
    let world = World::new(share);
    let answers = [
        QUICK,
        QUICK,
        SLOW,
        Answers([(9, 200), (1, 200)]),
        Answers([(3, 200), (9, 200)]),
        Answers([(3, 503), (4, 503)]),
        Answers([(3, 503), (1, 200)]),
    ];
    let ended = world.each(|number, client| {
        let mut random = Rng::with_seed(number as u64);
        run(async {
            let (mut marked, mut earned) = (0, 0);
            for _ in 0..REQUESTS {
                let response = send(client, answers[random.usize(..answers.len())]).await;
                let hedged = response.extensions().get::<Hedged>();
                marked += usize::from(hedged.is_some());
                let won = hedged.is_some_and(|hedged| hedged.won);
                earned += usize::from(response.status() == 200 && !won);
            }
            (marked, earned)
        })
    });
    let marked: usize = ended.iter().map(|(marked, _)| marked).sum();
    let earned: usize = ended.iter().map(|(_, earned)| earned).sum();
    let [sent, won, lost, failed] = {
        let told = &world.told;
        [&told.sent, &told.won, &told.lost, &told.failed].map(|count| count.load(Ordering::Relaxed))
    };
    assert_eq!(
        world.seen.load(Ordering::Relaxed),
        THREADS * REQUESTS + sent
    );
    assert_eq!(won + lost + failed, sent);
    assert_eq!(marked, sent);
    assert!(won > 0 && lost > 0 && failed > 0, "{won} {lost} {failed}");
    let covered = 1.0 + share * earned as f64;
    assert!(sent as f64 <= covered, "{sent} of {covered}");
    // What is wanted is more than is earned, and little finds no room.
    assert!(sent as f64 >= covered / 2.0, "{sent} of {covered}");
}
