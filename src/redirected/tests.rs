use tower_http::follow_redirect::RequestUri;

use super::*;

#[test]
fn a_response_of_another_uri_was_redirected() {
    let uri = Uri::from_static("http://a.test/items/7?version=2");
    let response_of = |uri: &'static str| {
        let mut extensions = Extensions::new();
        extensions.insert(RequestUri(Uri::from_static(uri)));
        extensions
    };
    assert!(!was_redirected(&uri, &Extensions::new()));
    let same = [
        "http://a.test/items/7?version=2",
        "HTTP://A.test/items/7?version=2",
    ];
    for uri_of_response in same {
        assert!(!was_redirected(&uri, &response_of(uri_of_response)));
    }
    let others = [
        "http://a.test/items/8?version=2",
        "http://a.test/items/7?version=3",
        "http://a.test/items/7",
        "http://b.test/items/7?version=2",
        "http://a.test:81/items/7?version=2",
        "https://a.test/items/7?version=2",
        "/items/7?version=2",
    ];
    for other in others {
        let redirected = was_redirected(&uri, &response_of(other));
        // Without the feature, redirects are not recognized.
        assert_eq!(redirected, cfg!(feature = "tower-http"), "{other}");
    }
}

#[test]
fn what_becomes_a_get_may_have_been_redirected_to_its_own_uri() {
    let uri = Uri::from_static("http://a.test/items");
    let mut followed = Extensions::new();
    followed.insert(RequestUri(uri.clone()));
    for (method, becomes_a_get) in [
        (Method::GET, false),
        (Method::HEAD, false),
        (Method::POST, true),
        (Method::PATCH, true),
        (Method::PUT, true),
    ] {
        assert!(!may_be_redirected(&method, &uri, &Extensions::new()));
        let may_be = may_be_redirected(&method, &uri, &followed);
        // Without the feature, redirects are not recognized.
        assert_eq!(
            may_be,
            becomes_a_get && cfg!(feature = "tower-http"),
            "{method}"
        );
    }
}
