use std::time::Duration;

use crate::hedge::backup::{End, Rule};

/// A fixed delay that the user chooses, without a budget.
pub struct Fixed(pub Duration);

impl Rule for Fixed {
    const TAKES_FAILURES: bool = false;

    fn begin(&self) -> Option<Duration> {
        Some(self.0)
    }

    fn allows(&self) -> bool {
        true
    }

    fn attempt_ended(&self, _: End) {}
}
