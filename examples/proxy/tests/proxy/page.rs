//! The page of the example `proxy`, in a browser.

use serde_json::{Value, json};

use crate::browser::{Browser, Page};
use crate::program::{Proxy, plan, planned_totals, soon};

/// All figures that the page shows, and the ids of the last requests.
const FIGURES: &str = "(() => {
    const sums = (shapes, key, value) => {
        const sums = {};
        for (const shape of document.querySelectorAll(shapes)) {
            sums[shape.dataset[key]] = (sums[shape.dataset[key]] ?? 0) + Number(value(shape));
        }
        return sums;
    };
    const shown = (name) => sums(`[data-${name}]`, name, (shape) => shape.textContent);
    const drawn = (chart) => sums(`${chart} rect[data-key]`, 'key', (bar) => bar.dataset.count);
    const ids = Array.from(document.querySelectorAll('#recent td:last-child'), (id) => id.innerText);
    const drawnAll = [drawn('#retries-chart'), drawn('#stops-chart')];
    return { totals: shown('total'), listed: [shown('retries'), shown('stops')], drawn: drawnAll, ids };
})()";

/// How the page looks at a width.
const LOOK: &str = "(() => {
    const all = (selector) => Array.from(document.querySelectorAll(selector));
    const root = document.documentElement;
    const size = (element) => parseFloat(getComputedStyle(element).fontSize);
    const meanings = new Map();
    for (const shape of all('.swatch, rect[class], path.level')) {
        const style = getComputedStyle(shape);
        const colour = shape.matches('.swatch') ? style.backgroundColor
            : shape.matches('.level') ? style.stroke : style.fill;
        const name = shape.matches('.level') ? 'budget'
            : (shape.getAttribute('class') ?? '').replace('swatch ', '');
        meanings.set(colour, (meanings.get(colour) ?? new Set()).add(name));
    }
    return {
        overflow: root.scrollWidth - root.clientWidth,
        headlines: all('[data-headline]').map((one) => [one.textContent, size(one) >= 2 * size(document.body)]),
        headlinesFirst: all('dd').slice(0, 2).every((one) => 'headline' in one.dataset),
        spans: all('svg').map((chart) => Number(chart.dataset.seconds)),
        uptime: Number(document.getElementById('uptime').dataset.seconds),
        outages: all('svg rect.outage').length,
        smallest: Math.min(...all('body *').filter((one) => one.innerText || one.tagName === 'text').map(size)),
        ambiguous: Array.from(meanings.values()).filter((names) => names.size > 1).map((names) => [...names].join()),
        colours: meanings.size,
        background: getComputedStyle(document.body).backgroundColor,
    };
})()";

/// What these are to be, by what the proxy tells.
fn figures(status: &Value) -> Value {
    let totals = &status["totals"];
    let sum = |kind| {
        let counts = totals[kind].as_object().unwrap().values();
        counts.filter_map(Value::as_u64).sum::<u64>()
    };
    let budget = status["budget"].as_f64().unwrap();
    let recent = status["recent"].as_array().unwrap().iter();
    let by_kind = [&totals["retries"], &totals["stops"]];
    json!({
        "totals": {
            "requests": totals["requests"],
            "attempts": totals["attempts"],
            "retries": sum("retries") - totals["unsent_retries"].as_u64().unwrap(),
            "failures": sum("stops") - totals["stops"]["success"].as_u64().unwrap(),
            "budget": (budget * 1_000.0).round() / 1_000.0,
        },
        "listed": by_kind,
        "drawn": by_kind,
        "ids": recent.map(|told| &told["id"]).collect::<Vec<_>>(),
    })
}

/// As JavaScript has them: all numbers are of one kind.
fn as_floats(value: Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(values) => values.into_iter().map(as_floats).collect(),
        Value::Object(values) => values
            .into_iter()
            .map(|(key, value)| (key, as_floats(value)))
            .collect(),
        other => other,
    }
}

fn total(name: &str) -> String {
    format!("Number(document.querySelector('[data-total={name}]').textContent)")
}

fn cooldown(name: &str) -> String {
    format!("document.querySelector('[data-cooldown={name}]').textContent")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium"]
async fn the_page_shows_what_happened_and_keeps_it_when_the_proxy_is_gone() {
    let browser = Browser::start().await;
    let proxy = Proxy::start(&[]).await;
    let page = browser.open(&proxy.url("/").to_string()).await;
    page.until("document.documentElement.dataset.updates > 0")
        .await;
    let text = page.evaluate("document.body.innerText").await;
    assert_eq!(
        text.as_str().unwrap().matches("none yet").count(),
        3,
        "{text}"
    );

    // An id is text, whatever it contains.
    let id = |number| format!("<b>{number}</b>");
    proxy.follow_plan(id).await;
    page.until(&format!("{} === {}", total("requests"), plan().count()))
        .await;
    let status = proxy.status().await;
    assert_eq!(status["totals"], planned_totals());
    let shown = page.evaluate(FIGURES).await;
    assert_eq!(as_floats(shown.clone()), as_floats(figures(&status)));
    let recent = plan()
        .enumerate()
        .filter(|(_, planned)| planned.is_recent());
    let mut ids: Vec<_> = recent.map(|(number, _)| id(number)).collect();
    ids.reverse();
    assert_eq!(shown["ids"], json!(ids));
    assert_eq!(page.problems(), [""; 0]);

    assert_eq!(proxy.stop().await.status, Some(0));
    page.until("document.body.innerText.includes('The proxy does not answer.')")
        .await;
    assert_eq!(page.evaluate(FIGURES).await, shown);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium"]
async fn the_page_shows_how_many_requests_are_held_and_for_how_long() {
    let browser = Browser::start().await;
    let proxy = Proxy::start(&[]).await;
    let page = browser.open(&proxy.url("/").to_string()).await;
    let held = cooldown("held");
    let left = cooldown("left");
    let none = format!("{held} === '0' && {left} === 'none'");
    page.until(&none).await;

    // It looks once a second, and a hold is not much longer.
    let load = async {
        loop {
            for request in proxy.use_up(["/ok", "/ok"]).await {
                assert_eq!(soon(request).await.unwrap(), Some(200));
            }
        }
    };
    let seconds = format!("/^\\d+\\.\\d s$/.test({left}) && {left} !== '0.0 s'");
    let both = format!("{held} === '2' && {seconds}");
    tokio::select! {
        () = page.until(&both) => {}
        () = load => {}
    }
    assert_eq!(proxy.get("/ok").await.status, 200);
    page.until(&none).await;

    assert_eq!(proxy.get("/quota?t=60").await.status, 429);
    page.until(&format!("parseFloat({left}) > 30")).await;
    let first = page.evaluate(&format!("parseFloat({left})")).await;
    page.until(&format!("parseFloat({left}) < {first}")).await;
    proxy.get("/ok").await;
    let stop = "document.querySelector('[data-stops=cooling_down]')?.textContent === '1'";
    page.until(stop).await;
    assert_eq!(page.problems(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium"]
async fn the_page_follows_the_demonstration_to_its_end() {
    let browser = Browser::start().await;
    let proxy = Proxy::start(&["--demo", "3s"]).await;
    let page = browser.open(&proxy.url("/").to_string()).await;
    let requests = total("requests");
    page.until(&format!("{requests} > 0")).await;
    let first = page.evaluate(&requests).await;
    page.until(&format!("{requests} > {first}")).await;
    page.until(&format!("{requests} === 60")).await;
    let shown = page.evaluate(FIGURES).await;
    let told = figures(&proxy.status().await);
    assert_eq!(as_floats(shown), as_floats(told));
    assert_eq!(page.problems(), [""; 0]);
}

async fn resize(page: &Page, width: u32, scheme: &str) {
    let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
    page.call("Emulation.setDeviceMetricsOverride", size).await;
    let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
    let media = json!({ "features": [feature] });
    page.call("Emulation.setEmulatedMedia", media).await;
    let fits = "Array.from(document.querySelectorAll('svg'))
        .every((chart) => chart.viewBox.baseVal.width === chart.clientWidth)";
    page.until(fits).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium"]
async fn the_page_can_be_read_at_all_widths_by_day_and_by_night() {
    let browser = Browser::start().await;
    let proxy = Proxy::start(&["--demo", "3s"]).await;
    let page = browser.open(&proxy.url("/").to_string()).await;
    page.until(&format!("{} === 60", total("requests"))).await;
    let text = page.evaluate("document.body.innerText").await;
    assert!(text.as_str().unwrap().contains("Refreshed every second."));
    for width in [1_400, 800, 400] {
        let mut backgrounds = Vec::new();
        for scheme in ["light", "dark"] {
            resize(&page, width, scheme).await;
            let look = page.evaluate(LOOK).await;
            let case = format!("{width}, {scheme}: {look:#}");
            assert_eq!(look["overflow"], 0, "{case}");
            let [rate, p95] = [0, 1].map(|at| look["headlines"][at].as_array().unwrap());
            assert!(
                rate[0].as_str().unwrap().ends_with(" %") && rate[1] == true,
                "{case}"
            );
            assert!(
                p95[0].as_str().unwrap().ends_with('s') && p95[1] == true,
                "{case}"
            );
            assert_eq!(look["headlinesFirst"], true, "{case}");
            // All charts end with the second that is now, and begin with the proxy.
            let seconds = look["uptime"].as_u64().unwrap() + 1;
            assert_eq!(look["spans"], json!([seconds, seconds, seconds]), "{case}");
            assert_eq!(look["outages"], 3, "{case}");
            assert!(look["smallest"].as_f64() >= Some(12.0), "{case}");
            assert_eq!(look["ambiguous"], json!([]), "{case}");
            assert!(look["colours"].as_u64() >= Some(5), "{case}");
            backgrounds.push(look["background"].clone());
        }
        assert_ne!(backgrounds[0], backgrounds[1], "{width}");
    }
    assert_eq!(page.problems(), [""; 0]);
}
