use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use http::HeaderName;

use crate::budget::Budget;
use crate::classify::{Classify, RequestHead, Verdict};
use crate::decide::Rules;
use crate::event::{Event, Listeners, Step, Told};
use crate::hint::ServerHints;
use crate::idempotency::Idempotency;
use crate::leftover::DRAINED_BYTES;
use crate::progress::Progress;
use crate::retry_override::RetryOverride;

/// All that a layer was told.
pub(crate) struct Policy<C> {
    pub(crate) classify: Arc<C>,
    pub(crate) settings: Settings,
}

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) rules: Rules,
    pub(crate) idempotency: Idempotency,
    pub(crate) server_hints: ServerHints,
    pub(crate) budget: BudgetChoice,
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) max_replay_bytes: usize,
    pub(crate) max_drain_bytes: usize,
    pub(crate) attempt_header: Option<HeaderName>,
    pub(crate) marks_first_attempt: bool,
    pub(crate) jitter: JitterSource,
    pub(crate) listeners: Listeners,
}

impl Default for Settings {
    fn default() -> Self {
        let rules = Rules::default();
        Self {
            budget: BudgetChoice::Default(Budget::earning(rules.max_retries)),
            rules,
            idempotency: Idempotency::new(),
            server_hints: ServerHints::default(),
            attempt_timeout: None,
            max_replay_bytes: 1024 * 1024,
            max_drain_bytes: DRAINED_BYTES,
            attempt_header: None,
            marks_first_attempt: false,
            jitter: JitterSource::Entropy,
            listeners: Listeners::default(),
        }
    }
}

impl<C: Classify> Policy<C> {
    /// The numbers for one request. Its own word goes before its protocol's, and both before the
    /// layer's; but what its protocol says only ever shortens the window.
    pub(crate) fn rules(&self, request: &RequestHead<'_>) -> Rules {
        let layer = self.settings.rules;
        let protocol = self.classify.overrides(request);
        let mut rules = protocol.apply(layer);
        rules.window = layer.window;
        if let Some(own) = request.overridden() {
            rules = own.apply(rules);
        }
        rules.window = protocol.window().unwrap_or(Duration::MAX).min(rules.window);
        rules
    }

    /// How long each of a request's attempts may take, if there is a limit.
    #[inline]
    pub(crate) fn attempt_timeout(&self, request: &RequestHead<'_>) -> Option<Duration> {
        let own = request.overridden().and_then(RetryOverride::timeout);
        own.or_else(|| self.classify.overrides(request).timeout())
            .or(self.settings.attempt_timeout)
            .filter(|timeout| *timeout != Duration::MAX)
    }

    /// Whether a request may be sent again although it may have been acted on.
    pub(crate) fn may_repeat(&self, request: &RequestHead<'_>, verdict: Verdict) -> bool {
        let own = request.overridden().and_then(RetryOverride::declared);
        let declared = own
            .or_else(|| verdict.repeatable.then_some(true))
            .or_else(|| self.classify.overrides(request).declared());
        let header = |name: &HeaderName| request.headers.find(name.as_str());
        let idempotency = &self.settings.idempotency;
        idempotency.may_repeat(request.method, header, declared)
    }

    /// Tells one step of a request to whoever listens. Without anyone to hear it, the event is not
    /// made.
    #[inline]
    pub(crate) fn tell(
        &self,
        request: &RequestHead<'_>,
        progress: &Progress,
        step: Step,
        verdict: Option<Verdict>,
        outcome: Option<Told<'_>>,
    ) {
        let listeners = &self.settings.listeners;
        if !listeners.hear(step) {
            return;
        }
        let event = Event {
            method: request.method,
            uri: request.uri,
            extensions: request.extensions,
            attempt: progress.number(),
            started: progress.started,
            attempt_started: progress.attempt_started,
            waited: progress.attempts().waited,
            class: verdict.map(|verdict| verdict.class),
            timed_out: verdict.is_some_and(|verdict| verdict.timed_out),
            outcome,
            budget: self.settings.budget.get(),
            step,
        };
        listeners.tell(&event);
    }
}

impl<C> Clone for Policy<C> {
    fn clone(&self) -> Self {
        Self {
            classify: self.classify.clone(),
            settings: self.settings.clone(),
        }
    }
}

impl<C: fmt::Debug> fmt::Debug for Policy<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &self.settings;
        f.debug_struct("Policy")
            .field("rules", &settings.rules)
            .field("classify", &self.classify)
            .field("idempotency", &settings.idempotency)
            .field("server_hints", &settings.server_hints)
            .field("budget", &settings.budget)
            .field("attempt_timeout", &settings.attempt_timeout)
            .field("max_replay_bytes", &settings.max_replay_bytes)
            .field("max_drain_bytes", &settings.max_drain_bytes)
            .field("attempt_header", &settings.attempt_header)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
pub(crate) enum BudgetChoice {
    /// Follows the number of retries.
    Default(Budget),
    Chosen(Budget),
    Without,
}

impl BudgetChoice {
    /// Whether another layer has the default budget, too.
    pub(crate) fn is_shared(&self) -> bool {
        self.get().is_some_and(Budget::is_shared)
    }

    pub(crate) fn get(&self) -> Option<&Budget> {
        match self {
            Self::Default(budget) | Self::Chosen(budget) => Some(budget),
            Self::Without => None,
        }
    }
}

/// Where the generator of each request's jitter comes from.
#[derive(Clone, Debug)]
pub(crate) enum JitterSource {
    Entropy,
    /// Seeds each request's from this one and the number of requests before it.
    Seeded {
        seed: u64,
        requests: Arc<AtomicU64>,
    },
}

impl JitterSource {
    pub(crate) fn generator(&self) -> Rng {
        match self {
            Self::Entropy => Rng::new(),
            Self::Seeded { seed, requests } => {
                let number = requests.fetch_add(1, Ordering::Relaxed);
                // Two seeds that differ by one would give sequences that run alike at first.
                Rng::with_seed(Rng::with_seed(seed.wrapping_add(number)).u64(..))
            }
        }
    }
}
