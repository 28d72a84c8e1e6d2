"""Every public function of the library and of the application says what it takes and what it returns."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = [file for layer in ("lawlib", "ui") for file in sorted((ROOT / layer).rglob("*.py"))]


def is_public(name: str) -> bool:
    return not name.startswith("_") or (name.startswith("__") and name.endswith("__"))


def public_functions(node: ast.AST, inside: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yields (name, function) of the public functions of a module and of the public methods of its public classes."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef) and is_public(child.name):
            yield from public_functions(child, f"{child.name}.")
        elif isinstance(child, ast.FunctionDef) and is_public(child.name):
            yield inside + child.name, child
        elif isinstance(child, ast.If | ast.Try):
            yield from public_functions(child, inside)


def unannotated(name: str, function: ast.FunctionDef) -> list[str]:
    """Returns what of a function has no annotation: its arguments, "return"."""
    given = function.args
    arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
    static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in function.decorator_list)
    if "." in name and not static:
        arguments = [argument for argument in arguments if argument is not arguments[0]]
    return [a.arg for a in arguments if a.annotation is None] + ["return"] * (function.returns is None)


def missing(source: str) -> list[str]:
    return [f"{name}: {', '.join(names)}" for name, f in public_functions(ast.parse(source)) if (names := unannotated(name, f))]


def test_public_functions_are_annotated():
    found = {str(file.relative_to(ROOT)): missing(file.read_text("utf-8")) for file in FILES}
    assert len(found) > 200
    assert {file: names for file, names in found.items() if names} == {}


def test_the_check_sees_what_is_missing():
    source = """
def a(x, *rest: int, y: int = 1, **more) -> int: ...
def b(x: int): ...
def _c(x): ...
class D:
    def __init__(self, x: int): ...
    def e(self) -> int: ...
    @staticmethod
    def f(x) -> int: ...
class _G:
    def h(self, x): ...
"""
    assert missing(source) == ["a: x, more", "b: return", "D.__init__: return", "D.f: x"]
