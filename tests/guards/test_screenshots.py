"""The pictures of the pages: one for every page, small, and those that the README and docs show exist."""

import io
import re
from pathlib import Path

import numpy as np
from PIL import Image

from tools import screenshots

ROOT = Path(__file__).resolve().parents[2]


def test_every_page_is_pictured():
    assert sorted(name or "overview" for name in screenshots.pages()) == sorted(p.stem for p in (ROOT / "pages").glob("*.py"))
    assert screenshots.pages()[0] == ""


def test_pictures_are_of_pages_that_exist_and_together_small():
    pictures = sorted((ROOT / "docs" / "screenshots").glob("*"))
    known = {f"{name or 'overview'}-{scheme}.png" for name in screenshots.pages() for scheme in ("light", "dark")}
    known |= {f"{name}-chart-light.png" for name in screenshots.CHARTS}
    assert {p.name for p in pictures} <= known
    assert 0 < sum(p.stat().st_size for p in pictures) < 3_000_000


def test_the_documents_pictures_are_there():
    shown = [
        document.parent / picture
        for document in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
        for picture in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", document.read_text("utf-8"))
    ]
    assert {f"{name}-chart-light.png" for name in screenshots.CHARTS} < {path.name for path in shown}
    assert all(path.is_file() for path in shown)


def test_a_picture_of_few_colours_is_the_same_and_smaller():
    colors = np.random.default_rng(0).integers(0, 256, (100, 3)).astype(np.uint8)
    pixels = colors[np.random.default_rng(1).integers(0, 100, (90, 120))]
    whole = io.BytesIO()
    Image.fromarray(pixels).save(whole, "PNG")
    reduced = screenshots.small(whole.getvalue())
    assert len(reduced) < 0.7 * len(whole.getvalue())
    assert (np.asarray(Image.open(io.BytesIO(reduced)).convert("RGB")) == pixels).all()
