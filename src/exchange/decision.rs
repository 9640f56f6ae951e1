use http::{HeaderMap, HeaderName};
use http_body::Body;

use super::Exchange;
use super::telling::Seen;
use crate::budget::{Ending, Failure};
use crate::classify::{Classify, Verdict};
use crate::decide::{Facts, Wait, decide};
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
        let mut jitter = self.jitter.take();
        let (settings, snapshot, progress) = (&*self.settings, &self.snapshot, &self.progress);
        let (limits, declared) = settings.limits(&snapshot.head());
        let facts = Facts {
            verdict,
            hint: verdict.hint(settings.retry_after, response),
            retries: progress.counted_retries(),
            series: progress.series,
            sent_at_once: progress.was_sent_at_once(),
            replayable: snapshot.is_replayable(),
            may_repeat: self.may_repeat(declared.with(verdict.repeatable.then_some(true))),
            elapsed: progress.started.elapsed(),
        };
        let failure = self.failure(verdict);
        // A failed attempt whose place another one takes at once is none for the budget.
        let is_free = facts.is_free();
        let mut is_told = false;
        let claim = || {
            let is_covered = || {
                is_told = !is_free;
                is_free || self.pay(failure)
            };
            match snapshot.reserve_body(is_covered) {
                Some(true) => Ok(()),
                Some(false) => Err(StopReason::Budget),
                // It was read on meanwhile, beyond what is kept.
                None => Err(StopReason::NotReplayable),
            }
        };
        let rng = jitter.get_or_insert_with(|| settings.jitter.generator());
        let decision = decide(&limits, &facts, rng, claim);
        if decision.is_err() && !is_told {
            settings.at_budget(&snapshot.uri, |rule| {
                progress.account(rule, Ending::Failure);
                rule.failed();
            });
        }
        self.jitter = jitter;
        if let Ok(wait) = &decision {
            let paid = (!is_free).then_some(failure);
            self.progress.advance(verdict.class, paid, wait, &limits);
            self.attempt_timeout = limits.attempt_timeout;
            if let Some(handle) = &self.handle {
                handle.set(self.progress.attempts(None));
            }
        }
        decision
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
            self.progress.account(rule, Ending::Failure);
            rule.failed();
            rule.withdraw(failure, is_first)
        });
        paid.unwrap_or(true)
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
