//! Readers that go away, and disks that are full.

use std::process::Stdio;

use tokio::io::AsyncReadExt;

use crate::program::{MIB, Run, program};
use crate::server::Server;

#[tokio::test]
async fn a_reader_that_goes_away_is_no_panic() {
    // Far more than the pipes between hold.
    let server = Server::start(|_| vec![b'x'; 8 * MIB]).await;
    let mut child = program()
        .arg(&server.url)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    assert_eq!(stdout.read_u8().await.unwrap(), b'x');
    drop(stdout);
    let run = Run::of(child.wait_with_output().await.unwrap());
    assert_eq!(run.status, 0);
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
}

#[tokio::test]
async fn a_reader_of_json_that_goes_away_ends_the_requests() {
    let server = Server::failing(0).await;
    let mut child = program()
        .args(["--json", "--count", "1000000", &server.url])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    assert_eq!(stdout.read_u8().await.unwrap(), b'{');
    drop(stdout);
    let run = Run::of(child.wait_with_output().await.unwrap());
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    assert!(server.seen().len() < 1_000_000);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_an_error() {
    let server = Server::failing(0).await;
    for options in [&[][..], &["--json"], &["--json", "--count", "3"]] {
        let full = std::fs::File::create("/dev/full").unwrap();
        let mut command = program();
        command.args(options).arg(&server.url);
        let child = command.stdout(full).stderr(Stdio::piped()).spawn();
        let run = Run::of(child.unwrap().wait_with_output().await.unwrap());
        assert_eq!(run.status, 7, "{options:?}");
        let told = "error: cannot write to standard output: ";
        assert!(run.stderr.contains(told), "{}", run.stderr);
    }
}
