use super::error::ServiceConfigError;
use super::path::Path;

/// The most attempts that a client makes, regardless of the config (gRFC A6).
const LIMIT: u32 = 5;

/// The `maxAttempts` of a policy, which is two or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MaxAttempts(u32);

impl MaxAttempts {
    /// Checks the number of attempts of the policy at the path `policy`.
    pub(super) fn new(count: u32, policy: &Path) -> Result<Self, ServiceConfigError> {
        match count {
            0 | 1 => Err(policy.field("maxAttempts").wrong("is less than 2")),
            count => Ok(Self(count)),
        }
    }

    /// Returns the maximum number of attempts after the first one.
    pub(super) fn after_first(self) -> u32 {
        self.0.min(LIMIT) - 1
    }
}
