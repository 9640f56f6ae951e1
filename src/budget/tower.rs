//! Budgets of tower.

use tower::retry::budget::Budget as TowerBudget;

use super::handle::Budget;
use super::rule::{Foreign, Rule};

impl Budget {
    /// Creates a budget that wraps one of tower. Each served request makes a deposit, and each retry makes a
    /// withdrawal.
    ///
    /// ```
    /// use tower::retry::budget::TpsBudget;
    /// use tower_http_retry::{Budget, RetryLayer};
    /// let layer = RetryLayer::new().budget(Budget::tower(TpsBudget::default()));
    /// # let _ = layer;
    /// ```
    pub fn tower<T>(budget: T) -> Self
    where
        T: TowerBudget + Send + Sync + 'static,
    {
        Self::of(rule(budget))
    }
}

fn rule<T: TowerBudget + Send + Sync + 'static>(budget: T) -> Rule {
    Rule::Foreign(Box::new(Tower(budget)))
}

struct Tower<T>(T);

impl<T: TowerBudget + Send + Sync> Foreign for Tower<T> {
    fn name(&self) -> &'static str {
        "tower"
    }

    fn deposit(&self) {
        self.0.deposit();
    }

    fn withdraw(&self) -> bool {
        self.0.withdraw()
    }
}

#[cfg(test)]
mod tests;
