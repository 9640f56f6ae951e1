use std::fmt;

use crate::contender::Contender;
use crate::figures::written;

/// The table of all figures, in Markdown.
#[derive(Default)]
pub struct Table {
    rows: Vec<Row>,
}

/// A row: one figure of each contender, in the order of the columns.
pub struct Row {
    pub title: String,
    pub cells: Vec<Cell>,
    pub decimals: usize,
    /// Whether the peers' figures are also given as a multiple of this crate's figure.
    pub is_compared: bool,
    pub goal: Option<Goal>,
}

/// The maximum for this crate's figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    AtMost(f64),
    /// A multiple of tower::retry's figure.
    OfTower(f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell {
    Figure(f64),
    /// The median of several figures, and half of their interquartile range.
    Spread(f64, f64),
    /// It was not measured, for example because valgrind is not installed.
    Missing,
    /// The contender does not support this case.
    Cannot,
}

impl From<Option<f64>> for Cell {
    fn from(figure: Option<f64>) -> Self {
        figure.map_or(Self::Missing, Self::Figure)
    }
}

impl Table {
    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }
}

impl Row {
    /// Creates a row of costs. The peers' figures are compared with this crate's.
    pub fn of_costs(title: impl Into<String>, goal: Option<Goal>, cells: Vec<Cell>) -> Self {
        Self {
            title: title.into(),
            cells,
            decimals: 0,
            is_compared: true,
            goal,
        }
    }

    /// Creates a row of ratios, which are not compared.
    pub fn of_ratios(title: impl Into<String>, goal: Option<Goal>, cells: Vec<Cell>) -> Self {
        Self {
            decimals: 3,
            is_compared: false,
            ..Self::of_costs(title, goal, cells)
        }
    }

    fn own(&self) -> Option<f64> {
        self.figure_of(Contender::ThisCrate)
    }

    fn figure_of(&self, contender: Contender) -> Option<f64> {
        let column = Contender::COLUMNS
            .iter()
            .position(|column| *column == contender);
        match self.cells.get(column?)? {
            Cell::Figure(figure) | Cell::Spread(figure, _) => Some(*figure),
            Cell::Missing | Cell::Cannot => None,
        }
    }

    fn cell(&self, contender: Contender, cell: Cell) -> String {
        let decimals = self.decimals;
        let (figure, text) = match cell {
            Cell::Figure(figure) => (figure, written(figure, decimals)),
            Cell::Spread(figure, spread) => {
                let [text, spread] = [figure, spread].map(|figure| written(figure, decimals));
                (figure, format!("{text} ± {spread}"))
            }
            Cell::Missing => return "—".to_owned(),
            Cell::Cannot => return "cannot".to_owned(),
        };
        let is_peer = !matches!(contender, Contender::Bare | Contender::ThisCrate);
        // There is no multiple of zero.
        let own = self.own().filter(|own| *own > 0.0);
        match own.filter(|_| is_peer && self.is_compared) {
            Some(own) => format!("{text} ({})", written(figure / own, 2)),
            None => text,
        }
    }

    fn goal(&self) -> String {
        let (text, most) = match self.goal {
            None => return String::new(),
            Some(Goal::AtMost(most)) => {
                let decimals = if most.fract() == 0.0 { 0 } else { 2 };
                (format!("≤ {}", written(most, decimals)), Some(most))
            }
            Some(Goal::OfTower(factor)) => {
                let tower = self.figure_of(Contender::TowerRetry);
                let text = format!("≤ {} × tower::retry", written(factor, 2));
                (text, tower.map(|tower| tower * factor))
            }
        };
        match self.own().zip(most) {
            Some((own, most)) if own <= most => format!("{text} met"),
            Some(_) => format!("{text} missed"),
            None => text,
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "| |")?;
        for column in Contender::COLUMNS {
            write!(f, " {} |", column.title())?;
        }
        writeln!(f, " goal |")?;
        writeln!(f, "|---|{}---|", "---:|".repeat(Contender::COLUMNS.len()))?;
        for row in &self.rows {
            write!(f, "| {} |", row.title)?;
            for (contender, cell) in Contender::COLUMNS.iter().zip(&row.cells) {
                write!(f, " {} |", row.cell(*contender, *cell))?;
            }
            writeln!(f, " {} |", row.goal())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last_line(row: Row) -> String {
        let mut table = Table::default();
        table.push(row);
        table.to_string().lines().last().unwrap().to_owned()
    }

    #[test]
    fn costs_are_compared_with_this_crates() {
        let cells = vec![
            Cell::Figure(1_500.0),
            Cell::Figure(600.0),
            Cell::Figure(1_200.0),
            Cell::Missing,
            Cell::Cannot,
            Cell::Figure(60.0),
        ];
        assert_eq!(
            last_line(Row::of_costs("cost", Some(Goal::AtMost(600.0)), cells)),
            "| cost | 1,500 | 600 | 1,200 (2.00) | — | cannot | 60 (0.10) | ≤ 600 met |"
        );
    }

    #[test]
    fn nothing_is_a_multiple_of_none() {
        let cells = vec![Cell::Figure(1.0), Cell::Figure(0.0), Cell::Figure(14.0)];
        assert_eq!(
            last_line(Row::of_costs("cost", None, cells)),
            "| cost | 1 | 0 | 14 |  |"
        );
    }

    #[test]
    fn a_goal_can_be_missed() {
        let cells = vec![Cell::Figure(20.0), Cell::Figure(1.0404)];
        assert_eq!(
            last_line(Row::of_ratios("ratio", Some(Goal::AtMost(1.04)), cells)),
            "| ratio | 20.000 | 1.040 | ≤ 1.04 missed |"
        );
    }

    #[test]
    fn a_goal_can_be_a_multiple_of_towers_figure() {
        let row = |own: f64| {
            let cells = [1_000.0, own, 500.0].map(Cell::Figure);
            last_line(Row::of_costs(
                "cost",
                Some(Goal::OfTower(0.5)),
                cells.to_vec(),
            ))
        };
        assert_eq!(
            row(250.0),
            "| cost | 1,000 | 250 | 500 (2.00) | ≤ 0.50 × tower::retry met |"
        );
        assert_eq!(
            row(251.0),
            "| cost | 1,000 | 251 | 500 (1.99) | ≤ 0.50 × tower::retry missed |"
        );
    }

    #[test]
    fn a_spread_is_told_beside_its_median() {
        let cells = [(2.0, 0.5), (1.0, 0.0404), (1.1, 0.25)];
        let cells = cells.map(|(median, spread)| Cell::Spread(median, spread));
        let goal = Some(Goal::OfTower(1.0));
        assert_eq!(
            last_line(Row::of_ratios("ratio", goal, cells.to_vec())),
            "| ratio | 2.000 ± 0.500 | 1.000 ± 0.040 | 1.100 ± 0.250 | ≤ 1.00 × tower::retry met |"
        );
    }

    #[test]
    fn every_line_has_as_many_columns() {
        let row = Row::of_costs("cost", None, vec![Cell::Missing; 6]);
        let mut table = Table::default();
        table.push(row);
        let bars = |line: &str| line.matches('|').count();
        assert!(table.to_string().lines().all(|line| bars(line) == 9));
    }
}
