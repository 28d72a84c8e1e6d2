// A chart in the page: one Plotly.react on one element, so that zoom, legend and selection stay when its data change; with keys.

// Plotly looks for the arrays in every trace each time it draws, a millisecond a trace: traces of one form have the same ones.
const form = (value) => (ArrayBuffer.isView(value) || Array.isArray(value) ? "[]" : Object.keys(value).map((key) =>
  (value[key] && typeof value[key] === "object" && key[0] !== "_" ? `${key}{${form(value[key])}}` : "")).join(""));
function remember(schema, known = {}) {
  const look = schema.findArrayAttributes;
  schema.findArrayAttributes = (trace) => [...(known[trace.type + form(trace)] ??= look(trace))];
}

const plotly = () => (window.lawlibPlotly ??= new Promise((done, fail) => {
  const script = document.createElement("script");
  script.src = new URL("app/static/plotly.min.js", document.baseURI).href;
  script.onload = () => [remember(window.Plotly.PlotSchema), done(window.Plotly)];
  script.onerror = () => fail(new Error(`${script.src} could not be loaded`));
  document.head.append(script);
}));

const KEYS = {
  ArrowLeft: ["xaxis", -0.1, 1], ArrowRight: ["xaxis", 0.1, 1], ArrowDown: ["yaxis", -0.1, 1], ArrowUp: ["yaxis", 0.1, 1],
  "+": ["both", 0, 0.8], "=": ["both", 0, 0.8], "-": ["both", 0, 1.25],
};

function keyed(chart, event) {
  if (event.key === "0" || event.key === "Home") {
    event.preventDefault();
    return window.Plotly.relayout(chart, { "xaxis.autorange": true, "yaxis.autorange": true, ...shown(chart.wanted.layout) });
  }
  const key = KEYS[event.key];
  if (!key || event.ctrlKey || event.metaKey || event.altKey || event.target !== chart) return;
  event.preventDefault();
  const [which, move, zoom] = key, change = {};
  for (const name of which === "both" ? ["xaxis", "yaxis"] : [which]) {
    const [low, high] = chart._fullLayout[name].range.map(Number), middle = (low + high) / 2 + move * (high - low);
    change[`${name}.range`] = [middle - (zoom * (high - low)) / 2, middle + (zoom * (high - low)) / 2];
  }
  window.Plotly.relayout(chart, change);
}

// The ranges that the figure itself asks for.
const shown = (layout) => Object.fromEntries(
  ["xaxis", "yaxis"].filter((name) => layout[name]?.range).map((name) => [`${name}.range`, [...layout[name].range]]));

const DATA = ["x", "y", "text", "customdata", "meta"], UNNAMED = [...DATA, "name", "legendgroup"], WORDS = ["annotations", "shapes"];
const written = (value, besides) => JSON.stringify(value, (key, inner) => (besides.includes(key) ? 0 : inner));
const like = (a, b, besides = []) => written(a, besides) === written(b, besides);

// Draws only the traces and words that changed, where nothing else did: a third to a tenth of the time. False where more changed.
async function amend(chart, before, { data, layout }) {
  if (!before || data.length !== before.data.length || !like(layout, before.layout, WORDS)) return false;
  if (WORDS.some((words) => !like(layout[words]?.map(Object.keys), before.layout[words]?.map(Object.keys)))) return false;
  const changed = [...data.keys()].filter((i) => !like(data[i], before.data[i]));
  if (changed.some((i) => !like(data[i], before.data[i], data[i].showlegend === false ? UNNAMED : DATA))) return false;
  if (changed.length && Object.keys(layout).some((name) => /^[xy]axis/.test(name) && !layout[name].range)) return false;
  const touched = {};
  for (const words of WORDS) layout[words]?.forEach((item, i) => {
    if (like(item, before.layout[words][i])) return;
    Object.assign(chart.layout[words][i], item);
    touched[`${words}[${i}].opacity`] = item.opacity ?? 1;  // what plotly draws alone
  });
  const traces = [...data.keys()].slice(changed[0] ?? data.length, changed.at(-1) + 1);  // else those drawn come on top
  const atOnce = { mode: "immediate", transition: { duration: 0 }, frame: { duration: 0, redraw: false } };
  const drawn = traces.length && new Promise((done, fail) => {
    chart.once("plotly_transitioning", done);  // it draws in the same breath; its own promise waits for another frame
    chart.once("plotly_animated", () => fail(new Error("not drawn")));  // too late to matter, unless it could not be drawn
    window.Plotly.animate(chart, { data: traces.map((i) => data[i]), traces }, atOnce).catch(fail);
  });
  await Promise.all([drawn, Object.keys(touched).length && window.Plotly.relayout(chart, touched)]);
  return true;
}

async function draw(chart, data) {
  const Plotly = await plotly();
  if (chart.spec !== data.figure || !chart.isConnected) return;  // a newer figure came, or the page has gone on
  const figure = JSON.parse(data.figure);
  if (!(await amend(chart, chart.wanted, figure))) await Plotly.react(chart, figure.data, figure.layout, data.config);
  chart.wanted = JSON.parse(data.figure);
  if (chart.spec === data.figure) chart.dataset.drawn = chart.dispatchEvent(new CustomEvent("drawn", { bubbles: true }));  // else one waits
}

export default function ({ parentElement, data }) {
  const chart = parentElement.querySelector(".chart");
  chart.ariaLabel = parentElement.querySelector(".chart-title").textContent = data.title;
  chart.style.minHeight = `${data.height}px`;
  if (chart.spec !== data.figure) {
    if (chart.spec === undefined) {
      chart.addEventListener("keydown", (event) => chart.wanted && keyed(chart, event));
      chart.outOfSight = chart.getBoundingClientRect().top > innerHeight;
      new IntersectionObserver((seen) => { chart.outOfSight = !seen.at(-1).isIntersecting; }).observe(chart);
      new ResizeObserver(() => chart.dataset.drawn && chart.clientWidth && window.Plotly.Plots.resize(chart)).observe(chart);
    }
    chart.spec = data.figure;
    delete chart.dataset.drawn;
    // One after the other, and what is out of sight when the rest is done.
    const turn = () => chart.outOfSight ? new Promise((done) => requestIdleCallback(done, { timeout: 500 })) : 0;
    chart.drawing = (chart.drawing ?? Promise.resolve()).then(turn, turn).then(() => draw(chart, data));
  }
  return () => setTimeout(() => chart.isConnected || window.Plotly?.purge(chart));
}
