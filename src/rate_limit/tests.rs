use http::HeaderValue;

use super::*;

type Headers = &'static [(&'static str, &'static str)];

fn map(pairs: Headers) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    map
}

fn read(status: u16, pairs: Headers) -> Option<Duration> {
    exhausted_for(StatusCode::from_u16(status).unwrap(), &map(pairs))
}

fn secs(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

/// Examples from the documentation of services, for a quota that is used up.
#[test]
fn what_services_are_documented_to_send() {
    let millis = |count| Some(Duration::from_millis(count));
    let cases: &[(&str, Headers, Option<Duration>)] = &[
        (
            "GitHub",
            &[
                ("date", "Fri, 13 Feb 2009 23:31:30 GMT"),
                ("x-ratelimit-limit", "60"),
                ("x-ratelimit-remaining", "0"),
                ("x-ratelimit-used", "60"),
                ("x-ratelimit-reset", "1234567950"),
                ("x-ratelimit-resource", "core"),
            ],
            secs(60 + 1),
        ),
        (
            "GitLab",
            &[
                ("date", "Fri, 13 Feb 2009 23:31:30 GMT"),
                ("ratelimit-limit", "60"),
                ("ratelimit-name", "throttle_authenticated_web"),
                ("ratelimit-observed", "67"),
                ("ratelimit-remaining", "0"),
                ("ratelimit-reset", "1234567920"),
                ("ratelimit-resettime", "Fri, 13 Feb 2009 23:32:00 GMT"),
            ],
            secs(30 + 1),
        ),
        (
            "Twitter",
            &[
                ("date", "Fri, 13 Feb 2009 23:31:30 GMT"),
                ("x-rate-limit-limit", "75"),
                ("x-rate-limit-remaining", "0"),
                ("x-rate-limit-reset", "1234568790"),
            ],
            secs(900 + 1),
        ),
        (
            "Discord",
            &[
                ("date", "Fri, 13 Feb 2009 23:31:30 GMT"),
                ("x-ratelimit-limit", "5"),
                ("x-ratelimit-remaining", "0"),
                ("x-ratelimit-reset", "1234567954.570"),
                ("x-ratelimit-reset-after", "64.57"),
                ("x-ratelimit-bucket", "abcd1234"),
            ],
            millis(64_570),
        ),
        (
            "Reddit",
            &[
                ("x-ratelimit-used", "600"),
                ("x-ratelimit-remaining", "0.0"),
                ("x-ratelimit-reset", "345"),
            ],
            secs(345),
        ),
        (
            "Zalando",
            &[
                ("x-ratelimit-limit", "100"),
                ("x-ratelimit-remaining", "0"),
                ("x-ratelimit-reset", "7"),
            ],
            secs(7),
        ),
        (
            "Kong",
            &[
                ("ratelimit-limit", "10"),
                ("ratelimit-remaining", "0"),
                ("ratelimit-reset", "47"),
                ("x-ratelimit-limit-minute", "10"),
                ("x-ratelimit-remaining-minute", "0"),
            ],
            secs(47),
        ),
        // Only `Retry-After` has the time.
        (
            "Shopify",
            &[
                ("x-shopify-shop-api-call-limit", "40/40"),
                ("retry-after", "2.0"),
            ],
            None,
        ),
        // These two need a classifier.
        (
            "OpenAI",
            &[
                ("x-ratelimit-limit-requests", "60"),
                ("x-ratelimit-remaining-requests", "0"),
                ("x-ratelimit-reset-requests", "1s"),
                ("x-ratelimit-remaining-tokens", "149984"),
                ("x-ratelimit-reset-tokens", "6m0s"),
            ],
            None,
        ),
        (
            "Anthropic",
            &[
                ("anthropic-ratelimit-requests-limit", "50"),
                ("anthropic-ratelimit-requests-remaining", "0"),
                ("anthropic-ratelimit-requests-reset", "2009-02-13T23:32:00Z"),
            ],
            None,
        ),
        (
            "the draft",
            &[
                (
                    "ratelimit-policy",
                    r#""burst";q=100;w=60,"daily";q=1000;w=86400"#,
                ),
                ("ratelimit", r#""burst";r=0;t=30,"daily";r=400;t=3600"#),
            ],
            secs(30),
        ),
    ];
    for (service, pairs, expected) in cases {
        for status in [429, 503] {
            assert_eq!(read(status, pairs), *expected, "{service}, {status}");
        }
    }
}

#[test]
fn the_structured_field() {
    let cases: &[(Headers, Option<Duration>)] = &[
        (&[("ratelimit", r#""default";r=0;t=30"#)], secs(30)),
        (&[("ratelimit", r#""a";r=1;t=30"#)], None),
        (&[("ratelimit", r#""a";r=0"#)], None),
        (&[("ratelimit", r#""a";t=30"#)], None),
        (&[("ratelimit", r#""a";r=0;t=0"#)], None),
        // The longest wait of the quotas that are used up, also in several lines.
        (
            &[(
                "ratelimit",
                r#""a";r=0;t=5, "b";r=0;t=70;pk=:cHM=:, "c";r=9;t=900"#,
            )],
            secs(70),
        ),
        (
            &[
                ("ratelimit", r#""a";r=0;t=5"#),
                ("ratelimit", r#""b";r=0;t=8"#),
            ],
            secs(8),
        ),
        (
            &[
                ("ratelimit", r#""a";r=0;t=8"#),
                ("ratelimit", r#""b";r=0;t=5"#),
            ],
            secs(8),
        ),
        (
            &[
                ("ratelimit", r#""a";r=0;;"#),
                ("ratelimit", r#""b";r=0;t=5"#),
            ],
            None,
        ),
        // An older draft's names.
        (&[("ratelimit", "default;r=0;t=30")], secs(30)),
        // The last of a parameter's values is the one that counts (RFC 9651).
        (&[("ratelimit", r#""a";r=0;t=9;t=5"#)], secs(5)),
        (&[("ratelimit", r#""a";r=1;r=0;t=5"#)], secs(5)),
        (&[("ratelimit", r#""a";r=0;r=1;t=5"#)], None),
        // A reset that is too far away does not hide another one.
        (
            &[("ratelimit", r#""a";r=0;t=31622401, "b";r=0;t=5"#)],
            secs(5),
        ),
        (&[("ratelimit", r#""a";r=0;t=31622400"#)], secs(31_622_400)),
        (&[("ratelimit", r#""a";r=0;t=31622401"#)], None),
    ];
    for (pairs, expected) in cases {
        for status in [429, 503] {
            assert_eq!(read(status, pairs), *expected, "{pairs:?}");
        }
    }
}

#[test]
fn a_reset_is_a_time_or_what_is_left_by_its_size() {
    let cases = [
        ("0", None),
        ("1", secs(1)),
        ("0.0004", Some(Duration::from_millis(1))),
        ("31622400", secs(31_622_400)),
        ("31622401", None),
        ("999999999", None),
        ("1000000000", secs(10 + 1)),
        ("1000000000.25", Some(Duration::from_millis(10_250 + 1_000))),
        ("1000000000000", secs(10 + 1)),
        ("1000000000250", Some(Duration::from_millis(10_250 + 1_000))),
        // At the limit of a year, and beyond it.
        ("1031622389", secs(31_622_399 + 1)),
        ("1031622390", None),
        // Microseconds and nanoseconds are read as times that are too far away.
        ("1000000010000000", None),
        ("1000000010000000000", None),
        ("99999999999999999999999999", None),
    ];
    for (reset, expected) in cases {
        let mut headers = map(&[
            ("date", "Sun, 09 Sep 2001 01:46:30 GMT"),
            ("x-ratelimit-remaining", "0"),
        ]);
        headers.insert("x-ratelimit-reset", reset.parse().unwrap());
        let wait = exhausted_for(StatusCode::SERVICE_UNAVAILABLE, &headers);
        assert_eq!(wait, expected, "{reset}");
    }
}

#[test]
fn nothing_is_asked_for_where_something_remains_or_nothing_is_said() {
    const RESET: (&str, &str) = ("ratelimit-reset", "30");
    let cases: &[(u16, Headers, Option<Duration>)] = &[
        (429, &[RESET], secs(30)),
        (503, &[RESET], None),
        (429, &[RESET, ("ratelimit-remaining", "0")], secs(30)),
        (503, &[RESET, ("ratelimit-remaining", "0")], secs(30)),
        (429, &[RESET, ("ratelimit-remaining", "1")], None),
        (503, &[RESET, ("ratelimit-remaining", "0.9")], secs(30)),
        (503, &[RESET, ("ratelimit-remaining", "0000")], secs(30)),
        // Headers of two kinds are not combined.
        (503, &[RESET, ("x-ratelimit-remaining", "0")], None),
        (429, &[("ratelimit-remaining", "0")], None),
        (429, &[("ratelimit-limit", "10")], None),
        (429, &[], None),
        // The longest of several kinds.
        (
            429,
            &[
                RESET,
                ("x-ratelimit-reset", "40"),
                ("x-rate-limit-reset", "20"),
                ("ratelimit", r#""a";r=0;t=35"#),
            ],
            secs(40),
        ),
        (429, &[RESET, ("ratelimit", r#""a";r=0;t=35"#)], secs(35)),
        // `Reset-After` takes precedence over `Reset`, if it is well-formed.
        (429, &[RESET, ("ratelimit-reset-after", "20")], secs(20)),
        (429, &[RESET, ("ratelimit-reset-after", "soon")], secs(30)),
        // Responses from a cache are ignored.
        (429, &[RESET, ("age", "0")], secs(30)),
        (429, &[RESET, ("age", "1")], None),
        (429, &[RESET, ("age", "100, 0")], None),
        (429, &[("ratelimit", r#""a";r=0;t=35"#), ("age", "1")], None),
    ];
    for (status, pairs, expected) in cases {
        assert_eq!(read(*status, pairs), *expected, "{status} {pairs:?}");
    }
}

#[test]
fn what_is_malformed_asks_for_nothing() {
    let fields: [&'static str; 20] = [
        "",
        "\"a\";r=0;t=30,",
        "\"a\";r=0;t=30 \"b\"",
        "\"a;r=0;t=30",
        "\"a\";r=0;t=",
        "\"a\";r=0;t=30;;",
        "\"a\";R=0;t=30",
        "\"a\";r=0;t=-30",
        "\"a\";r=-1;t=30",
        "\"a\";r=0.0;t=30",
        "\"a\";r=0;t=30.5",
        "\"a\";r=\"0\";t=30",
        "\"a\";r=0;t=1234567890123456",
        "\"a\";r;t=30",
        "(\"a\");r=0;t=30",
        "7;r=0;t=30",
        "limit=100, remaining=0, reset=30",
        "\"a\";r=0;t=30, \"b\";r=x;t=1",
        "\"\u{e4}\";r=0;t=30",
        "0, 30",
    ];
    for field in fields {
        let mut headers = HeaderMap::new();
        headers.insert(
            "ratelimit",
            HeaderValue::from_bytes(field.as_bytes()).unwrap(),
        );
        for status in [StatusCode::TOO_MANY_REQUESTS, StatusCode::BAD_GATEWAY] {
            assert_eq!(exhausted_for(status, &headers), None, "{field}");
        }
    }
    let resets: [&'static str; 20] = [
        "",
        " ",
        "-1",
        "+1",
        "1e3",
        "0x1f",
        "1.",
        ".5",
        "1.2.3",
        "1,5",
        "1 s",
        "1s",
        "6m0s",
        "inf",
        "NaN",
        "soon",
        "30, 60",
        "2009-02-13T23:32:00Z",
        "Fri, 13 Feb 2009 23:32:00 GMT",
        "\u{663}",
    ];
    for reset in resets {
        let value = HeaderValue::from_bytes(reset.as_bytes()).unwrap();
        for name in ["x-ratelimit-reset", "x-ratelimit-reset-after"] {
            let mut headers = map(&[("x-ratelimit-remaining", "0")]);
            headers.insert(name, value.clone());
            assert_eq!(
                exhausted_for(StatusCode::TOO_MANY_REQUESTS, &headers),
                None,
                "{name}: {reset}"
            );
        }
        let mut headers = map(&[("x-ratelimit-reset", "30")]);
        headers.insert("x-ratelimit-remaining", value);
        assert_eq!(
            exhausted_for(StatusCode::TOO_MANY_REQUESTS, &headers),
            None,
            "remaining {reset}"
        );
    }
    // If a header has two values, it is unknown which values belong together.
    for twice in ["x-ratelimit-remaining", "x-ratelimit-reset"] {
        let mut headers = map(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "30")]);
        headers.append(twice, HeaderValue::from_static("0"));
        assert_eq!(
            exhausted_for(StatusCode::TOO_MANY_REQUESTS, &headers),
            None,
            "{twice}"
        );
    }
}

#[test]
fn a_reset_without_a_date_is_measured_against_the_local_clock() {
    let reset = SystemTime::now() + Duration::from_secs(100);
    let reset = reset
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    for date in [None, Some("yesterday")] {
        let mut headers = map(&[("ratelimit-remaining", "0")]);
        headers.insert("ratelimit-reset", HeaderValue::from(reset));
        if let Some(date) = date {
            headers.insert("date", HeaderValue::from_static(date));
        }
        let wait = exhausted_for(StatusCode::TOO_MANY_REQUESTS, &headers).unwrap();
        // The clock is read again, less than a minute later.
        assert!(wait > Duration::from_secs(40) && wait <= Duration::from_secs(101));
    }
}

#[test]
fn a_reset_that_is_over_asks_for_nothing_and_one_in_the_same_second_for_one() {
    for (reset, expected) in [("1234567889", None), ("1234567890", secs(1))] {
        let mut headers = map(&[("date", "Fri, 13 Feb 2009 23:31:30 GMT")]);
        headers.insert("ratelimit-reset", HeaderValue::from_static(reset));
        assert_eq!(
            exhausted_for(StatusCode::TOO_MANY_REQUESTS, &headers),
            expected,
            "{reset}"
        );
    }
}
