use super::*;

fn headers(pairs: &[(&str, &[u8])]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        let name: HeaderName = name.parse().unwrap();
        map.append(name, HeaderValue::from_bytes(value).unwrap());
    }
    map
}

/// Names, values, and whether they are sensitive, in their order.
fn lines(map: &HeaderMap) -> Vec<(HeaderName, HeaderValue, bool)> {
    map.iter()
        .map(|(name, value)| (name.clone(), value.clone(), value.is_sensitive()))
        .collect()
}

fn is_known(kept: &KeptHeaders) -> bool {
    matches!(kept.names, Names::Known(_))
}

/// Keeps a map three times: twice with its own names, then with known ones.
fn kept_three_times(map: &HeaderMap, known: &KnownNames) -> [KeptHeaders; 3] {
    let kept = [(); 3].map(|()| KeptHeaders::of(map, known));
    assert_eq!(
        [0, 1, 2].map(|time| is_known(&kept[time])),
        [false, false, true]
    );
    kept
}

#[test]
fn kept_headers_have_the_names_values_order_repeats_and_sensitivity_that_they_had() {
    let long = vec![b'x'; 70_000];
    let many = format!("x-{}", "n".repeat(3_000));
    let mut original = headers(&[
        ("accept", b"a"),
        ("x-custom", b""),
        ("set-cookie", b"1"),
        ("accept", b"b"),
        ("x-binary", b"\xff\xfe\t~"),
        ("authorization", b"Bearer secret"),
        ("set-cookie", b"2"),
        ("set-cookie", b"1"),
        ("x-long", &long),
        (&many, b"v"),
    ]);
    original
        .get_mut("authorization")
        .unwrap()
        .set_sensitive(true);
    let known = KnownNames::default();
    for kept in kept_three_times(&original, &known) {
        let map = Headers::Kept(&kept, &known).map();
        for unpacked in [kept.unpack(&known), kept.unpack(&known), map.clone()] {
            assert_eq!(unpacked, original);
            assert_eq!(lines(&unpacked), lines(&original));
        }
    }
}

#[test]
fn the_first_value_of_a_name_is_found_in_any_case() {
    let original = headers(&[
        ("accept", b"a"),
        ("x-custom", b"c"),
        ("accept", b"b"),
        ("x-empty", b""),
    ]);
    let known = KnownNames::default();
    for kept in kept_three_times(&original, &known) {
        for found in [Headers::Kept(&kept, &known), Headers::Map(&original)] {
            assert_eq!(found.find("accept"), Some(&b"a"[..]));
            assert_eq!(found.find("X-Custom"), Some(&b"c"[..]));
            assert_eq!(found.find("x-empty"), Some(&b""[..]));
            assert_eq!(found.find("x-customs"), None);
        }
    }
}

#[test]
fn no_headers_are_no_bytes_and_no_names_to_know() {
    let known = KnownNames::default();
    for _ in 0..3 {
        let kept = KeptHeaders::of(&HeaderMap::new(), &known);
        assert!(kept.lines.is_empty());
        assert!(!is_known(&kept));
        assert!(kept.unpack(&known).is_empty());
        assert_eq!(Headers::Kept(&kept, &known).find("accept"), None);
    }
}

#[test]
fn as_many_values_as_a_map_holds_are_kept() {
    let mut original = HeaderMap::new();
    for number in 0..30_000 {
        original.append("x-many", HeaderValue::from(number));
    }
    let known = KnownNames::default();
    for _ in 0..3 {
        let kept = KeptHeaders::of(&original, &known);
        assert!(!is_known(&kept), "so many names are not learned");
        assert_eq!(kept.unpack(&known), original);
    }
}

#[test]
fn other_names_or_the_same_in_another_order_are_not_taken_for_known_ones() {
    let known = KnownNames::default();
    kept_three_times(&headers(&[("a", b"1"), ("b", b"2"), ("c", b"3")]), &known);
    for other in [
        headers(&[("a", b"1"), ("b", b"2")]),
        headers(&[("a", b"1"), ("b", b"2"), ("d", b"3")]),
        headers(&[("a", b"1"), ("c", b"3"), ("b", b"2")]),
        headers(&[("a", b"1"), ("b", b"2"), ("b", b"3")]),
        headers(&[("a", b"1"), ("b", b"2"), ("c", b"3"), ("d", b"4")]),
    ] {
        let kept = KeptHeaders::of(&other, &known);
        assert!(!is_known(&kept), "{other:?}");
        assert_eq!(lines(&kept.unpack(&known)), lines(&other));
    }
}

#[test]
fn names_that_come_once_only_are_not_learned() {
    let known = KnownNames::default();
    for number in 0..1_000 {
        KeptHeaders::of(&headers(&[(&format!("x-{number}"), b"v")]), &known);
    }
    let usual = headers(&[("accept", b"a"), ("x-custom", b"")]);
    let kept = [(); 3].map(|()| is_known(&KeptHeaders::of(&usual, &known)));
    assert_eq!(kept.iter().filter(|known| **known).count(), 1, "{kept:?}");
}

/// Creates maps of different kinds, each with one name.
fn kinds(count: usize) -> Vec<HeaderMap> {
    let kind = |index| headers(&[(&format!("x-{index}"), b"v")]);
    (0..count).map(kind).collect()
}

#[test]
fn kinds_that_come_in_turn_are_all_learned() {
    for first in 0..100 {
        let known = KnownNames::default();
        let kinds = &kinds(first + known::LISTS)[first..];
        for round in 0..3 {
            for kind in kinds {
                let kept = KeptHeaders::of(kind, &known);
                assert_eq!(is_known(&kept), round == 2, "{kind:?}");
            }
        }
    }
}

/// This happens if several threads look the names up before one of them learns them.
#[test]
fn names_that_are_learned_several_times_take_one_place() {
    let known = KnownNames::default();
    let kind = headers(&[("accept", b"a"), ("x-custom", b"")]);
    (0..20).for_each(|_| known.learn(&kind));
    assert_eq!(known.look_up(&kind), Some((0, 1)));
    let others = kinds(known::LISTS);
    for _ in 0..2 {
        others.iter().for_each(|kind| known.learn(kind));
    }
    let learned = others.iter().filter(|kind| known.look_up(kind).is_some());
    assert_eq!(learned.count(), known::LISTS - 1);
}

#[test]
fn names_that_are_many_or_long_are_not_learned() {
    let long = format!("x-{}", "n".repeat(4 * 1024));
    let many: Vec<_> = (0..65).map(|index| format!("x-{index}")).collect();
    let many: Vec<_> = many.iter().map(|name| (&**name, &b"v"[..])).collect();
    for (map, expected) in [
        (headers(&[(&"n".repeat(60_000), b"v")]), false),
        (headers(&[(&long, b"v")]), false),
        (headers(&[(&long[..4 * 1024], b"v")]), true),
        (headers(&many), false),
        (headers(&many[..64]), true),
    ] {
        let known = KnownNames::default();
        (0..3).for_each(|_| drop(KeptHeaders::of(&map, &known)));
        let kept = KeptHeaders::of(&map, &known);
        assert_eq!(is_known(&kept), expected);
        assert_eq!(kept.unpack(&known), map);
    }
}

#[test]
fn only_so_many_lists_are_learned_and_each_is_kept() {
    let known = KnownNames::default();
    let kinds: Vec<_> = (1..=known::LISTS + 3)
        .map(|names| {
            let names: Vec<_> = (0..names).map(|index| format!("x-{index}")).collect();
            let pairs: Vec<_> = names.iter().map(|name| (&**name, &b"v"[..])).collect();
            headers(&pairs)
        })
        .collect();
    for kind in &kinds {
        (0..3).for_each(|_| drop(KeptHeaders::of(kind, &known)));
    }
    let kept: Vec<_> = kinds
        .iter()
        .map(|kind| KeptHeaders::of(kind, &known))
        .collect();
    let learned = kept.iter().filter(|kept| is_known(kept)).count();
    assert_eq!(learned, known::LISTS);
    for (kept, kind) in kept.iter().zip(&kinds) {
        assert_eq!(kept.unpack(&known), *kind);
    }
}
