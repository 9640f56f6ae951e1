//! The example, run as its users run it.

use std::process::Command;

/// Times aside, it prints the same each time.
#[test]
fn the_management_client_shows_what_a_lost_answer_does_and_that_verifying_prevents_it() {
    let run = Command::new(env!("CARGO_BIN_EXE_management-client"))
        .output()
        .unwrap();
    let text = String::from_utf8(run.stdout).unwrap();
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{errors}");
    let (without, with) = text.split_once("\nWith VerifyLayer:\n").unwrap();
    let without = without.strip_prefix("Without VerifyLayer:\n").unwrap();
    assert_eq!(without_times(without), WITHOUT_VERIFICATION);
    assert_eq!(without_times(with), WITH_VERIFICATION);
}

const WITHOUT_VERIFICATION: [&str; 27] = [
    r#"PUT /relying-parties/by-name/legacy {"name":"legacy"}"#,
    "PUT /relying-parties/by-name/legacy done, 201 Created",
    r#"the caller gets 201 Created {"id":1,"name":"legacy"}"#,
    r#"POST /relying-parties {"name":"payroll"}"#,
    "POST /relying-parties done, connection killed",
    "POST /relying-parties not done, 409 Conflict",
    r#"the caller gets 409 Conflict {"error":"the name is taken"}"#,
    r#"POST /rules {"name":"allow-finance"}"#,
    "POST /rules done, connection killed",
    "POST /rules done, 201 Created",
    r#"the caller gets 201 Created {"id":2,"name":"allow-finance"}"#,
    r#"PUT /relying-parties/by-name/billing {"name":"billing"}"#,
    "PUT /relying-parties/by-name/billing done, 500 Internal Server Error",
    "PUT /relying-parties/by-name/billing not done, 409 Conflict",
    r#"the caller gets 409 Conflict {"error":"the name is taken"}"#,
    r#"POST /rules {"name":"deny-guests"}"#,
    "POST /rules not done, 503 Service Unavailable",
    "POST /rules done, 201 Created",
    r#"the caller gets 201 Created {"id":3,"name":"deny-guests"}"#,
    "DELETE /relying-parties/by-name/legacy",
    "DELETE /relying-parties/by-name/legacy not done, 503 Service Unavailable",
    "DELETE /relying-parties/by-name/legacy done, connection killed",
    "DELETE /relying-parties/by-name/legacy not done, 404 Not Found",
    r#"the caller gets 404 Not Found {"error":"there is no such item"}"#,
    "The caller is told that 3 of 6 failed.",
    "The service has 2 in /relying-parties: billing, payroll.",
    "The service has 3 in /rules: allow-finance, allow-finance, deny-guests.",
];

const WITH_VERIFICATION: [&str; 29] = [
    r#"PUT /relying-parties/by-name/legacy {"name":"legacy"}"#,
    "PUT /relying-parties/by-name/legacy done, 201 Created",
    r#"the caller gets 201 Created {"id":1,"name":"legacy"}"#,
    r#"POST /relying-parties {"name":"payroll"}"#,
    "POST /relying-parties done, connection killed",
    "GET /relying-parties/by-name/payroll 200 OK",
    r#"the caller gets 201 Created, Verified::Created {"id":2,"name":"payroll"}"#,
    r#"POST /rules {"name":"allow-finance"}"#,
    "POST /rules done, connection killed",
    "GET /rules/by-name/allow-finance 200 OK",
    r#"the caller gets 201 Created, Verified::Created [{"id":1,"name":"allow-finance"}]"#,
    r#"PUT /relying-parties/by-name/billing {"name":"billing"}"#,
    "PUT /relying-parties/by-name/billing done, 500 Internal Server Error",
    "GET /relying-parties/by-name/billing 200 OK",
    r#"the caller gets 201 Created, Verified::Created {"id":3,"name":"billing"}"#,
    r#"POST /rules {"name":"deny-guests"}"#,
    "POST /rules not done, 503 Service Unavailable",
    "GET /rules/by-name/deny-guests 404 Not Found",
    "POST /rules done, 201 Created",
    r#"the caller gets 201 Created {"id":2,"name":"deny-guests"}"#,
    "DELETE /relying-parties/by-name/legacy",
    "DELETE /relying-parties/by-name/legacy not done, 503 Service Unavailable",
    "GET /relying-parties/by-name/legacy 200 OK",
    "DELETE /relying-parties/by-name/legacy done, connection killed",
    "GET /relying-parties/by-name/legacy 404 Not Found",
    "the caller gets 204 No Content, Verified::Deleted",
    "The caller is told that 0 of 6 failed.",
    "The service has 2 in /relying-parties: billing, payroll.",
    "The service has 2 in /rules: allow-finance, deny-guests.",
];

/// The lines of a timeline, without the service's clock and the padding of columns.
fn without_times(timeline: &str) -> Vec<String> {
    let lines = timeline.lines().filter(|line| !line.is_empty());
    let told = lines.map(|line| line.split_once(" s  ").map_or(line, |(_, told)| told));
    told.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}
