//! What a fuzzer's bytes stand for.

use std::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};
use http::StatusCode;

/// Runs what these bytes stand for; too few of them are no input.
pub fn with_input<'a, T: Arbitrary<'a>>(data: &'a [u8], run: impl FnOnce(&T)) {
    if let Ok(input) = T::arbitrary_take_rest(Unstructured::new(data)) {
        run(&input);
    }
}

/// Mostly short; sometimes none, or as long as can be.
pub fn millis(input: &mut Unstructured<'_>) -> Result<Duration> {
    Ok(match input.arbitrary()? {
        0_u32 => Duration::ZERO,
        u32::MAX => Duration::MAX,
        millis => Duration::from_millis(u64::from(millis >> (millis % 24))),
    })
}

/// A status that is one.
pub fn status(input: &mut Unstructured<'_>) -> Result<StatusCode> {
    let usual = [200, 201, 302, 400, 404, 408, 429, 500, 502, 503, 504];
    let status = match input.arbitrary::<u8>()? {
        0..128 => *input.choose(&usual)?,
        _ => input.int_in_range(100..=999)?,
    };
    Ok(StatusCode::from_u16(status).expect("three digits"))
}
