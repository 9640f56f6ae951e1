use std::sync::atomic::AtomicUsize;
use std::thread;

use super::*;
use crate::budget::{Budget, Failure};

/// Takes a token from a host's budget, and returns how many there were before.
fn spend(authorities: &Authorities<Budget>, host: &'static str) -> u64 {
    let uri = Uri::from_static(host);
    authorities.with(&uri, |budget| {
        let level = budget.tokens().unwrap() as u64;
        assert!(budget.at(&uri, |rule| rule.withdraw(Failure::Quick, false)));
        level
    })
}

#[test]
fn the_least_recently_used_upstream_goes_first() {
    let authorities = Authorities::new(2, Budget::default);
    assert_eq!(spend(&authorities, "http://a.test"), 10);
    assert_eq!(spend(&authorities, "http://b.test"), 10);
    assert_eq!(spend(&authorities, "http://a.test"), 9);
    assert_eq!(spend(&authorities, "http://c.test"), 10, "instead of b");
    assert_eq!(spend(&authorities, "http://a.test"), 8);
    assert_eq!(spend(&authorities, "http://b.test"), 10, "instead of c");
    assert_eq!(spend(&authorities, "http://c.test"), 10, "instead of a");
    assert_eq!(spend(&authorities, "http://b.test"), 9);
    assert_eq!(authorities.map.load().len(), 2);
}

/// Returns how recently the removed upstreams had been used: 0 is the last one used.
fn evicted(max: usize, seed: u64) -> Vec<usize> {
    let authorities = Authorities::new(max, || Budget::throttle(1, 0.0));
    let mut rng = fastrand::Rng::with_seed(seed);
    // The last one used comes first.
    let mut kept: Vec<Uri> = Vec::new();
    let mut evicted = Vec::new();
    for _ in 0..max * 20 {
        // Some are used more often than others.
        let host = rng.usize(0..=max * 2).min(rng.usize(0..=max * 2));
        let uri: Uri = format!("http://{host}.test").parse().unwrap();
        authorities.with(&uri, |_| ());
        let map = authorities.map.load();
        let gone = |uri: &Uri| !map.contains_key(&Authority::of(uri));
        if let Some(place) = kept.iter().position(gone) {
            evicted.push(place);
            kept.remove(place);
        }
        kept.retain(|other| *other != uri);
        kept.insert(0, uri);
        assert_eq!(map.len(), kept.len(), "no more than one goes");
    }
    evicted
}

#[test]
fn the_one_that_goes_is_the_last_of_few_and_in_the_last_half_of_many() {
    for seed in 0..5 {
        for max in [1, 2, 3, 7] {
            let evicted = evicted(max, seed);
            assert!(evicted.len() > max);
            assert!(evicted.iter().all(|&place| place == max - 1), "max {max}");
        }
        for max in [8, 16, 40] {
            let evicted = evicted(max, seed);
            assert!(evicted.len() > max);
            let least = *evicted.iter().min().unwrap();
            assert!(least >= max / 2, "max {max}: {least}");
        }
    }
}

#[test]
fn to_look_at_a_level_is_no_use_of_it() {
    let authorities = Authorities::new(2, Budget::default);
    let level = |host| authorities.peek(&Uri::from_static(host), Budget::tokens);
    assert_eq!(level("http://a.test"), Some(10.0));
    assert_eq!(authorities.map.load().len(), 0);
    spend(&authorities, "http://a.test");
    spend(&authorities, "http://b.test");
    assert_eq!(level("http://a.test"), Some(9.0));
    spend(&authorities, "http://c.test");
    assert_eq!(level("http://a.test"), Some(10.0), "a has gone for c");
    assert_eq!(level("http://b.test"), Some(9.0));
}

#[test]
fn there_is_room_for_one_at_least() {
    let authorities = Authorities::new(0, Budget::default);
    assert_eq!(spend(&authorities, "http://a.test"), 10);
    assert_eq!(spend(&authorities, "http://a.test"), 9);
    assert_eq!(spend(&authorities, "http://b.test"), 10);
    assert_eq!(authorities.map.load().len(), 1);
}

#[test]
fn threads_that_meet_at_a_new_upstream_share_its_budget() {
    const HOSTS: [&str; 4] = [
        "http://a.test",
        "http://b.test",
        "http://c.test",
        "http://d.test",
    ];
    for _ in 0..50 {
        let authorities = Authorities::new(4, || Budget::earning(500));
        let most = AtomicUsize::new(0);
        thread::scope(|scope| {
            for thread in 0..8 {
                let (authorities, most) = (&authorities, &most);
                scope.spawn(move || {
                    for turn in 0..8 {
                        spend(authorities, HOSTS[(thread + turn) % HOSTS.len()]);
                        most.fetch_max(authorities.map.load().len(), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(most.into_inner(), 4);
        for host in HOSTS {
            assert_eq!(spend(&authorities, host), 1_000 - 16, "{host}");
        }
    }
}

#[test]
fn more_upstreams_than_there_is_room_for_never_take_more_room() {
    let authorities = Authorities::new(3, Budget::default);
    thread::scope(|scope| {
        for thread in 0..4 {
            let authorities = &authorities;
            scope.spawn(move || {
                for number in 0..200 {
                    let uri: Uri = format!("http://{thread}.{number}.test").parse().unwrap();
                    let level = authorities.with(&uri, Budget::tokens);
                    assert_eq!(level, Some(10.0));
                    assert!(authorities.map.load().len() <= 3);
                }
            });
        }
    });
}
