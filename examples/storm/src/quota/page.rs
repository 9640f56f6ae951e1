//! The part of the page that is about quotas.

use super::grid::Grid;
use super::runs::Outcomes;
use super::server::ONE_WAY;
use super::simulation::{AFTER, OWN_TIME, SURPLUS};
use super::{MANNERS, QUOTAS, tables};
use crate::figures::WELL;
use crate::names::{manner_name, manner_summary};
use crate::page::{Section, term};
use crate::scenario::{FAULT, WARM_UP};

pub fn section(grid: &Grid, outcomes: &Outcomes) -> Section {
    Section {
        introduction: introduction(grid),
        tables: tables::all(grid, outcomes),
        extent: outcomes.extent(),
    }
}

/// What is simulated, and how to do it again.
fn introduction(grid: &Grid) -> String {
    let quotas = QUOTAS.map(|quota| term(quota.name, quota.summary));
    let manners = MANNERS.map(|manner| term(manner_name(manner), manner_summary(manner)));
    format!(
        "<h2 id=\"quotas\">Quotas</h2>\n\
         <p>A server, {} ms away, lets so many attempts through in each window. The others are \
         answered 429, and asked to come again when the window ends, in whole seconds. Requests come \
         at random times, each from a random client. Of a limit that they share, the clients usually \
         ask for the part that is called load, and for {SURPLUS} times as much in a fault that comes \
         after {} s and lasts for {} s; then {} s are watched. Recovered is, from when on {:.0} % of \
         the requests, or more, succeed in each half second. Of quotas of their own they ask for \
         {SURPLUS} times as much as they have, for {} s.</p>\n\
         <dl>\n{}</dl>\n<p>How the clients meet it:</p>\n<dl>\n{}</dl>\n\
         <p>Seed {}: <code>{}</code></p>\n\
         <p>A cooldown is worth having where the quota is the client's own: it is used as before, \
         with few refusals, and nobody is blocked. Where clients share a limit it is of no use, and \
         does no harm if the server asks for no longer waits than are needed.</p>\n\
         <p>Marked: <span class=\"never\">it never recovers</span>, <span class=\"later\">it \
         recovers later than with earning</span>, by more than a second.</p>\n",
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
