// How numbers are written for people: lawlib/numbers.py in the page.

const trim = (text) => (text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text);
const STEPS = [[1e15, "Q"], [1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "K"]];

function significant(value, digits) {
  if (value === 0) return "0";
  const decimals = Math.max(digits - 1 - Math.floor(Math.log10(Math.abs(value)) + 1e-12), 0);
  return trim(value.toFixed(decimals));
}

// Python's format(value, ".{digits}g").
function general(value, digits) {
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e"), power = Number(exponent);
  if (power < -4 || power >= digits) return `${trim(mantissa)}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  return trim(value.toFixed(Math.max(digits - 1 - power, 0)));
}

export const WRITE = {
  count(value) {
    if (!Number.isFinite(value)) return "–";
    const step = STEPS.find(([size]) => Math.abs(value) >= size * (1 - 0.5e-3));
    return step ? significant(value / step[0], 3) + step[1] : significant(value, 3);
  },
  flops(value) {
    if (!(value > 0) || !Number.isFinite(value)) return "–";
    const [mantissa, exponent] = value.toExponential(2).split("e");
    return `${trim(mantissa)}e${Number(exponent)}`;
  },
  loss: (value) => (Number.isFinite(value) ? value.toFixed(3) : "–"),
  nats: (value) => (Number.isFinite(value) ? value.toFixed(4) : "–"),
  times: (value) => (value === Infinity ? "∞" : value >= 99999.5 ? `${WRITE.flops(value)}x` : Number.isFinite(value) ? `${significant(value, 3)}x` : "–"),
  plain: (value) => (Number.isFinite(value) ? general(value, 4) : "–"),
  whole: (value) => (Number.isFinite(value) ? Math.round(value).toLocaleString("en-US") : "–"),
};
