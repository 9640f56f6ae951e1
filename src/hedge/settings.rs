use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::ACCEPT;
use http::{Extensions, HeaderMap, HeaderName, Request, Uri};
use tokio::time::Instant;

use super::learned::Terms;
use crate::budget::{Budget, Ending, Rule};
use crate::class::Class;
use crate::classify::Verdict;
use crate::cooldown::Cooldown;
use crate::head::RequestHead;
use crate::headers::KnownNames;
use crate::hedge_event::HedgeEvent;
use crate::idempotency::Idempotency;
use crate::limits::RetryOverride;
use crate::retry_after::Hint;

type Listener = Arc<dyn Fn(&HedgeEvent<'_>) + Send + Sync>;
type Policies = Arc<dyn Fn(&Uri) -> Option<Policy> + Send + Sync>;

/// The listeners of enabled features.
const FEATURES: &[fn(&HedgeEvent<'_>)] = &[
    #[cfg(feature = "tracing")]
    super::trace::retell,
    #[cfg(feature = "metrics")]
    crate::metrics::retell_hedge,
    #[cfg(all(feature = "metrics", feature = "grpc"))]
    crate::metrics::retell_hedged_call,
];

/// The settings of a layer.
pub(super) struct Settings<C> {
    pub(super) classify: Arc<C>,
    pub(super) terms: Terms,
    pub(super) idempotency: Idempotency,
    pub(super) retry_budget: Option<Budget>,
    pub(super) cooldown: Option<Cooldown>,
    pub(super) max_upstreams: Option<usize>,
    pub(super) marks_responses: bool,
    pub(super) listeners: Vec<Listener>,
    pub(super) policies: Option<Policies>,
    pub(super) throttle: Option<Budget>,
    pub(super) count_header: Option<HeaderName>,
    pub(super) known_names: Arc<KnownNames>,
}

/// The rules for a request that has its own policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) max_hedges: u32,
    /// The delay between two attempts.
    pub(crate) delay: Duration,
}

/// How a request is hedged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    Learned,
    Given(Policy),
}

impl<C> Settings<C> {
    pub(super) fn new(classify: C) -> Self {
        Self {
            classify: Arc::new(classify),
            terms: Terms::default(),
            idempotency: Idempotency::safe(),
            retry_budget: None,
            cooldown: None,
            max_upstreams: None,
            marks_responses: false,
            listeners: Vec::new(),
            policies: None,
            throttle: None,
            count_header: None,
            known_names: Arc::default(),
        }
    }

    pub(super) fn with_classifier<D>(self, classify: D) -> Settings<D> {
        Settings {
            classify: Arc::new(classify),
            terms: self.terms,
            idempotency: self.idempotency,
            retry_budget: self.retry_budget,
            cooldown: self.cooldown,
            max_upstreams: self.max_upstreams,
            marks_responses: self.marks_responses,
            listeners: self.listeners,
            policies: self.policies,
            throttle: self.throttle,
            count_header: self.count_header,
            known_names: self.known_names,
        }
    }

    /// Returns `None` if the request is never hedged.
    #[inline]
    pub(super) fn plan<B>(&self, request: &Request<B>) -> Option<Plan> {
        let head = RequestHead::of(request);
        let own = head.extensions.get::<RetryOverride>();
        if !own.is_none_or(RetryOverride::may_be_hedged) {
            return None;
        }
        if let Some(policies) = &self.policies {
            return policies(head.uri).map(Plan::Given);
        }
        let header = |name: &HeaderName| head.headers.find(name);
        let may_be = self.idempotency.may_repeat(head.method, header, None)
            && !accepts_event_stream(request.headers());
        may_be.then_some(Plan::Learned)
    }

    pub(super) fn tell(&self, event: &HedgeEvent<'_>) {
        for listener in &self.listeners {
            listener(event);
        }
        for retell in FEATURES {
            retell(event);
        }
    }

    /// Whether at most half of the tokens of the retry budget or of the throttle are left.
    pub(super) fn is_budget_low(&self, uri: &Uri) -> bool {
        let mut budgets = self.retry_budget.iter().chain(&self.throttle);
        budgets.any(|budget| budget.at(uri, |rule| !rule.is_above_half()))
    }

    /// Counts the outcome of an attempt for the throttle.
    pub(super) fn throttle(&self, uri: &Uri, verdict: Verdict, response: Option<&Extensions>) {
        let Some(throttle) = &self.throttle else {
            return;
        };
        let is_counted_later = || {
            response.is_some_and(|response| throttle.counts_later(uri, verdict.awaited, response))
        };
        match verdict.class {
            Class::Success if is_counted_later() => {}
            Class::Success => throttle.at(uri, |rule| {
                rule.first_attempt(Ending::Success, Instant::now());
            }),
            Class::Transient | Class::Refused if verdict.transparent => {}
            Class::Transient | Class::Refused => throttle.at(uri, Rule::failed),
            // The server asks not to retry, so this counts as a failure.
            Class::Permanent if verdict.hint == Some(Hint::Never) => throttle.at(uri, Rule::failed),
            Class::Permanent => {}
        }
    }

    pub(super) fn is_held(&self, uri: &Uri) -> bool {
        let cooldown = self.cooldown.as_ref();
        cooldown.is_some_and(|cooldown| !cooldown.admits(uri))
    }
}

/// An event stream lasts as long as its client, so a hedge would keep two of them open.
fn accepts_event_stream(headers: &HeaderMap) -> bool {
    const TYPE: &[u8] = b"text/event-stream";
    headers.get_all(ACCEPT).iter().any(|accepted| {
        let mut parts = accepted.as_bytes().windows(TYPE.len());
        parts.any(|part| part.eq_ignore_ascii_case(TYPE))
    })
}

impl<C> Clone for Settings<C> {
    fn clone(&self) -> Self {
        Self {
            classify: self.classify.clone(),
            terms: self.terms.clone(),
            idempotency: self.idempotency.clone(),
            retry_budget: self.retry_budget.clone(),
            cooldown: self.cooldown.clone(),
            max_upstreams: self.max_upstreams,
            marks_responses: self.marks_responses,
            listeners: self.listeners.clone(),
            policies: self.policies.clone(),
            throttle: self.throttle.clone(),
            count_header: self.count_header.clone(),
            known_names: self.known_names.clone(),
        }
    }
}

impl<C: fmt::Debug> fmt::Debug for Settings<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("classify", &self.classify)
            .field("terms", &self.terms)
            .field("idempotency", &self.idempotency)
            .field("retry_budget", &self.retry_budget)
            .field("cooldown", &self.cooldown)
            .finish_non_exhaustive()
    }
}
