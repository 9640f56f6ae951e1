//! The chart of a scenario: a panel for each variant, all with the same axes. It is drawn either as one
//! picture with a header and titles, or as separate pictures that the page arranges.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use tower_http_retry::BoxError;

mod colours;

use colours::{ATTEMPTS, FAINT, INK, PAPER, REQUESTS, SHADE, SUCCESSES};
pub use colours::{legend, style};

use crate::grid::Grid;
use crate::names::variant_name;
use crate::runs::{Outcome, Outcomes};
use crate::scenario::{AFTER, FAULT, Scenario, WARM_UP};
use crate::simulation::SLOT;
use crate::tables::{has_end, load_name, recovery_text, success_text};

/// Twice the size that is shown, because coordinates are whole numbers.
const WIDTH: u32 = 2_400;
const HEADER: u32 = 190;
const PANEL: u32 = 460;

const COLUMNS: usize = 4;

/// The size of a separate panel. Its text remains legible at half the size or less.
const ALONE: (u32, u32) = (600, 370);

/// A run with its picture.
pub struct Panel<'a> {
    /// The name of the variant.
    pub name: &'static str,
    pub outcome: &'a Outcome,
    pub svg: String,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Draws the chart of a scenario as one picture.
pub fn draw(scenario: &Scenario, grid: &Grid, outcomes: &Outcomes) -> Result<String, BoxError> {
    let runs = runs(scenario, grid, outcomes);
    let columns = runs.len().min(COLUMNS);
    let rows = runs.len().div_ceil(COLUMNS);
    let size = (WIDTH, HEADER + PANEL * rows as u32);
    let top = top(&runs);

    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    root.fill(&PAPER)?;
    let (header, panels) = root.split_vertically(HEADER);
    draw_header(&header, scenario, grid)?;
    for (panel, (name, outcome)) in panels.split_evenly((rows, columns)).iter().zip(runs) {
        draw_title(panel, scenario, name, outcome)?;
        draw_lines(panel, scenario, outcome, 104, top)?;
    }
    root.present()?;
    drop((root, header, panels));
    let title = format!("{}: {}", scenario.name, scenario.summary);
    Ok(finish(&svg, size, &title, &style()))
}

/// Draws a picture of each run, without its figures, for a page that contains [`style`] and [`legend`].
pub fn panels<'a>(
    scenario: &Scenario,
    grid: &Grid,
    outcomes: &'a Outcomes,
) -> Result<Vec<Panel<'a>>, BoxError> {
    let runs = runs(scenario, grid, outcomes);
    let top = top(&runs);
    let panel = |(name, outcome): (&'static str, &'a Outcome)| {
        let mut svg = String::new();
        let root = SVGBackend::with_string(&mut svg, ALONE).into_drawing_area();
        root.fill(&PAPER)?;
        draw_lines(&root, scenario, outcome, 16, top)?;
        root.present()?;
        drop(root);
        let title = format!("{}, {name}", scenario.name);
        let svg = finish(&svg, ALONE, &title, "");
        Ok(Panel { name, outcome, svg })
    };
    runs.into_iter().map(panel).collect()
}

/// Returns the outcomes of a scenario, each with the name of its variant.
fn runs<'a>(
    scenario: &Scenario,
    grid: &Grid,
    outcomes: &'a Outcomes,
) -> Vec<(&'static str, &'a Outcome)> {
    let runs = grid.variants.iter();
    let runs = runs.filter_map(|variant| {
        let outcome = outcomes.get(scenario, *variant, grid.base)?;
        Some((variant_name(*variant), outcome))
    });
    runs.collect()
}

/// Returns the end of all vertical axes.
fn top(runs: &[(&str, &Outcome)]) -> f64 {
    let counts = runs.iter().flat_map(|(_, outcome)| counts(outcome));
    counts.fold(1.0, f64::max) * 1.05
}

/// Draws the title of the chart, the legend of its lines, and the explanation of the panels' figures.
fn draw_header(area: &Area<'_>, scenario: &Scenario, grid: &Grid) -> Result<(), BoxError> {
    let title = format!("{}: {}", scenario.name, scenario.summary);
    area.draw(&Text::new(title, (24, 22), bold(42.0)))?;
    let right = text(32.0).pos(Pos::new(HPos::Right, VPos::Top));
    let width = WIDTH as i32;
    area.draw(&Text::new(load_name(grid.base), (width - 24, 28), right))?;

    let lines = [
        (24, "requests a second", REQUESTS.stroke_width(3)),
        (400, "attempts a second", ATTEMPTS.stroke_width(6)),
        (780, "successes a second", SUCCESSES.stroke_width(6)),
    ];
    for (x, name, style) in lines {
        area.draw(&PathElement::new([(x, 105), (x + 60, 105)], style))?;
        area.draw(&Text::new(name, (x + 74, 90), text(32.0)))?;
    }
    area.draw(&Rectangle::new([(1_180, 88), (1_240, 122)], SHADE.filled()))?;
    let name = "the fault; seconds from its start";
    area.draw(&Text::new(name, (1_254, 90), text(32.0)))?;
    let note = "Above each panel: attempts for each request in the fault; how long after the fault \
                it recovers; successes of the requests in the fault / of all requests";
    area.draw(&Text::new(note, (24, 142), text(28.0)))?;
    Ok(())
}

/// Draws the name and the figures of a panel.
fn draw_title(
    area: &Area<'_>,
    scenario: &Scenario,
    name: &str,
    outcome: &Outcome,
) -> Result<(), BoxError> {
    let edge = area.dim_in_pixel().0 as i32 - 24;
    let right = text(30.0).pos(Pos::new(HPos::Right, VPos::Top));
    let attempts = format!("{:.2} attempts", outcome.figures.attempts);
    let recovery = format!("recovery: {}", recovery_text(scenario, outcome));
    area.draw(&Text::new(name, (90, 16), bold(32.0)))?;
    area.draw(&Text::new(attempts, (edge, 17), right.clone()))?;
    area.draw(&Text::new(recovery, (90, 58), text(30.0)))?;
    area.draw(&Text::new(success_text(outcome), (edge, 58), right))?;
    Ok(())
}

/// Draws the lines of a panel below a margin, with a vertical axis that ends at `top`.
fn draw_lines(
    area: &Area<'_>,
    scenario: &Scenario,
    outcome: &Outcome,
    margin: u32,
    top: f64,
) -> Result<(), BoxError> {
    let start = -WARM_UP.as_secs_f64();
    let end = (FAULT + AFTER).as_secs_f64();
    let fault = match has_end(scenario) {
        true => [(0.0, 0.0), (FAULT.as_secs_f64(), top)],
        false => [(start, 0.0), (end, top)],
    };
    let mut chart = ChartBuilder::on(area)
        .margin_top(margin)
        .margin_right(24)
        .x_label_area_size(50)
        .y_label_area_size(90)
        .build_cartesian_2d(start..end, 0.0..top)?;
    chart.draw_series([Rectangle::new(fault, SHADE.filled())])?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(FAINT.stroke_width(2))
        .axis_style(FAINT.stroke_width(2))
        .x_labels(6)
        .y_labels(6)
        .x_label_formatter(&|second| format!("{second:.0}"))
        .y_label_formatter(&|count| format!("{count:.0}"))
        .label_style(text(28.0))
        .draw()?;
    let record = &outcome.record;
    chart.draw_series(line(&record.sent, ATTEMPTS.stroke_width(4)))?;
    chart.draw_series(line(&record.succeeded, SUCCESSES.stroke_width(4)))?;
    chart.draw_series(line(&record.started, REQUESTS.stroke_width(3)))?;
    Ok(())
}

fn text(size: f64) -> TextStyle<'static> {
    font(size).color(&INK)
}

fn bold(size: f64) -> TextStyle<'static> {
    font(size).style(FontStyle::Bold).color(&INK)
}

/// Returns a font. The backend takes the size as the height of a line, so it is scaled.
fn font(size: f64) -> FontDesc<'static> {
    ("sans-serif", size * 1.24).into_font()
}

/// Returns a line with a point in the middle of each second.
fn line<DB: DrawingBackend>(slots: &[u32], style: ShapeStyle) -> LineSeries<DB, (f64, f64)> {
    let points = seconds(slots).enumerate().map(|(second, count)| {
        let at = second as f64 + 0.5 - WARM_UP.as_secs_f64();
        (at, count)
    });
    LineSeries::new(points, style)
}

/// Sums the slots of each second. A point for each slot would double the size of the file, without
/// making the chart clearer.
fn seconds(slots: &[u32]) -> impl Iterator<Item = f64> {
    let in_second = (1_000 / SLOT.as_millis()) as usize;
    let seconds = slots.chunks(in_second);
    seconds.map(|slots| f64::from(slots.iter().sum::<u32>()))
}

/// Returns all values that a panel shows.
fn counts(outcome: &Outcome) -> impl Iterator<Item = f64> {
    let record = &outcome.record;
    let all = [&record.started, &record.sent, &record.succeeded];
    all.into_iter().flat_map(|slots| seconds(slots))
}

/// Adds the size at which the picture is shown, a view box by which a page can scale it, a title for
/// screen readers, and a style.
fn finish(svg: &str, (width, height): (u32, u32), title: &str, style: &str) -> String {
    let style = match style {
        "" => String::new(),
        _ => format!("<style>{style}</style>\n"),
    };
    let head = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" \
         font-family=\"sans-serif\" width=\"{}\" height=\"{}\" \
         viewBox=\"0 0 {width} {height}\">\n<title>{title}</title>\n{style}",
        width / 2,
        height / 2,
    );
    // The first line of the backend has none of this.
    let mut body = svg
        .split_once('\n')
        .map_or(svg, |(_, body)| body)
        .to_owned();
    // These attributes are the defaults, and a fifth of the file.
    for said in [" opacity=\"1\"", " font-family=\"sans-serif\""] {
        body = body.replace(said, "");
    }
    head + &body
}
