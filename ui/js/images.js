// Buttons that save a chart of the page as SVG or PNG. The chart is found by its Streamlit key; Plotly draws it anew, on a
// background of its own, since charts are transparent on the page.
export default function ({ parentElement, data }) {
  const box = parentElement.querySelector(".images");
  box.replaceChildren(...data.charts.map(({ key, title }) => {
    const row = document.createElement("div"), words = document.createElement("span");
    row.style = "display:flex;gap:0.5rem;align-items:center;font-size:0.9rem;padding:0.15rem 0";
    words.textContent = title;
    words.style.flex = "1";
    row.append(words, ...["svg", "png"].map((format) => button(key, title, format, data)));
    return row;
  }));
}

function button(key, title, format, { background, width, height, scale }) {
  const b = document.createElement("button"), words = format.toUpperCase();
  Object.assign(b, { type: "button", textContent: words, ariaLabel: `${title} as ${words}` });
  b.style = "font:inherit;font-size:0.85rem;padding:0.15rem 0.6rem;cursor:pointer;color:var(--st-text-color);background:transparent;" +
    "border:1px solid var(--st-border-color);border-radius:var(--st-base-radius)";
  b.onclick = async () => {
    const chart = document.querySelector(`.st-key-${CSS.escape(key)} .js-plotly-plot`);
    if (!chart || !window.Plotly) return;
    const layout = { ...chart.layout, paper_bgcolor: background, width, height, autosize: false };
    const url = await window.Plotly.toImage({ data: chart.data, layout }, { format, width, height, scale: format === "png" ? scale : 1 });
    Object.assign(document.createElement("a"), { href: url, download: `${key}.${format}` }).click();
  };
  return b;
}
