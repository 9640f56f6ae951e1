//! Files that cannot be written.

use tokio::process::Command;

use crate::directory::Directory;
use crate::program::{Run, download, prepared, run, soon};
use crate::scripted_server::{ScriptedServer, answer, ten_bytes};

#[tokio::test]
async fn a_place_that_is_none_is_named_before_anything_is_asked_for() {
    let directory = Directory::new("no_place");
    let server = ScriptedServer::start([ten_bytes("0123456789")]).await;
    for (file, why) in [
        (directory.path("none/file"), "No such file or directory"),
        (directory.path("."), "it exists, and is not a regular file"),
        (directory.path(".."), "it has no name"),
    ] {
        let file = file.to_str().unwrap();
        let run = run(&[&server.url, file]).await;
        run.ends(23, &format!("download: cannot write {file}: {why}"));
    }
    assert_eq!(server.seen().len(), 0);
    assert!(directory.is_empty());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_device_is_not_replaced() {
    let server = ScriptedServer::start([ten_bytes("0123456789")]).await;
    let run = run(&[&server.url, "/dev/null"]).await;
    run.ends(
        23,
        "cannot write /dev/null: it exists, and is not a regular file\n",
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_is_not_replaced() {
    let directory = Directory::new("link");
    std::fs::write(directory.path("other"), "old").unwrap();
    std::os::unix::fs::symlink(directory.path("other"), directory.path("file")).unwrap();
    let server = ScriptedServer::start([ten_bytes("0123456789")]).await;
    let run = download(&server.url, &directory, &[]).await;
    run.ends(23, "it exists, and is not a regular file\n");
    assert_eq!(directory.names(), ["file", "other"]);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_disk_that_is_full_is_named_and_nothing_is_left() {
    let directory = Directory::with_old_file("full");
    // A limit of the shell's for the size of files stands for the disk.
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"";
    let body = vec![b'x'; 200_000];
    let server = ScriptedServer::start([answer("200 OK", &["content-length: 200000"], body)]).await;
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_download"), &server.url]);
    command.arg(directory.path("file"));
    let run = Run::of(soon(prepared(command).output()).await.unwrap());
    let partial = directory.path("file.part");
    let told = format!(
        "download: cannot write {}: File too large",
        partial.display()
    );
    run.ends(23, &told);
    directory.has_only_the_old_file();
}
