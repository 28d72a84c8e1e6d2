// The live explorer: while a slider is dragged, curves, optimum and the sentence follow in the page, from the law as data.
// The sliders are Streamlit's own; they send their value when they are let go, and the server then answers exactly.
// What may follow, and how traces say so in their `meta`: lawlib/figures/live_contract.py. Put in front of this file: its constants
// as CONTRACT, law.js, numbers.js.

const SVG = "http://www.w3.org/2000/svg", FRAME = 5;  // ms of a frame that drawing may take
const OF_SIZE = ["flops", "n_active", "granularity", "expansion"];  // what bounds a law along sizes, as in lawlib/optimum/tables.py
let live = null;  // {data, element, at, queue, held, running}: the page that is open

const input = (name) => document.querySelector(`.st-key-w_${name} input[type="range"]`);

// Where the sliders stand in the page; the server's values where one is off.
function standing() {
  const at = { ...live.data.point };
  for (const [name, values] of Object.entries(live.data.sliders)) {
    const value = values[Number(input(name)?.value ?? -1)];
    if (value !== undefined) at[name] = value === "best" ? null : value;
  }
  return at;
}

// The model at a point, each only once for all charts.
function model(law, c, e, g) {
  const key = `${law === live.data.dense ? "d" : "m"} ${c} ${e} ${g}`;
  if (live.models.size > 20000) live.models.clear();
  if (!live.models.has(key)) live.models.set(key, optimum(law, c, e, g));
  return live.models.get(key);
}

// The quantities of sentences and curves at (c, e, g), each by its name in the contract.
const coarsest = (law) => Math.min(...law.granularities);
const QUANTITIES = {
  excess: (law, c, e, g) => model(law, c, e, g).loss - model(law, c, e, null).loss,
  coarse_excess: (law, c, e) => model(law, c, e, coarsest(law)).loss - model(law, c, e, null).loss,
  gain: (law, c, e) => gain(law, c, e, coarsest(law)),
  gap: (law, c, e, g, dense) => gap(law, dense, c, e, law.has_g ? g : null),
  loss_dense: (law, c, e, g, dense) => model(dense, c, dense.has_e ? 1 : dense.expansion, dense.has_g ? 1 : null).loss,
  n_exponent: (law, c, e, g) => exponents(law, c, e, g)[0],
  d_exponent: (law, c, e, g) => exponents(law, c, e, g)[1],
  router_share: (law, c, e, g) => routerShare(law, model(law, c, e, g).u, expansionOf(law, e), g),
  n_active_bare: (law, c, e, g) => withoutEmbeddings(model(law, c, e, g).n_active),
};
for (const name of CONTRACT.of_optimum) QUANTITIES[name] = (law, c, e, g) => model(law, c, e, g)[name];
for (const name of CONTRACT.of_best) QUANTITIES[name] = (law, c, e) => model(law, c, e, null)[name.slice("best_".length)];
const quantity = (name, { c, e, g }) => QUANTITIES[name](live.data.law, c, e, g, live.data.dense);

// "At **{flops:flops} FLOPs** ...": text and strong elements, numbers filled in; intervals ({name:format~}) are the server's.
function sentence(at) {
  const point = { c: at.budget, e: at.e, g: at.g };
  const text = live.data.sentence.replace(/\{(\w+):(\w+)(~?)\}/g, (_, name, format, interval) =>
    (interval ? "" : WRITE[format](quantity(name, point))));
  const best = model(live.data.law, point.c, point.e, point.g);
  const parts = text.split("**").map((part, i) => {
    const node = document.createElement(i % 2 ? "strong" : "span");
    node.textContent = part;
    return node;
  });
  const note = document.createElement("span");
  note.className = "note";
  note.textContent = inside(live.data.law, best) ? "" : " Extrapolated.";
  live.element.replaceChildren(...parts, note);
}

const charts = () => [...document.querySelectorAll(".chart[data-drawn]")].filter((chart) => chart._fullLayout?._plots?.xy);

function layer(chart) {
  let found = chart.querySelector(".live");
  if (!found) {
    const { _uid, xaxis, yaxis } = chart._fullLayout;
    found = document.createElementNS(SVG, "g");
    found.setAttribute("class", "live");
    found.setAttribute("transform", `translate(${xaxis._offset},${yaxis._offset})`);
    found.setAttribute("clip-path", `url(#clip${_uid}xyplot)`);
    chart.querySelector(".main-svg").append(found);
  }
  return found;
}

function element(chart, key, kind, attributes) {
  const place = layer(chart);
  let found = place.querySelector(`[data-of="${key}"]`);
  if (!found) {
    found = document.createElementNS(SVG, kind);
    found.dataset.of = key;
    place.append(found);
  }
  for (const [name, value] of Object.entries(attributes)) found.setAttribute(name, value);
  return found;
}

// What was done to the server's drawing, to be undone.
const changed = (chart) => (chart.following ??= { hidden: new Set(), moved: new Set(), words: new Map() });

function hide(chart, node) {
  if (!node || node.style.visibility === "hidden") return;
  node.style.visibility = "hidden";
  changed(chart).hidden.add(node);
}

// Back to what the server has drawn.
function clear(chart) {
  const { hidden, moved, words } = changed(chart);
  for (const node of hidden) node.style.visibility = "";
  for (const node of moved) node.removeAttribute("transform");
  for (const [node, text] of words) node.textContent = text;
  chart.following = undefined;
  chart.querySelector(".live")?.remove();
}

const moved = (at, sliders) => sliders.some((name) => at[name] !== live.data.point[name]);

// Everything in a chart that depends on what moved: generators, which go on in the next frame where this one is full.
function* follow(chart, at) {
  const layout = chart._fullLayout, bars = [...chart.querySelectorAll(".barlayer .trace")];
  for (const [i, shape] of (layout.shapes ?? []).entries()) {
    if (shape.name !== CONTRACT.budget_line) continue;
    const by = layout.xaxis.d2p(at.budget) - layout.xaxis.d2p(live.data.point.budget);
    const nodes = [chart.querySelector(`.shapelayer path[data-index="${i}"]`)];
    layout.annotations.forEach((a, k) => a.name === shape.name && nodes.push(chart.querySelector(`.annotation[data-index="${k}"]`)));
    for (const node of nodes.filter(Boolean)) {
      node.setAttribute("transform", `translate(${by},0)`);
      const { moved, words } = changed(chart), text = node.querySelector(".annotation-text");
      moved.add(node);
      if (!text) continue;
      if (!words.has(text)) words.set(text, text.textContent);
      text.textContent = WRITE.flops(at.budget);
    }
  }
  (layout.annotations ?? []).forEach((a, k) => {
    if (a.name?.startsWith(CONTRACT.hidden_by) && moved(at, a.name.slice(CONTRACT.hidden_by.length).split(" "))) hide(chart, chart.querySelector(`.annotation[data-index="${k}"]`));
  });
  for (const [i, trace] of chart._fullData.entries()) {
    const recipe = trace.meta?.live;
    if (!recipe || !moved(at, recipe.on)) continue;
    const node = trace.type === "bar" ? bars[0] : chart.querySelector(`.scatterlayer .trace${trace.uid}`);
    hide(chart, node);
    if (trace.visible !== true) continue;
    const point = { c: recipe.budget ?? at.budget * (recipe.times ?? 1), e: recipe.e ?? at.e, g: recipe.g === "best" ? null : at.g };
    if (recipe.mark) [point.c].flat().forEach((c, k) => mark(chart, `${i}_${k}`, trace, recipe, { ...point, c }, [trace.marker.color].flat()[k]));
    else if (trace.type === "bar") yield* barred(chart, i, trace, recipe, point, node);
    else if (recipe.y) yield* line(chart, i, trace, recipe, point);
    yield;
  }
}

function mark(chart, i, trace, recipe, point, color) {
  const { xaxis, yaxis } = chart._fullLayout, [x, y] = recipe.mark.map((name) => quantity(name, point));
  const px = xaxis.d2p(x), py = yaxis.d2p(y);
  if (!Number.isFinite(px) || !Number.isFinite(py)) return;
  const open = trace.marker.symbol.endsWith("-open"), r = trace.marker.size * 0.65;
  element(chart, `mark${i}`, "path", {
    d: `M${px},${py - r}L${px + r},${py}L${px},${py + r}L${px - r},${py}Z`, fill: open ? "none" : color,
    stroke: open ? color : trace.marker.line.color, "stroke-width": open ? 1 : 1.5,
  });
  if (!trace.text) return;
  element(chart, `text${i}`, "text", {
    x: px, y: py - 2 * r, "text-anchor": "middle", fill: trace.textfont.color, "font-size": trace.textfont.size, "font-family": trace.textfont.family,
  }).textContent = WRITE.count(x);
}

function* line(chart, i, trace, recipe, point) {
  const { law } = live.data, { xaxis, yaxis } = chart._fullLayout, hv = trace.line.shape === "hv";
  let along = trace.x, shift = 1, g = point.g;
  if (recipe.along === "n_active") {
    const best = model(law, point.c, point.e, point.g), start = live.data.point;
    g = best.granularity;
    if (recipe.budget === undefined) shift = best.n_active / model(law, start.budget, start.e, start.g).n_active;
  }
  const paths = ["", ""], pen = [-1, -1];  // solid within the data, dashed beyond; the point that each has come to
  let last = null;
  for (let k = 0; k < along.length; k++) {
    const x = along[k] * shift;
    let at, y, good;
    if (recipe.along === "n_active") {
      at = onBudget(law, point.c, x, expansionOf(law, point.e), g);
      [y, good] = [at.loss, inside(law, at, OF_SIZE.filter((q) => law.ranges[q]))];
    } else {
      const here = { ...point, ...(recipe.along === "flops" ? { c: x } : { g: x }) };
      [y, good] = [quantity(recipe.y, here), inside(law, model(law, here.c, here.e, here.g))];
    }
    const [px, py] = [xaxis.d2p(x), yaxis.d2p(y)];
    if (last && Number.isFinite(px) && Number.isFinite(py)) {
      const style = good && last.good ? 0 : 1;
      paths[style] += `${pen[style] === k - 1 ? "" : `M${last.px},${last.py}`}${hv ? `L${px},${last.py}` : ""}L${px},${py}`;
      pen[style] = k;
    }
    last = Number.isFinite(px) && Number.isFinite(py) ? { px, py, good } : null;
    if (k % 3 === 2) yield;
  }
  const width = trace.line.width, look = { fill: "none", stroke: trace.line.color, "stroke-width": width };
  element(chart, `line${i}`, "path", { ...look, d: paths[0] || "M0,0" });
  element(chart, `dash${i}`, "path", { ...look, d: paths[1] || "M0,0", "stroke-dasharray": 3 * Math.max(width, 3) });
}

function* barred(chart, i, trace, recipe, point, node) {
  const { yaxis } = chart._fullLayout, points = node?.querySelectorAll(".point path") ?? [];
  for (const [k, path] of [...points].entries()) {
    const box = path.getBBox(), y = quantity(recipe.y, { ...point, g: Number(trace.x[k]) }), top = yaxis.d2p(y), foot = yaxis.d2p(0);
    element(chart, `bar${i}_${k}`, "rect", {
      x: box.x, width: box.width, y: top, height: Math.max(foot - top, 0), fill: path.style.fill || getComputedStyle(path).fill,
    });
    yield;
  }
}

function rest() {
  document.documentElement.removeAttribute("data-live");
  live.queue = [];
  for (const chart of charts()) clear(chart);
}

function step() {
  if (!live.element.isConnected) { live.held = live.running = false; return; }
  const at = standing();
  if (JSON.stringify(at) !== JSON.stringify(live.at)) {
    live.at = at;
    if (moved(at, Object.keys(live.data.sliders))) {
      sentence(at);
      document.documentElement.dataset.live = "true";
      live.queue = charts().map((chart) => follow(chart, at));
    } else rest();
  }
  for (const end = performance.now() + FRAME; live.queue.length && performance.now() < end;) if (live.queue[0].next().done) live.queue.shift();
  live.running = live.held || live.queue.length > 0;
  if (live.running) requestAnimationFrame(step);
}

function go() {
  if (!live.running) { live.running = true; requestAnimationFrame(step); }
}

// Whether an event is of a slider that this page follows: another page may have the same slider and nothing to follow it.
const ours = (event) => live?.element.isConnected && event.target.closest?.(Object.keys(live.data.sliders).map((name) => `.st-key-w_${name}`).join() || "none");

if (!window.lawlibLive) {
  window.lawlibLive = true;
  addEventListener("pointerdown", (event) => { if (ours(event)) { live.held = true; go(); } }, true);
  for (const name of ["pointerup", "pointercancel"]) addEventListener(name, () => { if (live?.held) { live.held = false; go(); } }, true);
  addEventListener("keydown", (event) => { if (ours(event)) setTimeout(go); }, true);
  addEventListener("drawn", ({ target }) => { if (live) { clear(target); if (live.held) { live.at = null; go(); } } });
}

export default function ({ parentElement, data }) {
  const text = JSON.stringify(data), element = parentElement.querySelector(".live-answer");
  if (live?.text !== text || live.element !== element) {
    live = { data, text, element, at: live?.held ? null : data.point, queue: [], held: live?.held ?? false, running: live?.running ?? false, models: new Map() };
    // Charts that the answer changes are cleared when they are drawn; the sentence now; the others when all of the page is there.
    document.documentElement.removeAttribute("data-live");
    const others = (tries) => setTimeout(() => (tries && document.querySelector(".stApp")?.dataset.testScriptState === "running"
      ? others(tries - 1) : live.held || live.running || charts().forEach(clear)), 40);
    live.held ? go() : others(10);
  }
  return () => document.documentElement.removeAttribute("data-live");
}
