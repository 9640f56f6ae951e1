//! Calls a greeter that fails, with gRPC's retries (gRFC A6) under a generated client:
//! `cargo run -p grpc-client`.
//!
//! The greeter is a part of this program, a tonic server that listens on 127.0.0.1. The calls show
//! these cases: the greeter is unavailable for a moment; it asks for a wait; it asks not to be
//! called again; it rejects an invalid call; the wait that it asks for is too long for the
//! deadline; and so many calls have failed that the layer throttles retries. For each call, the
//! program prints the attempts that the server received, with times of the server's clock, and the
//! decisions of the layer, with the tokens that are left in its throttle. Below that is the result
//! that the caller gets. The program takes about a second.
//!
//! Exit status: 0 if each call behaved as gRFC A6 specifies, else 1.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tonic::{Code, Request, Response, Status};
use tower_http_retry::BoxError;
use tower_http_retry::event::{EventKind, StopReason, WaitReason};

mod client;
mod greeter;
mod service;
mod timeline;

use client::Client;
use greeter::{HelloReply, HelloRequest};
use service::{Fault, GreeterService, NAMELESS, RESTARTING};
use timeline::{Decision, Entry, Seen, Timeline};

/// How long all calls together may take.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);

/// One call, with its faults and the expected result.
struct Case {
    title: &'static str,
    /// The name in the request.
    name: &'static str,
    /// How long the whole call may take, with all attempts and waits.
    deadline: Duration,
    /// The faults of the first attempts, in order. Later attempts succeed.
    faults: &'static [Fault],
    /// The decisions that the layer should make after each attempt.
    decisions: &'static [Expected],
    /// The expected message, or the code and the text of the status.
    answer: Result<&'static str, (Code, &'static str)>,
}

/// A decision that the layer should make.
#[derive(Clone, Copy)]
enum Expected {
    /// A wait of about this step of the back-off.
    Backoff(Duration),
    /// A wait of exactly this time, which the server asks for.
    Pushback(Duration),
    Stop(StopReason),
}

/// The status that the caller gets if the last attempt fails like the first.
const UNAVAILABLE: Result<&str, (Code, &str)> = Err((Code::Unavailable, RESTARTING));

const PLAN: [Case; 6] = [
    Case {
        title: "Unavailable twice",
        name: "Ada",
        deadline: Duration::from_secs(5),
        faults: &[Fault::Unavailable, Fault::Unavailable],
        decisions: &[
            Expected::Backoff(Duration::from_millis(100)),
            Expected::Backoff(Duration::from_millis(200)),
            Expected::Stop(StopReason::Success),
        ],
        answer: Ok("Hello, Ada!"),
    },
    Case {
        title: "Asked to come back in 300 ms",
        name: "Grace",
        deadline: Duration::from_secs(5),
        faults: &[Fault::PushedBack(300)],
        decisions: &[
            Expected::Pushback(Duration::from_millis(300)),
            Expected::Stop(StopReason::Success),
        ],
        answer: Ok("Hello, Grace!"),
    },
    Case {
        title: "Asked not to come back",
        name: "Edsger",
        deadline: Duration::from_secs(5),
        faults: &[Fault::PushedBack(-1)],
        decisions: &[Expected::Stop(StopReason::ServerSaidNo)],
        answer: UNAVAILABLE,
    },
    // A retry would fail in the same way, because the request has no name.
    Case {
        title: "A call that is wrong",
        name: "",
        deadline: Duration::from_secs(5),
        faults: &[],
        decisions: &[Expected::Stop(StopReason::Permanent)],
        answer: Err((Code::InvalidArgument, NAMELESS)),
    },
    // The call ends immediately with the server's status, and not at the deadline.
    Case {
        title: "A deadline of 2 s, too short for the next wait",
        name: "Barbara",
        deadline: Duration::from_secs(2),
        faults: &[Fault::Unavailable, Fault::PushedBack(3_000)],
        decisions: &[
            Expected::Backoff(Duration::from_millis(100)),
            Expected::Stop(StopReason::Window),
        ],
        answer: UNAVAILABLE,
    },
    // The layer started with ten tokens. Each retryable failure so far took one of them, and each
    // success added a tenth. Less than half are left.
    Case {
        title: "Unavailable once more, after all these failures",
        name: "Alan",
        deadline: Duration::from_secs(5),
        faults: &[Fault::Unavailable],
        decisions: &[Expected::Stop(StopReason::Budget)],
        answer: UNAVAILABLE,
    },
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let outcome = tokio::time::timeout(TOTAL_TIMEOUT, run()).await;
    match outcome.unwrap_or_else(|elapsed| Err(elapsed.into())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error is closed, the error cannot be reported.
            let _ = writeln!(io::stderr(), "grpc-client: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), BoxError> {
    let timeline = Timeline::default();
    let service = GreeterService::new(timeline.clone());
    let mut client = client::connect(service.listen().await?, timeline.clone()).await?;
    say("With RetryLayer::grpc:");
    for case in &PLAN {
        say(&format!("\n  {}:", case.title));
        service.plan(case.faults);
        let called = Instant::now();
        let answer = case.call(&mut client).await;
        let took = called.elapsed();
        let entries = timeline.take();
        for entry in &entries {
            say(&format!("    {entry}"));
        }
        say(&format!("    the caller gets {}", told(&answer)));
        case.expect(&entries, &answer, took)
            .map_err(|error| format!("{}: {error}", case.title))?;
    }
    Ok(())
}

impl Case {
    async fn call(&self, client: &mut Client) -> Result<Response<HelloReply>, Status> {
        let name = self.name.to_owned();
        let mut request = Request::new(HelloRequest { name });
        request.set_timeout(self.deadline);
        client.say_hello(request).await
    }

    fn expect(
        &self,
        entries: &[Entry],
        answer: &Result<Response<HelloReply>, Status>,
        took: Duration,
    ) -> Result<(), BoxError> {
        let attempts = self.decisions.len();
        ensure(
            entries.len() == 2 * attempts,
            &format!("{attempts} attempts, and a decision after each"),
        )?;
        let mut before = Before::default();
        for (pair, expected) in entries.chunks(2).zip(self.decisions) {
            let [Entry::Server(seen), Entry::Layer(decision)] = pair else {
                return Err("expected: a decision after each attempt".into());
            };
            before.expect(seen, self.deadline)?;
            let wait = expected.expect(decision)?;
            before.then(seen, wait);
        }
        ensure(took < self.deadline, "the call ends before its deadline")?;
        let answer = match answer {
            Ok(reply) => Ok(reply.get_ref().message.as_str()),
            Err(status) => Err((status.code(), status.message())),
        };
        ensure(
            answer == self.answer,
            "the caller gets what the last attempt came to",
        )
    }
}

/// The attempts before an attempt.
#[derive(Default)]
struct Before {
    attempts: u32,
    waited: Duration,
    /// The earliest time at which the next attempt may arrive, on the server's clock.
    earliest: Duration,
}

impl Before {
    /// Checks that an attempt has the number of previous attempts, and does not arrive too early.
    fn expect(&self, seen: &Seen, deadline: Duration) -> Result<(), BoxError> {
        let attempts = (self.attempts > 0).then(|| self.attempts.to_string());
        ensure(
            seen.previous_attempts == attempts,
            "the server is told how many attempts there were before, if any",
        )?;
        let most = deadline.saturating_sub(self.waited);
        ensure(
            seen.time_left.is_some_and(|left| left <= most),
            "the server is told what is left of the deadline",
        )?;
        ensure(
            seen.at >= self.earliest,
            "the attempt is no earlier than its wait allows",
        )
    }

    fn then(&mut self, seen: &Seen, wait: Duration) {
        self.attempts += 1;
        self.waited += wait;
        self.earliest = seen.at + wait;
    }
}

impl Expected {
    /// Checks a decision, and returns its wait, which is zero after a stop.
    fn expect(self, decision: &Decision) -> Result<Duration, BoxError> {
        let (is_met, wait) = match (self, decision.kind) {
            (Self::Backoff(step), EventKind::RetryScheduled { after, reason, .. }) => {
                let is_around = after >= step * 4 / 5 && after <= step * 6 / 5;
                (is_around && reason == WaitReason::Backoff, after)
            }
            (Self::Pushback(wait), EventKind::RetryScheduled { after, reason, .. }) => {
                (after == wait && reason == WaitReason::Server, after)
            }
            (Self::Stop(stop), kind) => (kind == EventKind::Stopped(stop), Duration::ZERO),
            (Self::Backoff(_) | Self::Pushback(_), _) => (false, Duration::ZERO),
        };
        let expected = match self {
            Self::Backoff(step) => format!("a wait of about {step:?}, for the back-off"),
            Self::Pushback(wait) => format!("a wait of {wait:?}, for the server's pushback"),
            Self::Stop(stop) => format!("a stop: {stop}"),
        };
        ensure(is_met, &expected)?;
        Ok(wait)
    }
}

/// The result of a call as text.
fn told(answer: &Result<Response<HelloReply>, Status>) -> String {
    match answer {
        Ok(reply) => format!("{:?}", reply.get_ref().message),
        Err(status) => format!("{:?}: {}", status.code(), status.message()),
    }
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
