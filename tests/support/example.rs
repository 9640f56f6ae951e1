//! The examples, as programs.

// Each test file is a crate of its own and uses what it needs.
#![allow(dead_code)]

use std::path::PathBuf;

/// An example beside this test: cargo puts the one into `examples`, the other into `deps`.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().unwrap().parent().unwrap();
    let program = profile.join("examples").join(name);
    let program = program.with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        program.exists(),
        "`cargo test` builds {program:?}, `cargo test --test ..` does not: \
         run `cargo build --examples` before it"
    );
    program
}
