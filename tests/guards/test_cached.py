"""Nothing that is cached reads the session: what it gives would be kept under another session's key.

Cached are functions under `st.cache_data` or `st.cache_resource`, and what is given to `cached.remember` to be worked out once. From
each of them every function of `ui` that it names is followed, through modules and their faces, and properties by their names.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SESSION = {"session_state", "query_params", "context", "user"}
"""What of Streamlit belongs to one reader."""
MAKERS = {"remember"}
"""Functions whose last argument is worked out once."""
ALLOWED = {"ui.cached.fits.progress"}
"""A bar that shows how far the work is: nothing of it is in the result."""


@dataclass
class Module:
    """A module of `ui`: its functions and methods by name, what it imports (local name -> dotted name), its classes' properties."""

    name: str
    tree: ast.Module
    functions: dict[str, ast.AST] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)


@dataclass
class Code:
    """All modules by dotted name; methods by bare name -> dotted names of those that classes of `ui` have."""

    modules: dict[str, Module]
    methods: dict[str, set[str]] = field(default_factory=dict)

    @property
    def owners(self) -> dict[str, Module]:
        """Returns the module of every function and method, by dotted name."""
        return {f"{module.name}.{name}": module for module in self.modules.values() for name in module.functions}

    def resolved(self, dotted: str) -> str | None:
        """Returns the function that a dotted name means, through faces that import it; None for what is no function of `ui`."""
        for _ in range(9):
            module, _, name = dotted.rpartition(".")
            if module not in self.modules:
                return None
            if name in self.modules[module].functions:
                return dotted
            if name not in self.modules[module].imports:
                return None
            dotted = self.modules[module].imports[name]
        return None

    def named_in(self, module: Module, node: ast.AST) -> Iterator[str]:
        """Yields the functions of `ui` that a piece of code names."""
        own = _own_names(node)
        for part in ast.walk(node):
            dotted = _dotted(part)
            if dotted is None:
                continue
            first, _, rest = dotted.partition(".")
            if first in own:
                if isinstance(part, ast.Attribute):
                    yield from self.methods.get(part.attr, ())
                continue
            whole = f"{module.imports[first]}.{rest}".rstrip(".") if first in module.imports else f"{module.name}.{dotted}"
            found = self.resolved(whole)
            if found:
                yield found
            elif isinstance(part, ast.Attribute) and first not in module.imports:
                yield from self.methods.get(part.attr, ())

    def path_to_session(self, start: str, module: Module, node: ast.AST) -> list[str]:
        """Returns the way from a piece of code to a read of the session, as names; [] where there is none."""
        seen, ways = set(ALLOWED), [([start], module, node)]
        while ways:
            way, module, node = ways.pop(0)
            for part in ast.walk(node):
                if isinstance(part, ast.Attribute) and part.attr in SESSION and _dotted(part.value) in ("st", "streamlit"):
                    return [*way, f"st.{part.attr}"]
            for name in self.named_in(module, node):
                if name not in seen:
                    seen.add(name)
                    owner = self.owners[name]
                    ways.append(([*way, name], owner, owner.functions[name.removeprefix(f"{owner.name}.")]))
        return []


def _own_names(node: ast.AST) -> set[str]:
    """Returns names that a piece of code gives something of its own: arguments and what it assigns."""
    arguments = {part.arg for part in ast.walk(node) if isinstance(part, ast.arg)}
    return arguments | {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}


def _dotted(node: ast.AST) -> str | None:
    """Returns `a.b.c` as written; None for other code."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else None
    return None


def read(name: str, source: str, is_package: bool = False) -> Module:
    module = Module(name, ast.parse(source))
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom):
            base = name.split(".")[: len(name.split(".")) - node.level + is_package] if node.level else []
            for alias in node.names:
                module.imports[alias.asname or alias.name] = ".".join([*base, *filter(None, [node.module]), alias.name])
        elif isinstance(node, ast.Import):
            module.imports |= {a.asname or a.name: a.name for a in node.names}
    for node in module.tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            module.functions[node.name] = node
    return module


def code(modules: list[Module]) -> Code:
    found = Code({module.name: module for module in modules})
    for module in modules:
        for owner in [node for node in module.tree.body if isinstance(node, ast.ClassDef)]:
            for method in [node for node in owner.body if isinstance(node, ast.FunctionDef)]:
                module.functions[f"{owner.name}.{method.name}"] = method
                found.methods.setdefault(method.name, set()).add(f"{module.name}.{owner.name}.{method.name}")
    return found


def cached_code(module: Module) -> Iterator[tuple[str, ast.AST]]:
    """Yields (name, code) of all that is cached in a module."""
    for outer in module.tree.body:
        yield from _cached_in(module, outer)


def _cached_in(module: Module, outer: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    inner = {f.name: f for f in ast.walk(outer) if isinstance(f, ast.FunctionDef)}
    for node in ast.walk(outer):
        if isinstance(node, ast.FunctionDef):
            decorators = [d.func if isinstance(d, ast.Call) else d for d in node.decorator_list]
            if any(_dotted(d) in ("st.cache_data", "st.cache_resource") for d in decorators):
                yield f"{module.name}.{node.name}", ast.FunctionDef(node.name, node.args, node.body, [])
        elif isinstance(node, ast.Call) and (_dotted(node.func) or "").split(".")[-1] in MAKERS:
            made = node.args[-1]
            yield f"{module.name}:{node.lineno}", inner.get(made.id, made) if isinstance(made, ast.Name) else made


def faults(found: Code) -> list[str]:
    ways = [found.path_to_session(name, module, node) for module in found.modules.values() for name, node in cached_code(module)]
    return sorted(" > ".join(way) for way in ways if way)


def test_nothing_that_is_cached_reads_the_session():
    files = sorted((ROOT / "ui").rglob("*.py"))
    modules = []
    for file in files:
        parts = file.relative_to(ROOT).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        modules.append(read(".".join(parts[:-1] if is_package else parts), file.read_text("utf-8"), is_package))
    found = code(modules)
    assert len([name for module in modules for name, _ in cached_code(module)]) > 50
    assert faults(found) == []


def test_a_read_is_found_through_a_face_a_nested_function_and_a_property():
    state = read("ui.state", "import streamlit as st\ndef get(name): return st.session_state[name]")
    face = read("ui.cached", "from ..state import get as chosen\nfrom . import runs", True)
    face.imports["chosen"] = "ui.state.get"
    source = """
import streamlit as st
from ui import cached, state

@st.cache_data
def _through_a_face(key): return cached.chosen("law")

@st.cache_resource(max_entries=3)
def _nested(key):
    def inner(): return _helper()
    return inner()

def _helper(): return state.get("law")

class Choice:
    @property
    def samples(self): return state.get("unit")

@st.cache_data
def _good(key): return key

def page(choice):
    def make(): return choice.samples
    unit = state.get("unit")
    cached.remember(choice, ("key", unit), lambda: unit)
    return cached.remember(choice, ("key",), make)
"""
    found = faults(code([state, face, read("ui.page", source)]))
    assert found == [
        "ui.page._nested > ui.page._helper > ui.state.get > st.session_state",
        "ui.page._through_a_face > ui.state.get > st.session_state",
        "ui.page:26 > ui.page.Choice.samples > ui.state.get > st.session_state",
    ]
