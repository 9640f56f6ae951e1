use super::*;

fn may_repeat(
    idempotency: &Idempotency,
    method: &str,
    headers: &[&str],
    declared: Option<bool>,
) -> bool {
    let method = method.parse().unwrap();
    let header = |name: &HeaderName| {
        let (_, value) = headers
            .iter()
            .map(|header| header.split_once(": ").unwrap_or((header, "k")))
            .find(|(other, _)| *other == name.as_str())?;
        Some(value.as_bytes())
    };
    idempotency.may_repeat(&method, header, declared)
}

#[test]
fn which_requests_may_be_sent_twice() {
    let standard = Idempotency::new();
    let any = Idempotency::any();
    let patch = Idempotency::new().also(Method::PATCH);
    let strict = Idempotency::new().except(Method::PUT);
    let keyed = Idempotency::new().key(HeaderName::from_static("x-request-id"));
    let none: &[&str] = &[];
    let cases = [
        (&standard, "GET", none, None, true),
        (&standard, "HEAD", none, None, true),
        (&standard, "OPTIONS", none, None, true),
        (&standard, "TRACE", none, None, true),
        (&standard, "PUT", none, None, true),
        (&standard, "DELETE", none, None, true),
        (&standard, "QUERY", none, None, true),
        (&standard, "POST", none, None, false),
        (&standard, "PATCH", none, None, false),
        (&standard, "MKCOL", none, None, false),
        (&standard, "CONNECT", none, None, false),
        (&standard, "POST", &["idempotency-key"], None, true),
        (&standard, "POST", &["x-idempotency-key"], None, true),
        (&standard, "POST", &["x-request-id"], None, false),
        (&standard, "POST", &["idempotency-key: "], None, false),
        (&standard, "POST", &["idempotency-key:  \t"], None, false),
        (
            &standard,
            "POST",
            &["idempotency-key: ", "x-idempotency-key: 7"],
            None,
            true,
        ),
        (&standard, "GET", &["upgrade: "], None, false),
        (&standard, "POST", none, Some(true), true),
        (&standard, "GET", none, Some(false), false),
        (&standard, "POST", &["idempotency-key"], Some(false), false),
        (&standard, "GET", &["upgrade"], None, false),
        (&standard, "GET", &["upgrade"], Some(true), false),
        (&standard, "CONNECT", none, Some(true), false),
        (&any, "POST", none, None, true),
        (&any, "CONNECT", none, None, false),
        (&any, "POST", &["upgrade"], None, false),
        (&any, "POST", none, Some(false), false),
        (&patch, "PATCH", none, None, true),
        (&patch, "POST", none, None, false),
        (&strict, "PUT", none, None, false),
        (&strict, "PUT", &["idempotency-key"], None, true),
        (&keyed, "POST", &["x-request-id"], None, true),
        (&keyed, "POST", &["idempotency-key"], None, true),
    ];
    for (idempotency, method, headers, declared, expected) in cases {
        let actual = may_repeat(idempotency, method, headers, declared);
        assert_eq!(
            actual, expected,
            "{method} {headers:?} {declared:?} {idempotency:?}"
        );
    }
}

#[test]
fn the_last_word_about_a_method_stands() {
    let again = Idempotency::new().except(Method::PUT).also(Method::PUT);
    assert!(may_repeat(&again, "PUT", &[], None));
    let never = Idempotency::any().also(Method::POST).except(Method::POST);
    assert!(!may_repeat(&never, "POST", &[], None));
    let one_less = Idempotency::new()
        .also(Method::POST)
        .also(Method::PATCH)
        .except(Method::POST);
    assert!(!may_repeat(&one_less, "POST", &[], None));
    assert!(may_repeat(&one_less, "PATCH", &[], None));
    let one_more = Idempotency::new()
        .except(Method::PUT)
        .except(Method::DELETE)
        .also(Method::PUT);
    assert!(may_repeat(&one_more, "PUT", &[], None));
    assert!(!may_repeat(&one_more, "DELETE", &[], None));
}
