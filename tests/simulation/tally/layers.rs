//! Counts what happened in the commit layer and in the resume layer.

use tower_http_retry::resume::Unresumable;

use super::super::ask::Ask;
use super::super::file::Validator;
use super::super::hedging::beside;
use super::super::journal::{Condition, Downloaded, End, Entry, What};
use super::super::laws::download::Course;
use super::super::plan::{Plan, RESUMPTION};
use super::Tally;

impl Tally {
    /// Counts the responses to a request or a resumption.
    pub fn add_commit(&mut self, plan: &Plan, ask: &Ask, whats: &[What]) {
        let may_be_repeated = plan.limits(ask.id).may_be_repeated;
        for what in whats {
            match *what {
                What::Broken { attempt, hint } => {
                    self.count("broken answer");
                    let next = What::Sent {
                        attempt: beside(attempt) + 1,
                    };
                    if whats.contains(&next) {
                        self.count("broken answer retried");
                        if hint.is_some() {
                            self.count("broken answer retried, with a hint");
                        }
                    }
                    if !may_be_repeated {
                        self.count("broken answer of a request that is never to be repeated");
                    }
                }
                What::Answered { status: 200, .. } if plan.policy.commit.is_some() => {
                    let file = ask.file.as_ref();
                    if file.is_some_and(|file| file.is_event_stream) {
                        self.count("stream of events, handed up at its commit point");
                    }
                }
                _ => {}
            }
        }
    }

    /// Counts the download of a request together with its resumptions.
    pub fn add_download(&mut self, plan: &Plan, ask: &Ask, entries: &[Entry]) {
        let Some(course) = Course::of(plan, ask, entries) else {
            return;
        };
        self.count("download");
        if course.served().count_ones() > 1 {
            self.count("download of a file that changed meanwhile");
        }
        let resumptions: Vec<_> = course.resumed().map(|(_, resumed)| resumed).collect();
        let is_dated = ask
            .file
            .as_ref()
            .is_some_and(|file| file.validator == Validator::Date);
        for resumed in &resumptions {
            self.count("download resumed");
            match resumed.condition {
                Condition::None => self.count("download resumed by its bytes"),
                Condition::Version(_) if is_dated => self.count("download resumed by a date"),
                Condition::Version(_) | Condition::Unknown => {}
            }
        }
        if resumptions.len() > 1 {
            self.count("download resumed, twice");
        }
        let is_all = |entry: &&Entry| {
            entry.id >= RESUMPTION && matches!(entry.what, What::Response { status: 200, .. })
        };
        for _ in entries.iter().filter(is_all) {
            self.count("download resumed, its range ignored");
        }
        if let Some(downloaded) = course.downloaded {
            self.add_end(downloaded, !resumptions.is_empty());
        }
    }

    fn add_end(&mut self, downloaded: Downloaded, is_resumed: bool) {
        self.count(match downloaded.end {
            End::Ended if is_resumed => "download resumed, whole in the end",
            End::Ended => "download ended: as it began",
            End::Left => "download ended: the caller wanted no more",
            End::Error => "download ended: with the error of its only response",
            End::Unresumed { why, .. } => match why {
                Some(Unresumable::Changed) => "download ended: changed",
                Some(Unresumable::RangeIgnored) => "download ended: range ignored",
                Some(Unresumable::WrongRange) => "download ended: wrong range",
                Some(_) => "download ended: unresumable otherwise",
                None => "download ended: with the error of its last response",
            },
        });
    }
}
