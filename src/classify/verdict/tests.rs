use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue};

use super::*;
use crate::retry_after::{RetryAfter, requested_wait};

#[test]
fn the_layers_setting_says_what_a_header_means_and_a_classifiers_word_stands() {
    let map =
        |wait: &'static str| HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(wait))]);
    let (asks, past) = (map("5"), map("0"));
    let five = Duration::from_secs(5);
    let silent = Verdict::from(Class::Transient);
    #[rustfmt::skip]
    let cases = [
        (silent, RetryAfter::Minimum, Some(&asks), Some(Hint::AtLeast(five))),
        (silent, RetryAfter::Exact, Some(&asks), Some(Hint::Exactly(five))),
        (silent, RetryAfter::Ignore, Some(&asks), None),
        (silent, RetryAfter::Minimum, Some(&past), None),
        (silent, RetryAfter::Exact, Some(&past), None),
        (silent, RetryAfter::Minimum, None, None),
        (silent.ignore_retry_after(), RetryAfter::Minimum, Some(&asks), None),
        (silent.no_retry(), RetryAfter::Ignore, Some(&asks), Some(Hint::Never)),
        (silent.retry_after(five), RetryAfter::Ignore, None, Some(Hint::AtLeast(five))),
        (silent.retry_after(five).ignore_retry_after(), RetryAfter::Minimum, None, Some(Hint::AtLeast(five))),
        (silent.retry_after_exactly(five), RetryAfter::Minimum, Some(&past), Some(Hint::Exactly(five))),
        // Zero asks for no wait, unless it is exact.
        (silent.retry_after(Duration::ZERO), RetryAfter::Minimum, Some(&asks), Some(Hint::AtLeast(five))),
        (silent.retry_at(SystemTime::UNIX_EPOCH), RetryAfter::Minimum, Some(&asks), Some(Hint::AtLeast(five))),
        (silent.retry_at(SystemTime::UNIX_EPOCH), RetryAfter::Ignore, Some(&asks), None),
        (silent.retry_after_exactly(Duration::ZERO), RetryAfter::Minimum, Some(&asks), Some(Hint::Exactly(Duration::ZERO))),
    ];
    for (verdict, setting, headers, expected) in cases {
        let hint = verdict.hint(|| setting.hint(|| requested_wait(headers?)));
        assert_eq!(hint, expected, "{verdict:?} {setting:?}");
    }
}
