use std::time::Duration;

use fastrand::Rng;
use http::{HeaderName, StatusCode};
use http_body::Body;
use tokio::time::Instant;

use super::Exchange;
use super::telling::Seen;
use crate::broken_answer::BrokenAnswer;
use crate::budget::{Ending, Failure};
use crate::classify::{Classify, Verdict};
use crate::decide::{Facts, Wait, decide};
use crate::event::EventKind;
use crate::head::ResponseHead;
use crate::limits::{Declared, Limits};
use crate::progress::Progress;
use crate::reason::StopReason;
use crate::retry_after::Hint;

/// Passes outcomes to the budget and the rules.
impl<C: Classify, B: Body> Exchange<C, B> {
    /// Reports a final outcome to the budget: immediately, or when the status of the call arrives, if the
    /// budget waits for that.
    // Always inlined, so that the progress of a first attempt is not written to memory, which saves 34
    // instructions.
    #[inline(always)]
    pub(super) fn account(
        &self,
        progress: impl Fn() -> Progress,
        verdict: Verdict,
        stop: StopReason,
        seen: Seen<'_>,
    ) {
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
            .at_budget(uri, |rule| progress().account(rule, ending));
    }

    /// Decides whether a failure that is not final is retried. If it is, `progress` becomes that of the next
    /// attempt.
    pub(super) fn decide(
        &mut self,
        progress: &mut Progress,
        held: Duration,
        verdict: Verdict,
        seen: Seen<'_>,
    ) -> Result<Wait, StopReason> {
        let now = Instant::now();
        let (mut limits, declared) = self.settings.limits(&self.head());
        limits.shorten(held);
        let facts = self.facts(progress, now, verdict, head(seen), declared);
        // An attempt that is repeated for free does not count as a failure for the budget.
        let charged = (!facts.is_free()).then(|| progress.failure(now, verdict));
        let mut rng = self.generator(progress, &limits);
        let mut is_told = false;
        let claim = || self.claim(progress, charged, &mut is_told);
        let decision = decide(&limits, &facts, &mut rng, claim);
        match &decision {
            Ok(wait) => {
                if limits.is_jittered() {
                    progress.jitter = Some(rng.get_seed());
                }
                progress.advance(now, verdict.class, charged, wait, &limits);
                self.attempt_timeout = limits.attempt_timeout;
                if let Some(handle) = &self.handle {
                    handle.set(progress.attempts(None));
                }
                let Wait { after, reason, .. } = *wait;
                let kind = EventKind::RetryScheduled { after, reason };
                self.tell(|| &*progress, kind, Some(verdict), Some(seen));
            }
            Err(_) if is_told => {}
            Err(_) => self.fail(progress),
        }
        decision
    }

    fn facts(
        &self,
        progress: &Progress,
        now: Instant,
        verdict: Verdict,
        response: Option<ResponseHead<'_>>,
        declared: Declared,
    ) -> Facts {
        Facts {
            verdict,
            hint: self.hint(verdict, response),
            is_turned_away: matches!(
                response.map(|head| head.status),
                Some(StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
            ),
            retries: progress.counted_retries(),
            series: progress.series,
            sent_at_once: progress.was_sent_at_once(),
            replayable: self.snapshot.is_replayable(),
            may_repeat: self.may_repeat(declared.with(verdict.repeatable.then_some(true))),
            elapsed: now.duration_since(self.started),
            held: self.held_for(),
            is_switched_off: self.settings.is_switched_off(),
        }
    }

    /// Returns the hint of the classifier, or else that of the response's headers.
    pub(super) fn hint(
        &self,
        verdict: Verdict,
        response: Option<ResponseHead<'_>>,
    ) -> Option<Hint> {
        let requested = || self.settings.requested_wait(response?);
        verdict.hint(|| self.settings.retry_after.hint(requested))
    }

    /// Returns the generator of the jitter. Without jitter, it is not used.
    fn generator(&self, progress: &Progress, limits: &Limits) -> Rng {
        match progress.jitter {
            Some(state) => Rng::with_seed(state),
            None if limits.is_jittered() => self.settings.jitter.generator(),
            None => Rng::with_seed(0),
        }
    }

    /// Reserves the body, and takes the cost of the retry from the budget.
    fn claim(
        &self,
        progress: &Progress,
        charged: Option<Failure>,
        is_told: &mut bool,
    ) -> Result<(), StopReason> {
        let is_covered = || {
            *is_told = charged.is_some();
            charged.is_none_or(|failure| self.pay(progress, failure))
        };
        match self.snapshot.reserve_body(is_covered) {
            Some(true) => Ok(()),
            Some(false) => Err(StopReason::Budget),
            // Meanwhile, more of the body was read than can be recorded.
            None => Err(StopReason::NotReplayable),
        }
    }

    /// Whether the request is safe to repeat after the server may have acted on it.
    fn may_repeat(&self, declared: Option<bool>) -> bool {
        let request = self.head();
        let header = |name: &HeaderName| request.headers.find(name);
        let idempotency = &self.settings.idempotency;
        idempotency.may_repeat(request.method, header, declared)
    }

    /// Reports a failed attempt to the budget, and takes the cost of a retry from it. Returns false if the
    /// budget does not cover it.
    fn pay(&self, progress: &Progress, failure: Failure) -> bool {
        let is_first = progress.paid_for.is_none();
        let paid = self.settings.at_budget(&self.snapshot.uri, |rule| {
            progress.account_failure(rule);
            rule.withdraw(failure, is_first)
        });
        paid.unwrap_or(true)
    }

    /// Reports a failed attempt that is not retried to the budget.
    fn fail(&self, progress: &Progress) {
        let uri = &self.snapshot.uri;
        self.settings
            .at_budget(uri, |rule| progress.account_failure(rule));
    }
}

/// Returns the head of the response, also if its body failed.
pub(super) fn head(seen: Seen<'_>) -> Option<ResponseHead<'_>> {
    seen.map_or_else(BrokenAnswer::head_in, Some)
}
