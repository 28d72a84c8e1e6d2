// Buttons that save a chart, found by its Streamlit key, as SVG or PNG: drawn anew with a background, as the page's have none.
export default function ({ parentElement, data }) {
  const box = parentElement.querySelector(".images");
  box.replaceChildren(...data.charts.map(({ key, title }) => {
    const row = document.createElement("div"), words = document.createElement("span");
    words.textContent = title;
    row.append(words, ...["svg", "png"].map((format) => button(key, title, format, data)));
    return row;
  }));
}

function button(key, title, format, { background, width, height, scale }) {
  const b = document.createElement("button"), words = format.toUpperCase();
  Object.assign(b, { type: "button", textContent: words, ariaLabel: `${title} as ${words}` });
  b.onclick = async () => {
    const chart = document.querySelector(`.st-key-${CSS.escape(key)} .js-plotly-plot`);
    if (!chart || !window.Plotly) return;
    const layout = { ...chart.layout, paper_bgcolor: background, width, height, autosize: false };
    const url = await window.Plotly.toImage({ data: chart.data, layout }, { format, width, height, scale: format === "png" ? scale : 1 });
    Object.assign(document.createElement("a"), { href: url, download: `${key}.${format}` }).click();
  };
  return b;
}
