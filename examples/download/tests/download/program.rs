//! The program, run with arguments.

use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::directory::Directory;

/// Far longer than anything here takes: a program that hangs fails its test.
const LIMIT: Duration = Duration::from_secs(60);

/// What a run of the example `download` came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            status: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Asserts the exit status, and what standard error says among other things.
    pub(crate) fn ends(&self, status: i32, told: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.stderr.contains(told), "{told}: {self:?}");
    }

    /// How many lines of standard error have this in them.
    pub(crate) fn times(&self, told: &str) -> usize {
        let lines = self.stderr.lines();
        lines.filter(|line| line.contains(told)).count()
    }
}

/// With waits that are too short to be noticed.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_download"));
    command.args(["--base", "1ms"]);
    prepared(command)
}

pub(crate) fn prepared(mut command: Command) -> Command {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(LIMIT, future).await.expect("it does not hang")
}

pub(crate) async fn run(arguments: &[&str]) -> Run {
    let output = soon(program().args(arguments).output()).await;
    Run::of(output.unwrap())
}

/// Downloads to `file` in a directory.
pub(crate) async fn download(url: &str, directory: &Directory, options: &[&str]) -> Run {
    let file = directory.path("file");
    let place = [url, file.to_str().unwrap()];
    run(&[options, &place].concat()).await
}
