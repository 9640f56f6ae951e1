//! The laws of hedges.

use std::time::Duration;

use http::Method;
use tower_http_retry::hedge::HedgeEventKind;

use super::super::ask::{Ask, Own};
use super::super::hedging::beside;
use super::super::journal::{Entry, Fate, What};
use super::super::plan::{HEDGES, Plan, TARGETS};
use super::super::policy::Hedge;
use super::{Held, Law, ROUNDING, count, find, verdict};

pub const LAWS: [Law; 6] = [
    Law {
        says: "nothing is hedged but what may be sent twice at once",
        holds: only_what_may_be,
    },
    Law {
        says: "a hedge is the same request, and all of it",
        holds: is_the_same,
    },
    Law {
        says: "at most one hedge is sent for each attempt, and each is told",
        holds: is_one,
    },
    Law {
        says: "a hedge is sent when its delay ends",
        holds: is_in_time,
    },
    Law {
        says: "a success is never lost to the failure of the other attempt",
        holds: loses_no_success,
    },
    Law {
        says: "nothing of a request that has ended is under way",
        holds: is_let_go,
    },
];

/// This law is about all requests of a layer or, with a budget per server, those to one server.
const WITHIN_WHAT_IS_EARNED: &str = "hedges never exceed one and what successes have earned";

/// The price of a hedge, in the unit of what successes earn.
const HEDGE: u64 = 1_000_000;

/// Returns the hedges that were sent, with their numbers.
fn hedges(entries: &[Entry]) -> impl Iterator<Item = (Entry, u32)> {
    entries.iter().filter_map(|entry| match entry.what {
        What::Hedged { attempt, .. } => Some((*entry, attempt)),
        _ => None,
    })
}

/// Whether the layer may hedge a request.
fn may_be_hedged(hedge: Hedge, ask: &Ask) -> bool {
    let is_repeatable = [Method::PUT, Method::DELETE].contains(&ask.method) || ask.has_key;
    let may_be = ask.method == Method::GET || hedge.is_wide && is_repeatable;
    may_be
        && !matches!(
            ask.own,
            Own::Once | Own::Repeatable(false) | Own::Retries(0)
        )
}

fn only_what_may_be(plan: &Plan, ask: &Ask, entries: &[Entry]) -> Held {
    let may_be = plan
        .policy
        .hedge
        .is_some_and(|hedge| may_be_hedged(hedge, ask));
    let hedge = hedges(entries).next();
    verdict(may_be || hedge.is_none(), || {
        format!("a {} was", ask.method)
    })
}

fn is_the_same(_: &Plan, _: &Ask, entries: &[Entry]) -> Held {
    let is_other = |what: &What| match *what {
        What::Hedged {
            is_same, is_whole, ..
        } => !(is_same && is_whole),
        _ => false,
    };
    let other = entries.iter().find(|entry| is_other(&entry.what));
    verdict(other.is_none(), || format!("{other:?}"))
}

fn is_one(_: &Plan, _: &Ask, entries: &[Entry]) -> Held {
    for (_, hedge) in hedges(entries) {
        let sent = hedges(entries).filter(|(_, other)| *other == hedge).count();
        verdict(sent == 1, || {
            format!("{sent} beside attempt {}", beside(hedge))
        })?;
    }
    let told = count(entries, |what| {
        *what == What::HedgeTold(HedgeEventKind::Sent)
    });
    let sent = hedges(entries).count();
    verdict(told as usize == sent, || format!("{sent}, {told} told"))
}

fn is_in_time(plan: &Plan, _: &Ask, entries: &[Entry]) -> Held {
    let Some(delay) = plan.policy.hedge.and_then(|hedge| hedge.delay) else {
        return Ok(());
    };
    for (hedge, attempt) in hedges(entries) {
        let attempt = beside(attempt);
        let is_of_it = |entry: &&Entry| entry.what != What::Settled { beside: attempt };
        let from = entries
            .iter()
            .skip_while(|entry| entry.what != What::Sent { attempt });
        let course: Vec<_> = from.take_while(is_of_it).copied().collect();
        let after = hedge.at - course.first().ok_or("it is beside nothing")?.at;
        // A withheld hedge is sent one delay later.
        let times = 1 + count(&course, |what| {
            *what == What::HedgeTold(HedgeEventKind::Withheld)
        });
        let due = delay * times..=(delay + ROUNDING) * times;
        verdict(due.contains(&after), || {
            format!("after {after:?}, not {due:?}")
        })?;
    }
    Ok(())
}

fn loses_no_success(_: &Plan, _: &Ask, entries: &[Entry]) -> Held {
    for (at, entry) in entries.iter().enumerate() {
        let What::Chosen {
            beside: first,
            attempt,
            fate,
        } = entry.what
        else {
            continue;
        };
        let before = &entries[..at];
        let ended = |attempt| {
            before.iter().find_map(|entry| match entry.what {
                What::Ended {
                    attempt: ended,
                    fate,
                } if ended == attempt => Some(fate),
                _ => None,
            })
        };
        let both = [first, HEDGES + first];
        let is_hedged = hedges(before).any(|(_, hedge)| hedge == HEDGES + first);
        let holds = match fate {
            Fate::Success => attempt.and_then(ended) == Some(Fate::Success),
            // It may also be the error of a hedge, if the first attempt was refused.
            Fate::Permanent => {
                let is_error = attempt.is_none() && both.map(ended) == [Some(Fate::MayPass); 2];
                is_error || both.map(ended).contains(&Some(Fate::Permanent))
            }
            // Both have ended with a transient failure.
            Fate::MayPass => {
                let is_waited_for = ended(HEDGES + first).is_some() || !is_hedged;
                let are_alike = both.map(ended).iter().flatten().all(|other| *other == fate);
                ended(first).is_some() && is_waited_for && are_alike
            }
        };
        verdict(holds, || {
            format!("{:?} of {:?}", entry.what, both.map(ended))
        })?;
    }
    Ok(())
}

fn is_let_go(plan: &Plan, _: &Ask, entries: &[Entry]) -> Held {
    let Some(hedge) = plan.policy.hedge else {
        return Ok(());
    };
    for entry in entries {
        let (What::Sent { attempt } | What::Hedged { attempt, .. }) = entry.what else {
            continue;
        };
        let beside = beside(attempt);
        let settled = find(entries, |what| *what == What::Settled { beside });
        let gone = find(entries, |what| *what == What::Gone { attempt });
        let (Some(settled), Some(gone)) = (settled, gone) else {
            return Err(format!("{:?}, which is there for ever", entry.what));
        };
        let is_chosen =
            |what: &What| matches!(*what, What::Chosen { beside: of, .. } if of == beside);
        // If the request is dropped, all its attempts are dropped with it.
        let keeps = match hedge.keeps.filter(|_| find(entries, is_chosen).is_some()) {
            Some(keeps) => keeps + ROUNDING,
            None => Duration::ZERO,
        };
        verdict(gone <= settled + keeps, || {
            format!("attempt {attempt}, {:?} later", gone - settled)
        })?;
    }
    Ok(())
}

pub fn within_what_is_earned(plan: &Plan, entries: &[Entry]) -> Held {
    let Some(hedge) = plan.policy.hedge else {
        return Ok(());
    };
    let servers = match hedge.is_per_server {
        true => vec![Some(0), Some(1)],
        false => vec![None],
    };
    servers.into_iter().try_for_each(|server| {
        let of_server = |entry: &&Entry| {
            let is_request = entry.id < TARGETS;
            is_request && server.is_none_or(|server| plan.ask(entry.id).server == server)
        };
        are_earned(plan, hedge, entries.iter().filter(of_server))
    })
}

fn are_earned<'a>(plan: &Plan, hedge: Hedge, entries: impl Iterator<Item = &'a Entry>) -> Held {
    let share = (hedge.extra_load * HEDGE as f64).round() as u64;
    // There is one hedge from the start.
    let (mut earned, mut sent) = (HEDGE, 0);
    for entry in entries {
        match entry.what {
            What::Ended {
                attempt: ..HEDGES,
                fate: Fate::Success,
            } if may_be_hedged(hedge, plan.ask(entry.id)) => earned += share,
            What::Hedged { .. } => sent += 1,
            _ => {}
        }
        verdict(sent * HEDGE <= earned, || {
            format!("{WITHIN_WHAT_IS_EARNED}: {sent} of {earned}")
        })?;
    }
    Ok(())
}
