"""Scripts that were exported before the library had rooms run as they are: two of them, by pages of version cbaa77e."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXPORTED = Path(__file__).parent / "export" / "before_the_rooms"


@pytest.mark.parametrize("script", sorted(EXPORTED.glob("*.py")), ids=lambda path: path.stem)
def test_a_script_exported_before_the_move_still_runs(script, tmp_path):
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error",
        "LAWLIB_WORKSPACE": str(tmp_path / "none.duckdb"),
    }
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("*.html"))
    answer = script.read_text("utf-8").partition("\n\n")[0]
    if script.stem == "isoflop":  # its first line says 1.45B
        assert float(re.search(r"N_active = ([\d.e+]+)", done.stdout)[1]) == pytest.approx(1.45e9, rel=0.01)
        assert "1.45B active parameters" in answer


@pytest.mark.parametrize("name", ["approaches", "gap", "selection"])
def test_the_old_module_is_the_one_in_its_room(name):
    code = f"import lawlib, lawlib.{name}; print(lawlib.{name}.__name__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() in {f"lawlib.optimum.{name}", f"lawlib.runs.{name}"}, done.stderr
