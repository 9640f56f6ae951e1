//! The public API is the committed one: what changes it shows in a diff.
//!
//! A binary of its own: it needs nothing of the crate but its sources, and nightly Rust.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use public_api::Builder;

/// The toolchain whose rustdoc writes JSON, which is not stable: this is what `public-api` reads.
const TOOLCHAIN: &str = "+nightly";
const FORMAT: &str = "\"format_version\":57";

#[test]
#[ignore = "needs nightly Rust"]
fn the_public_api_is_the_committed_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = root.join("target");
    let mut rustdoc = Command::new("cargo");
    rustdoc.args([
        TOOLCHAIN,
        "rustdoc",
        "--lib",
        "--all-features",
        "--target-dir",
    ]);
    rustdoc
        .arg(&target)
        .args(["--", "-Zunstable-options", "--output-format=json"]);
    // Not those of the toolchain that runs this test.
    rustdoc
        .env_remove("CARGO")
        .env_remove("RUSTC")
        .env_remove("RUSTDOC")
        .env_remove("RUSTUP_TOOLCHAIN");
    let status = rustdoc.current_dir(root).status().expect("cargo");
    assert!(status.success(), "rustdoc: {status}");

    let json = target.join("doc/tower_http_retry.json");
    if !fs::read_to_string(&json).expect("JSON").contains(FORMAT) {
        println!("not compared: this nightly does not write JSON with {FORMAT}");
        return;
    }
    let api = Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .build();
    let api = api.expect("an API").to_string();
    let committed = root.join("tests/public_api.txt");
    if env::var_os("UPDATE_PUBLIC_API").is_some() {
        fs::write(&committed, &api).expect("a file");
    }
    let committed = fs::read_to_string(committed).expect("a file");
    let only = |these: &str, those: &str| -> Vec<String> {
        let only = these
            .lines()
            .filter(|line| !those.lines().any(|other| other == *line));
        only.map(str::to_owned).collect()
    };
    assert!(
        api == committed,
        "new: {:#?}\ngone: {:#?}\nif this is meant: UPDATE_PUBLIC_API=1",
        only(&api, &committed),
        only(&committed, &api)
    );
}
