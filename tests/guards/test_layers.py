"""The house: which room may import which, no circles of imports, and no module hidden behind a function of its name.

Imports count wherever they are in a file: inside functions and under `TYPE_CHECKING` too.
"""

import ast
import importlib
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BANNED = {
    "lawlib": {"streamlit", "ui", "pages", "sweep", "app"},
    "ui": {"pages", "sweep", "app"},
    "pages": {"numpy", "scipy", "duckdb", "pages", "sweep", "app"},
    "sweep": {"streamlit", "ui", "pages", "app"},
}
"""Packages that no file of a layer imports."""
FILES = [(layer, file) for layer in BANNED for file in sorted((ROOT / layer).rglob("*.py"))]

LAWLIB = {
    "numerics": "",
    "runs": "numerics",
    "seeds": "runs",
    "laws": "numerics seeds",
    "optimum": "laws numerics runs seeds",
    "fitting": "fitting.health laws numerics optimum runs",
    "fitting.health": "fitting laws optimum",
    "comparisons": "laws numerics runs",
    "serving": "laws numerics optimum seeds",
    "planner": "fitting laws numerics optimum serving",
    "reproductions": "laws numerics optimum seeds serving",
    "figures": "comparisons optimum",
    "export": "figures laws optimum runs serving",
    "store": "runs seeds",
    "ingest.core": "runs",
    "ingest.readers": "ingest.core",
    "ingest.formats": "ingest.core ingest.readers",
    "ingest.detection": "ingest.core ingest.readers",
    "ingest.many": "ingest.core ingest.detection ingest.formats ingest.readers",
    "ingest.assembly": "ingest.core ingest.detection ingest.readers runs",
    "ingest.guarded": "ingest ingest.core ingest.many",
    "ingest.remote": "ingest.core ingest.readers seeds",
    "ingest": "ingest.assembly ingest.core ingest.detection ingest.guarded ingest.many ingest.remote",
}
"""Room of the library -> the rooms that it may import, besides the ground floor (errors, numbers, architecture)."""
UI = {
    "session": "",
    "cached": "session",
    "charts": "session",
    "explorer": "cached session",
    "frame": "cached charts explorer session",
    "overview": "cached explorer frame session",
    "data": "cached charts explorer frame session",
    "data.upload": "cached frame session",
    "laws": "cached charts explorer frame session",
    "laws.fine_grained": "cached charts explorer frame session",
    "decisions": "cached charts explorer session",
    "": "cached charts explorer frame session",
}
"""Room of `ui` -> the rooms of `ui` that it may import; the last is its face, and the Reproductions page's own file."""
GROUND_FLOOR = {"errors", "numbers", "architecture"}
TOP = {"__init__", "__main__", "cli", "compat", *GROUND_FLOOR}
"""Files that stand at the library's top."""


@cache
def modules(*packages: str) -> dict[str, Path]:
    """Every module of these packages by its dotted name; `app.py` as "app"."""
    found = {}
    for package in packages:
        place = ROOT / package
        for file in [place.with_suffix(".py")] if place.with_suffix(".py").exists() else sorted(place.rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


@cache
def imports(file: Path, name: str) -> frozenset[str]:
    """The project's modules that a file imports, wherever in it."""
    known = modules("lawlib", "ui", "pages", "app", "sweep")
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = (
                ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [node.module])])
                if node.level
                else node.module or ""
            )
            found |= {full if (full := f"{base}.{alias.name}") in known else base for alias in node.names}
    return frozenset((found & known.keys()) - {name})


def room(module: str, package: str) -> str:
    """The room of a module inside of its package: "ingest.core" of lawlib.ingest.core.units, "" at the top."""
    inner = module.removeprefix(package).strip(".")
    return inner if (ROOT / module.replace(".", "/")).is_dir() else inner.rpartition(".")[0]


def circles(graph: dict[str, frozenset[str]]) -> list[list[str]]:
    """What remains of a graph when files that import nothing, or that nobody imports, are taken away again and again."""
    left = dict(graph)
    while True:
        wanted = set().union(*left.values()) if left else set()
        ends = [name for name, targets in left.items() if not targets & left.keys() or name not in wanted]
        if not ends:
            return [sorted(left)] if left else []
        for name in ends:
            del left[name]


@pytest.mark.parametrize(("layer", "file"), FILES, ids=lambda value: value if isinstance(value, str) else value.name)
def test_no_file_imports_from_a_layer_above_it(layer, file):
    outside = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            outside |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            outside.add((node.module or "").partition(".")[0])
    assert not outside & BANNED[layer]


@pytest.mark.parametrize(("package", "rooms"), [("lawlib", LAWLIB), ("ui", UI)], ids=["lawlib", "ui"])
def test_rooms_import_only_the_rooms_they_may(package, rooms):
    wrong, used = [], set()
    for name, file in modules(package).items():
        here = room(name, package)
        if here == "" and package == "lawlib":
            continue  # the library's face, and the ground floor below
        for target in imports(file, name):
            if not target.startswith(f"{package}.") or (there := room(target, package)) == here:
                continue
            if package == "lawlib" and target.rpartition(".")[2] in GROUND_FLOOR and there == "":
                continue
            used.add((here, there))
            if there not in rooms[here].split():
                wrong.append(f"{name} imports {target}")
    assert wrong == []
    assert {(here, there) for here, may in rooms.items() for there in may.split()} == used, (
        "the table names an arrow that is no more"
    )


def test_the_ground_floor_rests_on_nothing_but_arrays():
    for name in GROUND_FLOOR:
        assert imports(ROOT / "lawlib" / f"{name}.py", f"lawlib.{name}") <= {"lawlib.numerics.arrays"}


def test_every_room_is_in_the_table():
    for package, rooms in (("lawlib", LAWLIB), ("ui", UI)):
        found = {room(name, package) for name in modules(package)} - {""}
        assert found == rooms.keys() - {""}


def test_no_file_stands_at_the_library_s_top_but_the_ground_floor_and_its_doors():
    assert {file.stem for file in (ROOT / "lawlib").glob("*.py")} <= TOP


def test_no_circle_of_imports():
    graph = {name: imports(file, name) for name, file in modules("lawlib", "ui", "pages", "app", "sweep").items()}
    assert circles(graph) == []


def test_a_circle_of_imports_is_seen():
    none = frozenset[str]()
    assert circles({"a": frozenset({"b"}), "b": frozenset({"c"}), "c": none}) == []
    assert circles({"a": frozenset({"b"}), "b": frozenset({"a", "c"}), "c": none}) == [["a", "b"]]


def test_no_module_is_hidden_behind_a_function_of_its_own_name():
    hidden = []
    for name in modules("lawlib", "ui"):
        package, _, last = name.rpartition(".")
        if package and not last.startswith("__"):
            face = importlib.import_module(package)
            value = getattr(face, last, None)
            if value is not None and not hasattr(value, "__path__") and getattr(value, "__name__", "") != name:
                hidden.append(name)
    assert hidden == []


@pytest.mark.parametrize("light", ["lawlib.numerics", "lawlib.runs", "lawlib.ingest.core"])
def test_what_reading_a_file_loads_loads_no_solver(light):
    """The process that reads uploads starts with an empty `lawlib`: these rooms must not bring scipy or charts into it."""
    code = (
        "import sys, types; package = types.ModuleType('lawlib'); package.__path__ = ['lawlib']; sys.modules['lawlib'] = package\n"
        f"import {light}; print(sorted({{'scipy', 'plotly', 'threadpoolctl', 'joblib', 'streamlit'}} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_app_only_lists_the_pages():
    found = {name.partition(".")[0] for name in imports(ROOT / "app.py", "app")}
    assert found <= {"ui"}


def test_the_library_loads_without_streamlit():
    code = "import lawlib, sys; sys.exit('streamlit' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr or "lawlib imports streamlit"


def test_architecture_md_shows_the_rooms_and_what_they_may_import():
    shown = re.findall(
        r"^\| `(lawlib|ui)/?([\w/]*)` \|.*\| (.*) \|$", (ROOT / "ARCHITECTURE.md").read_text("utf-8"), re.MULTILINE
    )
    tables = {"lawlib": LAWLIB, "ui": UI}
    assert {
        (package, place.replace("/", ".")): set(may.replace("–", "").replace(",", " ").split()) for package, place, may in shown
    } == {(package, name): set(may.split()) for package, rooms in tables.items() for name, may in rooms.items()}
