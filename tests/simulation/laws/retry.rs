//! The laws of the retry layer's attempts.

use std::collections::HashSet;

use tower_http_retry::RetryAfter;
use tower_http_retry::event::{EventKind, StopReason};

use super::super::answer::Reads;
use super::super::ask::Ask;
use super::super::hedging::beside;
use super::super::journal::{Entry, What};
use super::super::plan::Plan;
use super::{Held, Law, ROUNDING, count, find, verdict};

/// The maximum size of trailers in bytes.
const TRAILERS: usize = 20;

pub const LAWS: [Law; 9] = [
    Law {
        says: "every request ends before its window plus one attempt time-out",
        holds: ends_in_time,
    },
    Law {
        says: "no attempt starts after the window",
        holds: starts_in_the_window,
    },
    Law {
        says: "a body that the server took as whole is byte for byte what the caller sent",
        holds: taken_bodies_are_right,
    },
    Law {
        says: "a request that may not be repeated is acted on at most once",
        holds: acted_on_once,
    },
    Law {
        says: "attempts never exceed the limit",
        holds: within_the_limit,
    },
    Law {
        says: "an attempt comes to the server at most once",
        holds: comes_once,
    },
    Law {
        says: "no attempt starts early against a hint",
        holds: obeys_hints,
    },
    Law {
        says: "the caller is handed the last attempt's outcome",
        holds: handed_the_last,
    },
    Law {
        says: "there is no other attempt for the reason that is told",
        holds: stops_for_a_reason,
    },
];

fn ends_in_time(plan: &Plan, ask: &Ask, entries: &[Entry]) -> Held {
    let limits = plan.limits(ask.id);
    let asked = find(entries, |what| matches!(what, What::Asked));
    let is_end = |what: &What| {
        matches!(
            what,
            What::Response { .. } | What::Error { .. } | What::GaveUp
        )
    };
    let (Some(asked), Some(ended)) = (asked, find(entries, is_end)) else {
        return Err("it did not end".into());
    };
    let (took, most) = (
        ended - asked,
        limits.window + limits.attempt_timeout + ROUNDING,
    );
    verdict(took <= most, || format!("it took {took:?}, not {most:?}"))
}

fn starts_in_the_window(plan: &Plan, ask: &Ask, entries: &[Entry]) -> Held {
    let window = plan.limits(ask.id).window + ROUNDING;
    let first = find(entries, |what| matches!(what, What::Sent { .. })).unwrap_or_default();
    let late = entries.iter().find(|entry| {
        matches!(entry.what, What::Sent { attempt: 2.. }) && entry.at - first > window
    });
    late.map_or(Ok(()), |late| {
        Err(format!("{:?} at {:?}", late.what, late.at - first))
    })
}

fn taken_bodies_are_right(_: &Plan, _: &Ask, entries: &[Entry]) -> Held {
    let wrong = |entry: &&Entry| {
        matches!(
            entry.what,
            What::Took {
                is_right: false,
                ..
            }
        )
    };
    let wrong = entries.iter().find(wrong);
    wrong.map_or(Ok(()), |wrong| Err(format!("{:?}", wrong.what)))
}

fn acted_on_once(plan: &Plan, ask: &Ask, entries: &[Entry]) -> Held {
    let acted = count(entries, |what| matches!(what, What::Acted));
    let is_right = acted <= 1 || plan.limits(ask.id).may_be_repeated;
    verdict(is_right, || {
        format!("{} acted on {acted} times", ask.method)
    })
}

fn within_the_limit(plan: &Plan, ask: &Ask, entries: &[Entry]) -> Held {
    let sent = count(entries, |what| matches!(what, What::Sent { .. }));
    let most = 1 + plan.limits(ask.id).max_retries;
    verdict(sent <= most, || format!("{sent} attempts, not {most}"))?;
    let told = entries.iter().find_map(|entry| match entry.what {
        What::Counted { attempts } => Some(attempts),
        _ => None,
    });
    verdict(told == Some(sent), || {
        format!("{sent} attempts, {told:?} told")
    })
}

fn comes_once(_: &Plan, _: &Ask, entries: &[Entry]) -> Held {
    let mut came = HashSet::new();
    let attempts = entries.iter().filter_map(|entry| match entry.what {
        What::Came { attempt } => Some(attempt),
        _ => None,
    });
    let twice = attempts.into_iter().find(|attempt| !came.insert(*attempt));
    twice.map_or(Ok(()), |twice| Err(format!("attempt {twice} came twice")))
}

fn obeys_hints(plan: &Plan, _: &Ask, entries: &[Entry]) -> Held {
    if plan.policy.hints == RetryAfter::Ignore {
        return Ok(());
    }
    let hinted = entries.iter().filter_map(|entry| match entry.what {
        What::Answered { attempt, hint, .. } | What::Broken { attempt, hint } => {
            Some((attempt, entry.at, hint?))
        }
        _ => None,
    });
    for (attempt, at, hint) in hinted {
        let sent = What::Sent {
            attempt: beside(attempt) + 1,
        };
        let Some(next) = find(entries, |what| *what == sent) else {
            continue;
        };
        let waited = next - at;
        verdict(waited >= hint, || {
            format!("{sent:?} after {waited:?}, not {hint:?}")
        })?;
        let most = plan.policy.max_retry_after;
        verdict(hint <= most, || {
            format!("{sent:?} after {hint:?}, not {most:?}")
        })?;
    }
    Ok(())
}

fn handed_the_last(plan: &Plan, ask: &Ask, entries: &[Entry]) -> Held {
    let sent = count(entries, |what| matches!(what, What::Sent { .. }));
    let is_answered =
        |what: &What| matches!(*what, What::Answered { attempt, .. } if beside(attempt) == sent);
    let retries = count(entries, What::is_retry);
    for entry in entries {
        match entry.what {
            What::Response { attempt, count, .. } => {
                let is_right = (beside(attempt), count) == (sent, sent);
                verdict(is_right, || format!("{:?} of {sent}", entry.what))?;
            }
            // If a retry was scheduled but could not start, the response is in the error.
            What::Error { .. } if retries < sent => {
                let is_right = find(entries, is_answered).is_none();
                verdict(is_right, || "an error instead of the answer".into())?;
            }
            What::Read { is_right } => verdict(is_right, || "its body is another".into())?,
            // The source of the body may break. The connection may break, too, by trouble or because the
            // server does not read the rest of the request.
            What::BrokeOff { attempt } => {
                let answer = plan.last_answer(ask.id, attempt);
                let is_cut_off = plan.has_trouble() || !matches!(answer.reads, Reads::All);
                let is_due = answer.body.breaks || is_cut_off;
                verdict(is_due, || "its body broke off".into())?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn stops_for_a_reason(plan: &Plan, ask: &Ask, entries: &[Entry]) -> Held {
    let sent = count(entries, |what| matches!(what, What::Sent { .. }));
    let (limits, policy) = (plan.limits(ask.id), &plan.policy);
    let told = entries.iter().find_map(|entry| match entry.what {
        What::Told {
            step: EventKind::Stopped(stop),
            ..
        } => Some(stop),
        _ => None,
    });
    let Some(stop) = told else {
        let gave_up = find(entries, |what| *what == What::GaveUp).is_some();
        return verdict(gave_up, || "no reason".into());
    };
    let hint = entries.iter().rev().find_map(|entry| match entry.what {
        What::Answered { hint, .. } | What::Broken { hint, .. } => Some(hint),
        _ => None,
    });
    let hint = hint.flatten();
    let holds = match stop {
        StopReason::Attempts => sent == 1 + limits.max_retries,
        StopReason::NotReplayable => {
            ask.body.breaks || ask.body.len() + TRAILERS > policy.max_replay_bytes
        }
        StopReason::NotIdempotent => !limits.may_be_repeated,
        StopReason::RetryAfterTooLong => hint.is_some_and(|hint| hint > policy.max_retry_after),
        StopReason::Budget => policy.has_budget,
        StopReason::Success | StopReason::Permanent | StopReason::Window => true,
        _ => false,
    };
    verdict(holds, || format!("{stop:?} after {sent} attempts"))
}
