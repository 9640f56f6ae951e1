use http::{HeaderMap, HeaderName};
use http_body::Body;

use super::Exchange;
use super::telling::Seen;
use crate::budget::{Ending, Failure};
use crate::class::Class;
use crate::classify::{Classify, Verdict};
use crate::decide::{Facts, Wait, decide};
use crate::limits::{Declared, Limits};
use crate::reason::StopReason;

/// What the budget and the rules make of an outcome.
impl<C: Classify, B: Body> Exchange<C, B> {
    /// Tells the budget of an attempt that is the last one by its outcome alone: now, or when the
    /// status of its call comes, if the budget waits for that.
    #[inline]
    pub(super) fn account(&self, verdict: Verdict, stop: StopReason, seen: Seen<'_>) {
        let uri = &self.snapshot.uri;
        if let (false, Ok(head)) = (verdict.awaited.is_none(), seen) {
            let budget = self.settings.budget.get();
            if budget
                .is_some_and(|budget| budget.counts_later(uri, verdict.awaited, head.extensions))
            {
                return;
            }
        }
        let ending = match (stop, seen) {
            (StopReason::Success, _) => Ending::Success,
            (_, Ok(_)) => Ending::Answered,
            (_, Err(_)) => Ending::Failure,
        };
        self.settings
            .at_budget(uri, |rule| self.progress.account(rule, ending));
    }

    /// Whether there is a retry after a failure that allows for one.
    pub(super) fn decide(
        &mut self,
        verdict: Verdict,
        response: Option<&HeaderMap>,
    ) -> Result<Wait, StopReason> {
        let (limits, declared) = self.settings.limits(&self.snapshot.head());
        let facts = self.facts(verdict, response, declared);
        // A failed attempt whose place another one takes at once is none for the budget.
        let charged = (!facts.is_free()).then(|| self.failure(verdict));
        let rng = self.jitter.take();
        let mut rng = rng.unwrap_or_else(|| self.settings.jitter.generator());
        let mut is_told = false;
        let claim = || self.claim(charged, &mut is_told);
        let decision = decide(&limits, &facts, &mut rng, claim);
        self.jitter = Some(rng);
        match &decision {
            Ok(wait) => self.advance(verdict.class, charged, wait, &limits),
            Err(_) if is_told => {}
            Err(_) => self.fail(),
        }
        decision
    }

    fn facts(&self, verdict: Verdict, response: Option<&HeaderMap>, declared: Declared) -> Facts {
        let progress = &self.progress;
        Facts {
            verdict,
            hint: verdict.hint(self.settings.retry_after, response),
            retries: progress.counted_retries(),
            series: progress.series,
            sent_at_once: progress.was_sent_at_once(),
            replayable: self.snapshot.is_replayable(),
            may_repeat: self.may_repeat(declared.with(verdict.repeatable.then_some(true))),
            elapsed: progress.started.elapsed(),
        }
    }

    /// Makes sure of the body, and of what the retry costs.
    fn claim(&self, charged: Option<Failure>, is_told: &mut bool) -> Result<(), StopReason> {
        let is_covered = || {
            *is_told = charged.is_some();
            charged.is_none_or(|failure| self.pay(failure))
        };
        match self.snapshot.reserve_body(is_covered) {
            Some(true) => Ok(()),
            Some(false) => Err(StopReason::Budget),
            // It was read on meanwhile, beyond what is kept.
            None => Err(StopReason::NotReplayable),
        }
    }

    fn advance(&mut self, class: Class, paid: Option<Failure>, wait: &Wait, limits: &Limits) {
        self.progress.advance(class, paid, wait, limits);
        self.attempt_timeout = limits.attempt_timeout;
        if let Some(handle) = &self.handle {
            handle.set(self.progress.attempts(None));
        }
    }

    /// Whether a request may be sent again although it may have been acted on.
    fn may_repeat(&self, declared: Option<bool>) -> bool {
        let request = self.snapshot.head();
        let header = |name: &HeaderName| request.headers.find(name.as_str());
        let idempotency = &self.settings.idempotency;
        idempotency.may_repeat(request.method, header, declared)
    }

    /// Tells the budget of a failed attempt, and takes from it what a retry costs; false if that is
    /// not there.
    fn pay(&self, failure: Failure) -> bool {
        let is_first = self.progress.paid_for.is_none();
        let paid = self.settings.at_budget(&self.snapshot.uri, |rule| {
            self.progress.account_failure(rule);
            rule.withdraw(failure, is_first)
        });
        paid.unwrap_or(true)
    }

    /// Tells the budget of a failed attempt after which there is no retry.
    fn fail(&self) {
        let uri = &self.snapshot.uri;
        self.settings
            .at_budget(uri, |rule| self.progress.account_failure(rule));
    }

    fn failure(&self, verdict: Verdict) -> Failure {
        match verdict.timed_out {
            true => Failure::TimedOut {
                took: self.attempt_elapsed(),
            },
            false => Failure::Quick,
        }
    }
}
