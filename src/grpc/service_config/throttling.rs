use super::error::ServiceConfigError;
use super::path::Path;
use crate::budget::{Budget, Rule};

/// The values of `retryThrottling`, in thousandths of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Throttling {
    pub(super) max_tokens: u64,
    pub(super) token_ratio: u64,
}

impl Throttling {
    pub(super) fn new(
        max_tokens: f64,
        token_ratio: f64,
        at: &Path,
    ) -> Result<Self, ServiceConfigError> {
        let at_tokens = at.field("maxTokens");
        if max_tokens > 1_000.0 {
            return Err(at_tokens.wrong("is above 1000"));
        }
        Ok(Self {
            max_tokens: thousandths(max_tokens, &at_tokens)?,
            token_ratio: thousandths(token_ratio, &at.field("tokenRatio"))?,
        })
    }

    pub(super) fn budget(self) -> Budget {
        Budget::of(Rule::throttling(self.max_tokens, self.token_ratio))
    }
}

/// Converts a number to thousandths. Further decimals are cut off: 0.5466 becomes 0.546. Before that, the
/// number is rounded to millionths, because the `f64` nearest to 0.57, for example, is less than 0.57.
fn thousandths(number: f64, at: &Path) -> Result<u64, ServiceConfigError> {
    let millionths = (at.above_zero(number)? * 1_000_000.0).round();
    match (millionths / 1_000.0) as u64 {
        0 => Err(at.wrong("is less than 0.001")),
        thousandths => Ok(thousandths),
    }
}
