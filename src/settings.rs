use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use http::{HeaderName, Uri};

use crate::budget::{Budget, Rule};
use crate::classify::Classify;
use crate::cooldown::Cooldown;
use crate::drain::DRAINED_BYTES;
use crate::head::{RequestHead, ResponseHead};
use crate::headers::KnownNames;
use crate::idempotency::Idempotency;
use crate::limits::{Declared, Limits};
use crate::listeners::Listeners;
use crate::rate_limit::exhausted_for;
use crate::retry_after::{RetryAfter, is_given, requested_wait};

/// All that a layer was told.
pub(crate) struct Settings<C> {
    pub(crate) classify: Arc<C>,
    pub(crate) limits: Limits,
    pub(crate) idempotency: Idempotency,
    pub(crate) retry_after: RetryAfter,
    pub(crate) reads_rate_limits: bool,
    pub(crate) budget: BudgetChoice,
    pub(crate) cooldown: Option<Cooldown>,
    pub(crate) max_drain_bytes: usize,
    pub(crate) retry_count_header: Option<HeaderName>,
    pub(crate) marks_attempts: bool,
    pub(crate) marks_responses: bool,
    pub(crate) jitter: JitterSource,
    pub(crate) listeners: Listeners,
    pub(crate) known_names: Arc<KnownNames>,
}

impl<C> Settings<C> {
    pub(crate) fn new(classify: C) -> Self {
        let limits = Limits::default();
        Self {
            classify: Arc::new(classify),
            budget: BudgetChoice::Default(Budget::earning(limits.max_retries)),
            limits,
            cooldown: None,
            idempotency: Idempotency::new(),
            retry_after: RetryAfter::default(),
            reads_rate_limits: false,
            max_drain_bytes: DRAINED_BYTES,
            retry_count_header: None,
            marks_attempts: false,
            marks_responses: false,
            jitter: JitterSource::Entropy,
            listeners: Listeners::default(),
            known_names: Arc::default(),
        }
    }

    pub(crate) fn with_classifier<D>(self, classify: D) -> Settings<D> {
        Settings {
            classify: Arc::new(classify),
            limits: self.limits,
            idempotency: self.idempotency,
            retry_after: self.retry_after,
            reads_rate_limits: self.reads_rate_limits,
            budget: self.budget,
            cooldown: self.cooldown,
            max_drain_bytes: self.max_drain_bytes,
            retry_count_header: self.retry_count_header,
            marks_attempts: self.marks_attempts,
            marks_responses: self.marks_responses,
            jitter: self.jitter,
            listeners: self.listeners,
            known_names: self.known_names,
        }
    }

    /// How long a response's headers ask its client to stay away.
    pub(crate) fn requested_wait(&self, response: ResponseHead<'_>) -> Option<Duration> {
        let headers = response.headers;
        let exhausted = || {
            let is_read = self.reads_rate_limits && !is_given(headers);
            is_read.then(|| exhausted_for(response.status, headers))?
        };
        requested_wait(headers).or_else(exhausted)
    }

    /// Whether a request to this URI has to ask whether it may be sent.
    #[inline]
    pub(crate) fn holds(&self, uri: &Uri) -> bool {
        let cooldown = self.cooldown.as_ref();
        cooldown.is_some_and(|cooldown| !cooldown.admits(uri))
    }

    /// Asks the budget of a request's upstream, or adds to it, if there is one.
    #[inline]
    pub(crate) fn at_budget<T>(&self, uri: &Uri, act: impl FnOnce(&Rule) -> T) -> Option<T> {
        Some(self.budget.get()?.at(uri, act))
    }
}

impl<C: Classify> Settings<C> {
    /// The limits of one request, as they are now.
    #[inline]
    pub(crate) fn limits(&self, request: &RequestHead<'_>) -> (Limits, Declared) {
        let protocol = self.classify.overrides(request);
        self.limits.of_request(&protocol, request.extensions.get())
    }
}

impl<C> Clone for Settings<C> {
    fn clone(&self) -> Self {
        Self {
            classify: self.classify.clone(),
            limits: self.limits,
            idempotency: self.idempotency.clone(),
            retry_after: self.retry_after,
            reads_rate_limits: self.reads_rate_limits,
            budget: self.budget.clone(),
            cooldown: self.cooldown.clone(),
            max_drain_bytes: self.max_drain_bytes,
            retry_count_header: self.retry_count_header.clone(),
            marks_attempts: self.marks_attempts,
            marks_responses: self.marks_responses,
            jitter: self.jitter.clone(),
            listeners: self.listeners.clone(),
            known_names: self.known_names.clone(),
        }
    }
}

impl<C: fmt::Debug> fmt::Debug for Settings<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("classify", &self.classify)
            .field("limits", &self.limits)
            .field("idempotency", &self.idempotency)
            .field("retry_after", &self.retry_after)
            .field("rate_limit_headers", &self.reads_rate_limits)
            .field("budget", &self.budget)
            .field("cooldown", &self.cooldown)
            .field("max_drain_bytes", &self.max_drain_bytes)
            .field("retry_count_header", &self.retry_count_header)
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
