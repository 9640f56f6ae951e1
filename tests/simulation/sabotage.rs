//! Deliberate mistakes, which the laws have to find.

use tower_http_retry::ByStatus;
use tower_http_retry::classify::{Class, Classify, Outcome, Verdict};
use tower_http_retry::commit::BrokenAnswer;

use super::failure;

/// A mistake in the caller's stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Requests of all methods are retried.
    RepeatsAll,
    /// There is one retry more than the limit.
    OneMoreRetry,
    /// The window is longer.
    LongWindow,
    /// The time-out of an attempt is longer.
    LongTimeout,
    /// Hints are not read.
    IgnoresHints,
    /// Attempts after the first are sent without the first piece of the body.
    LosesAPiece,
    /// Each attempt is sent twice.
    SendsTwice,
    /// The response claims to be that of the first attempt.
    KeepsTheFirst,
    /// The caller gets an error instead of a response with a failure.
    LosesTheLast,
    /// The layer waits for hints that are longer than the limit.
    WaitsTooLong,
    /// A task panics.
    Panics,
    /// A body is leaked.
    LeaksABody,
    /// A clone of the client is leaked.
    Leaks,
    /// Each GOAWAY is classified as a refusal.
    GoAwayIsRefused,
    /// The end of hyper's task is classified as a refusal.
    TaskEndedIsRefused,
    /// The loss of a QUIC connection is classified as a refusal.
    NotConnectedIsRefused,
    /// The layer does not see that a redirect was followed.
    HidesRedirects,
    /// A response is returned with its head, before its commit point.
    CommitsTheHead,
    /// A response is returned with its first bytes, before it is complete.
    CommitsTheFirst,
    /// The error of a response body is treated as its end.
    SwallowsBreaks,
    /// The layer does not see that a response broke.
    HidesBrokenAnswers,
    /// A response that broke is classified as a refusal.
    BrokenAnswerIsRefused,
    /// The rest of any version is accepted as the rest of the first one.
    Splices,
    /// A whole file is accepted as its rest.
    AppendsAll,
    /// The error of a download is treated as its end.
    EndsSilently,
    /// The last frame before an error is lost.
    LosesAFrame,
    /// The rest of any version is requested.
    ForgetsTheCondition,
    /// The whole file is requested instead of the rest.
    AsksForAll,
    /// A weak validator is treated as a strong one.
    ResumesTheWeak,
    /// There is one resumption more than the limit.
    OneMoreResumption,
    /// No download is resumed.
    NeverResumes,
    /// Requests of all methods are hedged.
    HedgesAll,
    /// A hedge is sent before the body has been read completely.
    HedgesEarly,
    /// A hedge is sent before it is due.
    HedgesTooSoon,
    /// A hedge is hedged.
    HedgesTwice,
    /// A hedge is sent without a header.
    ChangesTheHedge,
    /// A hedge is sent without the first piece of the body.
    LosesAPieceOfHedges,
    /// More hedges are sent than were earned.
    Overspends,
    /// A transient failure is returned without waiting for the other attempt.
    FirstFailureWins,
    /// The response to a hedge claims to be that of the first attempt.
    MixesAttempts,
    /// Attempts that did not win continue for too long.
    KeepsLosers,
}

impl Sabotage {
    /// Each mistake, with the beginning of the law that finds it.
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

    /// Whether this mistake classifies an outcome as a refusal.
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

/// The classifier of the hedge layer, with a mistake.
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

/// The classifier of the retry layer, which is [`ByStatus`] with a mistake.
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
