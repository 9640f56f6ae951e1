use std::collections::HashSet;
use std::thread;

use super::*;

#[test]
fn a_thread_keeps_its_stripe_and_its_copy() {
    let striped = Striped::new(7);
    assert_eq!(own_stripe(), own_stripe());
    assert!(Arc::ptr_eq(striped.own(), striped.own()));
    assert_eq!(**striped.own(), *striped.original());
}

#[test]
fn threads_have_copies_of_their_own_as_long_as_there_are_stripes() {
    let striped = Striped::new(7);
    let mut stripes: HashSet<usize> = thread::scope(|scope| {
        let own = || {
            assert_eq!(**striped.own(), 7);
            own_stripe()
        };
        let threads: Vec<_> = (0..2 * STRIPES).map(|_| scope.spawn(own)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    stripes.insert(own_stripe());
    assert!(stripes.iter().all(|stripe| *stripe < STRIPES));
    assert!(stripes.len() > STRIPES / 2, "{stripes:?}");
    assert!(stripes.iter().all(|stripe| *stripe < used_stripes()));
    let made = striped.copies.iter().filter(|copy| copy.get().is_some());
    assert_eq!(made.count(), stripes.len());
}
