"""Colours for light and dark pages, and what each of them means on every page.

Grey is dense. An expansion E has its own colour wherever it is drawn, along green; a granularity G along purple; budgets run
along blue. Orange is what the user has chosen, blue points are measured; the other colours of `series` tell laws or data sets
apart. They differ also under simulated colour blindness and stand out from the page by 3:1; as text they become `ink`, 4.5:1.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log2

import numpy as np

TEXT_CONTRAST = 4.5
"""What WCAG AA asks of text."""


@dataclass(frozen=True)
class Style:
    """The colours of one theme. `series[0]` is the grey of dense models, `series[1]` that of measured points; ramps run from low to high.

    ramp: budgets and any other quantity. expansions, granularities: of E (G) = 1, 2, 4, ... 256.
    """

    name: str
    text: str
    muted: str
    grid: str
    page: str
    accent: str
    series: tuple[str, ...]
    ramp: tuple[str, ...]
    expansions: tuple[str, ...]
    granularities: tuple[str, ...]

    @property
    def dense(self) -> str:
        return self.series[0]

    @property
    def measured(self) -> str:
        return self.series[1]


LIGHT = Style(
    name="light",
    text="#1c2329",
    muted="#5c6670",
    grid="#e4e6e1",
    page="#fbfbf8",
    accent="#c84a0d",
    series=("#5c6670", "#1763d1", "#c84a0d", "#57966f", "#b26aae", "#d17e17", "#0396fa", "#6f0746", "#56128f", "#6b7e46"),
    ramp=("#2d9dc1", "#268fb8", "#1f81ae", "#1b73a4", "#18659a", "#17588f", "#164b84", "#163e79", "#15316d", "#152461"),
    expansions=("#6e9923", "#4c8f37", "#268343", "#04744c", "#00654f", "#03554c", "#014746", "#01393e", "#002c35"),
    granularities=("#d8559b", "#c14b99", "#ab4295", "#953a90", "#7f3189", "#6a2980", "#562177", "#43186c", "#310f60"),
)
DARK = Style(
    name="dark",
    text="#e3e7ea",
    muted="#a3adb6",
    grid="#232c34",
    page="#0c1115",
    accent="#e8692e",
    series=("#a3adb6", "#73afff", "#e8692e", "#46a56d", "#c376c5", "#e8d880", "#a7d0f1", "#ab337b", "#9963e2", "#d1b414"),
    ramp=("#3e5fad", "#4470b7", "#4d81c0", "#5892c9", "#65a3d2", "#75b3da", "#86c3e2", "#99d3eb", "#aee2f4", "#c3f1fd"),
    expansions=("#0c6c74", "#197e7e", "#2c9185", "#43a38a", "#5db58d", "#79c78f", "#98d78f", "#bae78f", "#ddf58f"),
    granularities=("#764ab2", "#8c59b7", "#a368bc", "#b878c1", "#cc88c5", "#de99cb", "#efabd1", "#febfd9", "#ffd9e3"),
)


def style(name: str | None) -> Style:
    """Returns the colours of a theme: "dark", or "light" for anything else."""
    return DARK if name == "dark" else LIGHT


def ramp_colors(style: Style, n: int) -> list[str]:
    """Returns `n` colours along the ramp of budgets, its ends first and last."""
    if n == 1:
        return [style.ramp[len(style.ramp) // 2]]
    return [style.ramp[round(i * (len(style.ramp) - 1) / (n - 1))] for i in range(n)]


def expansion_color(style: Style, expansion: float) -> str:
    """Returns the colour of an E, the same on every page: dense (E = 1) is grey."""
    return style.dense if expansion == 1 else _along(style.expansions, expansion)


def granularity_color(style: Style, granularity: float) -> str:
    """Returns the colour of a G, the same on every page."""
    return _along(style.granularities, granularity)


_PAPERS = ("besiroglu2024", "krajewski2024", "ludziejewski2025", "hoffmann2022", "abnar2025", "clark2022")


def law_color(style: Style, name: str) -> str:
    """Returns the colour of a published law, by its paper; other laws share the last one."""
    place = next((i for i, paper in enumerate(_PAPERS) if name.startswith(paper)), len(_PAPERS))
    return style.series[3 + place]


def _along(ramp: tuple[str, ...], value: float) -> str:
    """The colour of a value on a ramp of powers of two, mixed between two of them."""
    place = min(max(log2(value), 0.0), len(ramp) - 1.0) if value > 0 else 0.0
    low = min(int(place), len(ramp) - 2)
    return mix(ramp[low], ramp[low + 1], place - low)


def mix(a: str, b: str, share: float) -> str:
    """Returns the `#rrggbb` that is `share` of b and the rest a."""
    return "#" + "".join(f"{round(x + share * (y - x)):02x}" for x, y in zip(_channels(a), _channels(b), strict=True))


def fade(color: str, alpha: float) -> str:
    """Returns `#rrggbb` as rgba with this opacity."""
    r, g, b = _channels(color)
    return f"rgba({r},{g},{b},{alpha})"


def ink(color: str, style: Style) -> str:
    """Returns the colour moved towards the text colour until text in it can be read on the page (contrast 4.5:1)."""
    shades = (mix(color, style.text, share / 20) for share in range(21))
    return next(shade for shade in shades if contrast(shade, style.page) >= TEXT_CONTRAST)


def contrast(a: str, b: str) -> float:
    """Returns the contrast ratio of two colours, 1 to 21 (WCAG 2.2, section 1.4.3)."""
    high, low = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(color: str) -> float:
    values = np.array(_channels(color)) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def _channels(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
