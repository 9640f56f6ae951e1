//! What happens to each request, told on standard error as it happens.

use std::error::Error;
use std::io::{self, Write};
use std::time::Instant;

use indicatif::ProgressBar;
use tower_http_retry::event::{Event, EventKind, StopReason};

/// What a request's steps are told by; one of its extensions.
#[derive(Clone, Copy)]
pub(crate) struct Origin {
    /// Its number among all; the first is 1.
    pub(crate) number: u64,
    /// An event's own time starts with the first attempt, which a request that is held waits for.
    pub(crate) started: Instant,
}

/// Tells each step of a single request; of many, only the retries and the failures.
#[derive(Clone)]
pub(crate) struct Timeline {
    progress: ProgressBar,
    is_of_one: bool,
}

impl Timeline {
    pub(crate) fn new(progress: ProgressBar, is_of_one: bool) -> Self {
        Self {
            progress,
            is_of_one,
        }
    }

    pub(crate) fn tell(&self, event: &Event<'_>) {
        let is_routine = matches!(
            event.kind(),
            EventKind::AttemptStarted | EventKind::Stopped(StopReason::Success)
        );
        if is_routine && !self.is_of_one {
            return;
        }
        // All requests have one.
        let Some(origin) = event.request().extensions().get::<Origin>() else {
            return;
        };
        let at = origin.started.elapsed().as_secs_f64();
        let number = origin.number;
        let who = match (self.is_of_one, event.attempt()) {
            (true, attempt) => format!("attempt {attempt}"),
            // Nothing of it was sent yet.
            (false, 0) => format!("request {number}"),
            (false, attempt) => format!("request {number}, attempt {attempt}"),
        };
        let line = format!("{at:>8.3} s  {who}: {}\n", describe(event));
        // In one piece, for lines of other requests may come in between; and there is nobody to
        // tell that standard error is closed.
        self.progress.suspend(|| {
            let _ = io::stderr().write_all(line.as_bytes());
        });
    }
}

fn describe(event: &Event<'_>) -> String {
    match event.kind() {
        EventKind::AttemptStarted => {
            let port = event
                .port()
                .map_or_else(String::new, |port| format!(":{port}"));
            format!("{} {}{port}{}", event.method(), event.host(), event.path())
        }
        EventKind::RetryScheduled { after, reason, .. } => {
            format!("{}; again in {after:.1?}: {reason}", outcome(event))
        }
        EventKind::Held { left, .. } if left.is_zero() => {
            "held, until those before it are served".to_owned()
        }
        EventKind::Held { left, .. } => format!("held for another {left:.1?}"),
        EventKind::CooldownStarted { left, .. } => {
            format!(
                "{}; requests are held from now on, for {left:.1?}",
                outcome(event)
            )
        }
        EventKind::CooldownEnded => format!("{}; no request is held any more", outcome(event)),
        // The error says it all.
        EventKind::Stopped(StopReason::CoolingDown) => format!("the end: {}", outcome(event)),
        EventKind::Stopped(stop) => format!("{}; the end: {stop}", outcome(event)),
        kind => format!("{kind:?}"),
    }
}

fn outcome(event: &Event<'_>) -> String {
    match (event.status(), event.error()) {
        (Some(status), _) => status.to_string(),
        (None, Some(error)) => with_causes(error),
        (None, None) => "no further attempt".to_owned(),
    }
}

/// An error and what caused it. The client's own words are only that it could not connect.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        // Some errors repeat their cause's words.
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}
