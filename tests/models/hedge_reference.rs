//! The rules of hedging once more, for requests whose attempts are known beforehand.

use std::io::ErrorKind;

use tower_http_retry::hedge::HedgeEventKind as Kind;

/// When a request is dropped that does not end: longer than an attempt takes, after the longest delay, and
/// than a loser goes on. So few requests in a second earn no more than there is room for at least.
pub const HORIZON: u64 = 400;

/// What an attempt comes to, and after how many milliseconds; none if it never ends.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    pub takes: Option<u64>,
    pub fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    Status(u16),
    Error(ErrorKind),
}

/// What one request meets.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    pub first: Attempt,
    pub hedge: Attempt,
    pub may_be_hedged: bool,
    /// Whether the service is ready when the delay ends.
    pub is_ready: bool,
    /// When the caller drops it; at 0 before it has been polled.
    pub dropped: Option<u64>,
}

/// What is seen of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    Sent {
        is_hedge: bool,
    },
    /// An attempt came to its outcome.
    Ended {
        is_hedge: bool,
    },
    /// An attempt was dropped before.
    Cut {
        is_hedge: bool,
    },
    Returned {
        is_hedge: bool,
        fate: Fate,
    },
}

#[derive(Clone, Copy, PartialEq)]
enum Means {
    End,
    /// It may pass; whether the server may have acted on it.
    MayPass {
        acted: bool,
    },
}

impl Fate {
    fn means(self) -> Means {
        match self {
            Self::Status(429) | Self::Error(ErrorKind::ConnectionRefused) => {
                Means::MayPass { acted: false }
            }
            Self::Status(503) | Self::Error(ErrorKind::ConnectionReset) => {
                Means::MayPass { acted: true }
            }
            Self::Status(_) | Self::Error(_) => Means::End,
        }
    }

    /// An error of a hedge ends nothing: it need not be the server's.
    fn means_of(self, is_hedge: bool) -> Means {
        match (self, self.means()) {
            (Self::Error(_), Means::End) if is_hedge => Means::MayPass { acted: true },
            (_, means) => means,
        }
    }

    fn is_success(self) -> bool {
        matches!(self, Self::Status(200 | 204))
    }
}

/// What is there for hedges, in quarters of one.
pub struct Purse {
    level: u32,
    earns: u32,
}

impl Purse {
    pub fn new(earns: u32) -> Self {
        // The first one is there from the start, if any is.
        let level = if earns == 0 { 0 } else { 4 };
        Self { level, earns }
    }

    fn earn(&mut self) {
        // There is room for three.
        self.level = (self.level + self.earns).min(12);
    }

    fn pay(&mut self) -> bool {
        let is_covered = self.level >= 4;
        if is_covered {
            self.level -= 4;
        }
        is_covered
    }
}

/// What is seen, and what is told; none for a hedge that was not sent.
type Course = (Vec<(u64, Entry)>, Vec<Option<Kind>>);

/// How a request goes. Of what happens at the same time, the first attempt comes first, and what the
/// caller does comes last.
pub fn expected(
    way: &Way,
    delay: Option<u64>,
    withholds: bool,
    keeps: Option<u64>,
    purse: &mut Purse,
) -> Course {
    let mut log = vec![(0, Entry::Sent { is_hedge: false })];
    let mut told = Vec::new();
    if way.dropped == Some(0) {
        log.push((0, Entry::Cut { is_hedge: false }));
        return (log, told);
    }
    // It is dropped in the end.
    let dropped = way.dropped.unwrap_or(HORIZON);
    let first_ends = way.first.takes.filter(|ends| *ends <= dropped);
    // When it is due, and, if it is withheld then, once more.
    let (mut due, mut may_withhold, mut sent) = (delay, withholds, None);
    while let Some(at) = due.take() {
        let is_answered = first_ends.is_some_and(|ends| ends <= at);
        if !way.may_be_hedged || at > dropped || is_answered {
            break;
        }
        // What is not ready costs nothing, and neither does one that is withheld.
        let is_covered = way.is_ready && purse.level >= 4;
        told.push(match (is_covered, may_withhold) {
            (false, _) => None,
            (true, true) => {
                (due, may_withhold) = (delay.map(|delay| at + delay), false);
                Some(Kind::Withheld)
            }
            (true, false) => {
                assert!(purse.pay());
                sent = Some(at);
                log.push((at, Entry::Sent { is_hedge: true }));
                Some(Kind::Sent)
            }
        });
    }
    let hedge_ends = sent.and_then(|sent| Some(sent + way.hedge.takes?));
    let hedge_ends = hedge_ends.filter(|ends| *ends <= dropped);
    let end = end(way, first_ends, sent.is_some(), hedge_ends);
    // Until when an attempt that has not ended goes on.
    let (until, goes_on) = match (end, keeps) {
        (Some((at, _)), Some(keeps)) => (at + keeps, true),
        (Some((at, _)), None) => (at, false),
        (None, _) => (dropped, false),
    };
    let attempts = [(false, Some(0), way.first), (true, sent, way.hedge)];
    for (is_hedge, sent, attempt) in attempts {
        let Some(sent) = sent else {
            continue;
        };
        let ends = attempt.takes.map(|takes| sent + takes);
        let is_seen = ends.is_some_and(|ends| match end {
            // The hedge's outcome is not asked for where the first attempt's ends the request.
            Some((at, by_hedge)) if !goes_on => {
                ends < at || ends == at && (!is_hedge || by_hedge || sees_both(way, at, first_ends))
            }
            _ => ends <= until,
        });
        log.push(match ends {
            Some(ends) if is_seen => (ends, Entry::Ended { is_hedge }),
            _ => (until, Entry::Cut { is_hedge }),
        });
    }
    if let Some((at, is_hedge)) = end {
        let fate = if is_hedge {
            way.hedge.fate
        } else {
            way.first.fate
        };
        log.push((at, Entry::Returned { is_hedge, fate }));
        if sent.is_some() {
            let has_failed = fate.means_of(is_hedge) != Means::End;
            told.push(Some(match (has_failed, is_hedge) {
                (true, _) => Kind::Failed,
                (false, true) => Kind::Won,
                (false, false) => Kind::Lost,
            }));
        }
    }
    // It was looked at if it came before the end, or was the end.
    let is_heard = match (first_ends, end) {
        (Some(ends), Some((at, _))) => ends <= at,
        (Some(_), None) => true,
        (None, _) => false,
    };
    if is_heard && way.may_be_hedged && way.first.fate.is_success() {
        purse.earn();
    }
    (log, told)
}

/// Whether the first attempt failed at the end, or before it, so that the hedge was waited for.
fn sees_both(way: &Way, at: u64, first_ends: Option<u64>) -> bool {
    way.first.fate.means() != Means::End && first_ends.is_some_and(|ends| ends <= at)
}

/// When the request ends, and whether with the hedge's outcome.
fn end(way: &Way, first: Option<u64>, is_hedged: bool, hedge: Option<u64>) -> Option<(u64, bool)> {
    if !is_hedged {
        return first.map(|at| (at, false));
    }
    let ending = |at: Option<u64>, means: Means| at.filter(|_| means == Means::End);
    let by_first = ending(first, way.first.fate.means());
    let by_hedge = ending(hedge, way.hedge.fate.means_of(true));
    match (by_first, by_hedge) {
        (Some(first), Some(hedge)) => Some((first.min(hedge), hedge < first)),
        (Some(first), None) => Some((first, false)),
        (None, Some(hedge)) => Some((hedge, true)),
        // Both have failed, or one is waited for that never ends.
        (None, None) => {
            let at = first?.max(hedge?);
            let is_refused = |fate: Fate| fate.means() == Means::MayPass { acted: false };
            let is_hedges = is_refused(way.first.fate) && !is_refused(way.hedge.fate);
            Some((at, is_hedges))
        }
    }
}
