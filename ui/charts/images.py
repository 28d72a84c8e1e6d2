"""Saves the charts as SVG and PNG, drawn by the browser that shows them: no second browser, no network."""

from __future__ import annotations

from pathlib import Path

from streamlit.components.v2 import component

from lawlib import figures

WIDTH, HEIGHT, SCALE = 900, 520, 2
"""Pixels of a picture; a PNG has SCALE times as many."""
_BUTTONS = component(
    "chart_images",
    html="<div class='images'></div>",
    css="""
.images > div {display: flex; gap: 0.5rem; align-items: center; font-size: 0.9rem; padding: 0.15rem 0;}
.images span {flex: 1;}
.images button {
  font: inherit; font-size: 0.85rem; padding: 0.15rem 0.6rem; cursor: pointer; color: var(--st-text-color); background: transparent;
  border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius);
}""",
    js=(Path(__file__).parents[1] / "js" / "images.js").read_text("utf-8"),
    isolate_styles=False,
)


def image_buttons(charts: list[tuple[str, str]], style: figures.Style) -> None:
    """Shows two buttons a chart (its key, its title) that save it as SVG and as PNG, on the page's colour."""
    if charts:
        shown = [{"key": key, "title": title} for key, title in charts]
        size = {"width": WIDTH, "height": HEIGHT, "scale": SCALE}
        _BUTTONS(key="chart_images", data={"charts": shown, "background": style.page, **size})
