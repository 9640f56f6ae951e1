//! Ctrl-C.

#![cfg(unix)]

use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use crate::directory::Directory;
use crate::listener::Listener;
use crate::program::{Run, program, soon};
use crate::scripted_server::{read_head, ten_bytes};

#[tokio::test]
async fn ctrl_c_leaves_nothing_behind() {
    let (sender, mut under_way) = mpsc::channel(1);
    let listener = Listener::start(move |mut connection| {
        let sender = sender.clone();
        async move {
            read_head(&mut connection).await;
            connection.write_all(&ten_bytes("0123")).await.unwrap();
            sender.send(()).await.unwrap();
            // Until the client closes the connection.
            read_head(&mut connection).await;
        }
    });
    let listener = listener.await.unwrap();
    let directory = Directory::with_old_file("interrupted");
    let mut command = program();
    command.arg(format!("http://{}/", listener.address()));
    let child = command.arg(directory.path("file")).spawn().unwrap();
    soon(under_way.recv()).await.unwrap();
    assert_eq!(directory.names(), ["file", "file.part"]);

    let id = child.id().unwrap().to_string();
    let mut kill = std::process::Command::new("kill");
    assert!(kill.args(["-INT", &id]).status().unwrap().success());
    let run = Run::of(soon(child.wait_with_output()).await.unwrap());
    assert_eq!((run.status, &*run.stderr), (130, ""));
    directory.has_only_the_old_file();
}
