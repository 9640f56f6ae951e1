use http::{Request, Response};

use super::*;

fn verdict(classify: ByGrpcStatus, status: u16, headers: &[(&str, &str)]) -> Verdict {
    let request = Request::post("/hello.Greeter/SayHello").body(()).unwrap();
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    let response = response.body(()).unwrap();
    classify.classify(&Outcome::response(&request, &response))
}

#[test]
fn only_a_code_that_is_configured_is_retried() {
    let retried = |classify: ByGrpcStatus| -> Vec<i32> {
        let is_retried = |code: &i32| {
            let status = [("grpc-status", &*code.to_string())];
            verdict(classify, 200, &status) == Class::Transient.repeatable().ignore_retry_after()
        };
        (0..=17).filter(is_retried).collect()
    };
    assert_eq!(retried(ByGrpcStatus::new()), [14]);
    assert_eq!(retried(ByGrpcStatus::new().also(10).also(4)), [4, 10, 14]);
    assert_eq!(retried(ByGrpcStatus::new().except(14)), [0; 0]);
    // `OK` and numbers that are not codes are ignored. A status that is not a code counts as UNKNOWN.
    let odd = ByGrpcStatus::new().also(0).also(17).also(-1).also(99);
    assert_eq!(odd, ByGrpcStatus::new());
    assert_eq!(retried(ByGrpcStatus::new().also(2)), [2, 14, 17]);
}

#[test]
fn what_a_head_says() {
    let success = Verdict::from(Class::Success);
    let permanent = Verdict::from(Class::Permanent);
    let retried = Class::Transient.repeatable();
    #[rustfmt::skip]
    let cases: [(u16, Option<&str>, Verdict); 20] = [
        (200, Some("0"), success),
        (200, Some("14"), retried.ignore_retry_after()),
        (200, Some("13"), permanent.ignore_retry_after()),
        (200, Some("soon"), permanent.ignore_retry_after()),
        (200, Some(""), permanent.ignore_retry_after()),
        // Malformed numbers, as other implementations treat them.
        (200, Some("+14"), permanent.ignore_retry_after()),
        (200, Some("014"), permanent.ignore_retry_after()),
        (200, Some("00"), permanent.ignore_retry_after()),
        (200, Some("-0"), permanent.ignore_retry_after()),
        // The gRPC status takes precedence over the HTTP status.
        (503, Some("0"), success),
        (503, Some("13"), permanent.ignore_retry_after()),
        // Without a gRPC status, the call is committed, or the response is not gRPC.
        (200, None, success),
        (503, None, retried),
        (502, None, retried),
        (504, None, retried),
        (429, None, retried),
        (500, None, permanent),
        (400, None, permanent),
        (401, None, permanent),
        (404, None, permanent),
    ];
    for (status, code, expected) in cases {
        let headers = code.map(|code| ("grpc-status", code));
        let said = verdict(ByGrpcStatus::new(), status, headers.as_slice());
        assert_eq!(said, expected, "{status} {code:?}");
    }
}

#[test]
fn what_an_http_status_stands_for() {
    #[rustfmt::skip]
    let cases = [
        (200, None), (400, Some(13)), (401, Some(16)), (403, Some(7)), (404, Some(12)),
        (429, Some(14)), (502, Some(14)), (503, Some(14)), (504, Some(14)),
        (100, Some(2)), (204, Some(2)), (302, Some(2)), (418, Some(2)), (500, Some(2)),
    ];
    for (status, code) in cases {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(Code::of_http(status).map(Code::number), code, "{status}");
    }
}

#[test]
fn what_a_reset_stands_for() {
    use h2::Reason;
    #[rustfmt::skip]
    let cases = [
        (Reason::NO_ERROR, 13), (Reason::PROTOCOL_ERROR, 13), (Reason::INTERNAL_ERROR, 13),
        (Reason::FLOW_CONTROL_ERROR, 13), (Reason::SETTINGS_TIMEOUT, 13), (Reason::STREAM_CLOSED, 2),
        (Reason::FRAME_SIZE_ERROR, 13), (Reason::REFUSED_STREAM, 14), (Reason::CANCEL, 1),
        (Reason::COMPRESSION_ERROR, 13), (Reason::CONNECT_ERROR, 13),
        (Reason::ENHANCE_YOUR_CALM, 8), (Reason::INADEQUATE_SECURITY, 7),
        (Reason::HTTP_1_1_REQUIRED, 2),
    ];
    for (reason, code) in cases {
        assert_eq!(Code::of_reset(reason).number(), code, "{reason:?}");
    }
}

#[test]
fn every_form_of_a_pushback() {
    let retried = Class::Transient.repeatable();
    let exactly = |millis| retried.retry_after_exactly(Duration::from_millis(millis));
    #[rustfmt::skip]
    let cases = [
        ("0", exactly(0)),
        ("1", exactly(1)),
        ("1000", exactly(1_000)),
        ("2147483647", exactly(2_147_483_647)),
        ("2147483648", retried.no_retry()),
        ("-1", retried.no_retry()),
        ("-0", retried.no_retry()),
        ("+1", retried.no_retry()),
        ("01", retried.no_retry()),
        ("00", retried.no_retry()),
        ("abc", retried.no_retry()),
        ("1.5", retried.no_retry()),
        ("1 ", retried.no_retry()),
        ("", retried.no_retry()),
    ];
    for (pushback, expected) in cases {
        let headers = [("grpc-status", "14"), ("grpc-retry-pushback-ms", pushback)];
        assert_eq!(
            verdict(ByGrpcStatus::new(), 200, &headers),
            expected,
            "{pushback:?}"
        );
    }
    let twice = [
        ("grpc-status", "14"),
        ("grpc-retry-pushback-ms", "1"),
        ("grpc-retry-pushback-ms", "1"),
    ];
    assert_eq!(
        verdict(ByGrpcStatus::new(), 200, &twice),
        retried.no_retry()
    );
}

#[test]
fn a_pushback_makes_no_other_code_retryable_but_a_no_is_heard_with_any() {
    let said = |code, pushback| {
        let headers = [("grpc-status", code), ("grpc-retry-pushback-ms", pushback)];
        verdict(ByGrpcStatus::new(), 200, &headers)
    };
    assert_eq!(said("13", "0").class(), Class::Permanent);
    assert_eq!(said("13", "-1"), Class::Transient.repeatable().no_retry());
    assert_eq!(said("0", "-1"), Class::Success.into());
}

#[test]
fn what_an_error_stands_for() {
    use std::io::{Error, ErrorKind};
    let request = Request::post("/").body(()).unwrap();
    let said = |classify: ByGrpcStatus, kind: ErrorKind| {
        let error = Error::from(kind);
        classify.classify(&Outcome::error(&request, &error))
    };
    let permanent = Verdict::from(Class::Permanent);
    #[rustfmt::skip]
    let cases = [
        (ByGrpcStatus::new(), ErrorKind::ConnectionRefused, Class::Refused.repeatable()),
        (ByGrpcStatus::new(), ErrorKind::ConnectionReset, Class::Transient.repeatable()),
        (ByGrpcStatus::new(), ErrorKind::TimedOut, Class::Transient.repeatable().timed_out()),
        (ByGrpcStatus::new(), ErrorKind::InvalidData, permanent),
        (ByGrpcStatus::none(), ErrorKind::ConnectionRefused, permanent),
        (ByGrpcStatus::none(), ErrorKind::ConnectionReset, permanent),
        (ByGrpcStatus::none().also(4), ErrorKind::TimedOut, permanent),
    ];
    for (classify, kind, expected) in cases {
        assert_eq!(said(classify, kind), expected, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_time_out_of_the_call_is_deadline_exceeded() {
    let request = Request::post("/").body(()).unwrap();
    let pending = std::future::pending::<()>();
    let tokio = tokio::time::timeout(Duration::from_secs(1), pending).await;
    let errors: &[&(dyn Error + 'static)] = &[
        &tokio.unwrap_err(),
        #[cfg(feature = "tower")]
        &tower::timeout::error::Elapsed::new(),
    ];
    for error in errors {
        let outcome = || Outcome::error(&request, *error);
        let retried = ByGrpcStatus::none().also(4).classify(&outcome());
        assert_eq!(retried, Class::Transient.repeatable().timed_out());
        assert_eq!(
            ByGrpcStatus::new().classify(&outcome()),
            Class::Permanent.into()
        );
    }
}
