//! Tests of the example `storm` as a program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A small part of the grid, with few requests.
const SMALL: [&str; 10] = [
    "--scenario",
    "outage",
    "--clients",
    "10",
    "--load",
    "0.05",
    "--variant",
    "no-retry",
    "--variant",
    "earning",
];

fn storm_command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_storm"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn storm(arguments: &[&str]) -> Output {
    storm_command(arguments).output().unwrap()
}

/// Returns the path of a directory for a test, which does not exist yet.
fn place(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    if path.exists() {
        fs::remove_dir_all(&path).unwrap();
    }
    path
}

/// The scenarios of the conclusions.
const CONCLUDED: [&str; 4] = ["--scenario", "brown-out", "--scenario", "bad-replicas"];

/// Returns what a small run prints and writes: its tables, its page and its chart.
fn small_run(out: &Path, arguments: &[&str]) -> [String; 3] {
    let out_arguments = ["--out", out.to_str().unwrap()];
    let output = storm(&[&SMALL, &out_arguments[..], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let read = |name| fs::read_to_string(out.join(name)).unwrap();
    let tables = String::from_utf8(output.stdout).unwrap();
    [tables, read("index.html"), read("outage.svg")]
}

/// Returns the tables and the page of a small run of only the quotas. Asserts that it writes nothing else.
fn small_quotas(out: &Path, arguments: &[&str]) -> [String; 2] {
    let quotas = ["--quotas", "--clients", "2", "--load", "0.05"];
    let out_arguments = ["--out", out.to_str().unwrap()];
    let output = storm(&[&quotas, &out_arguments[..], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let files = fs::read_dir(out).unwrap();
    let files = files.map(|file| file.unwrap().file_name());
    assert!(files.eq(["index.html"]));
    let tables = String::from_utf8(output.stdout).unwrap();
    [tables, fs::read_to_string(out.join("index.html")).unwrap()]
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_whatever_the_threads_and_another_seed_does_not() {
    let one = small_run(&place("storm-one"), &["--threads", "1"]);
    let two = small_run(&place("storm-two"), &["--threads", "2"]);
    let other = small_run(&place("storm-other"), &["--seed", "2"]);
    assert!(one == two);
    for (one, other) in one.iter().zip(&other) {
        assert_ne!(one, other);
    }
}

#[test]
fn the_tables_have_a_row_for_the_scenario_and_a_column_for_each_variant() {
    let [tables, ..] = small_run(&place("storm-tables"), &[]);
    let lines: Vec<_> = tables.lines().collect();
    let heads = lines.iter().filter(|line| line.starts_with("| scenario |"));
    let columns = |line: &&str| {
        let cells = line.trim_matches('|').split('|').map(str::trim);
        assert!(cells.eq(["scenario", "no-retry", "earning"]));
    };
    assert_eq!(heads.inspect(|line| columns(line)).count(), 2);
    let rows = lines.iter().filter(|line| line.starts_with("| outage "));
    assert_eq!(rows.count(), 2);
    assert!(tables.contains("10 clients, load 0.05"));
    assert!(tables.contains("0.0 s, 1.00"), "{tables}");
}

#[test]
fn the_conclusions_have_a_row_for_each_variant_and_come_first() {
    let [tables, page, _] = small_run(&place("storm-conclusions"), &CONCLUDED);
    let lines = tables.lines().filter(|line| line.starts_with('|'));
    let rows = lines.map(|line| line.trim_matches('|').split('|').map(str::trim));
    let rows: Vec<Vec<_>> = rows.map(Iterator::collect).collect();
    let head = [
        "variant",
        "brown-out: recovery",
        "brown-out: attempts",
        "bad-replicas: successes",
        "bad-replicas: attempts",
    ];
    assert_eq!(rows[0], head);
    // There are so few requests that the servers that are left are sufficient.
    assert_eq!(rows[2][..3], ["no-retry", "0.0 s", "1.00"]);
    assert_eq!(rows[3][..2], ["earning", "0.0 s"]);
    let share = |row: &[&str]| row[3].trim_end_matches(" %").parse::<f64>().unwrap();
    assert!(share(&rows[2]) < share(&rows[3]), "{tables}");
    assert_eq!(rows[4][0], "scenario");
    let first_table = page.split_once("<table>").unwrap().1;
    assert!(first_table.contains("brown-out: recovery</th>"));
}

#[test]
fn the_conclusions_are_about_what_was_run() {
    let [tables, page, _] = small_run(&place("storm-other-conclusions"), &[]);
    assert!(!tables.contains("| variant "), "{tables}");
    let one = "<li>Without retries, the service recovers from 1 of 1 faults. With \
               <code>earning</code>, it recovers from all of these as soon, within a second.</li>";
    assert!(page.contains(one), "{page}");
    assert!(!page.contains("bad-replicas"));
    let only_first = small_run(&place("storm-one-conclusion"), &CONCLUDED[..2]);
    let head = "| variant  | brown-out: recovery | brown-out: attempts |\n";
    assert!(only_first[0].contains(head), "{}", only_first[0]);
}

#[test]
fn a_sweep_has_each_number_of_clients_with_each_load() {
    let arguments = ["--clients", "3", "--load", "0.02"];
    let [tables, page, _] = small_run(&place("storm-sweep"), &arguments);
    let head = "| scenario | variant  | 10, 0.05 | 10, 0.02 | 3, 0.05 | 3, 0.02 |";
    assert!(tables.contains(head), "{tables}");
    assert!(page.contains("<th scope=\"col\">3, 0.02</th>"));
}

#[test]
fn quotas_by_themselves_are_the_same_for_a_seed_whatever_the_threads() {
    let one = small_quotas(&place("storm-quotas-one"), &["--threads", "1"]);
    let two = small_quotas(&place("storm-quotas-two"), &["--threads", "2"]);
    let other = small_quotas(&place("storm-quotas-other"), &["--seed", "2"]);
    assert!(one == two);
    for (one, other) in one.iter().zip(&other) {
        assert_ne!(one, other);
    }
}

#[test]
fn quotas_by_themselves_have_two_tables_and_a_page() {
    let [tables, page] = small_quotas(&place("storm-quotas"), &[]);
    let manners = ["earning", "earning+cooldown", "hold-on-first-429"];
    let shared = [&["scenario", "clients", "load"], &manners[..]].concat();
    let own = [&["scenario", "clients"], &manners[..]].concat();
    let names = [
        "shared-limit",
        "shared-limit-constant",
        "own-quota",
        "own-quota-told",
        "own-quota-blocking",
    ];
    let lines = tables.lines().filter(|line| line.starts_with('|'));
    let rows = lines.map(|line| line.trim_matches('|').split('|').map(str::trim));
    let rows: Vec<Vec<_>> = rows.map(Iterator::collect).collect();
    assert_eq!([&rows[0], &rows[4]], [&shared, &own]);
    let first = [&rows[2..4], &rows[6..]].concat();
    assert!(first.iter().map(|row| row[0]).eq(names), "{tables}");
    assert!(first.iter().all(|row| row[1] == "2"), "{tables}");
    assert!(rows[2..4].iter().all(|row| row[2] == "0.05"), "{tables}");
    // The load is a twentieth of the limit, so that it is never exceeded.
    assert!(rows[2][3].starts_with("0.0 s, "), "{tables}");
    assert!(rows[2][3].ends_with("/s, 100.0 %"), "{tables}");
    for text in names.iter().chain(&manners) {
        assert!(page.contains(&format!("<dt>{text}</dt>")), "{text}");
    }
    assert_eq!(page.matches("<table>").count(), 2);
    assert!(page.contains("storm -- --quotas --clients 2 --load 0.05</code>"));
    assert!(!page.contains("<svg"));
}

#[test]
fn who_asks_for_some_storms_gets_no_quotas_and_no_hedges() {
    let [tables, page, _] = small_run(&place("storm-no-quotas"), &[]);
    for other in ["quota", "hedge"] {
        assert!(!tables.contains(other), "{other}");
        assert!(!page.contains(other), "{other}");
    }
}

#[test]
fn the_page_has_the_chart_and_refers_to_nothing_else() {
    let [_, page, chart] = small_run(&place("storm-page"), &[]);
    assert_eq!(page.matches("<svg xmlns").count(), 2);
    assert!(chart.starts_with("<svg "));
    assert!(chart.ends_with("</svg>\n"));
    assert!(chart.contains("<polyline "));
    for reference in ["src=", "<script", "<link", "<use", "url(", "@import"] {
        assert!(!page.contains(reference), "{reference}");
    }
    let links: Vec<_> = page.split("href=\"").skip(1).collect();
    assert_eq!(links.len(), 3);
    for link in links {
        let id = link.strip_prefix('#').and_then(|link| link.split_once('"'));
        let target = format!(" id=\"{}\"", id.unwrap().0);
        assert!(page.contains(&target), "{target}");
    }
    let hosts = page.matches("://").count();
    let names = page.matches("xmlns=\"http://www.w3.org/2000/svg\"").count();
    assert_eq!(hosts, names);
}

#[test]
fn wrong_arguments_are_named() {
    let wrong: [(&[&str], &str); 14] = [
        (&["--scenario", "drizzle"], "'drizzle'"),
        (&["--variant", "hope"], "'hope'"),
        (&["--clients", "0"], "from 1 to"),
        (&["--clients", "many"], "'many'"),
        (&["--load", "0"], "above 0 and up to 2"),
        (&["--load", "2.1"], "above 0 and up to 2"),
        (&["--load", "NaN"], "'NaN'"),
        (&["--threads", "0"], "above zero"),
        (&["--seed", "-1"], "-1"),
        (&["--quotas", "--scenario", "outage"], "'--scenario <NAME>'"),
        (&["--variant", "earning", "--quotas"], "'--variant <NAME>'"),
        (&["--hedge", "--scenario", "outage"], "'--scenario <NAME>'"),
        (&["--hedge", "--load", "0.5"], "'--load <X>'"),
        (&["--quotas", "--hedge"], "'--quotas'"),
    ];
    for (arguments, named) in wrong {
        let output = storm(arguments);
        let errors = errors(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(named), "{arguments:?}: {errors}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn what_cannot_be_written_is_named() {
    let place = place("storm-unwritable");
    fs::create_dir(&place).unwrap();
    // Neither can be written: one is below a file, and the other is a directory.
    let below = place.join("file").join("storm");
    fs::write(place.join("file"), "").unwrap();
    fs::create_dir(place.join("index.html")).unwrap();
    for (out, named) in [(&below, &below), (&place, &place.join("index.html"))] {
        let output = storm(&[&SMALL[..], &["--out", out.to_str().unwrap()]].concat());
        let errors = errors(&output);
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.starts_with("error: cannot "), "{errors}");
        assert!(errors.contains(named.to_str().unwrap()), "{errors}");
    }
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let out = place("storm-gone");
    let mut command = storm_command(&[&SMALL[..], &["--out", out.to_str().unwrap()]].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    assert!(!errors(&output).contains("error"));
    assert!(out.join("index.html").exists());
}
