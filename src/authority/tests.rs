use super::*;

fn authority(uri: &'static str) -> Authority<'static> {
    Authority::of(&Uri::from_static(uri)).into_owned()
}

#[test]
fn one_upstream_is_a_scheme_a_host_and_a_port() {
    for (one, other) in [
        ("http://a.test/x?y", "http://a.test/"),
        ("http://a.test", "http://A.Test:80/"),
        ("https://a.test", "https://user:secret@a.test:443/"),
        ("ws://a.test", "ws://a.test:80/"),
        ("wss://a.test", "wss://a.test:443/"),
        ("http://[::1]/", "http://[::1]:80/"),
        ("/x", "/y"),
        ("*", "/y"),
    ] {
        assert_eq!(authority(one), authority(other), "{one} and {other}");
    }
    for (one, other) in [
        ("http://a.test", "https://a.test"),
        ("http://a.test:443", "https://a.test"),
        ("http://a.test", "http://b.test"),
        ("http://a.test", "http://a.test:8080"),
        ("http://a.test:8080", "http://a.test:8081"),
        ("http://a.test", "http://a.test.other"),
        ("http://a.test", "/"),
        ("a.test:80", "http://a.test:80"),
    ] {
        assert_ne!(authority(one), authority(other), "{one} and {other}");
    }
}

#[test]
fn it_reads_as_in_a_uri_but_for_what_goes_without_saying_and_for_user_info() {
    for (uri, text) in [
        ("https://a.test", "a.test"),
        ("https://user:secret@A.Test:443/x", "a.test"),
        ("https://a.test:80", "a.test:80"),
        ("http://[::1]:8080/x", "[::1]:8080"),
        ("a.test:80", "a.test:80"),
        ("/x", ""),
    ] {
        assert_eq!(authority(uri).to_string(), text, "{uri}");
    }
}
