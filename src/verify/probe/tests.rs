use http::{HeaderMap, Response, Version};

use super::*;
use crate::verify::Unverified;
use crate::verify::unverified::Doubt;

const ITEM: &str = "http://service.test/items/7?version=2";

fn head(method: Method, uri: &str, headers: &[(&str, &str)]) -> request::Parts {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn get(uri: &str) -> Request<()> {
    Request::get(uri).body(()).unwrap()
}

fn completed(probe: Request<()>, head: &request::Parts) -> Request<()> {
    complete(probe, head).unwrap()
}

fn names(headers: &HeaderMap) -> Vec<&str> {
    let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn by_default_an_item_is_asked_for_where_it_is_put_and_deleted() {
    for method in [Method::PUT, Method::DELETE] {
        let request = head(method, ITEM, &[]);
        let probe = on_the_same_uri(&RequestHead::of_parts(&request)).unwrap();
        assert_eq!(probe.method(), Method::GET);
        assert_eq!(probe.uri(), ITEM);
    }
    let request = head(Method::POST, ITEM, &[]);
    assert!(on_the_same_uri(&RequestHead::of_parts(&request)).is_none());
}

#[test]
fn a_uri_without_a_host_is_on_the_requests_own() {
    #[rustfmt::skip]
    let cases = [
        ("https://a.test:8443/items?x=1", "/items/7?y=2", "https://a.test:8443/items/7?y=2"),
        ("https://a.test/items", "/", "https://a.test/"),
        ("https://a.test/items", "http://b.test/items/7", "http://b.test/items/7"),
        ("/items", "/items/7", "/items/7"),
        ("/items", "http://b.test/items/7", "http://b.test/items/7"),
    ];
    for (request, probe, expected) in cases {
        let probe = completed(get(probe), &head(Method::POST, request, &[]));
        assert_eq!(probe.uri(), expected);
    }
}

#[test]
fn a_probe_has_the_requests_headers_but_those_of_its_content_and_conditions() {
    let kept = [
        ("accept", "text/plain"),
        ("authorization", "Bearer 1"),
        ("cookie", "a=1"),
        ("host", "service.test"),
        ("traceparent", "00-1"),
        ("x-api-key", "2"),
    ];
    let left_out = [
        "content-type",
        "content-length",
        "content-encoding",
        "content-md5",
        "digest",
        "repr-digest",
        "expect",
        "idempotency-key",
        "x-idempotency-key",
        "if-match",
        "if-none-match",
        "if-modified-since",
        "if",
        "if-range",
        "prefer",
        "x-ms-if-tags",
        "x-goog-if-generation-match",
        "x-amz-copy-source",
        "repeatability-request-id",
        "repeatability-first-sent",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-http-method",
        "x-http-method-override",
        "x-ms-range",
        "x-method-override",
    ];
    let mut headers = kept.to_vec();
    headers.extend(left_out.map(|name| (name, "1")));
    let request = head(Method::PUT, ITEM, &headers);
    let probe = on_the_same_uri(&RequestHead::of_parts(&request)).unwrap();
    let probe = completed(probe, &request);
    let mut expected = kept.map(|(name, _)| name).to_vec();
    expected.push("cache-control");
    expected.sort_unstable();
    assert_eq!(names(probe.headers()), expected);
    for (name, value) in kept {
        assert_eq!(probe.headers()[name], value);
    }
}

#[test]
fn what_the_probes_maker_says_stands() {
    let request = head(
        Method::POST,
        ITEM,
        &[
            ("accept", "text/plain"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
            ("cache-control", "no-store"),
        ],
    );
    let mut made = get("/items/7");
    made.headers_mut().append("accept", "a/b".parse().unwrap());
    made.headers_mut().append("accept", "c/d".parse().unwrap());
    made.headers_mut().append("if-match", "1".parse().unwrap());
    let probe = completed(made, &request);
    let values = |name: &str| -> Vec<_> { probe.headers().get_all(name).iter().collect() };
    assert_eq!(values("accept"), ["a/b", "c/d"]);
    assert_eq!(values("cookie"), ["a=1", "b=2"]);
    assert_eq!(values("if-match"), ["1"]);
    assert_eq!(values("cache-control"), ["no-cache"]);

    let mut made = get("/items/7");
    let cached = HeaderValue::from_static("max-age=1");
    made.headers_mut().insert(CACHE_CONTROL, cached.clone());
    assert_eq!(completed(made, &request).headers()[CACHE_CONTROL], cached);
}

#[test]
fn a_probe_tells_no_length_of_a_body_it_has_not() {
    let request = head(Method::PUT, ITEM, &[]);
    let mut made = get(ITEM);
    for name in ["content-length", "transfer-encoding", "trailer", "expect"] {
        made.headers_mut().insert(name, "5".parse().unwrap());
    }
    assert_eq!(
        names(completed(made, &request).headers()),
        ["cache-control"]
    );
}

/// Returns a head with `count` headers whose names begin with `name`.
fn head_with(count: usize, name: &str) -> request::Parts {
    let mut head = head(Method::PUT, ITEM, &[]);
    for number in 0..count {
        let name = HeaderName::try_from(format!("{name}-{number}")).unwrap();
        head.headers.insert(name, HeaderValue::from_static("1"));
    }
    head
}

/// The most headers that a map can hold: three quarters of its 32,768 places.
const MOST_HEADERS: usize = 24 * 1024;

#[test]
fn a_probe_whose_headers_do_not_fit_is_an_error() {
    // `Cache-Control: no-cache` is one more.
    let most = head_with(MOST_HEADERS - 1, "a");
    let probe = completed(get(ITEM), &most);
    assert_eq!(probe.headers().len(), MOST_HEADERS);
    let full = head_with(MOST_HEADERS, "a");
    complete(get(ITEM), &full).unwrap_err();

    // There is no room for `Cache-Control: no-cache`, or for the request's credentials.
    let full = || {
        let (mut probe, ()) = get(ITEM).into_parts();
        probe.headers = head_with(MOST_HEADERS, "b").headers;
        probe
    };
    let plain = head(Method::PUT, ITEM, &[]);
    complete(Request::from_parts(full(), ()), &plain).unwrap_err();
    let mut one_short = full();
    one_short.headers.remove("b-0");
    let signed = head(Method::PUT, ITEM, &[("authorization", "Bearer 1")]);
    complete(Request::from_parts(one_short, ()), &signed).unwrap_err();
}

#[test]
fn credentials_go_to_no_other_origin() {
    #[rustfmt::skip]
    let cases = [
        ("http://a.test/", "http://a.test/b", true),
        ("http://a.test/", "http://A.TEST:80/b", true),
        ("https://a.test:443/", "https://a.test/b", true),
        ("wss://a.test:443/", "wss://a.test/b", true),
        ("wss://a.test/", "wss://a.test:80/b", false),
        ("/", "/b", true),
        ("http://a.test/", "https://a.test/b", false),
        ("https://a.test/", "http://a.test/b", false),
        ("http://a.test/", "http://a.test:81/b", false),
        ("https://a.test/", "https://a.test:80/b", false),
        ("http://a.test/", "http://b.a.test/b", false),
        ("/", "http://a.test/b", false),
    ];
    for (request, probe, sent) in cases {
        let request = head(Method::POST, request, &[("authorization", "Bearer 1")]);
        let probe = completed(get(probe), &request);
        assert_eq!(
            probe.headers().contains_key("authorization"),
            sent,
            "{}",
            probe.uri()
        );
    }
}

#[test]
fn a_probe_has_the_requests_version_and_extensions() {
    let mut request = head(Method::PUT, ITEM, &[]);
    request.version = Version::HTTP_2;
    request.extensions.insert("the request's");
    request.extensions.insert(1_u8);
    let mut made = get(ITEM);
    made.extensions_mut().insert(2_u8);
    let probe = completed(made, &request);
    assert_eq!(probe.version(), Version::HTTP_2);
    assert_eq!(probe.extensions().get(), Some(&"the request's"));
    assert_eq!(probe.extensions().get(), Some(&2_u8));
}

#[test]
fn a_uri_is_told_without_query_and_user_info() {
    #[rustfmt::skip]
    let cases = [
        ("http://a.test/b/c?secret=1", "http://a.test/b/c"),
        ("https://user:secret@a.test:8443/b?secret", "https://a.test:8443/b"),
        ("http://user@[::1]:80/", "http://[::1]:80/"),
        ("http://a.test", "http://a.test/"),
        ("/b?secret=1", "/b"),
        ("*", "*"),
    ];
    for (uri, told) in cases {
        assert_eq!(tellable(&uri.parse().unwrap()).to_string(), told);
    }
    let response = Response::builder().status(403).body(()).unwrap();
    let probe = get("http://user:secret@a.test/b?secret=1");
    let error = Unverified::new(&probe, response.into_parts().0, Doubt::Status, None);
    assert_eq!(
        error.to_string(),
        "cannot verify whether the request took effect: \
         the probe GET http://a.test/b was answered 403 Forbidden"
    );
    assert!(!format!("{error:?}").contains("secret"));
}
