//! What the server saw and what the retry layer decided, in the order in which it happened.

use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tonic::Code;
use tower_http_retry::event::{Event, EventKind};

/// Written by the server and by the layer; its clones share it.
#[derive(Clone, Default)]
pub(crate) struct Timeline {
    entries: Arc<Mutex<Vec<Entry>>>,
}

pub(crate) enum Entry {
    Server(Seen),
    Layer(Decision),
}

/// One attempt as the server saw it.
pub(crate) struct Seen {
    /// When it arrived, on the server's clock.
    pub(crate) at: Duration,
    /// Its `grpc-previous-rpc-attempts`.
    pub(crate) previous_attempts: Option<String>,
    /// Its `grpc-timeout`.
    pub(crate) time_left: Option<Duration>,
    /// The answer.
    pub(crate) code: Code,
    pub(crate) pushback: Option<i32>,
}

/// What the layer made of an attempt's outcome.
pub(crate) struct Decision {
    pub(crate) kind: EventKind,
    /// What is left in the throttle, in tokens.
    tokens: Option<f64>,
}

impl Timeline {
    pub(crate) fn seen(&self, seen: Seen) {
        self.entries().push(Entry::Server(seen));
    }

    pub(crate) fn decided(&self, decision: Decision) {
        self.entries().push(Entry::Layer(decision));
    }

    /// What happened since this was last asked.
    pub(crate) fn take(&self) -> Vec<Entry> {
        mem::take(&mut self.entries())
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Decision {
    /// None of an attempt that is sent: what the server sees of it has a line.
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
