"""The colours: their meaning, that they can be distinguished with any kind of colour vision, and their contrast with the page."""

import re

import numpy as np
import pytest

from lawlib import figures
from lawlib.figures.palette import contrast, expansion_color, granularity_color, ink, law_color, mix, ramp_colors

BOTH = pytest.mark.parametrize("style", [figures.LIGHT, figures.DARK], ids=["light", "dark"])
# Machado, Oliveira, Fernandes 2009, severity 1: what is seen, from linear RGB
SIGHT = {
    "full": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
# Ottosson 2020, OKLab from linear sRGB
CONES = [
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
]
LAB = [
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
]


def seen(color, sight="full"):
    """A colour in OKLab as that kind of sight sees it; distances there are about as large as they look."""
    srgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return np.array(LAB) @ np.cbrt(np.array(CONES) @ np.clip(np.array(SIGHT[sight]) @ linear, 0, 1))


def least(colors, sight):
    """The smallest distance between any two."""
    places = [seen(c, sight) for c in colors]
    return min(np.linalg.norm(a - b) for i, a in enumerate(places) for b in places[:i])


@BOTH
@pytest.mark.parametrize("sight", SIGHT)
def test_the_ten_colours_differ_for_every_kind_of_sight(style, sight):
    assert len(style.series) == 10
    assert least(style.series, sight) >= (0.06 if style.name == "light" else 0.086)


@BOTH
@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("ramp", ["ramp", "expansions", "granularities"])
def test_neighbours_on_a_ramp_differ_and_run_from_low_to_high(style, ramp, sight):
    colors = getattr(style, ramp)
    assert least(colors, sight) >= 0.03
    lightness = np.array([seen(c, sight)[0] for c in colors])
    assert (np.diff(lightness if style.name == "dark" else -lightness) > 0).all()


@BOTH
def test_every_mark_stands_out_from_the_page(style):
    marks = [style.accent, style.muted, *style.series, *style.ramp, *style.expansions, *style.granularities]
    assert min(contrast(color, style.page) for color in marks) >= 3.0


@BOTH
def test_every_colour_can_be_read_as_text(style):
    for color in (style.text, style.muted, style.accent, *style.series, *style.ramp, *style.expansions, *style.granularities):
        shade = ink(color, style)
        assert contrast(shade, style.page) >= 4.5
        assert (shade == color) == (contrast(color, style.page) >= 4.5)


def test_contrast_is_wcag_s():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)  # the grey that is known for just passing
    assert contrast("#1763d1", "#1763d1") == 1


@BOTH
@pytest.mark.parametrize(("color", "ramp"), [(expansion_color, "expansions"), (granularity_color, "granularities")])
def test_a_value_has_one_colour_wherever_it_is_drawn(style, color, ramp):
    ramp = getattr(style, ramp)
    assert [color(style, 2.0**k) for k in range(1, 9)] == list(ramp[1:])
    between = color(style, 2**2.5)
    assert between not in ramp
    assert between == mix(ramp[2], ramp[3], 0.5)
    assert color(style, 1e9) == ramp[-1]
    assert color(style, float("nan")) == color(style, 0.3) == ramp[0]


@BOTH
def test_a_published_law_has_its_paper_s_colour(style):
    names = ["besiroglu2024", "krajewski2024-moe-e64", "ludziejewski2025", "hoffmann2022", "abnar2025", "clark2022-sbase", "mine"]
    assert [law_color(style, name) for name in names] == list(style.series[3:])
    assert law_color(style, "krajewski2024-dense, E 64") == law_color(style, "krajewski2024-moe-e64")


@BOTH
def test_dense_is_grey_and_no_other_colour_is(style):
    assert expansion_color(style, 1) == style.dense == style.series[0]
    chroma = {c: np.hypot(*seen(c)[1:]) for c in (*style.series, *style.ramp, *style.expansions, *style.granularities)}
    assert min(v for c, v in chroma.items() if c != style.dense) > 2 * chroma[style.dense]


@BOTH
@pytest.mark.parametrize("n", [1, 2, 5, 10, 14])
def test_ramp_colours_run_one_way_from_end_to_end(style, n):
    colors = ramp_colors(style, n)
    assert len(colors) == n
    places = [style.ramp.index(c) for c in colors]
    assert places == sorted(places)
    if n > 1:
        assert (places[0], places[-1], len(set(places))) == (0, 9, min(n, 10))
    assert all(re.fullmatch("#[0-9a-f]{6}", c) for c in colors)
