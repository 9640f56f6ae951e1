//! Measures all contenders in turn, so that a temporary slow-down of the machine affects all of them.

use clap::ValueEnum;

use crate::bench::Bench;
use crate::contender::Contender;
use crate::figures::median_and_spread;
use crate::table::Cell;

/// The figures of all rounds. Each round measures every contender once.
pub struct Rounds(Vec<Vec<f64>>);

impl Rounds {
    pub fn measure(bench: &Bench, count: usize, measure: impl Fn(Contender) -> f64) -> Self {
        let contenders = Contender::value_variants();
        let round = |round: usize| {
            let mut figures = vec![f64::NAN; contenders.len()];
            // Each round starts with another contender.
            for place in (0..contenders.len()).map(|place| (place + round) % contenders.len()) {
                figures[place] = measure(contenders[place]);
            }
            bench.step();
            figures
        };
        Self((0..count).map(round).collect())
    }

    /// Returns the figure of each column, divided by that of its base. For a base, it is the figure itself.
    pub fn over_base(&self) -> Vec<Cell> {
        let cell = |contender: Contender| match contender.is_base() {
            true => self.cell(|figures| figures[contender as usize]),
            false => self
                .cell(|figures| figures[contender as usize] / figures[contender.base() as usize]),
        };
        Contender::COLUMNS.map(cell).to_vec()
    }

    /// Returns the figure of each column minus that of its base. For a base, it is the figure itself.
    pub fn above_base(&self) -> Vec<Cell> {
        let cell = |contender: Contender| match contender.is_base() {
            true => self.cell(|figures| figures[contender as usize]),
            false => self
                .cell(|figures| figures[contender as usize] - figures[contender.base() as usize]),
        };
        Contender::COLUMNS.map(cell).to_vec()
    }

    /// Returns the figure of each column.
    pub fn absolute(&self) -> Vec<Cell> {
        let cell = |contender: Contender| self.cell(|figures| figures[contender as usize]);
        Contender::COLUMNS.map(cell).to_vec()
    }

    fn cell(&self, figure: impl Fn(&[f64]) -> f64) -> Cell {
        let figures = self.0.iter().map(|figures| figure(figures)).collect();
        median_and_spread(figures).map_or(Cell::Missing, |(median, spread)| {
            Cell::Spread(median, spread)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_over_its_own_base() {
        // In the second round, everything took twice as long.
        let rounds = [1.0, 2.0, 1.0].map(|slow| {
            let figures = Contender::value_variants().iter();
            let figures = figures.map(|contender| match contender {
                Contender::Bare => slow,
                Contender::ReqwestRetry => slow * 6.0,
                Contender::Reqwest => slow * 2.0,
                _ => slow * 1.5,
            });
            figures.collect()
        });
        let rounds = Rounds(rounds.to_vec());
        let over_base = [1.0, 1.5, 1.5, 1.5, 1.5, 3.0].map(|median| Cell::Spread(median, 0.0));
        assert_eq!(rounds.over_base()[1..], over_base[1..]);
        assert_eq!(rounds.over_base()[0], Cell::Spread(1.0, 0.5));
        assert_eq!(rounds.absolute()[5], Cell::Spread(6.0, 3.0));
        assert_eq!(rounds.above_base()[1], Cell::Spread(0.5, 0.25));
    }
}
