"""Records what pages and the library return, as compact JSON, and finds what differs later.

Texts are kept in full, numbers as numbers; long arrays of numbers as some that pin them (`_numbers`), long columns of texts as their
digest. One compressed file a case. Numbers agree to `CLOSE` of their size or to `FLOOR`; numbers inside of sentences are text.
"""

from __future__ import annotations

import base64
import dataclasses
import difflib
import hashlib
import json
import lzma
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from google.protobuf.json_format import MessageToDict
from streamlit.testing.v1 import AppTest
from threadpoolctl import threadpool_info

FOLDER = next(p for p in Path(__file__).resolve().parents if (p / "pyproject.toml").exists()) / "tests" / "pages" / "record"
CLOSE = 1e-9
"""Relative: of a number, of the sum of an array's absolute values, of every entry of an array."""
FLOOR = 1e-12
"""Absolute: below it a number is nought."""
SHORT = 8
"""Numbers up to which an array is written out."""
MANY = 40
"""Texts up to which a column is written out."""
DIGITS = 12
"""Digits that are kept of a number."""
SKIPPED = {
    "id", "formId", "pageScriptHash", "deferredFileId", "url", "jsContent", "htmlContent", "cssContent", "jsSourcePath",
    "cssSourcePath", "isolateStyles", "config", "widthConfig", "heightConfig", "arrowData", "elementType", "wrap", "setValue", "format",
    "step", "labelVisibility", "ignoreRerun", "acceptNewOptions",
}  # fmt: skip
"""What of an element is its place, its layout, an address that differs from run to run, or shown as a table or chart instead."""


# Writing


def compact(value: Any) -> Any:
    """Returns anything that pages and the library give, in a form that JSON can hold."""
    match value:
        case None | bool() | str():
            return value
        case int() | float() | np.generic():
            return _number(value)
        case pd.DataFrame():
            return _table(value)
        case pd.Series():
            return compact(dict(zip(map(str, value.index), value.tolist(), strict=True)))
        case {"dtype": str(kind), "bdata": str(data), **more}:
            values = np.frombuffer(base64.b64decode(data), f"<{kind}")
            shape = [int(n) for n in str(more.get("shape", len(values))).split(",")]
            return compact(values.reshape(shape).tolist())
        case Mapping():
            return {str(k): compact(v) for k, v in value.items()}
        case np.ndarray():
            return (
                {"shape": list(value.shape)} | {"values": compact(value.ravel().tolist())}
                if value.ndim > 1
                else _list(value.tolist())
            )
        case list() | tuple():
            return _list(list(value))
        case set() | frozenset():
            return sorted(map(str, value))
    if dataclasses.is_dataclass(value):
        return {f.name: compact(getattr(value, f.name)) for f in dataclasses.fields(value)}
    raise TypeError(f"The record knows no {type(value).__name__}.")


def _number(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def _list(values: list) -> Any:
    if len(values) > SHORT and all(v is None or (isinstance(v, (int, float)) and not isinstance(v, bool)) for v in values):
        return _numbers(np.array([math.nan if v is None else v for v in values], dtype=float))
    if len(values) > MANY and all(v is None or isinstance(v, (str, bool)) for v in values):
        return _digest(values)
    if len(values) > SHORT and all(isinstance(v, (list, tuple)) and len(v) == len(values[0]) for v in values):
        return {"rows": len(values), "columns": [_list(list(column)) for column in zip(*values, strict=True)]}
    return [compact(v) for v in values]


def _numbers(x: np.ndarray) -> dict:
    """Returns numbers that pin an array: `sum` and `tilted` see any entry, `logs` also the small ones beside large ones."""
    known = x[np.isfinite(x)]
    at = np.arange(len(known))
    ends = known if len(known) else np.array([0.0])
    pins = {
        "size": np.abs(known).sum(),
        "sum": known.sum(),
        "tilted": (known * (1 + at / len(x))).sum(),
        "logs": (np.log(np.abs(known) + 1e-6) * np.cos(at)).sum(),
        "least": ends.min(),
        "most": ends.max(),
        "first": ends[0],
        "last": ends[-1],
    }
    return {"numbers": len(x), "missing": int(np.isnan(x).sum())} | compact(pins)


def _digest(texts: list) -> dict:
    sha256 = hashlib.sha256(json.dumps(texts).encode()).hexdigest()
    return {"texts": len(texts), "first": texts[0], "last": texts[-1], "sha256": sha256}


def _table(table: pd.DataFrame) -> dict:
    named = {} if isinstance(table.index, pd.RangeIndex) else {"index": _list([str(v) for v in table.index])}
    columns = [table.iloc[:, i].astype(object) for i in range(table.shape[1])]
    lists = [[None if pd.isna(v) is True else v for v in (c.tolist())] for c in columns]
    return {"rows": len(table)} | named | {"columns": {str(k): _list(v) for k, v in zip(table.columns, lists, strict=True)}}


def outcome(ask: Callable[[], Any], errors: type[Exception] | tuple[type[Exception], ...]) -> Any:
    """Returns the result, or the sentence of the error."""
    try:
        return compact(ask())
    except errors as error:
        return f"{type(error).__name__}: {error}"


# Pages


def page(at: AppTest, answer: str) -> dict:
    """Returns all that a page shows: its answer, its words in order (menus with their options too), tables, charts, live explorer."""
    found: dict[str, Any] = {"answer": answer, "words": [], "tables": [], "charts": {}, "scripts": {}}
    for element in _elements(at._tree):
        proto = getattr(element, "proto", None)
        if element.type not in ("html", "empty") and hasattr(proto, "DESCRIPTOR"):
            _show(element, proto, found)
    return found


def _elements(block: Any) -> Iterator[Any]:
    for child in block.children.values():
        yield child
        if hasattr(child, "children"):
            yield from _elements(child)


def _show(element: Any, proto: Any, found: dict[str, Any]) -> None:
    words, key = found["words"], proto.id.split("-", 2)[-1] if hasattr(proto, "id") else ""
    if element.type == "plotly_chart":
        if words[-1:] == [f"markdown: **{proto.alt}**"]:
            words.pop()
        words.append(f"chart {key}: {proto.alt}".replace("\\", ""))
        found["charts"][key] = _chart(proto.spec)
    elif element.type == "bidi_component" and proto.component_name == "chart":
        data = json.loads(proto.json)
        words.append(f"chart {key}: {data['title']}".replace("\\", ""))
        found["charts"][key] = _chart(data["figure"])
    elif element.type == "bidi_component":
        found["scripts"][key] = compact(json.loads(proto.json)) if proto.json else None
    elif hasattr(element, "children"):
        inner = MessageToDict(proto).get(element.type, {})
        words += [f"{element.type}: {inner['label']}"] if inner.get("label") else []
    else:
        if element.type == "dataframe":
            found["tables"].append(compact(element.value))
        said = {k: v for k, v in MessageToDict(proto).items() if k not in SKIPPED}
        words.append(f"{element.type}: {said['body'] if set(said) == {'body'} else json.dumps(said, ensure_ascii=False)}")


def _chart(spec: str) -> Any:
    """Returns a figure, however it reached the page."""
    figure = json.loads(spec)
    figure["layout"].pop("uirevision", None)
    return compact(figure)


def script(source: str) -> list[str]:
    """Returns an exported script's lines, whichever module its names come from."""
    imported = re.findall(r"^from lawlib[\w.]* import (.+)$", source, flags=re.M)
    names = sorted({name.strip() for line in imported for name in line.split(",")})
    return [
        f"names of lawlib: {', '.join(names)}",
        *re.sub(r"^from lawlib[\w.]* import .+\n", "", source, flags=re.M).splitlines(),
    ]


# Keeping and comparing


def processor() -> str:
    """Returns what the last digits of a fit depend on: which instructions numpy and the BLAS use here."""
    return json.dumps(
        [np.show_config(mode="dicts")["SIMD Extensions"], sorted({str(i.get("architecture")) for i in threadpool_info()})]
    )


def write(case: str, value: dict) -> None:
    """Records it, as made on this processor."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    whole = {"processor": processor(), "says": value}
    text = json.dumps(whole, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    _file(case).write_bytes(lzma.compress(text.encode(), preset=9))


def read(case: str) -> tuple[str, dict]:
    """Returns the processor it was recorded on and what was recorded; nothing where nothing was."""
    if not _file(case).exists():
        return "", {}
    whole = json.loads(lzma.decompress(_file(case).read_bytes()))
    return whole["processor"], whole["says"]


def _file(case: str) -> Path:
    return FOLDER / f"{case}.json.xz"


def differences(old: Any, new: Any, where: str = "") -> Iterator[str]:
    """Returns a line for everything that differs: where, what was recorded, what is now."""
    if _is_number(old) and _is_number(new):
        if abs(old - new) > max(FLOOR, CLOSE * max(abs(old), abs(new))):
            yield f"{where}: recorded {old!r}, now {new!r}"
    elif isinstance(old, dict) and isinstance(new, dict):
        if "numbers" in old and old.get("numbers") == new.get("numbers"):
            yield from _other_numbers(old, new, where)
            return
        for key in sorted(old.keys() | new.keys()):
            if key not in old or key not in new:
                what = "is new" if key in new else "is gone"
                yield f"{where} / {key} {what}: {str(new.get(key, old.get(key)))[:200]}"
            else:
                yield from differences(old[key], new[key], f"{where} / {key}")
    elif isinstance(old, list) and isinstance(new, list):
        if any(isinstance(v, str) for v in [*old, *new]) and all(isinstance(v, str) for v in [*old, *new]):
            yield from _other_lines(old, new, where)
            return
        if len(old) != len(new):
            yield f"{where}: recorded {len(old)} of them, now {len(new)}"
        for i, (a, b) in enumerate(zip(old, new, strict=False)):
            yield from differences(a, b, f"{where}[{i}]")
    elif old != new:
        yield f"{where}: recorded {old!r}, now {new!r}"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _other_numbers(old: dict, new: dict, where: str) -> Iterator[str]:
    scale = max(old["size"], new["size"])
    allowed = {"sum": CLOSE * scale, "tilted": 2 * CLOSE * scale, "logs": CLOSE * old["numbers"]}
    for key in old:
        bound = max(FLOOR, allowed.get(key, CLOSE * max(abs(old[key]), abs(new[key]))))
        if abs(old[key] - new[key]) > bound:
            yield f"{where} / {key} of {old['numbers']} numbers: recorded {old[key]!r}, now {new[key]!r}"


def _other_lines(old: list[str], new: list[str], where: str) -> Iterator[str]:
    for tag, i, j, k, m in difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if tag != "equal":
            yield f"{where}[{i}:{j}]:\n    recorded {old[i:j]}\n    now      {new[k:m]}"
