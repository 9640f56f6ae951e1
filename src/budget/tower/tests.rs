use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::budget::{Ending, Failure};

const SECOND: Duration = Duration::from_secs(1);
const TIMED_OUT: Failure = Failure::TimedOut { took: SECOND };

#[test]
fn a_budget_of_towers_is_given_each_success_and_asked_for_each_retry() {
    #[derive(Default)]
    struct Told(Arc<Mutex<Vec<&'static str>>>);
    impl TowerBudget for Told {
        fn deposit(&self) {
            self.0.lock().unwrap().push("deposit");
        }
        fn withdraw(&self) -> bool {
            let mut told = self.0.lock().unwrap();
            told.push("withdraw");
            told.len() < 5
        }
    }
    let told = Told::default();
    let seen = told.0.clone();
    let budget = rule(told);
    budget.first_attempt(Ending::Failure, Instant::now());
    budget.failed();
    assert!(budget.withdraw(Failure::Quick, false));
    budget.retry(Ending::Success, Instant::now(), Failure::Quick, || SECOND);
    budget.first_attempt(Ending::Success, Instant::now());
    assert!(budget.withdraw(TIMED_OUT, false));
    assert!(!budget.withdraw(TIMED_OUT, false));
    let expected = ["withdraw", "deposit", "deposit", "withdraw", "withdraw"];
    assert_eq!(*seen.lock().unwrap(), expected);
    assert_eq!(budget.level(), None);
}

#[test]
fn an_answered_failure_is_a_deposit_into_towers() {
    struct Counts(Arc<Mutex<u32>>);
    impl TowerBudget for Counts {
        fn deposit(&self) {
            *self.0.lock().unwrap() += 1;
        }
        fn withdraw(&self) -> bool {
            false
        }
    }
    let deposits = Arc::default();
    let budget = rule(Counts(Arc::clone(&deposits)));
    budget.first_attempt(Ending::Answered, Instant::now());
    budget.retry(Ending::Answered, Instant::now(), Failure::Quick, || SECOND);
    assert_eq!(*deposits.lock().unwrap(), 2);
    budget.first_attempt(Ending::Failure, Instant::now());
    budget.retry(Ending::Failure, Instant::now(), Failure::Quick, || SECOND);
    assert_eq!(*deposits.lock().unwrap(), 2);
}
