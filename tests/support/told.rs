//! The events of a layer about the outcome of each attempt.

// Each test binary uses only a part of this.
#![allow(dead_code)]

use crate::support::step::Step;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tower_http_retry::classify::Class;
use tower_http_retry::event::{Event, StopReason, WaitReason};
use tower_http_retry::{Backoff, Jitter, RetryLayer};

/// The wait before each retry of [`Told::layer`].
pub const WAIT: Duration = Duration::from_millis(1);

/// The outcome of an attempt, and the step that followed.
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
    /// Returns a layer with two retries, each after [`WAIT`].
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

    /// Returns how many attempts were sent.
    pub fn sent(&self) -> usize {
        *self.sent.lock().unwrap()
    }
}

/// Returns an error of this class, followed by another attempt.
pub fn again(class: Class) -> Outcome {
    error(class, retry(WaitReason::Backoff))
}

/// Returns an error of this class, followed by another attempt without a wait.
pub fn again_at_once(class: Class) -> Outcome {
    let (after, reason) = (Duration::ZERO, WaitReason::AtOnce);
    error(class, Step::Retry { after, reason })
}

/// Returns a time-out of this class, followed by another attempt.
pub fn again_after_a_time_out(class: Class) -> Outcome {
    error(class, retry(WaitReason::TimedOut)).timed_out()
}

/// Returns an error of this class that the caller gets.
pub fn handed_over(class: Class, stop: StopReason) -> Outcome {
    error(class, Step::Stop(stop))
}

/// Returns a response with status 200 that the caller gets.
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

    /// Sets the status of the response.
    pub fn of(self, status: u16) -> Self {
        Self {
            status: Some(status),
            ..self
        }
    }

    /// Sets the wait to this many seconds.
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
