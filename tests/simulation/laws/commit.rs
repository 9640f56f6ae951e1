//! The laws of responses that are held back until their commit point.

use tower_http_retry::event::{EventKind, StopReason};

use super::super::ask::Ask;
use super::super::hedging::beside;
use super::super::journal::{Entry, Progress, What};
use super::super::plan::Plan;
use super::super::policy::{Commit, Point};
use super::{Held, Law, count, find, verdict};

pub const LAWS: [Law; 3] = [
    Law {
        says: "no response is handed up before its commit point",
        holds: waits_for_the_point,
    },
    Law {
        says: "a response that breaks before its commit point is none",
        holds: breaks_before_the_point,
    },
    Law {
        says: "a broken answer is retried, or is the caller's error",
        holds: broken_is_retried,
    },
];

fn waits_for_the_point(plan: &Plan, _: &Ask, entries: &[Entry]) -> Held {
    let Some(commit) = plan.policy.commit else {
        return Ok(());
    };
    for (at, entry) in entries.iter().enumerate() {
        let What::Answered {
            attempt, status, ..
        } = entry.what
        else {
            continue;
        };
        let has_come = |is| has_come(&entries[..at], attempt, is);
        let is_there = has_come(Progress::Whole)
            || match commit.point {
                Point::FirstBytes => has_come(Progress::First),
                Point::Whole(_) => has_come(Progress::Beyond),
            };
        let is_exempt = is_failure(status) && (!commit.reads_failures || commit.timeout.is_some());
        // The next law is about responses that break.
        let is_exempt = is_exempt || has_come(Progress::Broke);
        verdict(is_there || is_exempt, || format!("{:?}", entry.what))?;
    }
    Ok(())
}

fn breaks_before_the_point(plan: &Plan, _: &Ask, entries: &[Entry]) -> Held {
    let Some(commit) = plan.policy.commit else {
        return Ok(());
    };
    for (at, entry) in entries.iter().enumerate() {
        let What::Body {
            attempt,
            is: Progress::Broke,
        } = entry.what
        else {
            continue;
        };
        let is_let_go = plan.policy.hedge.is_some() && !is_chosen(entries, attempt);
        if is_let_go || answered(&entries[..at], attempt).is_some() {
            continue;
        }
        let holds = match answered(&entries[at..], attempt) {
            Some(status) => may_break(commit, status),
            None => is_broken(entries, attempt),
        };
        verdict(holds, || format!("attempt {attempt} is an answer"))?;
    }
    Ok(())
}

/// Whether a response that broke before its commit point may still count by its status.
fn may_break(commit: Commit, status: u16) -> bool {
    commit.reads_failures && is_failure(status)
}

fn broken_is_retried(_: &Plan, ask: &Ask, entries: &[Entry]) -> Held {
    let broken = entries.iter().filter_map(|entry| match entry.what {
        What::Broken { attempt, .. } => Some(attempt),
        _ => None,
    });
    let sent = count(entries, |what| matches!(what, What::Sent { .. }));
    let retries = count(entries, What::is_retry);
    for attempt in broken {
        // Another law checks that it is acted on at most once.
        let is_acted_on = find(entries, |what| *what == What::Acted).is_some();
        verdict(is_acted_on, || format!("attempt {attempt}, not acted on"))?;
        // The next attempt may have been scheduled, but not started.
        if beside(attempt) < sent || retries >= sent {
            continue;
        }
        let is_wrong = |what: &What| match what {
            What::Told {
                step: EventKind::Stopped(stop),
                ..
            } => match stop {
                // The body of the request may have broken, which resets the stream of both bodies.
                StopReason::Permanent => !ask.body.breaks,
                _ => *stop == StopReason::Success,
            },
            What::Response { .. } | What::Error { is_broken: false } => true,
            _ => false,
        };
        let wrong = entries.iter().find(|entry| is_wrong(&entry.what));
        verdict(wrong.is_none(), || format!("attempt {attempt}: {wrong:?}"))?;
    }
    Ok(())
}

fn has_come(entries: &[Entry], attempt: u32, is: Progress) -> bool {
    find(entries, |what| *what == What::Body { attempt, is }).is_some()
}

/// Whether the hedge layer returned the response to an attempt.
fn is_chosen(entries: &[Entry], attempt: u32) -> bool {
    let this = Some(attempt);
    let is = |what: &What| matches!(*what, What::Chosen { attempt, .. } if attempt == this);
    find(entries, is).is_some()
}

/// Whether the retry layer received the response to an attempt as an error.
fn is_broken(entries: &[Entry], broken: u32) -> bool {
    let is = |what: &What| matches!(*what, What::Broken { attempt, .. } if attempt == broken);
    find(entries, is).is_some()
}

/// Returns the status of the response to an attempt, if the retry layer received it.
fn answered(entries: &[Entry], attempt: u32) -> Option<u16> {
    entries.iter().find_map(|entry| match entry.what {
        What::Answered {
            attempt: other,
            status,
            ..
        } if other == attempt => Some(status),
        _ => None,
    })
}

/// Whether the retry layer drains the body of a response with this status.
fn is_failure(status: u16) -> bool {
    status == 429 || status >= 500
}
