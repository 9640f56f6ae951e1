//! Files that change while they are on their way: never a mixture of two versions.

use crate::directory::Directory;
use crate::program::download;
use crate::scripted_server::{ScriptedServer, answer, last_six, ten_bytes};

#[tokio::test]
async fn of_a_file_that_changes_there_is_nothing() {
    let rest = [
        answer("412 Precondition Failed", &["content-length: 0"], ""),
        last_six("etag: \"v2\""),
        answer(
            "200 OK",
            &["content-length: 10", "etag: \"v2\""],
            "abcdefghij",
        ),
    ];
    for rest in rest {
        let directory = Directory::new("changes");
        let server = ScriptedServer::start([ten_bytes("0123"), rest]).await;
        let run = download(&server.url, &directory, &[]).await;
        run.ends(
            18,
            "download: not whole: the response body ended after 4 of 10 bytes: \
             the representation has changed",
        );
        assert!(directory.is_empty());
        assert_eq!(server.seen().len(), 2);
    }
}

#[tokio::test]
async fn if_a_file_changes_the_old_one_stays() {
    let directory = Directory::with_old_file("old_one_stays");
    let server = ScriptedServer::start([ten_bytes("0123"), last_six("etag: \"v2\"")]).await;
    download(&server.url, &directory, &[]).await.ends(18, "");
    directory.has_only_the_old_file();
}

#[tokio::test]
async fn without_a_validator_a_change_is_found_by_comparison() {
    let without = |body: &str| answer("200 OK", &["content-length: 10"], body);
    let directory = Directory::with_old_file("found_by_comparison");
    let server = ScriptedServer::start([without("0123"), without("0x23456789")]).await;
    let run = download(&server.url, &directory, &["--verify-prefix"]).await;
    run.ends(
        18,
        "the representation has changed since the first response\n",
    );
    directory.has_only_the_old_file();
}

#[tokio::test]
async fn what_is_too_long_to_be_compared_is_not_resumed() {
    let without = |body: &str| answer("200 OK", &["content-length: 10"], body);
    let directory = Directory::new("too_long_to_be_compared");
    let server = ScriptedServer::start([without("0123"), without("0123456789")]).await;
    let run = download(&server.url, &directory, &["--verify-prefix=3"]).await;
    run.ends(
        18,
        "download: not whole: the response body ended after 4 of 10 bytes, \
         which is more than `verify_prefix` allows: ",
    );
    assert!(directory.is_empty());
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_server_that_ignores_ranges_has_not_changed() {
    let dated = |body: &str| {
        let headers = [
            "content-length: 10",
            "last-modified: Mon, 30 Nov 2026 13:41:11 GMT",
            "date: Mon, 30 Nov 2026 14:41:23 GMT",
        ];
        answer("200 OK", &headers, body)
    };
    let directory = Directory::new("has_not_changed");
    let server = ScriptedServer::start([dated("0123"), dated("0123456789")]).await;
    download(&server.url, &directory, &[]).await.ends(0, "");
    directory.has_only(b"0123456789");
}
