//! Numbers of bytes, with units.

/// The units, the largest one first.
const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// A size above zero: `4096`, `64KiB`, `8MiB`, `1GiB`.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let unit = UNITS.iter().find(|(name, _)| text.ends_with(name));
    let (name, factor) = unit.copied().unwrap_or(("", 1));
    let number = text.strip_suffix(name).map(str::trim_end);
    let size = number.and_then(|number| number.parse::<u64>().ok()?.checked_mul(factor));
    size.filter(|size| *size > 0)
        .ok_or_else(|| "it must be a size above zero, like 4096, 64KiB, 8MiB or 1GiB".into())
}

#[cfg(test)]
mod tests {
    use super::parse_size;

    #[test]
    fn a_size_is_a_whole_number_and_a_unit() {
        let sizes = [
            ("1", Some(1)),
            ("4096", Some(4096)),
            ("64KiB", Some(65_536)),
            ("8 MiB", Some(8_388_608)),
            ("1GiB", Some(1_073_741_824)),
            ("0", None),
            ("0GiB", None),
            ("", None),
            ("MiB", None),
            ("-1", None),
            ("1.5MiB", None),
            ("1MB", None),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551615KiB", None),
        ];
        for (text, size) in sizes {
            assert_eq!(parse_size(text).ok(), size, "{text}");
        }
    }
}
