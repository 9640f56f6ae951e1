//! Mistakes that users make, each a small program, for which the compiler names what is missing.
//!
//! A case's `.stderr` has a line for each thing that the compiler has to say: a sentence of this
//! crate, a type or a bound. The rest of what it says differs from one version of Rust to the next.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const CRATE: &str = env!("CARGO_MANIFEST_DIR");

/// Set where the cases are compiled.
const COMPILES: &str = "GALLERY_COMPILES";

/// A user's package. With all that these tests depend on, it would take minutes to build.
const MANIFEST: &str = "
[workspace]

[package]
name = 'gallery'
edition = '2024'

[dependencies]
bytes = '1'
http = '1'
http-body = '1'
http-body-util = '0.1'
tower = { version = '0.5', features = ['util'] }
";

#[test]
fn the_compiler_names_what_is_missing() {
    if env::var_os(COMPILES).is_some() {
        return trybuild::TestCases::new().compile_fail("src/bin/*.rs");
    }
    let cases = Path::new(CRATE).join("tests/gallery/cases");
    let package = package(&cases);
    compile(&package);
    let mut unnamed = String::new();
    for case in of_kind(&cases, "stderr") {
        let name = case.file_name().unwrap();
        let said = fs::read_to_string(package.join("src/bin").join(name)).unwrap();
        for line in fs::read_to_string(&case).unwrap().lines() {
            if !said.contains(line) {
                unnamed += &format!("\n{}: {line}\nis not in:\n{said}", case.display());
            }
        }
    }
    assert!(unnamed.is_empty(), "{unnamed}");
}

/// Has trybuild write down what the compiler says of each case, in a process of its own: it is told
/// by the environment where the package is, and to compare nothing.
fn compile(package: &Path) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let output = Command::new(env::current_exe().unwrap())
        .arg("--nocapture")
        .current_dir(package)
        .env("CARGO_MANIFEST_DIR", package)
        .env("CARGO_TARGET_DIR", target)
        .env("TRYBUILD", "overwrite")
        .env(COMPILES, "")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stdout}{stderr}");
}

/// The package of all cases, with the versions that this crate is tested with.
fn package(cases: &Path) -> PathBuf {
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gallery");
    let programs = package.join("src/bin");
    let _ = fs::remove_dir_all(&programs);
    fs::create_dir_all(&programs).unwrap();
    let dependency =
        format!("tower-http-retry = {{ path = '{CRATE}', default-features = false }}\n");
    fs::write(
        package.join("Cargo.toml"),
        MANIFEST.to_owned() + &dependency,
    )
    .unwrap();
    fs::copy(
        Path::new(CRATE).join("Cargo.lock"),
        package.join("Cargo.lock"),
    )
    .unwrap();
    for case in of_kind(cases, "rs") {
        // Each has to say what it expects.
        assert!(case.with_extension("stderr").exists(), "{}", case.display());
        fs::copy(&case, programs.join(case.file_name().unwrap())).unwrap();
    }
    package
}

fn of_kind(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension() == Some(OsStr::new(extension)))
        .collect()
}
