use std::time::Duration;

use fastrand::Rng;

use super::*;

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn control(share: f64) -> Control {
    Control::new(share, Rng::with_seed(1))
}

fn add(control: &mut Control, count: u32, withheld: u64, hedged: u64) {
    for _ in 0..count {
        control.add(Group::Withheld, millis(withheld));
        control.add(Group::Hedged, millis(hedged));
    }
}

/// Returns how many of 16,000 hedges are withheld.
fn withheld(control: &mut Control) -> usize {
    let draws = (0..16_000).map(|_| control.draw());
    draws.filter(|group| *group == Group::Withheld).count()
}

#[test]
fn one_in_sixteen_is_withheld() {
    let withheld = withheld(&mut control(1.0 / 16.0));
    assert!((900..1_100).contains(&withheld), "{withheld}");
}

#[test]
fn none_or_all_are_withheld_if_told_so() {
    assert_eq!(withheld(&mut control(0.0)), 0);
    assert_eq!(withheld(&mut control(1.0)), 16_000);
}

#[test]
fn what_a_hedge_saves_is_the_difference_of_the_means_of_64_each() {
    let mut control = control(1.0 / 16.0);
    add(&mut control, 63, 40, 10);
    assert_eq!(control.saved(), None);
    control.add(Group::Withheld, millis(40));
    assert_eq!(control.saved(), None);
    control.add(Group::Hedged, millis(10));
    let saved = control.saved().unwrap();
    assert!((saved - 0.030).abs() < 1e-9, "{saved}");
}

#[test]
fn while_hedges_gain_nothing_one_in_eight_is_sent() {
    let mut control = control(1.0 / 16.0);
    add(&mut control, 64, 10, 10);
    let withheld = withheld(&mut control);
    assert!((13_800..14_200).contains(&withheld), "{withheld}");
}

#[test]
fn while_hedges_gain_one_in_64_is_withheld() {
    let mut control = control(1.0 / 16.0);
    add(&mut control, 64, 40, 10);
    let withheld = withheld(&mut control);
    assert!((210..290).contains(&withheld), "{withheld}");
}

#[test]
fn what_is_older_counts_less() {
    let mut control = control(1.0 / 16.0);
    add(&mut control, 1_000, 10, 20);
    assert!(control.saved().unwrap() < 0.0);
    // In a mean of all times, the latest 256 would not show.
    add(&mut control, 256, 40, 20);
    assert!(control.saved().unwrap() > 0.010);
}
