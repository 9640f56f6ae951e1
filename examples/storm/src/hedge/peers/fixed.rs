use std::time::Duration;

use crate::hedge::backup::{End, Rule};

/// A delay of the user's choice, and no budget.
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
