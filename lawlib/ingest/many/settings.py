"""Reads the configurations of runs and joins each to the logs it belongs to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lawlib.errors import ReadError

from ..core import counted, shown
from ..formats import File
from ..readers import RUN, config_columns, is_config
from . import naming
from .batch import Batch, Files

_TOLD = 5  # configurations without a log that are told one by one


class Settings(NamedTuple):
    """A configuration: its folder, the run's name there, its path, and the columns that it gives."""

    folder: str
    label: str
    path: str
    columns: dict[str, str]


def read_settings(file: File) -> dict[str, str] | None:
    """Returns the columns of a configuration; None where the file is none."""
    base = PurePosixPath(file.path).name
    if base.endswith((".json", ".yaml", ".yml")) and len(file.content) < 2**20:
        whole: Any = None
        if base.endswith(".json"):
            try:
                whole = json.loads(file.content)
            except (ValueError, RecursionError):
                return None
            if is_config(whole):
                return config_columns(whole)
        elif naming.SETTINGS.fullmatch(base):
            whole = _yaml(file)
        if isinstance(whole, dict) and "log_history" not in whole and naming.SETTINGS.fullmatch(base):
            return {f"config.{k}": v for k, v in _flat(whole).items()}
    return None


def _yaml(file: File) -> Any:
    try:
        import yaml
    except ImportError as error:
        raise ReadError(
            f"{file.path} is YAML; reading it needs the package PyYAML. Install it with "
            "`.venv/bin/pip install -r requirements-extra.txt` and start again, or leave the file out."
        ) from error
    if b"&" in file.content or b"*" in file.content:  # aliases can grow without bound
        return None
    try:
        return yaml.safe_load(file.content)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def _flat(given: dict[Any, Any], before: str = "", depth: int = 0) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in given.items():
        name = f"{before}{key}"
        if isinstance(value, dict) and depth < 8:
            found |= _flat(value, f"{name}.", depth + 1)
        elif isinstance(value, (str, int, float, bool)) and len(str(value)) < 500:
            found[name.removesuffix(".value")] = str(value)
    return found


def join_settings(batches: list[Batch], given: list[Settings], files: Files, notes: list[str]) -> list[Batch]:
    """Adds each configuration to the runs of its own folder or of the folders below it; of several the last one counts."""
    used: set[int] = set()
    by_folder = _by_name("" if s.folder == "." else s.folder for s in given)
    by_label = _by_name("" if s.folder in ("", ".") else s.label for s in given)
    joined = []
    for batch in batches:
        if not given or RUN not in batch.table.frame:
            joined.append(batch)
        elif batch.table.format == "tensorboard":
            joined.append(_join_runs(batch, given, by_label, used))
        else:
            joined += _join_files(batch, given, by_folder, files, used)
    beside = [s.path for i, s in enumerate(given) if i not in used]
    notes += [f"{shown(path)} lies beside no log, so it is joined to none." for path in beside[:_TOLD]]
    if len(beside) > _TOLD:
        notes.append(f"Nor does any log lie beside {counted(len(beside) - _TOLD, 'further configuration file')}.")
    if used:
        notes.append(f"{counted(len(used), 'configuration file')} joined to the logs of their folders.")
    return joined


def _by_name(names: Iterable[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        found.setdefault(name, []).append(i)
    return found


def _above(name: str) -> Iterator[str]:
    """Returns the name of a folder or run, those of the folders that it is in, and "" for all."""
    yield name
    while "/" in name:
        name = name.rpartition("/")[0]
        if name:
            yield name
    yield ""


def _of(name: str, by_name: dict[str, list[int]]) -> list[int]:
    """Returns the configurations that apply to a folder or run, in their order."""
    return sorted({i for above in _above(name) for i in by_name.get(above, ())})


def _join_files(
    batch: Batch, given: list[Settings], by_folder: dict[str, list[int]], files: Files, used: set[int]
) -> list[Batch]:
    """Adds configurations as columns to a batch, split by files that get other columns."""
    columns: list[dict[str, str]] = []
    groups: dict[tuple[str, ...], list[int]] = {}
    for place, number in enumerate(batch.files.tolist()):
        mine = _of(str(PurePosixPath(files.paths[number]).parent), by_folder)
        used.update(mine)
        columns.append({c: value for i in mine for c, value in given[i].columns.items()})
        groups.setdefault(tuple(columns[-1]), []).append(place)
    return [_with_settings(batch.only(np.array(places)), [columns[i] for i in places]) for places in groups.values()]


def _with_settings(batch: Batch, columns: list[dict[str, str]]) -> Batch:
    frame, cells = batch.table.frame, {}
    for column in columns[0]:
        values = np.array([given[column] for given in columns], dtype=object)
        cells[column] = pd.Series(values[batch.of_row], dtype="str")
    return batch.with_frame(_set(frame, cells)) if cells else batch


def _join_runs(batch: Batch, given: list[Settings], by_label: dict[str, list[int]], used: set[int]) -> Batch:
    """Adds configurations by the runs' names, for event files, which have no rows of their own."""
    frame = batch.table.frame
    codes, runs = pd.factorize(frame[RUN].astype("str"))
    mine = [_of(str(run), by_label) for run in runs]
    hit = sorted({i for of_run in mine for i in of_run})
    used.update(hit)
    cells: dict[str, pd.Series] = {}
    for column in dict.fromkeys(c for i in hit for c in given[i].columns):
        values = [next((given[i].columns[column] for i in reversed(of) if column in given[i].columns), None) for of in mine]
        has = np.array([value is not None for value in values])[codes]
        old = frame[column] if column in frame else pd.Series("", index=frame.index, dtype="str")
        cells[column] = old.astype("str").where(~has, pd.Series(np.array(values, dtype=object)[codes], index=frame.index))
    return batch.with_frame(_set(frame, cells))


def _set(frame: pd.DataFrame, cells: dict[str, pd.Series]) -> pd.DataFrame:
    """Returns the frame with these columns, new ones at its end."""
    frame = frame.assign(**{c: cells[c] for c in cells if c in frame})
    new = [cells[c].rename(c) for c in cells if c not in frame]
    return pd.concat([frame, *new], axis=1) if new else frame
