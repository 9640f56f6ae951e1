//! The page with all charts and tables. It is one file and refers to no other.

use crate::figures::WELL;
use crate::grid::Grid;
use crate::names::{variant_name, variant_summary};
use crate::runs::{Extent, Outcomes};
use crate::scenario::{AFTER, FAULT, Scenario, WARM_UP};
use crate::simulation::ATTEMPT_TIMEOUT;
use crate::table::Table;
use crate::tables;
use crate::upstream::{CAPACITY, QUEUE, SERVERS, WORK};

const STYLE: &str = "\
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:1200px;margin:2rem auto;padding:0 1rem;\
color:#1f2328;background:#fff}
svg{display:block;max-width:100%;height:auto}
code{font-size:.9em;background:#eff1f3;padding:.1em .3em;border-radius:4px}
dl{display:grid;grid-template-columns:max-content 1fr;column-gap:1.5rem}
dt{font-weight:bold}
dd{margin:0}
div{overflow-x:auto}
table{border-collapse:collapse;font-size:13px;margin:1.5rem 0;white-space:nowrap}
caption{text-align:left;font-size:16px;padding:.4rem 0}
th,td{border:1px solid #d0d7de;padding:.2rem .5rem;text-align:left}
.never{background:#f7c6b0;font-weight:bold}
.later{background:#fbe8a6}
@media(prefers-color-scheme:dark){
body{color:#e6edf3;background:#0d1117}
code{background:#262c36}
th,td{border-color:#3d444d}
.never{background:#7a2d0c}
.later{background:#574500}
}
";

/// What is shown of runs that are about the same.
pub struct Section {
    pub introduction: String,
    pub tables: Vec<Table>,
    pub extent: Extent,
}

pub fn page(sections: &[Section]) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>Retries on a bad day</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1>Retries on a bad day</h1>\n"
    );
    for section in sections {
        page += &section.introduction;
        for table in &section.tables {
            page += &table.to_html();
        }
    }
    page + "</body>\n</html>\n"
}

/// That of the storms, with these charts, each of a scenario.
pub fn section(charts: &[(&Scenario, String)], grid: &Grid, outcomes: &Outcomes) -> Section {
    let mut introduction = introduction(grid);
    for (scenario, chart) in charts {
        let name = scenario.name;
        let summary = scenario.summary;
        introduction += &format!("<h2 id=\"{name}\">{name}</h2>\n<p>{summary}</p>\n{chart}");
    }
    introduction += "<h2 id=\"figures\">Figures</h2>\n\
                     <p>Marked: <span class=\"never\">it never recovers</span>, \
                     <span class=\"later\">it recovers later than without retries</span>, by more \
                     than a second.</p>\n";
    Section {
        introduction,
        tables: tables::all(grid, outcomes),
        extent: outcomes.extent(),
    }
}

/// What is simulated, and how to do it again.
fn introduction(grid: &Grid) -> String {
    let variants = grid.variants.iter();
    let variants = variants.map(|variant| term(variant_name(*variant), variant_summary(*variant)));
    format!(
        "<p>{SERVERS} servers, which take {} ms for a request, answer {CAPACITY} requests a \
         second. Before them is a queue of {QUEUE}, first come, first served; what does not fit \
         is answered 503 at once. An attempt is given up after {} ms, but the servers do not know: \
         they work on it all the same. Requests come at random times, each from a random client; \
         the load is what is asked for, of what the servers can answer. In bad-replicas and \
         black-holes the other replicas have the whole capacity. All is well for {} s, then \
         comes the fault for {} s, then {} s are watched. Recovered is a service from when on \
         {:.0} % of the requests, or more, succeed in each half second.</p>\n\
         <p>How the clients retry; each has a budget of its own. But for defaults it is twice, \
         after a random time up to 100 ms and up to 200 ms.</p>\n<dl>\n{}</dl>\n\
         <p>Seed {}: <code>{}</code></p>\n",
        WORK.as_millis(),
        ATTEMPT_TIMEOUT.as_millis(),
        WARM_UP.as_secs(),
        FAULT.as_secs(),
        AFTER.as_secs(),
        WELL * 100.0,
        variants.collect::<String>(),
        grid.seed(),
        grid.command()
    )
}

/// What a name means, in a list of such.
pub fn term(name: &str, summary: &str) -> String {
    format!("<dt>{name}</dt><dd>{summary}</dd>\n")
}
