use http::HeaderMap;
use http::header::CONTENT_RANGE;

use super::{ContentRange, unsatisfied};

fn headers(values: &[&'static str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(CONTENT_RANGE, value.parse().unwrap());
    }
    headers
}

#[test]
fn a_content_range_is_one_of_bytes_that_makes_sense() {
    let range = |first, end, complete| {
        Some(ContentRange {
            first,
            end,
            complete,
        })
    };
    #[rustfmt::skip]
    let cases: &[(&[&str], _)] = &[
        (&["bytes 0-0/1"], range(0, 1, Some(1))),
        (&["bytes 3-5/10"], range(3, 6, Some(10))),
        (&["bytes 3-5/*"], range(3, 6, None)),
        (&["BYTES 3-5/10"], range(3, 6, Some(10))),
        (&[" bytes  3-5/10 "], range(3, 6, Some(10))),
        (&["bytes 0-18446744073709551614/*"], range(0, u64::MAX, None)),
        (&[], None),
        (&["bytes 3-5/10", "bytes 3-5/10"], None),
        (&["bytes 3-5"], None),
        (&["bytes=3-5/10"], None),
        (&["bytes 5-3/10"], None),
        (&["bytes 3-10/10"], None),
        (&["bytes */10"], None),
        (&["bytes -5/10"], None),
        (&["bytes 3-/10"], None),
        (&["bytes +3-5/10"], None),
        (&["bytes 3-5/"], None),
        (&["bytes 3-5/ 10"], None),
        (&["bytes 3 - 5/10"], None),
        (&["bytes 3-5/10, bytes 7-8/10"], None),
        (&["bytes 0-18446744073709551615/*"], None),
        (&["bytes 0-99999999999999999999/*"], None),
        (&["items 3-5/10"], None),
        (&["3-5/10"], None),
        (&[""], None),
    ];
    for (values, expected) in cases {
        assert_eq!(ContentRange::of(&headers(values)), *expected, "{values:?}");
    }
}

#[test]
fn only_the_length_of_a_range_that_is_not_satisfied_is_read() {
    #[rustfmt::skip]
    let cases: &[(&[&str], _)] = &[
        (&["bytes */10"], Some(10)),
        (&["bytes */0"], Some(0)),
        (&["bytes */*"], None),
        (&["bytes 0-9/10"], None),
        (&["bytes */10", "bytes */10"], None),
        (&[], None),
    ];
    for (values, expected) in cases {
        assert_eq!(unsatisfied(&headers(values)), *expected, "{values:?}");
    }
}
