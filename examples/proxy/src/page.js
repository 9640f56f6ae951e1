"use strict";

// In the order of the bars, from the top down; a key that is not here comes last. Each with its group,
// which has a colour, and its meaning.
const REASONS = {
  retries: new Map([
    ["backoff", ["backoff", "after the wait of the back-off"]],
    ["timed_out", ["timeout", "after a time-out: the back-off, one step up"]],
    ["server", ["server", "when the server asked for it"]],
    ["at_once", ["refused", "at once: not processed by the server"]],
    ["transparent", ["refused", "at once, and not counted: not processed by the server"]],
    ["cooldown", ["cooldown", "when requests are no longer on hold"]],
  ]),
  stops: new Map([
    ["success", ["success", "the response is a success"]],
    ["permanent", ["final", "a retry would not help"]],
    ["not_replayable", ["final", "the body cannot be sent again"]],
    ["not_idempotent", ["final", "the server may have processed it, and must not do so twice"]],
    ["server_said_no", ["final", "the server asks for no retry"]],
    ["attempts", ["gave-up", "all retries were made"]],
    ["retry_after_too_long", ["gave-up", "the server asks for too long a wait"]],
    ["window", ["gave-up", "the time for retries ends before the next one"]],
    ["not_ready", ["gave-up", "the service failed before a retry"]],
    ["switched_off", ["gave-up", "retries are turned off"]],
    ["budget", ["budget", "the budget does not cover a retry"]],
    ["cooling_down", ["cooldown", "not sent: requests are on hold for too long"]],
  ]),
};
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
const NAMES = { retries: "retries", stops: "requests that ended" };
// A group's name where it is not that of its only reason.
const GROUPS = new Map([["final", "not retryable"], ["gave-up", "gave up"], ["refused", "at once"],
  ["timeout", "after a time-out"], ["cooldown", "on hold"], ["budget", "budget used up"]]);
const HEIGHT = 170, LEFT = 44, RIGHT = 12, TOP = 12, BOTTOM = 22;
const COMPACT = new Intl.NumberFormat("en", { notation: "compact" });
let last = null;

const find = (id) => document.getElementById(id);
const sum = (counts) => Object.values(counts).reduce((all, count) => all + count, 0);
const words = (key) => key.replaceAll("_", " ");
const tokens = (level) => (level === null ? "none" : String(Math.round(level * 1000) / 1000));

/** An element, or a shape; children that are strings are text, whatever they contain. */
function make(name, attributes = {}, ...children) {
  const made = name.startsWith("svg:")
    ? document.createElementNS("http://www.w3.org/2000/svg", name.slice(4))
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Replaces the children unless they are the same, which keeps the focus and what is selected. */
function fill(parent, children) {
  const old = parent.childNodes;
  const same = old.length === children.length && children.every((child, at) => child.isEqualNode(old[at]));
  if (!same) parent.replaceChildren(...children);
}

function duration(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  const rest = Math.floor(seconds % 60);
  if (minutes < 60) return rest === 0 ? `${minutes} min` : `${minutes} min ${rest} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** The counts that are not zero, as pairs of key and count, in the order of the legend. */
function ordered(kind, counts) {
  const keys = [...REASONS[kind].keys()];
  const place = (key) => (keys.includes(key) ? keys.indexOf(key) : keys.length);
  return Object.entries(counts).filter(([, count]) => count > 0).sort(([a], [b]) => place(a) - place(b));
}

const group = (kind, key) => REASONS[kind].get(key)?.[0] ?? "other";

/** How much the charts show: all since the start, unless that is longer ago than the proxy remembers. */
const span = (status) => Math.min(Math.floor(status.uptime_seconds) + 1, status.span_seconds);

/** The least of 1, 2, 5, 10, 20, .. that is not below. */
function roundStep(least) {
  let step = 1;
  for (let at = 0; step < least; at += 1) step *= at % 3 === 1 ? 2.5 : 2;
  return step;
}

/** Where a chart of values up to `most` has what; its time ends with the second that is now. */
function scales(chart, status, most) {
  const width = Math.max(chart.clientWidth, 200);
  const step = roundStep(Math.max(most, 1) / 4);
  const top = Math.ceil(Math.max(most, 1) / step) * step;
  const end = Math.floor(status.uptime_seconds) + 1;
  const slot = (width - LEFT - RIGHT) / span(status);
  const x = (second) => width - RIGHT - (end - second) * slot;
  const y = (value) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
  return { width, step, top, end, slot, x, y };
}

function axes(scale, status) {
  const { width, step, top, end, x, y } = scale;
  const shown = span(status);
  const shapes = outage(scale, status);
  for (let value = 0; value <= top; value += step) {
    shapes.push(make("svg:line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }));
    shapes.push(make("svg:text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, COMPACT.format(value)));
  }
  const most = Math.max(2, Math.floor(width / 90));
  const every = TIME_STEPS.find((seconds) => shown / seconds <= Math.min(most, 6)) ?? shown;
  for (let ago = 0; ago <= shown; ago += every) {
    const label = every < 60 ? `-${ago} s` : `-${ago / 60} min`;
    const place = { x: x(end - ago), y: HEIGHT - 5, "text-anchor": ago === 0 ? "end" : "middle" };
    shapes.push(make("svg:text", place, ago === 0 ? "now" : label));
  }
  return shapes;
}

/** A band behind the others for the demonstration's outage, if it can be seen. */
function outage(scale, status) {
  const first = scale.end - span(status);
  if (status.outage === null) return [];
  const from = Math.max(status.outage.from_seconds, first);
  const to = status.outage.to_seconds ?? scale.end;
  if (to <= first) return [];
  const [left, right] = [scale.x(from), scale.x(to)];
  const place = { x: left, y: TOP, width: right - left, height: HEIGHT - TOP - BOTTOM, class: "outage" };
  const band = make("svg:rect", place, make("svg:title", {}, "the demonstration's outage"));
  const label = make("svg:text", { x: (left + right) / 2, y: TOP + 12, "text-anchor": "middle" }, "outage");
  return right - left > 50 ? [band, label] : [band];
}

function show(chart, scale, shapes, label) {
  chart.dataset.seconds = Math.round((scale.width - LEFT - RIGHT) / scale.slot);
  chart.setAttribute("viewBox", `0 0 ${scale.width} ${HEIGHT}`);
  chart.setAttribute("aria-label", label);
  chart.replaceChildren(...shapes);
}

function remark(scale, text) {
  const middle = (LEFT + scale.width - RIGHT) / 2;
  return make("svg:text", { x: middle, y: HEIGHT / 2, "text-anchor": "middle" }, text);
}

/** One second's bars, piled up; none is thinner than a pixel, so that one failure is seen. */
function pile(kind, second, scale) {
  let base = scale.y(0);
  return ordered(kind, second[kind]).reverse().map(([key, count]) => {
    const height = Math.max(scale.y(0) - scale.y(count), 1);
    base -= height;
    const width = scale.slot > 3 ? scale.slot - 1 : scale.slot;
    const place = { x: scale.x(second.second), y: base, width, height, class: group(kind, key) };
    const data = { "data-key": key, "data-second": second.second, "data-count": count };
    const ago = duration(scale.end - 1 - second.second);
    return make("svg:rect", { ...place, ...data }, make("svg:title", {}, `${words(key)}: ${count}, ${ago} ago`));
  });
}

function drawBars(kind, status, seconds) {
  const chart = find(`${kind}-chart`);
  const most = Math.max(0, ...seconds.map((second) => sum(second[kind])));
  const scale = scales(chart, status, most);
  const bars = seconds.flatMap((second) => pile(kind, second, scale));
  if (bars.length === 0) bars.push(remark(scale, `no ${NAMES[kind]} in this time`));
  const totals = ordered(kind, status.totals[kind]);
  const listed = totals.map(([key, count]) => `${words(key)} ${count}`).join(", ") || "none";
  const label = `${NAMES[kind]} per second in the last ${duration(span(status))}: at most ${most}. Since the start: ${listed}.`;
  show(chart, scale, [...axes(scale, status), ...bars], label);
  fill(find(`${kind}-legend`), legend(kind, totals, status));
}

/** An item for each colour of a chart, and in the first one for the outage. */
function legend(kind, totals, status) {
  const groups = new Map();
  for (const [key, count] of totals) {
    const name = group(kind, key);
    groups.set(name, (groups.get(name) ?? 0) + count);
  }
  const item = (name, text) => make("li", {}, make("span", { class: `swatch ${name}` }), text);
  const items = Array.from(groups, ([name, count]) => item(name, `${GROUPS.get(name) ?? words(name)}: ${count}`));
  if (kind === "stops" && status.outage !== null) items.push(item("outage", "the demonstration's outage"));
  return items;
}

function drawBudget(status, seconds) {
  const known = seconds.filter(({ budget }) => budget !== null);
  const most = Math.max(status.budget ?? 0, ...known.map(({ budget }) => budget));
  const scale = scales(find("budget-chart"), status, most);
  // Where nothing happened, the level is what it is now.
  const start = scale.end - span(status);
  const levels = known.length > 0 ? seconds.map(({ second, budget }) => [second, budget]) : [[start, status.budget]];
  levels.push([scale.end, status.budget]);
  let path = "";
  let before = null;
  for (const [second, level] of levels) {
    if (before !== null) path += `H${scale.x(second)}`;
    if (level !== null) path += before === null ? `M${scale.x(second)} ${scale.y(level)}` : `V${scale.y(level)}`;
    before = level;
  }
  const line = path ? make("svg:path", { class: "level", d: path }) : remark(scale, "no budget was told");
  const label = `Budget in the last ${duration(span(status))}; now ${tokens(status.budget)}.`;
  show(find("budget-chart"), scale, [...axes(scale, status), line], label);
}

function drawCharts(status) {
  const first = Math.floor(status.uptime_seconds) + 1 - span(status);
  const seconds = status.seconds.filter(({ second }) => second >= first);
  drawBars("retries", status, seconds);
  drawBars("stops", status, seconds);
  drawBudget(status, seconds);
}

/** Of what people look for first. */
function drawHeadlines({ success_rate, p95_seconds }) {
  const p95 = p95_seconds < 0.9995 ? `${Math.round(p95_seconds * 1000)} ms` : `${p95_seconds?.toFixed(2)} s`;
  const headlines = {
    success_rate: success_rate === null ? "-" : `${(success_rate * 100).toFixed(1)} %`,
    p95: p95_seconds === null ? "-" : p95,
  };
  for (const [key, value] of Object.entries(headlines)) {
    document.querySelector(`[data-headline="${key}"]`).textContent = value;
  }
}

function drawTotals({ totals, budget, uptime_seconds }) {
  const headlines = {
    requests: totals.requests,
    attempts: totals.attempts,
    retries: sum(totals.retries) - totals.unsent_retries,
    failures: sum(totals.stops) - (totals.stops.success ?? 0),
    budget: tokens(budget),
  };
  for (const [key, value] of Object.entries(headlines)) {
    document.querySelector(`[data-total="${key}"]`).textContent = value;
  }
  find("uptime").dataset.seconds = Math.floor(uptime_seconds);
  find("uptime").textContent = `Up for ${duration(uptime_seconds)}.`;
}

/** When the time is over, requests go one after the other; the hold itself ends when the last of them is served. */
function drawCooldown({ held, left_seconds }) {
  const left = left_seconds > 0 ? `${left_seconds.toFixed(1)} s` : "now";
  const figures = { held, left: left_seconds === null ? "none" : left };
  for (const [key, value] of Object.entries(figures)) {
    document.querySelector(`[data-cooldown="${key}"]`).textContent = value;
  }
}

function drawTable(kind, counts) {
  const rows = ordered(kind, counts).map(([key, count]) => make("tr", {},
    make("th", { scope: "row" }, make("span", { class: `swatch ${group(kind, key)}` }), words(key)),
    make("td", { class: "number", [`data-${kind}`]: key }, String(count)),
    make("td", { class: "muted meaning" }, REASONS[kind].get(key)?.[1] ?? "")));
  if (rows.length === 0) rows.push(make("tr", {}, make("td", { class: "muted", colspan: 3 }, "none yet")));
  fill(find(`${kind}-table`), rows);
}

function drawRecent(requests) {
  const number = (text) => make("td", { class: "number" }, text);
  const cut = (text) => make("td", { class: "cut", title: text }, make("bdi", {}, text));
  const rows = requests.map((request) => make("tr", {},
    number(duration(request.at_seconds)), cut(`${request.method} ${request.path}`), number(String(request.attempts)),
    number(`${request.waited_seconds.toFixed(3)} s`), number(String(request.status ?? "error")),
    cut(words(request.stop)), cut(request.id)));
  if (rows.length === 0) rows.push(make("tr", {}, make("td", { class: "muted", colspan: 7 }, "none yet")));
  fill(find("recent"), rows);
}

function drawPaths(paths) {
  fill(find("paths"), paths.map(({ path, what }) => {
    const here = URL.parse(path, location.href)?.origin === location.origin;
    const link = here ? make("a", { href: path, target: "_blank" }, path) : path;
    return make("li", {}, link, `: ${what}`);
  }));
}

function draw(status) {
  last = status;
  drawHeadlines(status);
  drawTotals(status);
  drawCooldown(status.cooldown);
  drawCharts(status);
  drawTable("retries", status.totals.retries);
  drawTable("stops", status.totals.stops);
  drawRecent(status.recent);
  drawPaths(status.paths);
  document.documentElement.dataset.updates = Number(document.documentElement.dataset.updates) + 1;
}

/** The status, or nothing if there was no answer in time. */
async function ask() {
  try {
    const response = await fetch("status", { cache: "no-store", signal: AbortSignal.timeout(5000) });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

async function poll() {
  const status = await ask();
  find("notice").textContent = status === null ? "The proxy does not answer." : "";
  setTimeout(poll, 1000);
  if (status !== null) draw(status);
}

addEventListener("resize", () => last !== null && drawCharts(last));
poll();
