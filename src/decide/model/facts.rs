//! All combinations of the finite facts, and random values of the others.

use super::*;

const CLASSES: [Class; 4] = [
    Class::Success,
    Class::Permanent,
    Class::Transient,
    Class::Refused,
];

/// Returns all combinations of the class, the flags of a verdict, and the other facts that are flags.
pub(super) fn each_finite_fact() -> impl Iterator<Item = Facts> {
    CLASSES.into_iter().flat_map(|class| {
        (0..1 << 9).map(move |bits: u32| {
            let bit = |place: u32| bits & 1 << place != 0;
            let verdict = Verdict {
                repeatable: bit(0),
                timed_out: bit(1),
                at_once: bit(2),
                transparent: bit(3),
                ..class.into()
            };
            Facts {
                verdict,
                hint: None,
                is_turned_away: bit(7),
                retries: 0,
                series: Series::default(),
                sent_at_once: bit(4),
                replayable: bit(5),
                may_repeat: bit(6),
                elapsed: Duration::ZERO,
                held: Duration::ZERO,
                is_switched_off: bit(8),
            }
        })
    })
}

/// Returns each kind of hint, with waits at the limits of the allowed range.
pub(super) fn each_hint() -> impl Iterator<Item = Option<Hint>> {
    let waits = [
        Duration::ZERO,
        3 * SECOND,
        FIVE_MINUTES,
        FIVE_MINUTES + NANO,
        Duration::MAX,
    ];
    let asked = waits
        .into_iter()
        .flat_map(|wait| [Hint::AtLeast(wait), Hint::Exactly(wait)]);
    asked.map(Some).chain([None, Some(Hint::Never)])
}

/// Returns a random duration of any magnitude, from nanoseconds to centuries.
pub(super) fn any_time(rng: &mut Rng) -> Duration {
    match rng.u8(0..8) {
        0 => Duration::ZERO,
        1 => Duration::MAX,
        _ => Duration::from_nanos(rng.u64(..) >> rng.u32(0..64)),
    }
}

pub(super) fn any_hint(rng: &mut Rng) -> Option<Hint> {
    match rng.u8(0..4) {
        0 => None,
        1 => Some(Hint::Never),
        2 => Some(Hint::AtLeast(any_time(rng))),
        _ => Some(Hint::Exactly(any_time(rng))),
    }
}

pub(super) fn at_step(step: u32) -> Series {
    Series {
        step,
        ..Series::default()
    }
}
