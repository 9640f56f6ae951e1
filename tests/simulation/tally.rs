//! Counts what happened in all runs, because a law proves nothing if its case never occurs.

mod hedges;
mod layers;
mod met;

use std::collections::BTreeMap;
use std::fmt;

use tower_http_retry::RetryAfter;
use tower_http_retry::classify::Class;
use tower_http_retry::event::{EventKind, StopReason};

use super::ask::Ask;
use super::failure::{Failure, Overtaken};
use super::hedging::beside;
use super::journal::{Entry, What};
use super::laws;
use super::plan::{Plan, Protocol};
use super::trouble::Trouble;
use met::TO_BE_MET;

#[derive(Default)]
pub struct Tally {
    counts: BTreeMap<String, u64>,
}

impl Tally {
    pub fn add(&mut self, plan: &Plan, entries: &[Entry]) {
        self.count("run");
        let over = entries.iter().find(|entry| entry.what == What::Over);
        let has_come = |trouble: &&Trouble| over.is_some_and(|over| trouble.from < over.at);
        for trouble in plan.troubles.iter().filter(has_come) {
            self.count(&format!("fault: {}", trouble.kind.name()));
        }
        for ask in &plan.requests {
            let entries = laws::entries_of(ask, entries);
            for part in laws::parts(ask, &entries) {
                let of_this = |entry: &&Entry| entry.id == part.id;
                let whats = entries.iter().filter(of_this).map(|entry| entry.what);
                let whats: Vec<_> = whats.collect();
                if part.id == ask.id {
                    self.add_request(plan, ask, &whats);
                }
                self.add_commit(plan, &part, &whats);
                self.add_hedges(plan, &part, &whats);
            }
            self.add_download(plan, ask, &entries);
        }
    }

    pub fn merge(&mut self, other: Self) {
        for (name, count) in other.counts {
            *self.counts.entry(name).or_default() += count;
        }
    }

    pub fn never_met(&self) -> Vec<&'static str> {
        let is_met = |name: &&str| self.counts.contains_key(*name);
        TO_BE_MET.into_iter().filter(|name| !is_met(name)).collect()
    }

    fn count(&mut self, name: &str) {
        *self.counts.entry(name.to_owned()).or_default() += 1;
    }

    fn add_request(&mut self, plan: &Plan, ask: &Ask, whats: &[What]) {
        self.count(match plan.protocol {
            Protocol::Http1 => "request over HTTP/1.1",
            Protocol::Http2 => "request over HTTP/2",
        });
        for what in whats {
            self.add_what(ask, what);
        }
        self.add_whole(plan, ask, whats);
        if !plan.limits(ask.id).may_be_repeated {
            self.add_once(whats);
        }
    }

    fn add_what(&mut self, ask: &Ask, what: &What) {
        match *what {
            What::Sent { .. } => self.count("attempt sent"),
            What::Told {
                step,
                class,
                timed_out,
            } => self.add_told(step, class, timed_out),
            What::Took { attempt, .. } => {
                self.count("attempt taken whole");
                if ask.body.len() >= 1 << 20 {
                    self.count("body of 1 MiB taken whole");
                }
                if attempt > 1 && ask.body.len() > 0 {
                    self.count("body taken whole by a later attempt");
                }
                if attempt > 1 && ask.body.is_streamed() {
                    self.count("body taken whole by a later attempt, streamed");
                }
            }
            What::Failed { how, .. } => self.count(match how {
                Failure::NotConnected => "attempt failed: as QUIC's connections are lost",
                Failure::GoAway => "attempt failed: left out by a GOAWAY",
                Failure::Overtaken(Overtaken::ByGoAway) => "attempt failed: overtaken by a GOAWAY",
                Failure::Overtaken(Overtaken::ByEndedTask) => {
                    "attempt failed: overtaken by its task's end"
                }
                Failure::TaskEnded => "attempt failed: its task ended",
                Failure::OfTarget => "attempt failed: a redirect's target",
            }),
            What::Response { .. } => self.count("request ended: response"),
            What::Error { .. } => self.count("request ended: error"),
            What::GaveUp => self.count("request ended: given up"),
            What::Read { .. } => self.count("response read whole"),
            What::BrokeOff { .. } => self.count("response broke off"),
            What::Asked
            | What::Answered { .. }
            | What::Redirected { .. }
            | What::Body { .. }
            | What::Broken { .. }
            | What::Hedged { .. }
            | What::Ended { .. }
            | What::Gone { .. }
            | What::Chosen { .. }
            | What::Settled { .. }
            | What::HedgeTold(_)
            | What::Served { .. }
            | What::Begun(_)
            | What::Resumed(_)
            | What::Downloaded(_)
            | What::Came { .. }
            | What::Acted
            | What::Counted { .. }
            | What::Over
            | What::Left(_) => {}
        }
    }

    fn add_told(&mut self, step: EventKind, class: Option<Class>, timed_out: bool) {
        match step {
            EventKind::RetryScheduled { reason, .. } => {
                self.count(&format!("retry: {}", reason.as_str()));
            }
            EventKind::Stopped(stop) => self.count(&format!("stop: {}", stop.as_str())),
            _ => {}
        }
        if let Some(class) = class {
            self.count(&format!("class {class:?}"));
        }
        if timed_out {
            self.count("attempt timed out, or answered 504");
        }
    }

    /// Counts what only all entries of a request together show.
    fn add_whole(&mut self, plan: &Plan, ask: &Ask, whats: &[What]) {
        let has = |is: fn(&What) -> bool| whats.iter().any(is);
        let is_success = has(|what| matches!(what, What::Response { status: 200, .. }));
        if is_success && has(|what| matches!(what, What::Sent { attempt: 2 })) {
            self.count("success after a retry");
        }
        if is_success
            && has(|what| {
                matches!(
                    what,
                    What::Told {
                        timed_out: true,
                        ..
                    }
                )
            })
        {
            self.count("success after a time-out");
        }
        if is_success && ask.body.len() > 1 << 16 {
            self.count("success of an upload over 64 KiB");
        }
        let hinted = whats.iter().filter_map(|what| match what {
            What::Answered {
                attempt,
                hint: Some(_),
                ..
            } => Some(What::Sent {
                attempt: beside(*attempt) + 1,
            }),
            _ => None,
        });
        let are_read = plan.policy.hints != RetryAfter::Ignore;
        for _ in hinted.filter(|sent| are_read && whats.contains(sent)) {
            self.count("retry after a hint");
        }
        let to_a_429 = whats.iter().filter(|what| match **what {
            What::Answered {
                attempt,
                status: 429,
                ..
            } => whats.contains(&What::Redirected { attempt }),
            _ => false,
        });
        for _ in to_a_429 {
            self.count("attempt redirected to a 429");
        }
        let abandons = whats.windows(2).any(|pair| {
            let stops = |what: &What| {
                matches!(
                    what,
                    What::Told {
                        step: EventKind::Stopped(StopReason::Window),
                        ..
                    }
                )
            };
            pair[0].is_retry() && stops(&pair[1])
        });
        if abandons {
            self.count("window ended before an attempt was ready");
        }
    }

    /// Counts what happened to a request that must not be repeated.
    fn add_once(&mut self, whats: &[What]) {
        let acted = whats.iter().position(|what| *what == What::Acted);
        let Some(acted) = acted else {
            return;
        };
        let is_failure = |what: &What| {
            matches!(
                what,
                What::Error { .. } | What::Response { status: 500.., .. }
            )
        };
        if whats.iter().any(is_failure) {
            self.count("request, never to be repeated, acted on and failed");
        }
        if whats[..acted].contains(&What::Sent { attempt: 2 }) {
            self.count("request, never to be repeated, acted on by a later attempt");
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in &self.counts {
            writeln!(f, "{count:>10} {name}")?;
        }
        Ok(())
    }
}
