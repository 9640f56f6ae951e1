//! What a layer tells of the outcome of each attempt.

// Each binary of tests uses what it needs.
#![allow(dead_code)]

use crate::support::step::Step;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tower_http_retry::classify::Class;
use tower_http_retry::event::{Event, StopReason, WaitReason};
use tower_http_retry::{Backoff, Jitter, RetryLayer};

/// The wait before each retry of [`Told::layer`].
pub const WAIT: Duration = Duration::from_millis(1);

/// An attempt's outcome, and what followed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    class: Option<Class>,
    timed_out: bool,
    status: Option<u16>,
    step: Step,
}

#[derive(Clone, Default)]
pub struct Told {
    outcomes: Arc<Mutex<Vec<Outcome>>>,
    sent: Arc<Mutex<usize>>,
}

impl Told {
    /// Two retries, each after [`WAIT`].
    pub fn layer(&self) -> RetryLayer {
        let told = self.clone();
        RetryLayer::new()
            .max_retries(2)
            .backoff(Backoff::fixed(WAIT).jitter(Jitter::None))
            .on_event(move |event| told.hear(event))
    }

    pub fn hear(&self, event: &Event<'_>) {
        match Step::from(event.kind()) {
            Step::Sent => *self.sent.lock().unwrap() += 1,
            step => self.outcomes.lock().unwrap().push(Outcome {
                class: event.class(),
                timed_out: event.is_timed_out(),
                status: event.status().map(|status| status.as_u16()),
                step,
            }),
        }
    }

    pub fn outcomes(&self) -> Vec<Outcome> {
        self.outcomes.lock().unwrap().clone()
    }

    /// How many attempts were sent.
    pub fn sent(&self) -> usize {
        *self.sent.lock().unwrap()
    }
}

/// An error of this class, after which there is another attempt.
pub fn again(class: Class) -> Outcome {
    error(class, retry(WaitReason::Backoff))
}

/// An error of this class, after which there is another attempt without a wait.
pub fn again_at_once(class: Class) -> Outcome {
    let (after, reason) = (Duration::ZERO, WaitReason::AtOnce);
    error(class, Step::Retry { after, reason })
}

/// An error of this class that is a time-out, after which there is another attempt.
pub fn again_after_a_time_out(class: Class) -> Outcome {
    error(class, retry(WaitReason::TimedOut)).timed_out()
}

/// An error of this class, handed over.
pub fn handed_over(class: Class, stop: StopReason) -> Outcome {
    error(class, Step::Stop(stop))
}

/// A response with status 200, handed over.
pub fn success() -> Outcome {
    handed_over(Class::Success, StopReason::Success).of(200)
}

impl Outcome {
    pub fn timed_out(self) -> Self {
        Self {
            timed_out: true,
            ..self
        }
    }

    /// Of a response with this status.
    pub fn of(self, status: u16) -> Self {
        Self {
            status: Some(status),
            ..self
        }
    }

    /// After a wait of so many seconds.
    pub fn in_seconds(self, seconds: u64) -> Self {
        let Step::Retry { reason, .. } = self.step else {
            panic!("there is no wait before {:?}", self.step);
        };
        let after = Duration::from_secs(seconds);
        let step = Step::Retry { after, reason };
        Self { step, ..self }
    }
}

fn error(class: Class, step: Step) -> Outcome {
    Outcome {
        class: Some(class),
        timed_out: false,
        status: None,
        step,
    }
}

fn retry(reason: WaitReason) -> Step {
    Step::Retry {
        after: WAIT,
        reason,
    }
}
