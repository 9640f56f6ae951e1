use http::Response;

use super::Finding::{Conflict, Created, Deleted, Unavailable, Undone};
use super::Operation::{Create, Delete};
use super::*;

#[test]
fn what_a_request_does_to_an_item() {
    let of = |method: &str, header: &str, put_creates: bool| {
        let (name, value) = header.split_once(' ').unwrap_or((header, "*"));
        let request = http::Request::builder().method(method).header(name, value);
        Operation::of(&request.body(()).unwrap().into_parts().0, put_creates)
    };
    // The operation by default, and with `put_creates`.
    #[rustfmt::skip]
    let cases = [
        ("POST", "accept", Some(Create), Some(Create)),
        ("PUT", "accept", None, Some(Create)),
        ("PUT", "if-none-match", Some(Create), Some(Create)),
        ("PUT", "if-match", None, None),
        ("PUT", "if-match \"1\"", None, None),
        ("PUT", "if-none-match \"1\"", None, None),
        ("PUT", "if-none-match \"*\"", None, None),
        ("PUT", "if-modified-since", None, Some(Create)),
        ("PUT", "if-unmodified-since", None, None),
        ("PUT", "content-range", None, None),
        ("POST", "if-match", Some(Create), Some(Create)),
        ("DELETE", "accept", Some(Delete), Some(Delete)),
        ("DELETE", "if-match", Some(Delete), Some(Delete)),
        ("GET", "accept", None, None),
        ("HEAD", "accept", None, None),
        ("PATCH", "accept", None, None),
        ("QUERY", "accept", None, None),
        ("CONNECT", "accept", None, None),
    ];
    for (method, header, by_default, put_creates) in cases {
        assert_eq!(of(method, header, false), by_default, "{method}, {header}");
        assert_eq!(of(method, header, true), put_creates, "{method}, {header}");
    }
}

#[test]
fn of_several_conditions_the_one_that_needs_an_item_decides() {
    for name in ["if-match", "if-none-match", "if-unmodified-since"] {
        let request = http::Request::put("/").header("if-none-match", "*");
        let request = request.header(name, "\"1\"").body(()).unwrap();
        assert_eq!(Operation::of(&request.into_parts().0, true), None, "{name}");
    }
}

#[test]
fn what_the_answer_to_a_probe_says() {
    let unknown = Finding::Undecidable(Doubt::Status);
    for status in 100..=999 {
        // The findings for a create whose item is the same, for one whose item is another, and for a delete.
        let (create, other, delete) = match status {
            200 | 203 | 204 => (Created, Conflict, Undone),
            404 | 410 => (Undone, Undone, Deleted),
            408 | 421 | 425 | 429 | 500..=999 => (Unavailable, Unavailable, Unavailable),
            _ => (unknown, unknown, unknown),
        };
        let response = Response::builder().status(status).body(()).unwrap();
        let probed = response.into_parts().0;
        assert_eq!(Create.finding(&probed, |_| true), create, "{status}");
        assert_eq!(Create.finding(&probed, |_| false), other, "{status}");
        // For a delete, it does not matter whether the item is the same.
        assert_eq!(Delete.finding(&probed, |_| true), delete, "{status}");
        assert_eq!(Delete.finding(&probed, |_| false), delete, "{status}");
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
