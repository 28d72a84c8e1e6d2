"""Several files as one table: the logs of many runs below one another, configurations and tables of runs joined to them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from lawlib.errors import ReadError

from . import naming, sniff
from .archive import MEMBERS, File, is_archive, members
from .columns import detect
from .problem import RowProblem, counted, shown
from .readers import events
from .readers.hf_config import config_columns, is_config
from .readers.reader import RUN
from .scrub import scrub
from .table import Table, load_table

CELLS = 10**8


def open_table(data: bytes | Path, name: str) -> Table:
    """The table in an upload's bytes, in the file at a path, or in the files of a folder; `name` is used in sentences.

    Raises:
        ReadError: too large, damaged, empty, of a kind that is not read, or a pickle.
    """
    if isinstance(data, Path) and data.is_dir():
        return open_files(_folder(data, name), name)
    return open_files([(name, sniff.load(data, name))])


def _folder(folder: Path, name: str) -> list[tuple[str, bytes]]:
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    if not paths or len(paths) > MEMBERS or sum(p.stat().st_size for p in paths) > sniff.UNPACKED_LIMIT:
        raise ReadError(f"{name} is a folder of {len(paths):,} files: needed are 1 to {MEMBERS:,}, up to 1 GB together.")
    return [(p.relative_to(folder).as_posix(), p.read_bytes()) for p in paths if p.stat().st_size]


def whole_name(files: Sequence[tuple[str, bytes]]) -> str:
    """What several uploads are called together."""
    return files[0][0] if len(files) == 1 else f"{files[0][0]} and {len(files) - 1} more"


def open_files(files: Sequence[tuple[str, bytes]], name: str = "") -> Table:
    """The table in one or several uploads; archives stand for the files in them. `name` is that of the whole.

    Raises:
        ReadError: none of them holds runs, or they are logs of different kinds that cannot be put together.
    """
    for given_name, content in files:
        sniff.load(content, given_name)
    name = name or whole_name(files)
    sha256 = hashlib.sha256(b"".join(hashlib.sha256(content).digest() for _, content in files)).hexdigest()
    if len(files) == 1:
        sha256 = hashlib.sha256(files[0][1]).hexdigest()
    notes: list[str] = []
    uploads = []
    for given_name, content in files:
        content = sniff.unpack(content, given_name)
        packed = is_archive(content)
        uploads.append((given_name, members(content, given_name, notes) if packed else [File(given_name, content)], packed))
    given = naming.told_apart(naming.in_folders(uploads), notes)
    if len(given) == 1 and not events.looks(given[0].content[:64]):
        only = given[0]
        base = PurePosixPath(only.path).name if only.path else name
        table = load_table(sniff.unpack(only.content, base), base)
    else:
        table = _many(given, name, notes)
    table.notes[:0] = notes
    return scrub(table.renamed(name, sha256))


def _many(files: list[File], name: str, notes: list[str]) -> Table:
    tables: list[tuple[str, Table]] = []  # folder, table
    settings: list[tuple[str, str, dict[str, str]]] = []  # folder, path, columns
    event_files, passed = [], []
    labels, left = naming.labels([f.path for f in files]), sniff.UNPACKED_LIMIT
    for file in files:
        folder = str(PurePosixPath(file.path).parent)
        if events.looks(file.content[:64]):
            event_files.append((labels[file.path], file.path, file.content))
            continue
        found = _settings(file)
        if found is not None:
            settings.append((folder, file.path, found))
            continue
        try:
            if is_archive(file.content):
                raise ReadError(f"{file.path} is an archive within the archive: unpack it first.")
            content = sniff.unpack(sniff.load(file.content, file.path), file.path, left)
            left -= len(content) if content is not file.content else 0
            tables.append((folder, _named(load_table(content, file.path), labels[file.path])))
        except sniff.TooLarge as error:
            raise ReadError(
                f"{name}: with {shown(file.path)} its files unpack to more than {sniff.UNPACKED_LIMIT / 2**30:g} GB: give fewer at a time, "
                "or only the logs that are needed."
            ) from error
        except ReadError as error:
            passed.append((file.path, str(error)))
    if event_files:
        event_files.sort(key=lambda f: f[1])
        frame, said = events.read_events(event_files)
        tables.append(("", Table(name, frame, np.arange(1, len(frame) + 1), "tensorboard", said, sparse=True)))
    if not tables:
        first = f" The first: {passed[0][1]}" if passed else ""
        raise ReadError(f"{name}: none of its {counted(len(files), 'file')} holds runs.{first}")
    if passed:
        listed = "; ".join(f"{shown(p, 60)} ({shown(why, 120)})" for p, why in passed[:5])
        notes.append(f"{counted(len(passed), 'file')} passed over: {listed}{', ...' if len(passed) > 5 else ''}")
    _join_settings(tables, settings, labels, notes)
    return _together([t for _, t in tables], name, notes)


def _settings(file: File) -> dict[str, str] | None:
    """The columns of a configuration; None where the file is none."""
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


def _named(table: Table, label: str) -> Table:
    """A table with its run's name from the path: of a log always, of a curve of one run where it names none."""
    frame = table.frame
    if RUN in frame and table.format not in ("csv", "tsv", "json", "jsonl", "parquet"):
        return table.with_frame(frame.assign(**{RUN: label}))
    mapping = detect(table)
    if mapping.step and "name" not in mapping.sources and not mapping.run_columns:
        return table.with_frame(pd.concat([pd.Series(label, index=frame.index, name=RUN, dtype="str"), frame], axis=1))
    return table


def _join_settings(
    tables: list[tuple[str, Table]], settings: list[tuple[str, str, dict[str, str]]], labels: dict[str, str], notes: list[str]
) -> None:
    """Puts each configuration into the runs of its own folder or of the folders below it."""
    joined = 0
    for folder, path, columns in settings:
        hit = False
        for i, (of, table) in enumerate(tables):
            if RUN not in table.frame:
                continue
            if of != "" or table.format != "tensorboard":
                rows = np.full(len(table.frame), of == folder or folder in ("", ".") or of.startswith(f"{folder}/"))
            else:
                run = table.frame[RUN].astype("str")
                rows = ((run == labels[path]) | run.str.startswith(f"{labels[path]}/") | (folder in ("", "."))).to_numpy(
                    dtype=bool
                )
            if rows.any():
                hit = True
                frame = table.frame.copy()
                for column, value in columns.items():
                    old = frame[column] if column in frame else pd.Series("", index=frame.index, dtype="str")
                    frame[column] = old.astype("str").where(~rows, value)
                tables[i] = (of, table.with_frame(frame))
        joined += hit
        if not hit:
            notes.append(f"{shown(path)} lies beside no log, so it is joined to none.")
    if joined:
        notes.append(f"{counted(joined, 'configuration file')} joined to the logs of their folders.")


def _together(tables: list[Table], name: str, notes: list[str]) -> Table:
    """One table of all: of one kind below one another; a table of curves and a table of runs side by side, by the run's name."""
    groups: dict[Any, list[Table]] = {}
    for table in tables:
        plain = table.format in ("csv", "tsv", "json", "jsonl", "parquet")
        curves = bool(detect(table).step)
        groups.setdefault(("table", curves) if plain else (table.format, True), []).append(table)
    stacked = [_stack(group, name) for group in groups.values()]
    if len(stacked) == 1:
        return stacked[0]
    curves = [t for t, key in zip(stacked, groups, strict=True) if key[1]]
    runs = [t for t, key in zip(stacked, groups, strict=True) if not key[1]]
    if len(curves) > 1 or len(runs) != 1:
        kinds = ", ".join(sorted({t.format for t in curves}))
        raise ReadError(f"{name} holds logs of different kinds ({kinds}): give those of one kind at a time.")
    return _side_by_side(curves[0], runs[0], name, notes)


def _stack(tables: list[Table], name: str) -> Table:
    if len(tables) == 1:
        return tables[0]
    columns = list(dict.fromkeys(c for t in tables for c in t.frame.columns))
    n_rows = sum(len(t.frame) for t in tables)
    if n_rows * len(columns) > CELLS:
        raise ReadError(
            f"{name} has {n_rows:,} rows with {len(columns):,} different columns together, more than {CELLS:,} cells: "
            "give fewer files at a time."
        )
    if len({t.decimal for t in tables}) > 1:
        raise ReadError(f"{name} holds tables with decimal commas and tables with points: give those of one kind at a time.")
    text = any(isinstance(d, pd.StringDtype) for t in tables for d in t.frame.dtypes)
    frames = [t.frame.astype("str").fillna("") if text else t.frame for t in tables]
    frame = pd.concat(frames, ignore_index=True)
    if text:
        frame = frame.astype("str").fillna("")
    origins = np.concatenate([np.full(len(t.frame), t.name, dtype=object) for t in tables])
    ragged = [RowProblem(p.line, p.column, p.value, p.reason, t.name) for t in tables for p in t.ragged]
    said = dict.fromkeys(note for t in tables for note in t.notes)
    lines = np.concatenate([t.lines for t in tables])
    return Table(
        name, frame, lines, tables[0].format, list(said), ragged, "", tables[0].decimal, tables[0].sparse, origins
    )  # fmt: skip


def _side_by_side(curves: Table, runs: Table, name: str, notes: list[str]) -> Table:
    """The curves with the columns of the table of runs, row by row where the run's name is the same."""
    left, right = detect(curves).sources.get("name"), detect(runs).sources.get("name")
    if left is None or right is None or not left.column or not right.column:
        which = curves.name if left is None or not left.column else runs.name
        raise ReadError(f"{shown(which)} has no column with the runs' names, so the two files cannot be joined by run.")
    keys = runs.frame[right.column].astype("str").str.strip()
    if keys.duplicated().any():
        again = keys[keys.duplicated()].iloc[0]
        raise ReadError(f'{shown(runs.name)} has more than one row named "{shown(again)}": which one belongs to the curve?')
    own = curves.frame[left.column].astype("str").str.strip()
    known = own.isin(keys)
    n_runs, n_found = own.nunique(), own[known].nunique()
    if not n_found:
        raise ReadError(
            f'No run of {shown(curves.name)} (such as "{shown(own.iloc[0])}") is among those of {shown(runs.name)} (such as '
            f'"{shown(keys.iloc[0])}"): the names must be the same.'
        )
    others = runs.frame.drop(columns=right.column).astype("str").fillna("")
    others = others.rename(columns={c: f"{c} (of the run)" for c in others.columns if c in curves.frame})
    found = others.set_axis(keys, axis=0).reindex(own).fillna("").reset_index(drop=True)
    frame = pd.concat([curves.frame.reset_index(drop=True), found], axis=1)
    missing = own[~known].unique()
    tail = f"; without a row there: {shown(', '.join(missing[:5]), 200)}" if len(missing) else ""
    notes.append(f'Joined by the run\'s name ("{left.column}" and "{right.column}"): {n_found:,} of {n_runs:,} runs found{tail}.')
    unused = int((~keys.isin(own)).sum())
    if unused:
        notes.append(f"{counted(unused, 'run')} of {shown(runs.name)} have no curve and are left out.")
    return curves.with_frame(frame)
