use http::HeaderMap;

use super::Version;

const MODIFIED: &str = "Tue, 15 Nov 1994 12:45:26 GMT";
const NEXT_SECOND: &str = "Tue, 15 Nov 1994 12:45:27 GMT";

type Lines<'a> = &'a [(&'static str, &'static str)];
/// The headers of a response, and the length of the whole representation.
type Said<'a> = (Lines<'a>, Option<u64>);

fn version(lines: Lines<'_>, complete: Option<u64>) -> Version {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, value.parse().unwrap());
    }
    Version::of(&headers, complete)
}

#[test]
fn a_condition_takes_a_strong_etag_else_a_date_that_is_strong() {
    let dated = ("last-modified", MODIFIED);
    let sent = ("date", NEXT_SECOND);
    #[rustfmt::skip]
    let cases: &[(&[_], Option<(&str, &str)>)] = &[
        (&[("etag", "\"v1\"")], Some(("if-match", "\"v1\""))),
        (&[("etag", "\"\"")], Some(("if-match", "\"\""))),
        (&[("etag", "\"v1\""), dated, sent], Some(("if-match", "\"v1\""))),
        (&[("etag", "W/\"v1\"")], None),
        (&[("etag", "W/\"v1\""), dated, sent], Some(("if-unmodified-since", MODIFIED))),
        (&[("etag", "v1")], None),
        (&[("etag", "\"v1")], None),
        (&[("etag", "\"")], None),
        (&[("etag", "\"v\"1\"")], None),
        (&[("etag", "\"v 1\"")], None),
        (&[("etag", "\"v1\""), ("etag", "\"v1\"")], None),
        (&[dated, sent], Some(("if-unmodified-since", MODIFIED))),
        // It can change again within the same second.
        (&[dated, ("date", MODIFIED)], None),
        (&[dated], None),
        (&[("last-modified", NEXT_SECOND), ("date", MODIFIED)], None),
        (&[dated, ("date", "now")], None),
        (&[("last-modified", "then"), sent], None),
        (&[dated, dated, sent], None),
        (&[sent], None),
    ];
    for (lines, expected) in cases {
        let condition = version(lines, Some(10)).condition();
        let told = condition
            .as_ref()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        assert_eq!(told, *expected, "{lines:?}");
    }
}

#[test]
fn two_versions_agree_unless_something_that_both_say_differs() {
    let strong = ("etag", "\"v1\"");
    let weak = ("etag", "W/\"v1\"");
    let other = ("etag", "\"v2\"");
    let dated = ("last-modified", MODIFIED);
    let later = ("last-modified", NEXT_SECOND);
    let gzip = ("content-encoding", "gzip");
    let br = ("content-encoding", "br");
    #[rustfmt::skip]
    let cases: &[(Said<'_>, Said<'_>, bool)] = &[
        ((&[strong], Some(10)), (&[strong], Some(10)), true),
        ((&[strong], Some(10)), (&[], Some(10)), true),
        ((&[strong], Some(10)), (&[strong], None), true),
        ((&[strong], None), (&[strong], Some(10)), true),
        ((&[strong], Some(10)), (&[strong], Some(11)), false),
        ((&[strong], Some(10)), (&[other], Some(10)), false),
        ((&[strong], Some(10)), (&[weak], Some(10)), false),
        ((&[weak], Some(10)), (&[weak], Some(10)), true),
        ((&[weak, dated], Some(10)), (&[weak, dated], Some(10)), true),
        ((&[weak, dated], Some(10)), (&[weak, later], Some(10)), false),
        ((&[weak, dated], Some(10)), (&[("etag", "W/\"v2\""), dated], Some(10)), false),
        // A strong ETag takes precedence over the date, which can differ between replicas.
        ((&[strong, dated], Some(10)), (&[strong, later], Some(10)), true),
        ((&[strong, dated], Some(10)), (&[later], Some(10)), false),
        ((&[dated], Some(10)), (&[later], Some(10)), false),
        ((&[dated], Some(10)), (&[strong, dated], Some(10)), true),
        ((&[strong, gzip], Some(10)), (&[strong, gzip], Some(10)), true),
        ((&[strong, gzip], Some(10)), (&[strong, br], Some(10)), false),
        ((&[strong, gzip], Some(10)), (&[strong], Some(10)), false),
        ((&[strong], Some(10)), (&[strong, gzip], Some(10)), false),
    ];
    for (one, other, expected) in cases {
        let agrees = version(one.0, one.1).does_not_contradict(&version(other.0, other.1));
        assert_eq!(agrees, *expected, "{one:?} {other:?}");
    }
}

#[test]
fn only_a_strong_validator_says_that_two_versions_are_one() {
    let strong = ("etag", "\"v1\"");
    let weak = ("etag", "W/\"v1\"");
    let dated = [("last-modified", MODIFIED), ("date", NEXT_SECOND)];
    let is = |one: Lines<'_>, other: Lines<'_>| {
        version(one, None).is_proven_to_be(&version(other, None))
    };
    assert!(is(&[strong], &[strong]));
    assert!(is(&dated, &dated));
    assert!(!is(&[strong], &[weak]));
    assert!(!is(&[weak], &[weak]));
    assert!(!is(&[strong], &[]));
    assert!(!is(&dated, &[dated[0]]));
    assert!(!is(&dated, &[("last-modified", NEXT_SECOND), dated[1]]));
    // If there is an ETag, the date alone proves nothing.
    assert!(!is(&[strong, dated[0], dated[1]], &dated));
    assert!(!is(
        &[weak, dated[0], dated[1]],
        &[("etag", "W/\"v2\""), dated[0], dated[1]]
    ));
}
