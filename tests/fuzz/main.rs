//! The inputs that fuzzers found worth keeping, once more. `fuzz/` finds more of them.

mod call;
mod outcomes;
mod replay_body;
mod response_head;
mod service_config;

use std::fs;
use std::path::Path;

#[test]
fn any_response_head_is_a_class_and_a_wait() {
    each("response_head", response_head::fuzz);
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

/// Runs each input that is kept.
fn each(corpus: &str, fuzz: impl Fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(corpus);
    let mut count = 0;
    for input in fs::read_dir(&corpus).expect("a corpus") {
        let path = input.expect("an input").path();
        // Seen if it fails.
        println!("{}", path.display());
        fuzz(&fs::read(&path).expect("bytes"));
        count += 1;
    }
    assert!(count > 10, "{count} inputs in {}", corpus.display());
}
