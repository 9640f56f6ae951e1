use http::Response;

use super::Finding::{Conflict, Created, Deleted, Unavailable, Undecidable, Undone};
use super::Operation::{Create, Delete};
use super::*;

#[test]
fn what_a_request_does_to_an_item() {
    let of = |method: &str, header: &str| {
        let (name, value) = header.split_once(' ').unwrap_or((header, "*"));
        let request = http::Request::builder().method(method).header(name, value);
        Operation::of(&request.body(()).unwrap().into_parts().0)
    };
    #[rustfmt::skip]
    let cases = [
        ("POST", "accept", Some(Create)),
        ("PUT", "accept", Some(Create)),
        ("PUT", "if-none-match", Some(Create)),
        ("PUT", "if-match", None),
        ("PUT", "if-match \"1\"", None),
        ("PUT", "if-none-match \"1\"", None),
        ("PUT", "if-unmodified-since", None),
        ("PUT", "content-range", None),
        ("POST", "if-match", Some(Create)),
        ("DELETE", "accept", Some(Delete)),
        ("DELETE", "if-match", Some(Delete)),
        ("GET", "accept", None),
        ("HEAD", "accept", None),
        ("PATCH", "accept", None),
        ("QUERY", "accept", None),
        ("CONNECT", "accept", None),
    ];
    for (method, header, operation) in cases {
        assert_eq!(of(method, header), operation, "{method} with {header}");
    }
}

#[test]
fn what_the_answer_to_a_probe_says() {
    #[rustfmt::skip]
    let cases = [
        (200, Created, Undone),
        (204, Created, Undone),
        (206, Created, Undone),
        (299, Created, Undone),
        (404, Undone, Deleted),
        (410, Undone, Deleted),
        (408, Unavailable, Unavailable),
        (421, Unavailable, Unavailable),
        (425, Unavailable, Unavailable),
        (429, Unavailable, Unavailable),
        (500, Unavailable, Unavailable),
        (503, Unavailable, Unavailable),
        (599, Unavailable, Unavailable),
        (100, Undecidable, Undecidable),
        (199, Undecidable, Undecidable),
        (300, Undecidable, Undecidable),
        (302, Undecidable, Undecidable),
        (304, Undecidable, Undecidable),
        (400, Undecidable, Undecidable),
        (401, Undecidable, Undecidable),
        (403, Undecidable, Undecidable),
        (405, Undecidable, Undecidable),
        (409, Undecidable, Undecidable),
        (412, Undecidable, Undecidable),
        (499, Undecidable, Undecidable),
    ];
    for (status, create, delete) in cases {
        let response = Response::builder().status(status).body(()).unwrap();
        let probed = response.into_parts().0;
        assert_eq!(
            Create.finding(&probed, |_| true),
            create,
            "create, {status}"
        );
        assert_eq!(
            Delete.finding(&probed, |_| true),
            delete,
            "delete, {status}"
        );
        // Another item is none that was deleted, and none that is missing.
        let other = if create == Created { Conflict } else { create };
        assert_eq!(
            Create.finding(&probed, |_| false),
            other,
            "create, {status}"
        );
        assert_eq!(
            Delete.finding(&probed, |_| false),
            delete,
            "delete, {status}"
        );
    }
}

#[test]
fn which_statuses_may_mean_that_it_was_done_before() {
    let conflicts = |operation: Operation| -> Vec<u16> {
        let is_conflict =
            |status: &u16| operation.is_conflict(StatusCode::from_u16(*status).unwrap());
        (100..=999).filter(is_conflict).collect()
    };
    assert_eq!(conflicts(Create), [409, 412]);
    assert_eq!(conflicts(Delete), [404, 410, 412]);
}
