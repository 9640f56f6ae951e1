/// The middle one; of an even number, the mean of the two in the middle. None of none.
pub fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    let upper = *figures.get(middle)?;
    match figures.len() % 2 {
        0 => Some((figures[middle - 1] + upper) / 2.0),
        _ => Some(upper),
    }
}

/// The median of so many ratios, each of two measures that were taken one after the other, so that
/// what slows the machine for a while slows both.
pub fn median_ratio(
    rounds: usize,
    measure: impl Fn() -> f64,
    base: impl Fn() -> f64,
) -> Option<f64> {
    let ratio = |round: usize| match round % 2 {
        0 => {
            let base = base();
            measure() / base
        }
        _ => measure() / base(),
    };
    median((0..rounds).map(ratio).collect())
}

/// With a comma between thousands, and so many decimals.
pub fn written(figure: f64, decimals: usize) -> String {
    let plain = format!("{:.decimals$}", figure.abs());
    let (whole, fraction) = plain.split_at(plain.find('.').unwrap_or(plain.len()));
    let mut text = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    let is_zero = plain.chars().all(|digit| matches!(digit, '0' | '.'));
    let sign = if figure < 0.0 && !is_zero { "-" } else { "" };
    format!("{sign}{text}{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0]), Some(3.0));
        assert_eq!(median(vec![9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![9.0, 1.0, 2.0, 4.0]), Some(3.0));
    }

    #[test]
    fn figures_are_written_for_people() {
        for (figure, decimals, text) in [
            (0.0, 0, "0"),
            (-0.001, 0, "0"),
            (999.0, 0, "999"),
            (1_000.0, 0, "1,000"),
            (1_234_567.8, 1, "1,234,567.8"),
            (-1_234.0, 0, "-1,234"),
            (1.0404, 3, "1.040"),
        ] {
            assert_eq!(written(figure, decimals), text);
        }
    }
}
