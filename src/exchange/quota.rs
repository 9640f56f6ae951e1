use std::pin::Pin;
use std::time::Duration;

use http::{Request, StatusCode};
use http_body::Body;
use tokio::time::Instant;

use super::decision::head;
use super::telling::{Seen, sending};
use super::{Exchange, left_of};
use crate::backoff::between;
use crate::body::ReplayBody;
use crate::class::Class;
use crate::classify::{Classify, Verdict};
use crate::cooldown::{Change, Cooldown, Heard, Passage, Said, Turn};
use crate::event::EventKind;
use crate::head::ResponseHead;
use crate::hold::Hold;
use crate::progress::Progress;
use crate::rate_limit::{Quota, left};
use crate::redirected::was_redirected;
use crate::retry_after::Hint;

/// Reports outcomes to the cooldown, and checks whether it holds an attempt.
impl<C: Classify, B: Body> Exchange<C, B> {
    /// Reports the outcome of an attempt to the cooldown, if there is one.
    #[inline]
    pub(super) fn hear(
        &self,
        progress: impl Fn() -> Progress,
        verdict: Verdict,
        seen: Seen<'_>,
        hold: Option<&mut Hold<B>>,
    ) {
        let Some(cooldown) = &self.settings.cooldown else {
            return;
        };
        let says_more = self.settings.reads_rate_limits || verdict.exhausted;
        match hold {
            None if verdict.class == Class::Success && !says_more => {
                cooldown.served(&self.snapshot.uri, progress().attempt_started);
            }
            hold => {
                let passage = hold.and_then(|hold| hold.passage.take());
                self.hear_of_quota(cooldown, &progress(), verdict, seen, passage);
            }
        }
    }

    // Not inlined, so that the path of a success without a cooldown is shorter.
    #[inline(never)]
    fn hear_of_quota(
        &self,
        cooldown: &Cooldown,
        progress: &Progress,
        verdict: Verdict,
        seen: Seen<'_>,
        passage: Option<Passage>,
    ) {
        let heard = match seen {
            // After a redirect, the response is that of another upstream.
            Ok(head) if was_redirected(&self.snapshot.uri, head.extensions) => Heard {
                now: Instant::now(),
                sent: progress.attempt_started,
                said: Said::Answered { remaining: None },
                exhausted: None,
            },
            _ => self.heard(progress, verdict, head(seen)),
        };
        let is_jittered = self.settings.limits.is_jittered();
        let mut spread = |wait: Duration| match is_jittered {
            true => between(
                Duration::ZERO,
                wait / 4,
                &mut self.settings.jitter.generator(),
            ),
            false => Duration::ZERO,
        };
        let change = cooldown.hear(&self.snapshot.uri, heard, passage, &mut spread);
        let kind = match change {
            Some(Change::Started { left }) => EventKind::CooldownStarted { left },
            Some(Change::Ended) => EventKind::CooldownEnded,
            None => return,
        };
        self.tell(|| &*progress, kind, Some(verdict), Some(seen));
    }

    fn heard(
        &self,
        progress: &Progress,
        verdict: Verdict,
        response: Option<ResponseHead<'_>>,
    ) -> Heard {
        let asked = self.asked(verdict, response);
        let quota = match response {
            Some(head) if self.settings.reads_rate_limits => left(head.headers),
            _ => Quota::default(),
        };
        let exhausted = match verdict.exhausted {
            true => asked.max(quota.exhausted),
            // The longest of the waits.
            false => quota
                .exhausted
                .map(|wait| asked.map_or(wait, |asked| asked.max(wait))),
        };
        Heard {
            now: Instant::now(),
            sent: progress.attempt_started,
            said: said(verdict, response, asked, quota.remaining),
            exhausted,
        }
    }

    /// Returns the wait that the server asks for, or that the classifier gives on its behalf.
    fn asked(&self, verdict: Verdict, response: Option<ResponseHead<'_>>) -> Option<Duration> {
        // The headers of a success are not read for a wait.
        let response = response.filter(|_| verdict.class != Class::Success);
        match self.hint(verdict, response)? {
            Hint::AtLeast(wait) | Hint::Exactly(wait) => Some(wait),
            Hint::Never => None,
        }
    }

    /// How long requests to the upstream are held from now on.
    #[inline]
    pub(super) fn held_for(&self) -> Duration {
        let left = |cooldown: &Cooldown| cooldown.left(&self.snapshot.uri);
        let cooldown = self.settings.cooldown.as_ref();
        cooldown.and_then(left).unwrap_or_default()
    }

    /// Whether requests may be held.
    pub(crate) fn has_cooldown(&self) -> bool {
        self.settings.cooldown.is_some()
    }

    /// Returns the request of a first attempt that was held, and starts the attempt.
    pub(super) fn first_attempt(
        &mut self,
        progress: &mut Progress,
        hold: &mut Hold<B>,
        mut first: Request<ReplayBody<B>>,
        window: Duration,
        now: Instant,
    ) -> Request<ReplayBody<B>> {
        progress.first_attempt(now);
        self.started = now;
        hold.held = progress.waited;
        let headers = first.headers_mut();
        self.settings.classify.renew(headers, hold.held);
        let left = left_of(window, hold.held);
        self.settings
            .tell_deadline(headers, left, self.attempt_timeout);
        let head = self.head();
        sending(&self.settings, head, || &*progress, self.handle.as_ref());
        first
    }

    /// Returns a place in the queue, if requests are held now.
    pub(crate) fn turn(&self, progress: &Progress, window: Duration) -> Option<Pin<Box<Turn>>> {
        let cooldown = self.settings.cooldown.as_ref()?;
        let is_retry = progress.number() > 0;
        let until = self.started.checked_add(window);
        cooldown.turn(&self.snapshot.uri, is_retry, until)
    }

    /// Whether the attempt may be sent now that the inner service is ready.
    pub(crate) fn may_go(&self, hold: Option<&Hold<B>>) -> bool {
        match hold.and_then(|hold| hold.passage.as_ref()) {
            Some(passage) => passage.stands(),
            None => !self.settings.holds(&self.snapshot.uri),
        }
    }

    /// Emits that the attempt is held.
    pub(crate) fn tell_held(&self, progress: &Progress, left: Duration) {
        self.tell(|| &*progress, EventKind::Held { left }, None, None);
    }
}

/// Returns what an outcome means for the cooldown.
fn said(
    verdict: Verdict,
    response: Option<ResponseHead<'_>>,
    asked: Option<Duration>,
    remaining: Option<u64>,
) -> Said {
    let status = response.map(|head| head.status);
    let is_throttled = match status {
        Some(StatusCode::TOO_MANY_REQUESTS) => true,
        Some(StatusCode::SERVICE_UNAVAILABLE) => asked.is_some(),
        _ => asked.is_some() && verdict.hint.is_some() && verdict.class != Class::Permanent,
    };
    match verdict.class {
        Class::Success => Said::Served { remaining },
        _ if is_throttled => Said::Throttled { asked },
        Class::Permanent if status.is_some() => Said::Served { remaining },
        Class::Permanent | Class::Transient | Class::Refused => Said::Answered { remaining },
    }
}
