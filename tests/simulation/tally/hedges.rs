//! Counts the events of the hedge layer.

use tower_http_retry::hedge::HedgeEventKind;

use super::super::ask::Ask;
use super::super::hedging::beside;
use super::super::journal::{Fate, What};
use super::super::plan::{HEDGES, Plan, RESUMPTION};
use super::Tally;

impl Tally {
    /// Counts the hedges of a request or a resumption.
    pub fn add_hedges(&mut self, plan: &Plan, ask: &Ask, whats: &[What]) {
        for (at, what) in whats.iter().enumerate() {
            match *what {
                What::HedgeTold(HedgeEventKind::NotSent(why)) => {
                    let why = HedgeEventKind::NotSent(why);
                    self.count(&format!("hedge not sent: {}", why.as_str()));
                }
                What::HedgeTold(kind) => self.count(&format!("hedge {}", kind.as_str())),
                What::Hedged { .. } => self.add_hedge(plan, ask),
                What::Chosen {
                    beside,
                    fate: Fate::Success,
                    attempt: Some(HEDGES..),
                } => self.add_won(beside, &whats[..at]),
                What::Gone { attempt } if is_kept(attempt, &whats[..at]) => {
                    self.count("hedged attempt that goes on after the other won");
                }
                _ => {}
            }
        }
    }

    fn add_hedge(&mut self, plan: &Plan, ask: &Ask) {
        let hedge = plan.policy.hedge;
        if hedge.is_some_and(|hedge| hedge.delay.is_none()) {
            self.count("hedge sent after a delay that was learned");
        }
        if ask.body.len() > 0 {
            self.count("hedge sent with a body");
        }
        if ask.id >= RESUMPTION {
            self.count("hedge sent of a resumption");
        }
    }

    fn add_won(&mut self, first: u32, before: &[What]) {
        let failed = What::Ended {
            attempt: first,
            fate: Fate::MayPass,
        };
        if before.contains(&failed) {
            self.count("hedge won after its first attempt had failed");
        }
    }
}

/// Whether the request of an attempt had ended before the attempt.
fn is_kept(attempt: u32, before: &[What]) -> bool {
    let beside = beside(attempt);
    before.contains(&What::Settled { beside })
}
