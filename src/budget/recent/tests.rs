use super::*;

const MONTH: u32 = 30 * 24 * 60 * 60 * 100;

#[test]
fn what_is_a_month_earlier_or_less_is_no_time_at_all() {
    // (then, now), and the ticks between.
    let cases = [
        ((5, 5), 0),
        ((5, 6), 1),
        ((6, 5), 0),
        ((u32::MAX, 4), 5),
        ((MONTH, 0), 0),
        ((MONTH + 1, 0), u32::MAX - MONTH),
        ((0, u32::MAX - MONTH), u32::MAX - MONTH),
        ((0, u32::MAX - MONTH + 1), 0),
    ];
    for ((then, now), ticks) in cases {
        assert_eq!(ticks_between(then, now), ticks, "{then} {now}");
    }
}

#[test]
fn a_count_fades_by_a_thousandth_each_tick_and_is_rounded() {
    // The share that is left after a number of ticks of 10 ms, with a time constant of 10 s.
    for (ticks, left) in [(0, 1.0), (1, 0.999), (100, 0.904_837), (1_000, 0.367_879)] {
        let faded = fade(1 << 30, ticks) as f64 / f64::from(1 << 30);
        assert!((faded - left).abs() < 0.000_01, "{ticks}: {faded}");
    }
    assert_eq!(fade(1, 1), 1, "a half and more is a whole");
    assert_eq!(fade(ONE, u32::MAX), 0);
    assert_eq!(fade(u64::from(u32::MAX), 1 << LEFT.len()), 0);
}
