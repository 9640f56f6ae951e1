//! What happens to each request, told on standard error as it happens.

use std::error::Error;
use std::io::{self, Write};

use indicatif::ProgressBar;
use tower_http_retry::event::{Event, EventKind, StopReason};

/// A request's number among all, as one of its extensions; the first is 1.
#[derive(Clone, Copy)]
pub(crate) struct Number(pub(crate) u64);

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
        let at = event.elapsed().as_secs_f64();
        let attempt = event.attempt();
        let what = describe(event);
        let line = match self.is_of_one {
            true => format!("{at:>8.3} s  attempt {attempt}: {what}\n"),
            false => {
                let number = event
                    .request()
                    .extensions()
                    .get()
                    .map_or(0, |Number(number)| *number);
                format!("{at:>8.3} s  request {number}, attempt {attempt}: {what}\n")
            }
        };
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
