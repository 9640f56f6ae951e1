//! The program, run with arguments.

use std::path::PathBuf;
use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::process::Command;

/// Exact waits that are too short to be noticed.
pub(crate) const QUICK: [&str; 4] = ["--jitter", "none", "--base", "1ms"];

pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_request"));
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// What a run of the example `request` came to.
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            status: output.status.code().unwrap(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    pub(crate) fn json(&self) -> Vec<Value> {
        let lines = self.text().lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

pub(crate) async fn request(arguments: &[&str]) -> Run {
    let output = program().args(arguments).output().await;
    Run::of(output.unwrap())
}

/// With [`QUICK`] waits.
pub(crate) async fn quick_request(arguments: &[&str]) -> Run {
    request(&[&QUICK, arguments].concat()).await
}

pub(crate) const MIB: usize = 1024 * 1024;

/// Bytes of all values, in no simple order.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * i / 251) as u8).collect()
}

/// A file of a test's own.
pub(crate) fn file(name: &str, content: &[u8]) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).unwrap();
    path
}
