use super::error::ServiceConfigError;
use super::path::Path;

/// A client's limit for the attempts that a config may ask for (gRFC A6).
const LIMIT: u32 = 5;

/// The attempts of a call that a policy asks for: two or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MaxAttempts(u32);

impl MaxAttempts {
    /// That of the policy at this path.
    pub(super) fn new(count: u32, policy: &Path) -> Result<Self, ServiceConfigError> {
        match count {
            0 | 1 => Err(policy.field("maxAttempts").wrong("is less than 2")),
            count => Ok(Self(count)),
        }
    }

    /// How many attempts the client makes after the first.
    pub(super) fn after_first(self) -> u32 {
        self.0.min(LIMIT) - 1
    }
}
