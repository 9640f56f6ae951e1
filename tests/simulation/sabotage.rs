//! Mistakes that are made on purpose, to see that they are found.

use tower_http_retry::ByStatus;
use tower_http_retry::classify::{Class, Classify, Outcome, Verdict};
use tower_http_retry::commit::BrokenAnswer;

use super::failure;

/// A mistake in the caller's stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Anything is sent again.
    RepeatsAll,
    /// One retry more than the limit.
    OneMoreRetry,
    /// The window ends later.
    LongWindow,
    /// The attempt's time-out ends later.
    LongTimeout,
    /// Hints are not read.
    IgnoresHints,
    /// An attempt after the first is sent without its first piece.
    LosesAPiece,
    /// Each attempt is sent twice.
    SendsTwice,
    /// The response says that it is the first attempt's.
    KeepsTheFirst,
    /// A failure that was answered is an error in the end.
    LosesTheLast,
    /// A longer hint than allowed is waited for.
    WaitsTooLong,
    /// A task panics.
    Panics,
    /// A body is forgotten.
    LeaksABody,
    /// A handle to the client is forgotten.
    Leaks,
    /// Any GOAWAY is taken for a refusal.
    GoAwayIsRefused,
    /// So is the end of hyper's task.
    TaskEndedIsRefused,
    /// So is what QUIC says of a lost connection.
    NotConnectedIsRefused,
    /// It is not known that a redirect was followed.
    HidesRedirects,
    /// A response is handed up with its head.
    CommitsTheHead,
    /// A response that is to be handed up whole is handed up with its first bytes.
    CommitsTheFirst,
    /// The error of a response's body is taken for its end.
    SwallowsBreaks,
    /// It is not known that a response broke.
    HidesBrokenAnswers,
    /// A response that broke is taken for a refusal.
    BrokenAnswerIsRefused,
    /// The rest of any version is taken for that of the first one.
    Splices,
    /// All of a file is taken for the rest of it.
    AppendsAll,
    /// The error of a download is taken for its end.
    EndsSilently,
    /// The last frame before an error is lost.
    LosesAFrame,
    /// The rest of any version is asked for.
    ForgetsTheCondition,
    /// All of a file is asked for, instead of the rest.
    AsksForAll,
    /// A weak validator is taken for a strong one.
    ResumesTheWeak,
    /// One resumption more than the limit.
    OneMoreResumption,
    /// No download is resumed.
    NeverResumes,
    /// Anything is hedged.
    HedgesAll,
    /// A hedge is sent with what has come of a body.
    HedgesEarly,
    /// A hedge is sent before its time.
    HedgesTooSoon,
    /// A hedge is hedged.
    HedgesTwice,
    /// A hedge is sent without a header.
    ChangesTheHedge,
    /// A hedge is sent without its first piece.
    LosesAPieceOfHedges,
    /// More is hedged than has been earned.
    Overspends,
    /// A failure that may pass does not wait for the other attempt.
    FirstFailureWins,
    /// The response of a hedge says that it is the first attempt's.
    MixesAttempts,
    /// Attempts that did not win go on for longer.
    KeepsLosers,
}

impl Sabotage {
    /// Each mistake, and how the law begins that finds it.
    pub const ALL: [(Self, &str); 41] = [
        (Self::RepeatsAll, "a request that may not be repeated"),
        (Self::OneMoreRetry, "attempts never exceed"),
        (Self::LongWindow, "no attempt starts after the window"),
        (Self::LongTimeout, "every request ends"),
        (Self::IgnoresHints, "no attempt starts early"),
        (Self::LosesAPiece, "a body that the server took"),
        (
            Self::SendsTwice,
            "an attempt comes to the server at most once",
        ),
        (Self::KeepsTheFirst, "the caller is handed the last"),
        (Self::LosesTheLast, "the caller is handed the last"),
        (Self::WaitsTooLong, "no attempt starts early"),
        (Self::Panics, "panicked at"),
        (Self::Leaks, "no connection, task or body is left"),
        (Self::LeaksABody, "no connection, task or body is left"),
        (Self::GoAwayIsRefused, "a request that may not be repeated"),
        (
            Self::TaskEndedIsRefused,
            "a request that may not be repeated",
        ),
        (
            Self::NotConnectedIsRefused,
            "a request that may not be repeated",
        ),
        (Self::HidesRedirects, "a request that may not be repeated"),
        (Self::CommitsTheHead, "no response is handed up before"),
        (Self::CommitsTheFirst, "no response is handed up before"),
        (Self::SwallowsBreaks, "a response that breaks"),
        (Self::HidesBrokenAnswers, "a broken answer"),
        (
            Self::BrokenAnswerIsRefused,
            "a request that may not be repeated",
        ),
        (Self::Splices, "a download's bytes"),
        (Self::AppendsAll, "a download's bytes"),
        (Self::EndsSilently, "a download that ends without an error"),
        (Self::LosesAFrame, "the error of a download"),
        (Self::ForgetsTheCondition, "a resumption asks for"),
        (Self::AsksForAll, "a resumption asks for"),
        (Self::ResumesTheWeak, "nothing is resumed but"),
        (Self::OneMoreResumption, "resumptions never exceed"),
        (Self::NeverResumes, "a download goes on"),
        (Self::HedgesAll, "nothing is hedged but"),
        (Self::HedgesEarly, "a hedge is the same request"),
        (Self::HedgesTooSoon, "a hedge is sent when its delay ends"),
        (Self::HedgesTwice, "at most one hedge"),
        (Self::ChangesTheHedge, "a hedge is the same request"),
        (Self::LosesAPieceOfHedges, "a body that the server took"),
        (Self::Overspends, "hedges never exceed"),
        (Self::FirstFailureWins, "a success is never lost"),
        (Self::MixesAttempts, "the caller is handed the last"),
        (Self::KeepsLosers, "nothing of a request that has ended"),
    ];

    /// Whether it takes this for a refusal.
    fn refuses(self, outcome: &Outcome<'_>) -> bool {
        let Err(error) = outcome.result() else {
            return false;
        };
        match self {
            Self::GoAwayIsRefused => failure::is_go_away(error),
            Self::TaskEndedIsRefused => failure::is_task_ended(error),
            Self::NotConnectedIsRefused => failure::is_not_connected(error),
            Self::BrokenAnswerIsRefused => error.is::<BrokenAnswer>(),
            _ => false,
        }
    }
}

/// The same for a layer that hedges.
#[derive(Clone, Copy)]
pub struct HedgeJudge(pub Option<Sabotage>);

impl Classify for HedgeJudge {
    fn classify(&self, outcome: &Outcome<'_>) -> Verdict {
        let verdict = Judge(self.0).classify(outcome);
        match (self.0, verdict.class()) {
            (Some(Sabotage::FirstFailureWins), Class::Transient) => Class::Permanent.into(),
            _ => verdict,
        }
    }
}

/// [`ByStatus`], with a mistake.
#[derive(Clone, Copy)]
pub struct Judge(pub Option<Sabotage>);

impl Classify for Judge {
    fn classify(&self, outcome: &Outcome<'_>) -> Verdict {
        match self.0.is_some_and(|sabotage| sabotage.refuses(outcome)) {
            true => Class::Refused.into(),
            false => ByStatus::new().classify(outcome),
        }
    }
}
