//! Files that arrive whole, whatever happens on the way.

use std::fs;
use std::ops::RangeInclusive;

use tokio::io::AsyncWriteExt;

use crate::content::Content;
use crate::cutting_proxy::CuttingProxy;
use crate::directory::Directory;
use crate::listener::Listener;
use crate::program::{Run, download};
use crate::scripted_server::{ScriptedServer, answer, last_six, read_head, ten_bytes};
use crate::server::Server;

const MIB: u64 = 1024 * 1024;

struct Cut {
    run: Run,
    requests: u32,
    cuts: u32,
    crossed: u64,
}

/// Downloads so many bytes through a proxy that cuts connections.
async fn through_cuts(bytes: u64, cuts: RangeInclusive<u64>, directory: &Directory) -> Cut {
    let server = Server::start(Content::new(7, bytes)).await.unwrap();
    let proxy = CuttingProxy::start(server.address(), cuts, 7)
        .await
        .unwrap();
    let run = download(&format!("http://{}/", proxy.address()), directory, &[]).await;
    Cut {
        run,
        requests: server.requests(),
        cuts: proxy.cuts(),
        crossed: proxy.crossed(),
    }
}

fn whole(bytes: u64) -> Vec<u8> {
    let content = Content::new(7, bytes);
    let pieces: Vec<_> = content.part(0..content.length()).collect();
    pieces.concat()
}

#[tokio::test]
async fn a_file_is_whole_after_many_cuts() {
    let directory = Directory::new("many_cuts");
    let bytes = 3 * MIB + 1;
    let Cut {
        run,
        requests,
        cuts,
        ..
    } = through_cuts(bytes, 100_000..=300_000, &directory).await;
    run.ends(0, &format!("download: {bytes} bytes in "));
    run.ends(0, &format!("; resumptions: {cuts}, retries: 0\n"));
    directory.has_only(&whole(bytes));
    assert!(cuts >= 10);
    assert_eq!(requests, cuts + 1);
    assert_eq!(run.times(" s  resumption "), cuts as usize);
    assert_eq!(run.stdout, "");
}

#[tokio::test]
async fn at_most_a_thousandth_is_read_twice() {
    let directory = Directory::new("a_thousandth");
    let bytes = 64 * MIB;
    let cut = through_cuts(bytes, MIB..=8 * MIB, &directory).await;
    cut.run.ends(0, "download: 67108864 bytes in ");
    directory.has_only(&whole(bytes));
    assert!(cut.cuts >= 8);
    assert!(cut.crossed - bytes <= bytes / 1000, "{}", cut.crossed);
    fs::remove_file(directory.path("file")).unwrap();
}

#[tokio::test]
async fn each_resumption_is_told_with_its_reason() {
    let directory = Directory::new("told");
    let server = ScriptedServer::start([ten_bytes("0123"), last_six("etag: \"v1\"")]).await;
    let run = download(&server.url, &directory, &[]).await;
    run.ends(0, " s  resumption 1, at once: error reading a body");
    run.ends(0, "; 4 of 10 bytes are there\n");
    run.ends(0, "; resumptions: 1, retries: 0\n");
    directory.has_only(b"0123456789");
    let asked = &server.seen()[1];
    assert!(asked.contains("range: bytes=4-9\r\n"), "{asked}");
    assert!(asked.contains("if-match: \"v1\"\r\n"), "{asked}");
}

#[tokio::test]
async fn a_connection_that_is_reset_is_resumed() {
    let directory = Directory::new("reset");
    let mut answers = [last_six("etag: \"v1\""), ten_bytes("0123")].to_vec();
    let listener = Listener::start(move |mut connection| {
        let answer = answers.pop().unwrap_or_default();
        async move {
            read_head(&mut connection).await;
            connection.write_all(&answer).await.unwrap();
            if answer.ends_with(b"0123") {
                connection.set_zero_linger().unwrap();
            }
        }
    });
    let listener = listener.await.unwrap();
    let url = format!("http://{}/", listener.address());
    download(&url, &directory, &[]).await.ends(0, "");
    directory.has_only(b"0123456789");
}

#[tokio::test]
async fn a_body_that_stalls_is_resumed() {
    let directory = Directory::new("stalls");
    let mut answers = [last_six("etag: \"v1\""), ten_bytes("0123")].to_vec();
    let listener = Listener::start(move |mut connection| {
        let answer = answers.pop().unwrap_or_default();
        async move {
            read_head(&mut connection).await;
            connection.write_all(&answer).await.unwrap();
            // Until the client closes the connection.
            read_head(&mut connection).await;
        }
    });
    let listener = listener.await.unwrap();
    let url = format!("http://{}/", listener.address());
    let run = download(&url, &directory, &["--idle-timeout", "2s"]).await;
    run.ends(
        0,
        "resumption 1, at once: no data arrived within the idle time-out; 4 of 10 bytes are there\n",
    );
}

#[tokio::test]
async fn a_response_that_fails_is_retried_within_a_resumption_too() {
    let directory = Directory::new("retried");
    let unavailable = answer("503 Service Unavailable", &["content-length: 0"], "");
    let server = ScriptedServer::start([
        unavailable.clone(),
        ten_bytes("0123"),
        unavailable,
        last_six("etag: \"v1\""),
    ])
    .await;
    let run = download(&server.url, &directory, &[]).await;
    run.ends(0, "; resumptions: 1, retries: 2\n");
    assert_eq!(run.times("(back-off): 503 Service Unavailable"), 2);
    directory.has_only(b"0123456789");
}

#[tokio::test]
async fn a_server_that_ignores_ranges_is_read_again() {
    let directory = Directory::new("ignores_ranges");
    let server = ScriptedServer::start([ten_bytes("0123"), ten_bytes("0123456789")]).await;
    let run = download(&server.url, &directory, &[]).await;
    run.ends(0, "; resumptions: 1, retries: 0\n");
    directory.has_only(b"0123456789");
}

#[tokio::test]
async fn without_a_validator_what_was_downloaded_can_be_compared() {
    let without = |beginning: &str| answer("200 OK", &["content-length: 10"], beginning);
    for option in ["--verify-prefix", "--verify-prefix=4"] {
        let directory = Directory::new("compared");
        let server = ScriptedServer::start([without("0123"), without("0123456789")]).await;
        let run = download(&server.url, &directory, &[option]).await;
        run.ends(0, "; resumptions: 1, retries: 0\n");
        directory.has_only(b"0123456789");
    }
}

#[tokio::test]
async fn a_file_that_exists_is_replaced() {
    let directory = Directory::with_old_file("replaced");
    let server = ScriptedServer::start([ten_bytes("0123456789")]).await;
    let run = download(&server.url, &directory, &["--quiet"]).await;
    assert_eq!((run.status, &*run.stderr, &*run.stdout), (0, "", ""));
    directory.has_only(b"0123456789");
}

#[tokio::test]
async fn nothing_but_the_file_is_replaced() {
    let directory = Directory::new("partial_of_others");
    for name in ["file.part", "file.1.part"] {
        fs::write(directory.path(name), "another's").unwrap();
    }
    let server = ScriptedServer::start([ten_bytes("0123456789")]).await;
    download(&server.url, &directory, &[]).await.ends(0, "");
    assert_eq!(directory.names(), ["file", "file.1.part", "file.part"]);
    for name in ["file.part", "file.1.part"] {
        assert_eq!(fs::read(directory.path(name)).unwrap(), b"another's");
    }
}
