//! The example, run as its users run it.

use std::process::Command;

/// Times aside, it prints the same each time.
#[test]
fn the_grpc_client_comes_back_when_the_server_and_the_deadline_allow_it() {
    let run = Command::new(env!("CARGO_BIN_EXE_grpc-client"))
        .output()
        .unwrap();
    let text = String::from_utf8(run.stdout).unwrap();
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{text}{errors}");
    let is_time = |word: &str| {
        let decimals = word.split_once('.').map_or("", |(_, decimals)| decimals);
        decimals.len() == 3 && decimals.bytes().all(|byte| byte.is_ascii_digit())
    };
    let without_times = |line: &str| {
        let words = line.split_whitespace();
        let words = words.map(|word| if is_time(word) { ".." } else { word });
        words.collect::<Vec<_>>().join(" ")
    };
    let lines = text.lines().map(without_times);
    let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    assert_eq!(lines, WITH_GRPC);
}

const WITH_GRPC: [&str; 33] = [
    "With RetryLayer::grpc:",
    "Unavailable twice:",
    "server .. s first attempt .. s left Unavailable",
    "layer waits .. s: back-off (9.0 tokens)",
    "server .. s grpc-previous-rpc-attempts: 1 .. s left Unavailable",
    "layer waits .. s: back-off (8.0 tokens)",
    "server .. s grpc-previous-rpc-attempts: 2 .. s left Ok",
    "layer stops: success (8.1 tokens)",
    r#"the caller gets "Hello, Ada!""#,
    "Asked to come back in 300 ms:",
    "server .. s first attempt .. s left Unavailable, pushback 300",
    "layer waits .. s: requested by the server (7.1 tokens)",
    "server .. s grpc-previous-rpc-attempts: 1 .. s left Ok",
    "layer stops: success (7.2 tokens)",
    r#"the caller gets "Hello, Grace!""#,
    "Asked not to come back:",
    "server .. s first attempt .. s left Unavailable, pushback -1",
    "layer stops: the server asks not to retry the request (6.2 tokens)",
    "the caller gets Unavailable: the greeter is restarting",
    "A call that is wrong:",
    "server .. s first attempt .. s left InvalidArgument",
    "layer stops: a retry would not help (6.2 tokens)",
    "the caller gets InvalidArgument: there is no name to greet",
    "A deadline of 2 s, too short for the next wait:",
    "server .. s first attempt .. s left Unavailable",
    "layer waits .. s: back-off (5.2 tokens)",
    "server .. s grpc-previous-rpc-attempts: 1 .. s left Unavailable, pushback 3000",
    "layer stops: the window ends before the next retry (4.2 tokens)",
    "the caller gets Unavailable: the greeter is restarting",
    "Unavailable once more, after all these failures:",
    "server .. s first attempt .. s left Unavailable",
    "layer stops: the budget does not cover a retry (3.2 tokens)",
    "the caller gets Unavailable: the greeter is restarting",
];
