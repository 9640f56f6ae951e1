//! Shows the progress on standard error: as a bar on a terminal, otherwise as lines.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{BinaryBytes, ProgressBar, ProgressStyle};
use tower_http_retry::event::{Event, EventKind};
use tower_http_retry::resume::Resumption;

use crate::failure::with_causes;

// The last message is on a separate line, because it is long.
const OF_KNOWN_LENGTH: &str =
    "{bar:30} {binary_bytes}/{binary_total_bytes}, {binary_bytes_per_sec}, {eta} left\n{wide_msg}";
const OF_UNKNOWN_LENGTH: &str =
    "{spinner} {binary_bytes}, {binary_bytes_per_sec}, {elapsed}\n{wide_msg}";

/// The progress of one download, which clones share.
#[derive(Clone)]
pub(crate) struct Progress {
    started: Instant,
    output: Output,
    counts: Arc<Counts>,
}

#[derive(Clone)]
enum Output {
    Bar(ProgressBar),
    Lines,
    Nothing,
}

#[derive(Default)]
struct Counts {
    bytes: AtomicU64,
    resumptions: AtomicU32,
    retries: AtomicU32,
}

impl Progress {
    pub(crate) fn start(is_quiet: bool) -> Self {
        let output = match is_quiet {
            true => Output::Nothing,
            false => Output::of(ProgressBar::new_spinner()),
        };
        Self {
            started: Instant::now(),
            output,
            counts: Arc::default(),
        }
    }

    /// Starts the bar when the first response has arrived, with the length of its body if it is known.
    pub(crate) fn begin(&self, length: Option<u64>) {
        let Output::Bar(bar) = &self.output else {
            return;
        };
        let template = match length {
            Some(_) => OF_KNOWN_LENGTH,
            None => OF_UNKNOWN_LENGTH,
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        if let Some(length) = length {
            bar.set_length(length);
        }
    }

    /// Adds a number of bytes that were written.
    pub(crate) fn add(&self, bytes: usize) {
        let bytes = bytes as u64;
        self.counts.bytes.fetch_add(bytes, Ordering::Relaxed);
        if let Output::Bar(bar) = &self.output {
            bar.inc(bytes);
        }
    }

    pub(crate) fn resume(&self, resumption: &Resumption<'_>) {
        let number = resumption.number();
        self.counts.resumptions.store(number, Ordering::Relaxed);
        self.tell(&format!(
            "resumption {number}, {}: {}; {} of {} bytes are there",
            wait(resumption.after()),
            with_causes(resumption.error()),
            resumption.delivered(),
            resumption.expected(),
        ));
    }

    pub(crate) fn retry(&self, event: &Event<'_>) {
        let EventKind::RetryScheduled { after, reason, .. } = event.kind() else {
            return;
        };
        let number = self.counts.retries.fetch_add(1, Ordering::Relaxed) + 1;
        let outcome = match (event.status(), event.error()) {
            (Some(status), _) => status.to_string(),
            (None, Some(error)) => with_causes(error),
            (None, None) => "no outcome".to_owned(),
        };
        let wait = wait(after);
        self.tell(&format!("retry {number}, {wait} ({reason}): {outcome}"));
    }

    /// Removes the bar, and prints a summary of a complete download.
    pub(crate) fn finish(&self, note: Option<&str>) {
        self.clear();
        if matches!(self.output, Output::Nothing) {
            return;
        }
        let took = self.started.elapsed();
        let bytes = self.counts.bytes.load(Ordering::Relaxed);
        let note = note.map_or_else(String::new, |note| format!("; {note}"));
        print(&format!(
            "download: {bytes} bytes in {took:.1?}, {}; resumptions: {}, retries: {}{note}",
            rate(bytes, took),
            self.resumptions(),
            self.counts.retries.load(Ordering::Relaxed),
        ));
    }

    /// Removes the bar.
    pub(crate) fn clear(&self) {
        if let Output::Bar(bar) = &self.output {
            bar.finish_and_clear();
        }
    }

    pub(crate) fn resumptions(&self) -> u32 {
        self.counts.resumptions.load(Ordering::Relaxed)
    }

    fn tell(&self, line: &str) {
        match &self.output {
            Output::Bar(bar) => bar.set_message(line.to_owned()),
            Output::Lines => {
                let at = self.started.elapsed().as_secs_f64();
                print(&format!("{at:>8.3} s  {line}"));
            }
            Output::Nothing => {}
        }
    }
}

impl Output {
    /// A bar is hidden if standard error is no terminal.
    fn of(bar: ProgressBar) -> Self {
        match bar.is_hidden() {
            true => Self::Lines,
            false => Self::Bar(bar),
        }
    }
}

pub(crate) fn rate(bytes: u64, took: Duration) -> String {
    let rate = bytes as f64 / took.as_secs_f64().max(0.001);
    format!("{}/s", BinaryBytes(rate as u64))
}

fn wait(after: Duration) -> String {
    match after.is_zero() {
        true => "at once".to_owned(),
        false => format!("in {after:.1?}"),
    }
}

/// Prints a line in one piece. If standard error is closed, the error cannot be reported.
fn print(line: &str) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}
