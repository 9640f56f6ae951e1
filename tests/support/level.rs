//! What is left in a budget, in thousandths of a token: whole numbers compare exactly.

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

/// Of a URI's upstream.
pub fn level_of(budget: &Budget, uri: &Uri) -> Option<u64> {
    budget.tokens_of(uri).map(thousandths)
}

fn thousandths(tokens: f64) -> u64 {
    (tokens * 1_000.0).round() as u64
}
