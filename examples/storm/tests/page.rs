//! Tests of the page of the example `storm` in a browser.

#![cfg(unix)]

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

#[allow(dead_code, reason = "the proxy's tests use all of it")]
#[path = "../../proxy/tests/proxy/browser.rs"]
mod browser;

use browser::{Browser, Page};

/// The widths of a desktop, a tablet and a telephone.
const WIDTHS: [u32; 3] = [1_400, 800, 400];

/// Arguments for scenarios with and without an end, and for wide tables.
const RUN: &str = "--scenario brown-out --scenario background --scenario bad-replicas --clients 10 \
                   --clients 20 --load 0.05 --load 0.02";

/// A script that returns the parts of the page, in the order of the page.
const PARTS: &str = "(() => {
    const texts = (selector) => Array.from(document.querySelectorAll(selector), (one) => one.textContent);
    const links = Array.from(document.querySelectorAll('nav a'), (link) => link.getAttribute('href'));
    return {
        titles: texts('h2'),
        missing: links.filter((link) => document.querySelector(link) === null),
        links: links.length,
        sentences: texts('.conclusions li').length,
        legends: texts('.legend').length,
        legendsInCharts: texts('.panels svg').filter((text) => text.includes('requests')).length,
        panels: texts('.panels figure').length,
    };
})()";

/// A script that returns properties of the layout.
const LOOK: &str = "(() => {
    const all = (selector) => Array.from(document.querySelectorAll(selector));
    const box = (element) => element.getBoundingClientRect();
    const root = document.documentElement;
    const scrolls = (element) => getComputedStyle(element).overflowX === 'auto';
    const lines = (cell) => {
        const range = document.createRange();
        range.selectNodeContents(cell);
        return new Set(Array.from(range.getClientRects(), (rect) => rect.top)).size;
    };
    const sizes = all('.panels svg').flatMap((svg) => {
        const scale = box(svg).width / svg.viewBox.baseVal.width;
        return Array.from(svg.querySelectorAll('text'), (text) => parseFloat(text.getAttribute('font-size')) * scale);
    });
    const colour = (element, property) => getComputedStyle(element)[property];
    return {
        overflow: root.scrollWidth - root.clientWidth,
        columns: new Set(all('.panels')[0].querySelectorAll('figure').values().map((one) => box(one).left)).size,
        smallest: Math.min(...sizes),
        brokenCells: all('td').filter((cell) => lines(cell) > 1).length,
        wideTables: all('table').filter((table) => box(table).width > table.parentElement.clientWidth).length,
        tablesThatEscape: all('table').filter((table) => !scrolls(table.parentElement)).length,
        paperIsPage: colour(document.querySelector('.panels svg rect'), 'fill') === colour(document.body, 'backgroundColor'),
        background: colour(document.body, 'backgroundColor'),
        keys: all('.legend polyline').map((key) => colour(key, 'stroke')),
        lines: Array.from(all('.panels svg')[0].querySelectorAll('polyline[stroke-width]'), (line) => colour(line, 'stroke')),
    };
})()";

async fn look(page: &Page, width: u32, scheme: &str) -> Value {
    let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
    page.call("Emulation.setDeviceMetricsOverride", size).await;
    let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
    let media = json!({ "features": [feature] });
    page.call("Emulation.setEmulatedMedia", media).await;
    page.evaluate(LOOK).await
}

fn write_page(out: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_storm"));
    command.args(RUN.split_whitespace()).arg("--out").arg(out);
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium"]
async fn the_page_can_be_read_at_all_widths_by_day_and_by_night() {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("storm-browser");
    write_page(&out);
    let browser = Browser::start().await;
    let page = browser
        .open(&format!("file://{}/index.html", out.display()))
        .await;

    let expected = json!({
        "titles": ["Conclusions", "Contents", "Retry storms"],
        "missing": [],
        "links": 5,
        "sentences": 3,
        "legends": 1,
        "legendsInCharts": 0,
        "panels": 3 * 8,
    });
    assert_eq!(page.evaluate(PARTS).await, expected);

    for (width, columns) in WIDTHS.into_iter().zip([4, 2, 1]) {
        let mut backgrounds = Vec::new();
        for scheme in ["light", "dark"] {
            let look = look(&page, width, scheme).await;
            let case = format!("{width}, {scheme}: {look:#}");
            assert_eq!(look["overflow"], 0, "{case}");
            assert_eq!(look["columns"], columns, "{case}");
            assert!(look["smallest"].as_f64() >= Some(12.0), "{case}");
            assert_eq!(
                (&look["brokenCells"], &look["tablesThatEscape"]),
                (&json!(0), &json!(0)),
                "{case}"
            );
            assert!(
                width > 400 || look["wideTables"].as_u64() > Some(0),
                "{case}"
            );
            assert_eq!(look["paperIsPage"], true, "{case}");
            let lines = look["lines"].as_array().unwrap();
            let keys = look["keys"].as_array().unwrap();
            assert!(
                keys.len() == 3 && keys.iter().all(|key| lines.contains(key)),
                "{case}"
            );
            backgrounds.push(look["background"].clone());
        }
        assert_ne!(backgrounds[0], backgrounds[1], "{width}");
    }
    assert_eq!(page.problems(), [""; 0]);
}
