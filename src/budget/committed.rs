use std::mem;
use std::sync::Arc;

use http::{Extensions, Uri};

use super::handle::{Budget, Scope};
use super::rule::Rule;
use crate::sync::{Mutex, PoisonError};

/// The gRPC codes that a throttle counts when the status of a call arrives after its head, with one bit
/// for each code, including `OK`. No bit is set if there is no status to wait for.
///
/// All values are equal, so that they do not affect whether two verdicts are equal.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AwaitedCodes(pub(crate) u32);

impl AwaitedCodes {
    /// A layer below counts the attempts of these calls.
    #[cfg(feature = "grpc")]
    pub(crate) const COUNTED_BELOW: Self = Self(1 << 31);

    fn are_counted_below(self) -> bool {
        self.0 == 1 << 31
    }

    pub(crate) fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether the bit `code` is set.
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

/// A gRPC call whose response head has arrived, but not its status. It is an extension of the response; the
/// body in which the status will arrive has a clone.
#[derive(Clone, Default)]
pub(crate) struct CommittedCall {
    state: Arc<Mutex<State>>,
}

/// If a layer in between reads the body, the status can arrive before a budget is registered.
#[derive(Default)]
enum State {
    #[default]
    Open,
    Counted(Account),
    Ended(CallStatus),
    Over,
}

/// The budget that counts the call.
struct Account {
    rule: Arc<Rule>,
    codes: AwaitedCodes,
}

/// The final status of a call.
#[derive(Clone, Copy)]
pub(crate) enum CallStatus {
    Ok,
    Failed {
        /// The bit of the code.
        code: u32,
        /// Whether the server forbids a retry.
        says_never: bool,
    },
}

impl Budget {
    /// Returns whether a success must not be counted now. This is the case for a throttle if the status of
    /// the call has not arrived yet, or if a layer below counts the call. The first throttle for which this
    /// is called counts the status when it arrives.
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
    /// Counts the status, or stores it until a budget is registered.
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

    /// Registers the budget that counts the call. Returns false if there is one already.
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
