use std::mem;
use std::sync::Arc;

use http::{Extensions, Uri};

use super::handle::{Budget, Scope};
use super::rule::Rule;
use crate::sync::{Mutex, PoisonError};

/// The gRPC codes that count for a throttle when the status of a call comes that has none yet: a
/// bit for each, and `OK`'s among them; none where the outcome is whole.
///
/// They are no part of what a verdict says: all are equal.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AwaitedCodes(pub(crate) u32);

impl AwaitedCodes {
    /// A layer below counts the attempts of such calls.
    #[cfg(feature = "grpc")]
    pub(crate) const COUNTED_BELOW: Self = Self(1 << 31);

    fn are_counted_below(self) -> bool {
        self.0 == 1 << 31
    }

    pub(crate) fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether the code with this bit is among them.
    pub(crate) fn contain(self, code: u32) -> bool {
        self.0 & code != 0
    }
}

impl PartialEq for AwaitedCodes {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for AwaitedCodes {}

/// A gRPC call whose head has come and whose status has not: an extension of its response, which
/// the body that will see the status has a clone of.
#[derive(Clone, Default)]
pub(crate) struct CommittedCall {
    state: Arc<Mutex<State>>,
}

/// The status may come before a budget is there to count it, where a layer in between reads the
/// body.
#[derive(Default)]
enum State {
    #[default]
    Open,
    Counted(Account),
    Ended(CallStatus),
    Over,
}

/// Who counts the call.
struct Account {
    rule: Arc<Rule>,
    codes: AwaitedCodes,
}

/// What a call came to.
#[derive(Clone, Copy)]
pub(crate) enum CallStatus {
    Ok,
    Failed {
        /// The bit of its code.
        code: u32,
        /// Whether the server asks not to be sent the call again.
        says_never: bool,
    },
}

impl Budget {
    /// Whether a success is not counted now: where the budget is a throttle, and the status of the call
    /// is still to come, which is counted then by the first that asks for the call; or where another
    /// layer counts it.
    pub(crate) fn counts_later(
        &self,
        uri: &Uri,
        codes: AwaitedCodes,
        response: &Extensions,
    ) -> bool {
        let rule = match &self.scope {
            Scope::All(rule) => rule,
            Scope::Each(authorities) => {
                return authorities.with(uri, |budget| budget.counts_later(uri, codes, response));
            }
        };
        if !matches!(**rule, Rule::Throttle(_)) {
            return false;
        }
        if codes.are_counted_below() {
            return true;
        }
        let call = response.get::<CommittedCall>();
        call.is_some_and(|call| {
            let rule = rule.clone();
            call.is_left_to(Account { rule, codes })
        })
    }
}

impl CommittedCall {
    /// The status has come.
    pub(crate) fn end(&self, status: CallStatus) {
        self.change(|state| match state {
            State::Counted(account) => {
                account.count(status);
                State::Over
            }
            State::Open => State::Ended(status),
            State::Ended(_) | State::Over => state,
        });
    }

    /// False if another one counts it.
    fn is_left_to(&self, account: Account) -> bool {
        let mut is_left = true;
        self.change(|state| match state {
            State::Open => State::Counted(account),
            State::Ended(status) => {
                account.count(status);
                State::Over
            }
            State::Counted(_) | State::Over => {
                is_left = false;
                state
            }
        });
        is_left
    }

    fn change(&self, next: impl FnOnce(State) -> State) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = next(mem::take(&mut state));
    }
}

impl Account {
    fn count(&self, status: CallStatus) {
        let Rule::Throttle(throttle) = &*self.rule else {
            return;
        };
        match status {
            CallStatus::Ok => throttle.success(),
            CallStatus::Failed { code, says_never } => {
                if says_never || self.codes.contain(code) {
                    throttle.failure();
                }
            }
        }
    }
}
