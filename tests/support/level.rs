//! The tokens of a budget in thousandths, because whole numbers can be compared exactly.

use http::Uri;
use tower_http_retry::Budget;
use tower_http_retry::event::Event;

pub trait Level {
    fn level(&self) -> Option<u64>;
}

impl Level for Budget {
    fn level(&self) -> Option<u64> {
        self.tokens().map(thousandths)
    }
}

impl Level for Event<'_> {
    fn level(&self) -> Option<u64> {
        self.budget_tokens().map(thousandths)
    }
}

/// Returns the level for the upstream of a URI.
pub fn level_of(budget: &Budget, uri: &Uri) -> Option<u64> {
    budget.tokens_of(uri).map(thousandths)
}

fn thousandths(tokens: f64) -> u64 {
    (tokens * 1_000.0).round() as u64
}
