//! The section of the page about quotas.

use super::figures::{Own, Shared};
use super::grid::Grid;
use super::runs::Outcomes;
use super::server::ONE_WAY;
use super::simulation::{AFTER, OWN_TIME, SURPLUS};
use super::{MANNERS, Manner, QUOTAS, tables};
use crate::conclusions::code;
use crate::figures::WELL;
use crate::names::{manner_name, manner_summary};
use crate::page::{Section, term};
use crate::scenario::{FAULT, WARM_UP};
use crate::tables::{AS_SOON, percent};

pub fn section(grid: &Grid, outcomes: &Outcomes) -> Section {
    Section {
        id: "quotas",
        title: "Quotas",
        conclusions: conclusion(grid, outcomes).into_iter().collect(),
        summary: None,
        parts: Vec::new(),
        introduction: introduction(grid),
        tables: tables::all(grid, outcomes),
        extent: outcomes.extent(),
    }
}

/// States what a cooldown gains if each client has a quota, and what it costs if they share a limit.
fn conclusion(grid: &Grid, outcomes: &Outcomes) -> Option<String> {
    let blocking = QUOTAS.iter().find(|quota| quota.blocks_after.is_some())?;
    let load = *grid.loads(blocking).last()?;
    let own = |manner| {
        Some(Own::of(
            blocking,
            load,
            outcomes.get(blocking, manner, load)?,
        ))
    };
    let (without, with) = (own(Manner::Earning)?, own(Manner::Cooldown)?);
    let shared = QUOTAS.iter().filter(|quota| !quota.is_own);
    let shared =
        shared.flat_map(|quota| grid.loads(quota).into_iter().map(move |load| (quota, load)));
    let later = shared.clone().filter(|(quota, load)| {
        let recovery =
            |manner| Some(Shared::of(quota, outcomes.get(quota, manner, *load)?).recovery);
        let [without, with] =
            [Manner::Earning, Manner::Cooldown].map(|manner| recovery(manner).flatten());
        without.is_some_and(|without| with.is_none_or(|with| with > without + AS_SOON))
    });
    Some(format!(
        "In {}, clients with a cooldown use {} % of their quotas, and {} of {} are blocked. Without \
         one they use {} %, and {} are blocked. If the clients share a limit, a cooldown delays the \
         recovery by more than a second, or prevents it, in {} of {} cases.",
        code(blocking.name),
        percent(with.used),
        with.blocked,
        load.clients,
        percent(without.used),
        without.blocked,
        later.count(),
        shared.count(),
    ))
}

/// Describes the simulation, and how to repeat it.
fn introduction(grid: &Grid) -> String {
    let quotas = QUOTAS.map(|quota| term(quota.name, quota.summary));
    let manners = MANNERS.map(|manner| term(manner_name(manner), manner_summary(manner)));
    format!(
        "<p>A server, {} ms away, accepts a limited number of attempts in each window. It answers 429 to \
         the others and asks for a wait until the end of the window, in whole seconds. Requests arrive at \
         random times, each from a random client. If the clients share a limit, the load is the part of \
         it that their requests need. The fault begins after {} s and lasts {} s, with {SURPLUS} \
         times as many requests. Then {} s follow. The service has recovered when at least {:.0} % of \
         the requests of each half second succeed. If each client has a quota of its own, the requests \
         need {SURPLUS} times the quota for {} s.</p>\n\
         <dl>\n{}</dl>\n<p>The clients do one of these:</p>\n<dl>\n{}</dl>\n\
         <p>Seed {}: <code>{}</code></p>\n\
         <p>Highlighted: the service <span class=\"never\">never recovers</span>, or it <span \
         class=\"later\">recovers later</span> than with <code>earning</code>, by more than a \
         second.</p>\n",
        ONE_WAY.as_millis(),
        WARM_UP.as_secs(),
        FAULT.as_secs(),
        AFTER.as_secs(),
        WELL * 100.0,
        OWN_TIME.as_secs(),
        quotas.concat(),
        manners.concat(),
        grid.seed(),
        grid.command()
    )
}
