use super::*;

#[test]
fn a_request_does_not_wait_for_another_ones_names_to_be_learned() {
    let known = KnownNames::default();
    let kind = HeaderMap::from_iter([(http::header::ACCEPT, HeaderValue::from_static("a"))]);
    let learning = known.unknown.lock().unwrap();
    (0..3).for_each(|_| known.learn(&kind));
    assert_eq!(known.look_up(&kind), None);
    drop(learning);
    (0..2).for_each(|_| known.learn(&kind));
    assert_eq!(known.look_up(&kind), Some((0, 1)));
}
