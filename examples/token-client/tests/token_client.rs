//! The example, run as its users run it.

use std::process::Command;

/// Takes some seconds: its waits are the guideline's.
#[test]
fn the_token_client_gets_its_token() {
    let run = Command::new(env!("CARGO_BIN_EXE_token-client"))
        .output()
        .unwrap();
    let text = String::from_utf8(run.stdout).unwrap();
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{errors}");
    for told in [
        "attempt 1  503 Service Unavailable",
        "attempt 2  429 Too Many Requests",
        "requested by the server",
        "attempt 3  504 Gateway Timeout",
        "one step up after a time-out",
        "attempt 4  200 OK",
        "the token, good for 3599 seconds: not-a-real-token",
        "attempt 1  400 Bad Request",
        "invalid_client",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
}
