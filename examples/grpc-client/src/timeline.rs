//! The attempts that the server received and the decisions of the retry layer, in order.

use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tonic::Code;
use tower_http_retry::event::{Event, EventKind};

/// A timeline that the server and the layer write. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Timeline {
    entries: Arc<Mutex<Vec<Entry>>>,
}

pub(crate) enum Entry {
    Server(Seen),
    Layer(Decision),
}

/// One attempt, as the server received it.
pub(crate) struct Seen {
    /// When it arrived, on the server's clock.
    pub(crate) at: Duration,
    /// Its `grpc-previous-rpc-attempts`.
    pub(crate) previous_attempts: Option<String>,
    /// Its `grpc-timeout`.
    pub(crate) time_left: Option<Duration>,
    /// The code of the response.
    pub(crate) code: Code,
    pub(crate) pushback: Option<i32>,
}

/// The decision of the layer after an attempt.
pub(crate) struct Decision {
    pub(crate) kind: EventKind,
    /// The number of tokens that are left in the throttle.
    tokens: Option<f64>,
}

impl Timeline {
    pub(crate) fn seen(&self, seen: Seen) {
        self.entries().push(Entry::Server(seen));
    }

    pub(crate) fn decided(&self, decision: Decision) {
        self.entries().push(Entry::Layer(decision));
    }

    /// Returns the entries since the last call.
    pub(crate) fn take(&self) -> Vec<Entry> {
        mem::take(&mut self.entries())
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Decision {
    /// Returns `None` for the start of an attempt, because the server adds a line for it.
    pub(crate) fn of(event: &Event<'_>) -> Option<Self> {
        let kind = event.kind();
        (kind != EventKind::AttemptStarted).then(|| Self {
            kind,
            tokens: event.budget_tokens(),
        })
    }
}

/// One line of the timeline.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(seen) => write!(f, "server  {seen}"),
            Self::Layer(decision) => write!(f, "layer            {decision}"),
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.as_secs_f64();
        let attempts = match &self.previous_attempts {
            Some(count) => format!("grpc-previous-rpc-attempts: {count}"),
            None => "first attempt".to_owned(),
        };
        let left = match self.time_left {
            Some(left) => format!("{:.3} s left", left.as_secs_f64()),
            None => "no deadline".to_owned(),
        };
        write!(f, "{at:.3} s  {attempts:<29}  {left:<12}  {:?}", self.code)?;
        match self.pushback {
            Some(millis) => write!(f, ", pushback {millis}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            EventKind::RetryScheduled { after, reason, .. } => {
                write!(f, "waits {:.3} s: {reason}", after.as_secs_f64())?;
            }
            EventKind::Stopped(stop) => write!(f, "stops: {stop}")?,
            kind => write!(f, "{kind:?}")?,
        }
        match self.tokens {
            Some(tokens) => write!(f, " ({tokens:.1} tokens)"),
            None => Ok(()),
        }
    }
}
