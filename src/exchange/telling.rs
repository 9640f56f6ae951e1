use std::borrow::Borrow;
use std::error::Error;

use crate::attempt::AttemptsHandle;
use crate::classify::Verdict;
use crate::event::{Event, EventKind};
use crate::head::{RequestHead, ResponseHead};
use crate::progress::Progress;
use crate::settings::Settings;

/// The outcome that classifiers and listeners receive.
pub(super) type Seen<'a> = Result<ResponseHead<'a>, &'a (dyn Error + 'static)>;

/// Emits the start of an attempt, before it is passed to the inner service.
#[inline]
pub(super) fn sending<C, P: Borrow<Progress>>(
    settings: &Settings<C>,
    request: RequestHead<'_>,
    progress: impl Fn() -> P,
    handle: Option<&AttemptsHandle>,
) {
    if let Some(handle) = handle {
        handle.set(progress().borrow().attempts(None));
    }
    let kind = EventKind::AttemptStarted;
    tell(settings, request, progress, kind, None, None);
}

/// Emits an event. Without a listener, neither the event nor the progress is created.
#[inline]
pub(super) fn tell<C, P: Borrow<Progress>>(
    settings: &Settings<C>,
    request: RequestHead<'_>,
    progress: impl Fn() -> P,
    kind: EventKind,
    verdict: Option<Verdict>,
    outcome: Option<Seen<'_>>,
) {
    if settings.listeners.hear(kind) {
        emit(
            settings,
            request,
            progress().borrow(),
            kind,
            verdict,
            outcome,
        );
    }
}

fn emit<C>(
    settings: &Settings<C>,
    request: RequestHead<'_>,
    progress: &Progress,
    kind: EventKind,
    verdict: Option<Verdict>,
    outcome: Option<Seen<'_>>,
) {
    settings.listeners.tell(&Event {
        request,
        attempt: progress.number(),
        started: progress.started,
        attempt_started: progress.attempt_started,
        waited: progress.waited,
        transparent_retries: progress.retries() - progress.counted_retries(),
        class: verdict.map(|verdict| verdict.class),
        timed_out: verdict.is_some_and(|verdict| verdict.timed_out),
        outcome,
        budget: settings.budget.get(),
        kind,
    });
}
