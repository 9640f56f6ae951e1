use super::*;

#[test]
fn each_reason_has_its_place() {
    for reason in [
        Reason::Backoff,
        Reason::TimedOut,
        Reason::Server,
        Reason::AtOnce,
        Reason::Transparent,
    ] {
        assert_eq!(RETRY.values[RETRY.place(reason.name())], reason.name());
    }
    assert_eq!(RETRY.len(), Reason::Transparent as usize + 1);
    for stop in [
        Stop::Success,
        Stop::Permanent,
        Stop::Attempts,
        Stop::NotReplayable,
        Stop::NotIdempotent,
        Stop::ServerSaidNo,
        Stop::ServerWaitTooLong,
        Stop::Window,
        Stop::Budget,
        Stop::NotReady,
    ] {
        assert_eq!(STOP.values[STOP.place(stop.name())], stop.name());
    }
    assert_eq!(STOP.len(), Stop::NotReady as usize + 1);
}

#[test]
fn a_method_is_one_of_a_few() {
    for (known, label) in [
        ("GET", "GET"),
        ("HEAD", "HEAD"),
        ("POST", "POST"),
        ("PUT", "PUT"),
        ("DELETE", "DELETE"),
        ("CONNECT", "CONNECT"),
        ("OPTIONS", "OPTIONS"),
        ("TRACE", "TRACE"),
        ("PATCH", "PATCH"),
        ("QUERY", "QUERY"),
        ("get", "_OTHER"),
        ("PROPFIND", "_OTHER"),
        ("_OTHER", "_OTHER"),
    ] {
        let known = Method::from_bytes(known.as_bytes()).unwrap();
        assert_eq!(METHOD.values[method(&known)], label);
    }
}
