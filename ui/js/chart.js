// A chart in the page: one Plotly.react on one element, so that zoom, legend and selection stay when its data change.
// Keys, once it has the focus: arrows move, + and - zoom, 0 or Home shows all.

const plotly = () => (window.lawlibPlotly ??= new Promise((done, fail) => {
  if (window.Plotly) return done(window.Plotly);
  const script = document.createElement("script");
  script.src = new URL("app/static/plotly.min.js", document.baseURI).href;
  script.onload = () => done(window.Plotly);
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
    return window.Plotly.relayout(chart, { "xaxis.autorange": true, "yaxis.autorange": true, ...shown(chart.wanted) });
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

async function draw(chart, data) {
  const Plotly = await plotly();
  if (chart.spec !== data.figure || !chart.isConnected) return;  // a newer figure came, or the page has gone on
  const figure = JSON.parse(data.figure);
  chart.wanted = JSON.parse(data.figure).layout;
  await Plotly.react(chart, figure.data, figure.layout, data.config);
  chart.dataset.drawn = "true";
  chart.dispatchEvent(new CustomEvent("drawn", { bubbles: true }));
}

export default function ({ parentElement, data }) {
  const chart = parentElement.querySelector(".chart");
  chart.setAttribute("aria-label", data.title);
  chart.setAttribute("aria-description", "Arrow keys move the axes, plus and minus zoom, 0 shows all.");
  chart.style.minHeight = `${data.height}px`;
  if (chart.spec !== data.figure) {
    const first = chart.spec === undefined;
    chart.spec = data.figure;
    delete chart.dataset.drawn;
    if (first) {
      chart.addEventListener("keydown", (event) => keyed(chart, event));
      new ResizeObserver(() => chart.dataset.drawn && chart.clientWidth && window.Plotly.Plots.resize(chart)).observe(chart);
    }
    draw(chart, data);
  }
  return () => setTimeout(() => chart.isConnected || window.Plotly?.purge(chart));
}
