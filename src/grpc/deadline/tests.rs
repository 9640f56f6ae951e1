use http::Request;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn every_form_of_a_timeout() {
    #[rustfmt::skip]
    let cases = [
        ("1H", Some(SECOND * 3_600)),
        ("2M", Some(SECOND * 120)),
        ("3S", Some(SECOND * 3)),
        ("4m", Some(Duration::from_millis(4))),
        ("5u", Some(Duration::from_micros(5))),
        ("6n", Some(Duration::from_nanos(6))),
        ("0S", Some(Duration::ZERO)),
        ("007S", Some(SECOND * 7)),
        ("99999999H", Some(Duration::from_secs(99_999_999 * 3_600))),
        ("999999999S", None),
        ("", None),
        ("S", None),
        ("1", None),
        ("1s", None),
        ("1h", None),
        ("-1S", None),
        ("+1S", None),
        ("1.5S", None),
        ("1 S", None),
        (" 1S", None),
        ("1SS", None),
        ("1é", None),
    ];
    for (text, expected) in cases {
        let request = Request::post("/").header("grpc-timeout", text);
        let request = request.body(()).unwrap();
        assert_eq!(of(&RequestHead::of(&request)), expected, "{text}");
    }
    assert_eq!(of(&RequestHead::of(&Request::new(()))), None);
}

#[test]
fn what_is_left_is_told_in_the_finest_unit_that_holds_it_and_never_more() {
    let hour = SECOND * 3_600;
    #[rustfmt::skip]
    let cases = [
        ("10S", SECOND * 4, "6000000u"),
        ("10S", Duration::from_nanos(9_999_999_999), "1n"),
        ("100m", Duration::from_nanos(1), "99999999n"),
        ("200m", Duration::from_nanos(1), "199999u"),
        ("10S", SECOND * 10, "0n"),
        ("10S", SECOND * 11, "0n"),
        ("30H", hour, "104400S"),
        ("28H", hour, "97200000m"),
        ("99999999H", Duration::ZERO, "99999999H"),
        ("99999999H", Duration::from_nanos(1), "99999998H"),
        ("99999999S", SECOND, "99999998S"),
        ("soon", SECOND, "soon"),
    ];
    for (before, elapsed, after) in cases {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-timeout", before.parse().unwrap());
        renew(&mut headers, elapsed);
        assert_eq!(headers["grpc-timeout"], after, "{before} after {elapsed:?}");
    }
    let mut none = HeaderMap::new();
    renew(&mut none, SECOND);
    assert!(none.is_empty());
}
