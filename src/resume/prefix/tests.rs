use std::hash::Hasher;

use fastrand::Rng;

use super::Prefix;

#[test]
fn a_hash_is_of_the_bytes_and_not_of_the_frames_that_they_came_in() {
    let mut rng = Rng::with_seed(7);
    let bytes: Vec<u8> = (0..5_000).map(|_| rng.u8(..)).collect();
    for _ in 0..200 {
        let mut prefix = Prefix::new(5_000);
        let mut left = &bytes[..];
        while !left.is_empty() {
            let (data, rest) = left.split_at(rng.usize(0..=left.len().min(100)));
            prefix.add(data);
            left = rest;
        }
        let mut read = prefix.begin();
        let (one, other) = bytes.split_at(rng.usize(0..=bytes.len()));
        read.write(one);
        assert_eq!(prefix.is(&read), other.is_empty());
        read.write(other);
        assert!(prefix.is_whole() && prefix.is(&read));
    }
}

#[test]
fn one_byte_that_differs_is_another_prefix() {
    let mut prefix = Prefix::new(100);
    prefix.add(&[0; 100]);
    for place in 0..100 {
        let mut bytes = [0; 100];
        bytes[place] = 1;
        let mut read = prefix.begin();
        read.write(&bytes);
        assert!(!prefix.is(&read));
    }
}

#[test]
fn beyond_its_limit_a_prefix_is_not_known() {
    let mut prefix = Prefix::new(3);
    prefix.add(b"ab");
    assert!(prefix.is_whole());
    prefix.add(b"cd");
    assert!(!prefix.is_whole());
    // Later data is not hashed, even if it would fit.
    prefix.add(b"");
    prefix.add(b"e");
    let mut read = prefix.begin();
    read.write(b"abe");
    assert!(!prefix.is(&read) && !prefix.is_whole());
}

#[test]
fn each_download_has_a_key_of_its_own() {
    let (one, other) = (Prefix::new(10), Prefix::new(10));
    assert_ne!(one.begin().finish(), other.begin().finish());
}
