"""Imports point down only: app.py > pages/ > ui/ > lawlib/ > sweep/."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BANNED = {
    "lawlib": {"streamlit", "ui", "pages", "sweep", "app"},
    "ui": {"pages", "sweep", "app"},
    "pages": {"numpy", "scipy", "duckdb", "pages", "sweep", "app"},
    "sweep": {"streamlit", "ui", "pages", "app"},
}
FILES = [(layer, file) for layer in BANNED for file in sorted((ROOT / layer).rglob("*.py"))]


def imported(file: Path) -> set[str]:
    """Top-level names of the packages that a file imports anywhere in it; relative imports stay in their layer."""
    names = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize(("layer", "file"), FILES, ids=lambda value: value if isinstance(value, str) else value.name)
def test_no_file_imports_from_a_layer_above_it(layer, file):
    assert not imported(file) & BANNED[layer]


def test_app_only_lists_the_pages():
    assert imported(ROOT / "app.py") <= {"streamlit", "ui"}


def test_the_library_loads_without_streamlit():
    code = "import lawlib, sys; sys.exit('streamlit' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr or "lawlib imports streamlit"
