use super::*;

const NOW: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const FOREVER: Duration = Duration::from_secs(u64::MAX);

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(*name, value.parse().unwrap());
    }
    map
}

fn secs(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

#[test]
fn every_form_of_the_headers() {
    let millis = |count| Some(Duration::from_millis(count));
    type Case<'a> = (&'a [(&'static str, &'a str)], Option<Duration>);
    let cases: &[Case<'_>] = &[
        (&[], None),
        (&[("retry-after", "0")], None),
        (&[("retry-after", "0.0")], None),
        (&[("retry-after", "120")], secs(120)),
        (&[("retry-after", " 120 ")], secs(120)),
        (&[("retry-after", "007")], secs(7)),
        (
            &[("retry-after", "1000000000000000000000000000000")],
            Some(FOREVER),
        ),
        (&[("retry-after", "")], None),
        (&[("retry-after", "-1")], None),
        (&[("retry-after", "+1")], None),
        // Decimals, rounded up to the millisecond.
        (&[("retry-after", "2.0")], secs(2)),
        (&[("retry-after", "0.503")], millis(503)),
        (&[("retry-after", "0.5")], millis(500)),
        (&[("retry-after", "1.00000")], secs(1)),
        (&[("retry-after", "1.0000001")], millis(1_001)),
        (&[("retry-after", "0.0001")], millis(1)),
        (&[("retry-after", "1.")], None),
        (&[("retry-after", ".5")], None),
        (&[("retry-after", "1.2.3")], None),
        (&[("retry-after", "1.-2")], None),
        (
            &[("retry-after", "1000000000000000000000000000000.5")],
            millis(u64::MAX),
        ),
        (&[("retry-after-ms", "2.5")], millis(3)),
        (&[("retry-after-ms", "250.0")], millis(250)),
        (&[("retry-after", "1e3")], None),
        (&[("retry-after", "1, 2")], None),
        (&[("retry-after", "soon")], None),
        (&[("retry-after", "2"), ("retry-after", "5")], secs(5)),
        (&[("retry-after", "soon"), ("retry-after", "5")], secs(5)),
        (&[("retry-after-ms", "250")], millis(250)),
        (
            &[("retry-after-ms", "250"), ("retry-after", "9")],
            millis(250),
        ),
        (&[("retry-after-ms", "2,5"), ("retry-after", "9")], secs(9)),
        // Zero asks for no wait, and does not hide another header.
        (
            &[("retry-after-ms", "0"), ("retry-after", "120")],
            secs(120),
        ),
        (
            &[
                ("retry-after-ms", "0"),
                ("x-ms-retry-after-ms", "0.0"),
                ("retry-after", "120"),
            ],
            secs(120),
        ),
        (
            &[("x-ms-retry-after-ms", "300"), ("retry-after", "9")],
            millis(300),
        ),
        (
            &[("retry-after-ms", "1"), ("x-ms-retry-after-ms", "2")],
            millis(1),
        ),
        // The three forms of a date, against the response's own.
        (
            &[
                ("date", NOW),
                ("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"),
            ],
            secs(30),
        ),
        (
            &[
                ("date", NOW),
                ("retry-after", "Sunday, 06-Nov-94 08:50:07 GMT"),
            ],
            secs(30),
        ),
        (
            &[("date", NOW), ("retry-after", "Sun Nov  6 08:50:07 1994")],
            secs(30),
        ),
        // A leap second.
        (
            &[
                ("date", NOW),
                ("retry-after", "Sun, 06 Nov 1994 08:49:60 GMT"),
            ],
            secs(23),
        ),
        (
            &[("date", NOW), ("retry-after", "Sun Nov  6 08:49:60 1994")],
            secs(23),
        ),
        (
            &[
                ("date", "Sunday, 06-Nov-94 08:49:60 GMT"),
                ("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"),
            ],
            secs(7),
        ),
        (
            &[
                ("date", NOW),
                ("retry-after", "Sun, 06 Nov 1994 08:49:61 GMT"),
            ],
            None,
        ),
        // The time that the response has spent in a cache is subtracted.
        (
            &[
                ("date", NOW),
                ("age", "10"),
                ("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"),
            ],
            secs(20),
        ),
        (
            &[
                ("date", NOW),
                ("age", "30"),
                ("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"),
            ],
            None,
        ),
        (
            &[
                ("date", NOW),
                ("age", "old"),
                ("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"),
            ],
            secs(30),
        ),
        (&[("age", "10"), ("retry-after", "30")], secs(30)),
        (&[("date", NOW), ("retry-after", NOW)], None),
        (
            &[
                ("date", NOW),
                ("retry-after", "Sun, 06 Nov 1994 08:49:36 GMT"),
            ],
            None,
        ),
        (
            &[("date", NOW), ("retry-after", "Sun, 06 Nov 1994 08:50:07")],
            None,
        ),
        // Without a valid `Date`, the local clock is used, for which this date is in the past.
        (&[("date", "today"), ("retry-after", NOW)], None),
        (&[("retry-after", NOW)], None),
    ];
    for (pairs, expected) in cases {
        assert_eq!(requested_wait(&headers(pairs)), *expected, "{pairs:?}");
    }
}

#[test]
fn a_value_that_is_not_ascii_is_no_hint() {
    let mut map = HeaderMap::new();
    map.insert(
        "retry-after",
        HeaderValue::from_bytes(b"\xd9\xa1\xd9\xa2").unwrap(),
    );
    assert_eq!(requested_wait(&map), None);
}

#[test]
fn a_date_without_the_servers_own_is_measured_against_the_local_clock() {
    let until = SystemTime::now() + Duration::from_secs(3_600);
    let map = headers(&[("retry-after", &httpdate::fmt_http_date(until))]);
    let wait = requested_wait(&map).unwrap();
    assert!(
        wait > Duration::from_secs(3_500) && wait <= Duration::from_secs(3_600),
        "{wait:?}"
    );
}

#[test]
fn against_the_local_clock_an_age_is_left_out() {
    let until = SystemTime::now() + Duration::from_secs(3_600);
    let until = httpdate::fmt_http_date(until);
    let map = headers(&[("age", "3000"), ("retry-after", &until)]);
    assert!(requested_wait(&map) > secs(3_500));
}
