//! Prints the events of each request on standard error as they happen.

use std::error::Error;
use std::io::{self, Write};
use std::time::Instant;

use indicatif::ProgressBar;
use tower_http_retry::event::{Event, EventKind, StopReason};

/// An extension of a request that identifies its events.
#[derive(Clone, Copy)]
pub(crate) struct Origin {
    /// The number of the request; the first is 1.
    pub(crate) number: u64,
    /// The start of the request. The time of an event counts from the first attempt, which starts
    /// later if the request is held.
    pub(crate) started: Instant,
}

/// Prints each event of a single request. If there are many requests, prints only retries and
/// failures.
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
        // Every request has this extension.
        let Some(origin) = event.request().extensions().get::<Origin>() else {
            return;
        };
        let at = origin.started.elapsed().as_secs_f64();
        let number = origin.number;
        let who = match (self.is_of_one, event.attempt()) {
            (true, attempt) => format!("attempt {attempt}"),
            // No attempt has been sent yet.
            (false, 0) => format!("request {number}"),
            (false, attempt) => format!("request {number}, attempt {attempt}"),
        };
        let line = format!("{at:>8.3} s  {who}: {}\n", describe(event));
        // Written in one piece, so that lines of other requests do not interrupt it. If standard
        // error is closed, the error cannot be reported.
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
        // The text of the error is sufficient.
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

/// An error with its causes. The text of the client's error alone does not contain them.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        // Some errors repeat the text of their cause.
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}
