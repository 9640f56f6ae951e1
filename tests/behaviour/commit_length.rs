//! Bodies that are shorter than their heads announce.

use std::error::Error;
use std::io::{self, ErrorKind};

use http::Response;
use tower::{Layer, ServiceExt};
use tower_http_retry::CommitLayer;

use crate::support::commit::{both, broken, retry, sent, sum};
use crate::support::content::Part::{self, Pending};
use crate::support::content::{Content, Knows, Origin, data, frames, ok, with};
use crate::support::upstream::{get, post};

#[tokio::test(start_paused = true)]
async fn a_body_that_is_shorter_than_its_content_length_is_broken() {
    let short = |script: Vec<Part>, length| with(ok(script), "content-length", length);
    for layer in both() {
        for (script, length) in [
            (vec![], "1"),
            (vec![data("")], "5"),
            (vec![Pending], "1024"),
        ] {
            let error = broken(layer, short(script, length)).await;
            assert_eq!(error.delivered(), 0);
            let source: &io::Error = error.source().unwrap().downcast_ref().unwrap();
            assert_eq!(source.kind(), ErrorKind::UnexpectedEof);
            assert_eq!(
                source.to_string(),
                format!("the response body is shorter than its content-length of {length} bytes")
            );
        }
    }
    let whole = || CommitLayer::whole(1024);
    let error = broken(whole(), short(vec![data("hal"), data("f")], "5")).await;
    assert_eq!(error.delivered(), 4);
    // Also one that says beforehand that it is at its end.
    let content = Content::new(Knows::All, [data("half"), sum()]);
    let answer = with(Response::new(content), "content-length", "5");
    assert_eq!(broken(whole(), answer).await.delivered(), 4);
    // It is transient: the transport cannot tell it from an end.
    assert_eq!(
        sent(retry(), get(), short(vec![data("half")], "5")).await,
        [0, 1]
    );
    assert_eq!(
        sent(retry(), post(), short(vec![data("half")], "5")).await,
        [0]
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_as_long_as_its_content_length_or_longer_is_not_broken() {
    for layer in both() {
        for (script, lengths) in [
            (vec![data("whole")], vec!["5"]),
            (vec![data("who"), data("le")], vec!["5"]),
            (vec![data("whole")], vec![" 5 "]),
            (vec![data("whole")], vec!["5", "5"]),
            (vec![data("whole")], vec!["4"]),
            (vec![], vec!["0"]),
            // These announce nothing.
            (vec![data("whole")], vec!["5", "6"]),
            (vec![data("whole")], vec!["6", "x"]),
            (vec![data("whole")], vec!["+6"]),
            (vec![data("whole")], vec!["-6"]),
            (vec![data("whole")], vec!["6 6"]),
            (vec![data("whole")], vec![""]),
            (vec![data("whole")], vec!["18446744073709551616"]),
        ] {
            let answer = lengths.iter().fold(ok(script.clone()), |answer, length| {
                with(answer, "content-length", length)
            });
            let origin = Origin::new([answer]);
            let service = retry().layer(layer.layer(origin.clone()));
            let response = service.oneshot(get()).await.unwrap();
            let expected: String = if script.is_empty() { "" } else { "whole" }.to_owned();
            assert_eq!(
                frames(response.into_body()).await.concat(),
                expected,
                "{lengths:?}"
            );
            assert_eq!(origin.seconds(), [0], "{lengths:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_length_beside_a_transfer_encoding_announces_nothing() {
    for layer in both() {
        let answer = with(ok([data("whole")]), "transfer-encoding", "chunked");
        let response = layer.layer(Origin::new([with(answer, "content-length", "100")]));
        let response = response.oneshot(get()).await.unwrap();
        assert_eq!(frames(response.into_body()).await, ["whole"]);
    }
    // It does not say either that the body is too long to be read.
    let answer = with(ok([data("whole")]), "transfer-encoding", "chunked");
    let answer = with(answer, "content-length", "100");
    let polls = answer.body().polls();
    let service = CommitLayer::whole(8).layer(Origin::new([answer]));
    service.oneshot(get()).await.unwrap();
    assert_eq!(polls.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_read_is_not_measured() {
    // Once committed, it is the caller's.
    let answer = with(ok([data("half")]), "content-length", "5");
    let origin = Origin::new([answer]);
    let service = retry().layer(CommitLayer::first_bytes().layer(origin.clone()));
    let response = service.oneshot(get()).await.unwrap();
    assert_eq!(frames(response.into_body()).await, ["half"]);
    assert_eq!(origin.seconds(), [0]);
}
