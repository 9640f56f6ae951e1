//! Bodies of no length, and of one that is not known.

use crate::directory::Directory;
use crate::program::download;
use crate::scripted_server::{ScriptedServer, answer};

#[tokio::test]
async fn a_chunked_body_is_downloaded_and_could_not_have_been_resumed() {
    let directory = Directory::new("chunked");
    let headers = ["transfer-encoding: chunked", "etag: \"v1\""];
    let body = "4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n";
    let server = ScriptedServer::start([answer("200 OK", &headers, body)]).await;
    let run = download(&server.url, &directory, &[]).await;
    run.ends(
        0,
        "; it could not have been resumed: its length was not known\n",
    );
    directory.has_only(b"0123456789");
}

#[tokio::test]
async fn a_body_that_ends_with_its_connection_is_not_known_to_be_whole() {
    let directory = Directory::new("ends_with_its_connection");
    let server = ScriptedServer::start([answer("200 OK", &[], "0123456789")]).await;
    let run = download(&server.url, &directory, &[]).await;
    run.ends(
        18,
        "only the end of the connection says where the body ends",
    );
    assert!(directory.is_empty());
}

#[tokio::test]
async fn an_empty_body_is_an_empty_file() {
    let directory = Directory::new("empty");
    let headers = ["content-length: 0", "etag: \"v1\""];
    let server = ScriptedServer::start([answer("200 OK", &headers, "")]).await;
    download(&server.url, &directory, &[])
        .await
        .ends(0, "retries: 0\n");
    directory.has_only(b"");
}

#[tokio::test]
async fn of_a_body_without_a_validator_it_is_said_that_it_could_not_have_been_resumed() {
    let directory = Directory::new("without_a_validator");
    let ten = ["content-length: 10"];
    let server = ScriptedServer::start([answer("200 OK", &ten, "0123456789")]).await;
    let run = download(&server.url, &directory, &[]).await;
    run.ends(
        0,
        "; it could not have been resumed: it has no validator (see --verify-prefix)\n",
    );
    directory.has_only(b"0123456789");
}
