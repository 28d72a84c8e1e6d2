// Scaling laws in the page: the numbers of lawlib, from a law as data (lawlib/optimum/evaluator.py). Numbers in, numbers out.
//
//   ln L = logsumexp_k(Phi_k(x) . theta),   x = ln N, ln D, ln G, ln Ehat, ln A = -ln E
//
// u is ln N_active, e the expansion E, g the granularity G (null: the best one), c the training FLOPs.

const BRACKET = [Math.log(1e1), Math.log(1e30)];

export function logEhat(law, e) {
  return -Math.log(1 / (e - 1 + Math.exp(law.shapes[0])) + Math.exp(-law.shapes[1]));
}

// Loss in nats at N (the law's own count), D, G, E.
export function loss(law, n, d, g, e) {
  const x = { N: Math.log(n), D: Math.log(d), G: Math.log(g), A: -Math.log(e), Ehat: law.shapes ? logEhat(law, e) : NaN };
  const z = law.terms.map((entries) => entries.reduce((sum, [j, scale, variables]) =>
    sum + variables.reduce((value, v) => value * x[v], scale * law.theta[j]), 0));
  const top = Math.max(...z);
  return Math.exp(top + Math.log(z.reduce((sum, v) => sum + Math.exp(v - top), 0)));
}

// ln FLOPs per token at u with its first and second derivative. A dense model (E = 1) has no router.
export function perToken(law, u, e, g) {
  const ratio = e > 1 ? Math.log(e * (g > 0 ? g : 1)) : -Infinity;
  const z = law.flops.map(([c, p, router]) => c + (router ? ratio : 0) + p * u);
  const top = Math.max(...z);
  let total = 0, mean = 0, square = 0;
  law.flops.forEach(([, p], i) => {
    const w = Math.exp(z[i] - top);
    total += w; mean += w * p; square += w * p * p;
  });
  mean /= total;
  return [top + Math.log(total), mean, square / total - mean * mean];
}

// The router's part of training FLOPs at u.
export function routerShare(law, u, e, g) {
  const plain = { ...law, flops: law.flops.filter(([, , router]) => !router) };
  return 1 - Math.exp(perToken(plain, u, e, g)[0] - perToken(law, u, e, g)[0]);
}

// [r0, r1] of ln N_law = r0 + r1 u.
export function countOf(law, e) {
  if (law.takes !== "n_total") return [0, 1];
  if (!law.total) return [NaN, NaN];
  const [kind, value, power] = law.total;
  if (kind === "power") return [value, power];
  return value === 0 ? [0, 1] : [Math.log1p(value * (e - 1)), 1];
}

// Loss and tokens of a model of active size n that uses up the budget.
export function onBudget(law, c, n, e, g) {
  const u = Math.log(n), [r0, r1] = countOf(law, e), tokens = Math.exp(Math.log(c) - perToken(law, u, e, g)[0]);
  return { n_active: n, tokens, loss: loss(law, Math.exp(r0 + r1 * u), tokens, g, e), flops: c, granularity: g, expansion: e };
}

// Every term as const + slope_u u + slope_d ln D at fixed E and G.
function affine(law, e, g) {
  const x = { G: Math.log(g), A: -Math.log(e), Ehat: law.shapes ? logEhat(law, e) : NaN }, [r0, r1] = countOf(law, e);
  return law.terms.map((entries) => {
    const part = [0, 0, 0];
    for (const [j, scale, variables] of entries) {
      let value = scale * law.theta[j], to = 0;
      for (const v of variables) {
        if (v === "N") to = 1; else if (v === "D") to = 2; else value *= x[v];
      }
      part[to] += value;
    }
    return [part[0] + part[1] * r0, part[1] * r1, part[2]];
  });
}

// {u, logLoss, bend: d ln L / d ln C, growth: d u / d ln C along the optima} at the optimum of ln C, NaN where there is none.
// Convex in u: Newton's method on ln(rising / falling part of the derivative), nearly a line, within a bracket.
function solve(law, terms, lnC, e, g, start) {
  let logLoss, tilt, slope, bend, growth;
  const balance = (u) => {
    const [f, f1, f2] = perToken(law, u, e, g);
    const z = terms.map(([a, n, d]) => a + n * u + d * (lnC - f)), top = Math.max(...z);
    let sum = 0, rise = 0, fall = 0, riseBend = 0, fallBend = 0, cross = 0;
    bend = 0;
    terms.forEach(([, n, d], k) => {
      const w = Math.exp(z[k] - top), dz = n - d * f1, pull = w * dz, second = pull * dz - w * d * f2;
      sum += w; bend += w * d; cross += pull * d;
      if (dz > 0) { rise += pull; riseBend += second; } else { fall -= pull; fallBend -= second; }
    });
    logLoss = top + Math.log(sum); bend /= sum; growth = cross / (fallBend - riseBend);
    tilt = Math.log(rise / fall); slope = riseBend / rise - fallBend / fall;
    return tilt;
  };
  let [lo, hi] = BRACKET;
  if (!(balance(lo) < 0 && balance(hi) > 0)) return { u: NaN, logLoss: NaN, bend: NaN, growth: NaN };
  let u = Math.min(Math.max(start ?? 0.5 * (lnC - Math.log(120)), lo), hi);
  for (let i = 0; i < 80; i++) {
    balance(u);
    if (tilt < 0) lo = u; else hi = u;
    const newton = u - tilt / slope, next = newton >= lo && newton <= hi ? newton : 0.5 * (lo + hi), moved = Math.abs(next - u);
    u = next;
    if (!(moved > 1e-9)) break;
  }
  balance(u);
  return { u, logLoss, bend, growth };
}

export const expansionOf = (law, e) => (law.has_e ? e : law.expansion ?? e ?? NaN);

// The compute-optimal model at a budget; without g the best of the law's granularities.
export function optimum(law, c, e, g = null) {
  e = expansionOf(law, e);
  const lnC = Math.log(c), options = law.has_g && g === null ? law.granularities : [law.has_g ? g : NaN];
  let best = null;
  for (const option of law.has_d ? options : []) {
    const found = solve(law, affine(law, e, option), lnC, e, option, best?.u);
    if (best === null || found.logLoss < best.logLoss || Number.isNaN(best.logLoss)) best = { ...found, g: option };
  }
  const { u, logLoss, bend, growth, g: granularity } = best ?? { u: NaN, logLoss: NaN, bend: NaN, growth: NaN, g: NaN };
  const n = Math.exp(u), tokens = Math.exp(lnC - perToken(law, u, e, granularity)[0]);
  return {
    u, bend, growth, n_active: n, tokens, granularity, expansion: e, flops: c, loss: Math.exp(logLoss), tokens_per_parameter: tokens / n,
    n_experts: e * (granularity > 0 ? granularity : 1), n_total: Math.exp(logTotal(law, u, e)),
  };
}

// Not for rules that need a shape (Ludziejewski's): NaN there.
function logTotal(law, u, e) {
  const [r0, r1] = countOf({ ...law, takes: "n_total" }, e);
  return r0 + r1 * u;
}

// Budget at which the law, at (e, g), reaches the log loss `target`, by Newton in ln C; Infinity above `most`.
function budgetFor(law, target, e, g, from, most) {
  const terms = affine(law, e, g);
  let lo = Math.log(from) - Math.log(1e8), hi = Math.log(most), u;
  if (!(solve(law, terms, hi, e, g).logLoss <= target)) return Infinity;
  let x = Math.log(from) + Math.log(2);
  for (let i = 0; i < 60; i++) {
    const at = solve(law, terms, x, e, g, u), f = at.logLoss - target, was = x;
    u = at.u;
    if (f > 0) lo = x; else hi = x;
    const step = x - f / at.bend;
    x = step > lo && step < hi ? step : 0.5 * (lo + hi);
    if (Math.abs(x - was) < 1e-11) break;
  }
  return Math.exp(x);
}

// Dense FLOPs over MoE FLOPs at equal loss: the MoE law at (c, e, g), the dense law at E = 1, G = 1.
export function gap(moe, dense, c, e, g) {
  const target = Math.log(optimum(moe, c, e, g).loss);
  if (Number.isNaN(target)) return NaN;
  return budgetFor(dense, target, dense.has_e ? 1 : dense.expansion ?? NaN, dense.has_g ? 1 : NaN, c, c * 1e12) / c;
}

// Compute that granularity `coarse` needs over the best one for the same loss.
export function gain(law, c, e, coarse) {
  return budgetFor(law, Math.log(optimum(law, c, e).loss), expansionOf(law, e), coarse, c, c * 1e6) / c;
}

// [d ln N_opt / d ln C, d ln D_opt / d ln C] at fixed G (the best one there).
export function exponents(law, c, e, g) {
  const { u, growth, granularity } = optimum(law, c, e, law.has_g ? g : null);
  return [growth, 1 - perToken(law, u, expansionOf(law, e), granularity)[1] * growth];
}

// Whether these quantities of a model lie within the law's data, give or take its slack; unknown ranges bound nothing.
export function inside(law, model, quantities = law.checked) {
  return law.checked.length > 0 && quantities.every((q) => {
    const range = law.ranges[q], value = model[q];
    return !range || Number.isNaN(value) || (value >= range[0] / law.slack && value <= range[1] * law.slack);
  });
}

// Active parameters without embeddings, of Ludziejewski's shape (13 n d^2 + 2 d V, d = 64 n, V = 50257).
export function withoutEmbeddings(n_active) {
  const linear = 2 * 64 * 50257, cubic = 13 * 64 ** 2;
  const unit = 2 * Math.sqrt(linear / cubic / 3);  // the one real root, Vieta's hyperbolic form
  return cubic * (unit * Math.sinh(Math.asinh((3 * n_active) / (linear * unit)) / 3)) ** 3;
}
