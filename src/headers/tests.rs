use super::*;

fn headers(pairs: &[(&str, &[u8])]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        let name: HeaderName = name.parse().unwrap();
        map.append(name, HeaderValue::from_bytes(value).unwrap());
    }
    map
}

#[test]
fn packed_headers_keep_names_values_order_repeats_and_sensitivity() {
    let long = vec![b'x'; 70_000];
    let many = format!("x-{}", "n".repeat(30_000));
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

    let packed = KeptHeaders::of(&original, &known);
    for unpacked in [packed.unpack(), packed.unpack(), packed.map().clone()] {
        assert_eq!(unpacked, original);
        let order = |map: &HeaderMap| -> Vec<_> {
            map.iter()
                .map(|(name, value)| (name.clone(), value.clone(), value.is_sensitive()))
                .collect()
        };
        assert_eq!(order(&unpacked), order(&original));
    }
}

#[test]
fn no_headers_are_no_bytes() {
    let packed = PackedHeaders::new(&HeaderMap::new());
    assert!(packed.packed.is_empty());
    assert!(packed.unpack().is_empty());
}

#[test]
fn as_many_values_as_a_map_holds_are_unpacked() {
    let mut original = HeaderMap::new();
    for number in 0..30_000 {
        original.append("x-many", HeaderValue::from(number));
    }
    assert_eq!(KeptHeaders::of(&original, &known).unpack(), original);
}
