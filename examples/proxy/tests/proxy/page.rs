//! The page of the example `proxy`, in a browser.

use serde_json::{Value, json};

use crate::browser::Browser;
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
            "retries": sum("retries"),
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
