use std::time::Duration;

use super::*;

fn hedges(purse: &mut Purse) -> u32 {
    let mut hedges = 0;
    while purse.covers() {
        purse.pay();
        hedges += 1;
    }
    hedges
}

#[test]
fn it_starts_with_one_hedge() {
    assert_eq!(hedges(&mut Purse::new(0.05)), 1);
    assert_eq!(hedges(&mut Purse::new(0.0)), 0);
}

#[test]
fn a_success_earns_its_share_and_a_hedge_costs_one() {
    let mut purse = Purse::new(0.05);
    purse.pay();
    purse.earn(19);
    assert!(!purse.covers());
    purse.earn(1);
    assert_eq!(hedges(&mut purse), 1);
}

#[test]
fn it_holds_three_hedges_or_what_a_second_earns() {
    let mut purse = Purse::new(0.05);
    purse.earn(10_000);
    assert_eq!(hedges(&mut purse), 3);
    // 200 successes per second earn ten hedges.
    purse.resize(400, Duration::from_secs(2));
    purse.earn(10_000);
    assert_eq!(hedges(&mut purse), 10);
    purse.earn(10_000);
    purse.resize(1, Duration::from_secs(1));
    assert_eq!(hedges(&mut purse), 3);
}

#[test]
fn extreme_numbers_are_no_harm() {
    let mut purse = Purse::new(1.0);
    purse.resize(u64::MAX, Duration::ZERO);
    purse.earn(u64::MAX);
    assert!(purse.covers());
    purse.resize(0, Duration::MAX);
    assert_eq!(hedges(&mut purse), 3);
}
