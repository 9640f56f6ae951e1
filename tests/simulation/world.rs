//! One run of a plan, with the caller, the servers, the network between them, and its faults.

use std::cell::RefCell;
use std::fmt;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Once};
use std::time::Duration;

use tokio::sync::Notify;
use turmoil::{Builder, Sim};

use super::caller::Caller;
use super::journal::{Entry, Journal};
use super::plan::{Plan, SERVERS};
use super::trouble::Trouble;
use super::upstream::{Upstream, name};

/// The resolution of time in the network.
const TICK: Duration = Duration::from_millis(2);
/// The maximum duration of a run, which is much longer than any request.
const LONGEST: Duration = Duration::from_secs(30);
/// The caller's host name.
pub const CALLER: &str = "caller";

thread_local! {
    /// The last panic of this thread. A task that panics does not end the others.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The entries of a run, and its result.
pub struct Run {
    pub entries: Vec<Entry>,
    pub ended: Result<(), String>,
}

impl Run {
    pub fn of(plan: &Arc<Plan>) -> Self {
        listen_for_panics();
        // Seeds the generator of this thread, which other code may use.
        fastrand::seed(plan.seed);
        let journal = Journal::default();
        let run = AssertUnwindSafe(|| run(plan, &journal));
        let ended = catch_unwind(run).unwrap_or(Ok(()));
        Self {
            entries: journal.entries(),
            ended: match PANIC.take() {
                Some(panic) => Err(panic),
                None => ended.map_err(|error| error.to_string()),
            },
        }
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries
            .iter()
            .try_for_each(|entry| writeln!(f, "{entry}"))
    }
}

fn listen_for_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            PANIC.set(Some(panic.to_string()));
            print(panic);
        }));
    });
}

fn run(plan: &Arc<Plan>, journal: &Journal) -> turmoil::Result {
    let mut sim = network(plan);
    let shut_down: Vec<_> = (0..SERVERS).map(|_| Arc::new(Notify::new())).collect();
    for (server, shut_down) in (0..SERVERS).zip(shut_down.clone()) {
        let upstream = Upstream {
            plan: plan.clone(),
            journal: journal.clone(),
            server,
            shut_down,
            starts: Arc::default(),
        };
        sim.host(name(server), move || upstream.clone().serve());
    }
    sim.client(CALLER, Caller::new(plan, journal).call());
    steps(&mut sim, plan, journal, &shut_down)
}

fn network(plan: &Plan) -> Sim<'static> {
    Builder::new()
        .rng_seed(plan.seed)
        .tick_duration(TICK)
        .simulation_duration(LONGEST)
        .min_message_latency(Duration::ZERO)
        .max_message_latency(plan.latency)
        .enable_random_order()
        .build()
}

fn steps(
    sim: &mut Sim<'_>,
    plan: &Plan,
    journal: &Journal,
    shut_down: &[Arc<Notify>],
) -> turmoil::Result {
    let (mut ahead, mut present) = (plan.troubles.clone(), Vec::new());
    loop {
        // All trouble ends when the last request has ended.
        let is_over = journal.is_over();
        for trouble in take(&mut present, |trouble| {
            is_over || trouble.until <= sim.elapsed()
        }) {
            trouble.end(sim, plan);
        }
        for trouble in take(&mut ahead, |trouble| {
            !is_over && trouble.from <= sim.elapsed()
        }) {
            trouble.start(sim, shut_down);
            present.push(trouble);
        }
        if sim.step()? {
            return Ok(());
        }
    }
}

/// Removes and returns the troubles for which `is_due` is true.
fn take(troubles: &mut Vec<Trouble>, is_due: impl Fn(&Trouble) -> bool) -> Vec<Trouble> {
    let (due, rest) = troubles.drain(..).partition(is_due);
    *troubles = rest;
    due
}
