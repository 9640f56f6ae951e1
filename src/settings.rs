use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use crate::budget::{Budget, Rule};
use crate::classify::Classify;
use crate::cooldown::Cooldown;
use crate::deadline_header::DeadlineHeader;
use crate::drain::DRAINED_BYTES;
use crate::head::{RequestHead, ResponseHead};
use crate::headers::KnownNames;
use crate::idempotency::Idempotency;
use crate::limits::{Declared, Limits};
use crate::listeners::Listeners;
use crate::rate_limit::exhausted_for;
use crate::retry_after::{RetryAfter, is_given, requested_wait};
use crate::switch::Switch;

/// All settings of a layer.
pub(crate) struct Settings<C> {
    pub(crate) classify: Arc<C>,
    pub(crate) limits: Limits,
    pub(crate) idempotency: Idempotency,
    pub(crate) retry_after: RetryAfter,
    pub(crate) reads_rate_limits: bool,
    pub(crate) budget: BudgetChoice,
    pub(crate) cooldown: Option<Cooldown>,
    pub(crate) switch: Option<Switch>,
    pub(crate) max_drain_bytes: usize,
    pub(crate) retry_count_header: Option<HeaderName>,
    pub(crate) deadline_header: Option<DeadlineHeader>,
    pub(crate) new_key: Option<NewKey>,
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
            switch: None,
            max_drain_bytes: DRAINED_BYTES,
            retry_count_header: None,
            deadline_header: None,
            new_key: None,
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
            switch: self.switch,
            max_drain_bytes: self.max_drain_bytes,
            retry_count_header: self.retry_count_header,
            deadline_header: self.deadline_header,
            new_key: self.new_key,
            marks_attempts: self.marks_attempts,
            marks_responses: self.marks_responses,
            jitter: self.jitter,
            listeners: self.listeners,
            known_names: self.known_names,
        }
    }

    /// Returns the wait that a response's headers ask for.
    pub(crate) fn requested_wait(&self, response: ResponseHead<'_>) -> Option<Duration> {
        let headers = response.headers;
        let exhausted = || {
            let is_read = self.reads_rate_limits && !is_given(headers);
            is_read.then(|| exhausted_for(response.status, headers))?
        };
        requested_wait(headers).or_else(exhausted)
    }

    /// Whether a cooldown holds requests to this URI.
    #[inline]
    pub(crate) fn holds(&self, uri: &Uri) -> bool {
        let cooldown = self.cooldown.as_ref();
        cooldown.is_some_and(|cooldown| !cooldown.admits(uri))
    }

    /// Adds an idempotency key to a request that needs one, if the layer creates keys.
    #[inline]
    pub(crate) fn add_key(&self, head: &mut Parts) {
        if let Some(new_key) = &self.new_key {
            self.add(new_key, head);
        }
    }

    #[inline(never)]
    fn add(&self, new_key: &NewKey, head: &mut Parts) {
        let Some(name) = self.idempotency.key_header() else {
            return;
        };
        // If the first value is empty, another one may be a key.
        let value = |name: &HeaderName| {
            let mut values = head.headers.get_all(name).iter().map(HeaderValue::as_bytes);
            values.find(|value| !value.trim_ascii().is_empty())
        };
        let needs_one = [Method::POST, Method::PATCH].contains(&head.method);
        if needs_one && !self.idempotency.has_key(value) {
            // If the map is full, no key is added, and the request is not repeated.
            let _ = head.headers.try_insert(name, new_key());
        }
    }

    /// Sets the deadline header of an attempt, if the layer has one.
    #[inline]
    pub(crate) fn tell_deadline(
        &self,
        headers: &mut HeaderMap,
        window: Duration,
        attempt_timeout: Option<Duration>,
    ) {
        let Some(header) = &self.deadline_header else {
            return;
        };
        let left = window.min(attempt_timeout.unwrap_or(Duration::MAX));
        if left != Duration::MAX {
            header.write(headers, left);
        }
    }

    /// Whether retries are turned off by a switch.
    pub(crate) fn is_switched_off(&self) -> bool {
        self.switch.as_ref().is_some_and(|switch| !switch.is_on())
    }

    /// Calls `act` with the budget of a request's upstream, if there is one.
    #[inline]
    pub(crate) fn at_budget<T>(&self, uri: &Uri, act: impl FnOnce(&Rule) -> T) -> Option<T> {
        Some(self.budget.get()?.at(uri, act))
    }
}

impl<C: Classify> Settings<C> {
    /// Returns the current limits of one request.
    // A first attempt needs four of them. If this is inlined, it does not compute the others, which saves 94
    // instructions for each request.
    #[inline(always)]
    pub(crate) fn limits(&self, request: &RequestHead<'_>) -> (Limits, Declared) {
        let protocol = self.classify.overrides(request);
        let (mut limits, declared) = self.limits.of_request(&protocol, request.extensions.get());
        if let Some(header) = &self.deadline_header {
            let left = header.read(request).unwrap_or(Duration::MAX);
            limits.window = limits.window.min(left);
        }
        (limits, declared)
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
            switch: self.switch.clone(),
            max_drain_bytes: self.max_drain_bytes,
            retry_count_header: self.retry_count_header.clone(),
            deadline_header: self.deadline_header.clone(),
            new_key: self.new_key.clone(),
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
            .field("switch", &self.switch)
            .field("max_drain_bytes", &self.max_drain_bytes)
            .field("retry_count_header", &self.retry_count_header)
            .field("deadline_header", &self.deadline_header)
            .finish_non_exhaustive()
    }
}

/// Creates the idempotency key of a request.
pub(crate) type NewKey = Arc<dyn Fn() -> HeaderValue + Send + Sync>;

#[derive(Clone, Debug)]
pub(crate) enum BudgetChoice {
    /// The default, which depends on the number of retries.
    Default(Budget),
    Chosen(Budget),
    Without,
}

impl BudgetChoice {
    /// Whether there are other clones of the budget.
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
    /// The generator of each request is seeded from `seed` and the number of requests before it.
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
                // Seeds that differ by one would give sequences that are similar at first.
                Rng::with_seed(Rng::with_seed(seed.wrapping_add(number)).u64(..))
            }
        }
    }
}
