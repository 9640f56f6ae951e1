use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use crate::valgrind;

/// The packages whose versions are shown.
const PACKAGES: [&str; 10] = [
    "tower",
    "tower-resilience-retry",
    "backon",
    "reqwest-retry",
    "reqwest-middleware",
    "reqwest",
    "hyper",
    "hyper-util",
    "http",
    "tokio",
];

/// Returns the line below the table, with the machine and the versions.
pub fn describe() -> String {
    let rustc = Command::new("rustc").arg("--version").output().ok();
    let rustc = rustc.and_then(|output| String::from_utf8(output.stdout).ok());
    let rustc = rustc.map_or("rustc, unknown".to_owned(), |text| text.trim().to_owned());
    let valgrind = valgrind::version().map_or("no valgrind".to_owned(), |version| {
        format!("valgrind {version}")
    });
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    let lock = fs::read_to_string(lock).unwrap_or_default();
    let packages = PACKAGES.map(|name| {
        let version = version(&lock, name).unwrap_or("unknown");
        format!("{name} {version}")
    });
    let (model, processors) = processor();
    format!(
        "{model}, {processors} processors. {rustc}, {valgrind}. {}.",
        packages.join(", ")
    )
}

fn processor() -> (String, usize) {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    let model = line.and_then(|line| line.split_once(": "));
    let model = model.map_or("A processor of unknown model", |(_, model)| model);
    let processors = thread::available_parallelism().map_or(1, usize::from);
    (model.to_owned(), processors)
}

/// Returns the first version of a package in a lock file.
fn version<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    after.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_in_a_lock_file() {
        let lock = "[[package]]\nname = \"tower-http\"\nversion = \"0.7.1\"\n\n\
            [[package]]\nname = \"tower\"\nversion = \"0.5.3\"\nsource = \"registry\"\n";
        assert_eq!(version(lock, "tower"), Some("0.5.3"));
        assert_eq!(version(lock, "http"), None);
    }
}
