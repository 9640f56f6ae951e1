//! The inputs that fuzzers found worth keeping, once more. `fuzz/` finds more of them.

mod call;
mod commit;
mod hedging_policy;
mod input;
mod outcomes;
mod rate_limit;
mod replay_body;
mod response_head;
mod resume;
mod service_config;
mod service_policy;

use std::fs;
use std::path::Path;

use crate::support::{body, download, origin};

#[test]
fn any_response_head_is_a_class_and_a_wait() {
    each("response_head", response_head::fuzz);
}

#[test]
fn any_rate_limit_headers_ask_for_a_wait_or_none() {
    each("rate_limit", rate_limit::fuzz);
}

#[test]
fn any_json_is_a_service_config_or_an_error_that_names_a_field() {
    each("service_config", service_config::fuzz);
}

#[test]
fn attempts_bodies_may_be_polled_and_dropped_in_any_order() {
    each("replay_body", replay_body::fuzz);
}

#[test]
fn any_outcomes_are_decided_on_by_the_rules() {
    each("outcomes", outcomes::fuzz);
}

#[test]
fn any_server_lets_a_download_be_whole_or_end_with_an_error() {
    each("resume", resume::fuzz);
}

#[test]
fn any_answer_under_a_commit_layer_is_the_callers_as_it_came_or_broken() {
    each("commit", commit::fuzz);
}

/// Runs each input that is kept: a line of hexadecimal digits.
fn each(corpus: &str, fuzz: impl Fn(&[u8])) {
    let file = format!("tests/fuzz/corpus/{corpus}.hex");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&file);
    let lines = fs::read_to_string(path).expect("a corpus");
    assert!(lines.lines().count() > 10, "{file} is short");
    for (number, line) in (1..).zip(lines.lines()) {
        // Seen if it fails.
        println!("{file}:{number}");
        fuzz(&bytes(line));
    }
}

fn bytes(line: &str) -> Vec<u8> {
    let pairs = line.as_bytes().chunks(2);
    let byte =
        |pair| u8::from_str_radix(std::str::from_utf8(pair).expect("text"), 16).expect("digits");
    pairs.map(byte).collect()
}
