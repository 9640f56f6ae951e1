use super::*;

/// Returns how many of `retries` retries in a row are covered.
fn covered(budget: &Rule, retries: usize, failure: Failure, is_first: bool) -> usize {
    let covered = |_: &usize| budget.withdraw(failure, is_first);
    (0..retries).filter(covered).count()
}

#[test]
fn half_of_the_floor_finishes_what_the_other_half_has_begun() {
    // (max_retries, failure, first retries, second retries)
    let cases = [
        (5, Failure::Quick, 5, 5),
        // Five of these take all ten tokens.
        (5, timed_out(1), 5, 0),
        (2, Failure::Quick, 3, 3),
        (50, Failure::Quick, 50, 50),
    ];
    for (max_retries, failure, first, second) in cases {
        let budget = Rule::earning(max_retries);
        assert_eq!(covered(&budget, 200, failure, true), first);
        assert_eq!(covered(&budget, first, failure, false), second);
    }
}

#[test]
fn where_there_is_only_one_retry_none_is_kept_for_a_second() {
    let budget = Rule::earning(1);
    assert_eq!(covered(&budget, 20, Failure::Quick, true), 6);
}

#[test]
fn requests_one_after_the_other_can_use_all_of_it() {
    let budget = Rule::earning(5);
    for _ in 0..2 {
        assert!(budget.withdraw(Failure::Quick, true));
        assert_eq!(covered(&budget, 4, Failure::Quick, false), 4);
    }
    assert_eq!(budget.level(), Some(0));
}

#[test]
fn what_is_served_ends_a_burst_and_a_retry_that_helped_too_late_does_not() {
    /// An outcome of a first attempt, or of a retry after the given failure.
    type Outcome = (Ending, Option<Failure>);
    let cases: [(Outcome, usize); 5] = [
        ((Ending::Success, None), 5),
        ((Ending::Answered, Some(Failure::Quick)), 5),
        ((Ending::Success, Some(timed_out(1))), 0),
        ((Ending::Failure, None), 0),
        ((Ending::Failure, Some(Failure::Quick)), 0),
    ];
    for ((ending, after), more) in cases {
        let budget = Rule::earning(5);
        assert_eq!(covered(&budget, 20, Failure::Quick, true), 5);
        match after {
            None => budget.first_attempt(ending, Instant::now()),
            Some(after) => budget.retry(ending, Instant::now(), after, || secs(1)),
        }
        assert_eq!(covered(&budget, 20, Failure::Quick, true), more);
    }
}

#[test]
fn after_more_than_twenty_recent_successes_nothing_is_kept() {
    for (successes, first) in [(20, 5), (21, 10)] {
        let budget = Rule::earning(5);
        succeed(&budget, successes);
        assert_eq!(covered(&budget, 20, Failure::Quick, true), first);
    }
}

#[test]
fn a_ratio_keeps_nothing() {
    let budget = Rule::ratio(0.2);
    assert_eq!(covered(&budget, 20, Failure::Quick, true), 10);
}
