/// Returns the median, which is the mean of the two middle figures if their number is even. Returns
/// `None` if there are no figures.
pub fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    let upper = *figures.get(middle)?;
    match figures.len() % 2 {
        0 => Some((figures[middle - 1] + upper) / 2.0),
        _ => Some(upper),
    }
}

/// Returns the median and half of the interquartile range, or `None` if there are no figures.
pub fn median_and_spread(mut figures: Vec<f64>) -> Option<(f64, f64)> {
    figures.sort_by(f64::total_cmp);
    let quartile = |number: usize| figures.get((figures.len().checked_sub(1)? * number + 2) / 4);
    let spread = (quartile(3)? - quartile(1)?) / 2.0;
    Some((median(figures)?, spread))
}

/// Formats a figure with `decimals` decimals, and with commas between thousands.
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
    fn the_spread_is_half_of_what_is_between_the_quartiles() {
        assert_eq!(median_and_spread(vec![]), None);
        assert_eq!(median_and_spread(vec![3.0]), Some((3.0, 0.0)));
        let figures = [9.0, 0.0, 1.0, 2.0, 7.0];
        assert_eq!(median_and_spread(figures.to_vec()), Some((2.0, 3.0)));
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
