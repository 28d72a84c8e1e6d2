"""Joins several files into one table: logs of many runs below one another, configurations and tables of runs joined to them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from lawlib.errors import ReadError

from ..core import Table, counted, scrub, shown
from ..detection import detect
from ..formats import MEMBERS, File, is_archive, limits, load_table, members, sniff
from ..readers import events
from . import naming
from .batch import PLAIN, Batch, Files, alone, named, of_curves, stack
from .settings import Settings, join_settings, read_settings
from .small import Small, is_small, read_small


def open_table(data: bytes | Path, name: str) -> Table:
    """Returns the table in an upload's bytes, in a file, or in the files of a folder; `name` is used in sentences.

    Raises:
        ReadError: too large, damaged, empty, of a kind that is not read, or a pickle.
    """
    if isinstance(data, Path) and data.is_dir():
        return open_files(_folder(data, name), name)
    return open_files([(name, sniff.load(data, name))])


def _folder(folder: Path, name: str) -> list[tuple[str, bytes]]:
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    if not paths or len(paths) > MEMBERS or sum(p.stat().st_size for p in paths) > limits.UNPACKED_LIMIT:
        raise ReadError(f"{name} is a folder of {len(paths):,} files: needed are 1 to {MEMBERS:,}, up to 1 GB together.")
    return [(p.relative_to(folder).as_posix(), p.read_bytes()) for p in paths if p.stat().st_size]


def whole_name(files: Sequence[tuple[str, bytes]]) -> str:
    """Returns what several uploads are called together."""
    return files[0][0] if len(files) == 1 else f"{files[0][0]} and {len(files) - 1} more"


def open_files(files: Sequence[tuple[str, bytes]], name: str = "") -> Table:
    """Returns the table in one or several uploads; an archive counts as its files. `name` is that of the whole.

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


def _many(given: list[File], name: str, notes: list[str]) -> Table:
    labels = naming.labels([f.path for f in given])
    files = Files([f.path for f in given] + [name], [labels[f.path] for f in given])
    batches: list[Batch] = []
    small: list[Small] = []
    settings: list[Settings] = []
    event_files, left = [], limits.UNPACKED_LIMIT
    for number, file in enumerate(given):
        if events.looks(file.content[:64]):
            event_files.append((labels[file.path], file.path, file.content))
            continue
        found = read_settings(file)
        if found is not None:
            settings.append(Settings(str(PurePosixPath(file.path).parent), labels[file.path], file.path, found))
            continue
        try:
            if is_archive(file.content):
                raise ReadError(f"{file.path} is an archive within the archive: unpack it first.")
            content = sniff.unpack(sniff.load(file.content, file.path), file.path, left)
            left -= len(content) if content is not file.content else 0
            kind = sniff.format_of(content, file.path)
            if is_small(content, kind):
                small.append(Small(number, content, kind))
            else:
                batches.append(alone(load_table(content, file.path), number, files))
        except limits.TooLarge as error:
            raise ReadError(
                f"{name}: with {shown(file.path)} its files unpack to more than {limits.UNPACKED_LIMIT / 2**30:g} GB: give fewer at a time, "
                "or only the logs that are needed."
            ) from error
        except ReadError as error:
            files.passed[number] = str(error)
    batches = [part for batch in batches + read_small(small, files, name) for part in named(batch, files)]
    if event_files:
        event_files.sort(key=lambda f: f[1])
        frame, said = events.read_events(event_files)
        table = Table(name, frame, np.arange(1, len(frame) + 1), "tensorboard", said, sparse=True)
        batches.append(alone(table, len(given), files))
    passed = sorted(files.passed.items())
    if not batches:
        first = f" The first: {passed[0][1]}" if passed else ""
        raise ReadError(f"{name}: none of its {counted(len(given), 'file')} holds runs.{first}")
    if passed:
        listed = "; ".join(f"{shown(files.paths[i], 60)} ({shown(why, 120)})" for i, why in passed[:5])
        notes.append(f"{counted(len(passed), 'file')} passed over: {listed}{', ...' if len(passed) > 5 else ''}")
    return _together(join_settings(batches, settings, files, notes), files, name, notes)


def _together(batches: list[Batch], files: Files, name: str, notes: list[str]) -> Table:
    """Joins all into one table: equal formats below one another, a table of curves and a table of runs by the runs' names."""
    groups: dict[tuple[str, bool], list[Batch]] = {}
    parts = [part for batch in batches for part in of_curves(batch)]
    for batch, curves in sorted(parts, key=lambda part: part[0].files[0]):
        groups.setdefault(("table" if batch.table.format in PLAIN else batch.table.format, curves), []).append(batch)
    stacked = [stack(group, files, name) for group in groups.values()]
    if len(stacked) == 1:
        return stacked[0]
    curves = [t for t, key in zip(stacked, groups, strict=True) if key[1]]
    runs = [t for t, key in zip(stacked, groups, strict=True) if not key[1]]
    if len(curves) > 1 or len(runs) != 1:
        kinds = ", ".join(sorted({t.format for t in curves}))
        raise ReadError(f"{name} holds logs of different kinds ({kinds}): give those of one kind at a time.")
    return _side_by_side(curves[0], runs[0], name, notes)


def _side_by_side(curves: Table, runs: Table, name: str, notes: list[str]) -> Table:
    """Adds the columns of the table of runs to the curves, by the run's name."""
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
