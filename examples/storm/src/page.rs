//! The page with all charts and tables. It is one file and refers to no other.

use tower_http_retry::BoxError;

use crate::chart::{self, Panel};
use crate::conclusions;
use crate::figures::WELL;
use crate::grid::Grid;
use crate::names::{variant_name, variant_summary};
use crate::runs::{Extent, Outcomes};
use crate::scenario::{AFTER, FAULT, Scenario, WARM_UP};
use crate::simulation::ATTEMPT_TIMEOUT;
use crate::table::{Mark, Table};
use crate::tables::{self, has_end, load_name, percent, recovery_name};
use crate::upstream::{CAPACITY, QUEUE, SERVERS, WORK};

/// The section of one simulation.
pub struct Section {
    /// The id for links.
    pub id: &'static str,
    pub title: &'static str,
    /// The conclusions, as sentences in HTML.
    pub conclusions: Vec<String>,
    /// A table that is shown with the conclusions, and printed before the other tables.
    pub summary: Option<Table>,
    /// The ids and names of the parts that the contents list below the title.
    pub parts: Vec<(&'static str, &'static str)>,
    pub introduction: String,
    pub tables: Vec<Table>,
    pub extent: Extent,
}

pub fn page(sections: &[Section]) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Retries during an overload</title>\n<style>\n{}{}</style>\n</head>\n<body>\n\
         <h1>Retries during an overload</h1>\n\
         <p>A simulation of clients, and of a service that fails, refuses requests or is slow for a \
         time. Most of the clients use the layers of tower-http-retry.</p>\n",
        include_str!("page.css"),
        chart::style()
    );
    page += &conclusions_html(sections);
    page += &contents(sections);
    for section in sections {
        let Section { id, title, .. } = section;
        page += &format!("<section>\n<h2 id=\"{id}\">{title}</h2>\n");
        page += &section.introduction;
        page += &format!("<h3 id=\"{id}-tables\">Tables</h3>\n");
        for table in &section.tables {
            page += &table.to_html();
        }
        page += "</section>\n";
    }
    page + "</body>\n</html>\n"
}

fn conclusions_html(sections: &[Section]) -> String {
    let sentences = sections.iter().flat_map(|section| &section.conclusions);
    let sentences = sentences.map(|sentence| format!("<li>{sentence}</li>\n"));
    let tables = sections
        .iter()
        .filter_map(|section| section.summary.as_ref());
    format!(
        "<section class=\"conclusions\">\n<h2 id=\"conclusions\">Conclusions</h2>\n\
         <ul>\n{}</ul>\n{}</section>\n",
        sentences.collect::<String>(),
        tables.map(Table::to_html).collect::<String>()
    )
}

fn contents(sections: &[Section]) -> String {
    let mut items = String::new();
    for section in sections {
        let tables = format!("{}-tables", section.id);
        let parts = section.parts.iter().copied();
        let parts = parts.chain([(&*tables, "tables")]);
        let parts: Vec<_> = parts.map(|(id, name)| link(id, name)).collect();
        let title = link(section.id, section.title);
        items += &format!("<li>{title}: {}</li>\n", parts.join(" · "));
    }
    format!(
        "<nav aria-label=\"Contents\">\n<h2 id=\"contents\">Contents</h2>\n<ul>\n{items}</ul>\n</nav>\n"
    )
}

fn link(id: &str, name: &str) -> String {
    format!("<a href=\"#{id}\">{name}</a>")
}

/// Returns the section of the storms.
pub fn section(grid: &Grid, outcomes: &Outcomes) -> Result<Section, BoxError> {
    let mut introduction = introduction(grid);
    for scenario in &grid.scenarios {
        let Scenario { name, summary, .. } = scenario;
        let panels = chart::panels(scenario, grid, outcomes)?;
        let panels = panels.iter();
        let panels = panels.map(|panel| figure(scenario, panel, grid, outcomes));
        introduction += &format!(
            "<h3 id=\"{name}\">{name}</h3>\n<p>{summary}</p>\n<div class=\"panels\">\n{}</div>\n",
            panels.collect::<String>()
        );
    }
    let scenarios = grid.scenarios.iter();
    Ok(Section {
        id: "storms",
        title: "Retry storms",
        conclusions: conclusions::sentences(grid, outcomes),
        summary: conclusions::table(grid, outcomes),
        parts: scenarios
            .map(|scenario| (scenario.name, scenario.name))
            .collect(),
        introduction,
        tables: tables::all(grid, outcomes),
        extent: outcomes.extent(),
    })
}

/// Returns a panel with the name and the figures of its run.
fn figure(scenario: &Scenario, panel: &Panel<'_>, grid: &Grid, outcomes: &Outcomes) -> String {
    let Panel { name, outcome, svg } = panel;
    let figures = outcome.figures;
    let recovery = match figures.recovery {
        _ if !has_end(scenario) => String::new(),
        None => "<span class=\"never\">never recovers</span>".into(),
        Some(_) => {
            let mark = tables::mark(scenario, outcome, grid.base, outcomes);
            let class = mark.map_or("soon", Mark::class);
            let after = recovery_name(figures.recovery);
            format!("<span class=\"{class}\">recovers after {after}</span>")
        }
    };
    format!(
        "<figure>\n<figcaption><strong>{name}</strong> {recovery} <span>{:.2} attempts</span> \
         <span>{} % succeed</span></figcaption>\n{svg}</figure>\n",
        figures.attempts,
        percent(figures.success_in_fault)
    )
}

/// Describes the simulation, and how to repeat it.
fn introduction(grid: &Grid) -> String {
    let variants = grid.variants.iter();
    let variants = variants.map(|variant| term(variant_name(*variant), variant_summary(*variant)));
    format!(
        "<p>{SERVERS} servers take {} ms for each attempt, so that they answer {CAPACITY} requests \
         per second. Attempts wait for them in a queue of {QUEUE}, in the order of their arrival. \
         Further attempts are answered 503 at once. An attempt times out after {} ms, but the servers \
         do not notice that and work on it nevertheless. Requests arrive at random times, each from a \
         random client. The load is the part of the capacity that the requests need. The fault begins \
         after {} s and lasts {} s; then {} s follow. The service has recovered when at least {:.0} % \
         of the requests of each half second succeed.</p>\n\
         <p>The clients retry in these ways. Each client has a budget of its own. All but \
         <code>no-retry</code> and <code>defaults</code> retry up to twice, after a random wait of up \
         to 100 ms and then 200 ms.</p>\n<dl>\n{}</dl>\n\
         <p>Seed {}: <code>{}</code></p>\n{}",
        WORK.as_millis(),
        ATTEMPT_TIMEOUT.as_millis(),
        WARM_UP.as_secs(),
        FAULT.as_secs(),
        AFTER.as_secs(),
        WELL * 100.0,
        variants.collect::<String>(),
        grid.seed(),
        grid.command(),
        legend(grid)
    )
}

/// Explains the charts and the tables.
fn legend(grid: &Grid) -> String {
    format!(
        "<h3 id=\"legend\">How to read the charts and tables</h3>\n\
         <ul class=\"legend\">\n{}</ul>\n\
         <p>There is a chart for each way to retry, with {}. The horizontal axis is the time in seconds \
         from the start of the fault. Above each chart are the time from the end of the fault until \
         the service has recovered, the number of attempts for each request in the fault, and the \
         share of the requests in the fault that succeed.</p>\n\
         <p>Highlighted: the service <span class=\"never\">never recovers</span>, or it <span \
         class=\"later\">recovers later</span> than without retries, by more than a second.</p>\n",
        chart::legend(),
        load_name(grid.base)
    )
}

/// Returns a name and its meaning, for a list of definitions.
pub fn term(name: &str, summary: &str) -> String {
    format!("<dt>{name}</dt><dd>{summary}</dd>\n")
}
