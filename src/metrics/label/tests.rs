use super::*;

#[test]
fn each_reason_has_its_place() {
    for reason in [
        WaitReason::Backoff,
        WaitReason::TimedOut,
        WaitReason::Server,
        WaitReason::AtOnce,
        WaitReason::Transparent,
        WaitReason::Cooldown,
    ] {
        assert_eq!(RETRY.values[RETRY.place(reason.as_str())], reason.as_str());
    }
    assert_eq!(RETRY.len(), WaitReason::Cooldown as usize + 1);
    for stop in [
        StopReason::Success,
        StopReason::Permanent,
        StopReason::Attempts,
        StopReason::NotReplayable,
        StopReason::NotIdempotent,
        StopReason::ServerSaidNo,
        StopReason::RetryAfterTooLong,
        StopReason::Window,
        StopReason::Budget,
        StopReason::SwitchedOff,
        StopReason::NotReady,
        StopReason::CoolingDown,
    ] {
        assert_eq!(STOP.values[STOP.place(stop.as_str())], stop.as_str());
    }
    assert_eq!(STOP.len(), StopReason::CoolingDown as usize + 1);
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
