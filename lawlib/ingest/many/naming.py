"""Makes the paths of several files distinct, and derives a run's name from each."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import PurePosixPath

from ..core import counted, shown
from ..formats import File

_GENERIC = re.compile(
    r"(metrics|trainer_state|output|train|training|stdout|stderr|log|logs|console|history|wandb-history|debug|main|results?|progress)"
    r"(\.(csv|tsv|jsonl?|log|txt|out|parquet|gz))*|(events\.out\.tfevents\..*)|version_\d+|checkpoint-\d+|files|tensorboard|tb_logs|runs",
    re.IGNORECASE,
)
SETTINGS = re.compile(r"(hparams|config|args|params|hyperparameters|training_args)\.(ya?ml|json)", re.IGNORECASE)
"""Names of files that hold a run's configuration."""


def in_folders(uploads: list[tuple[str, list[File], bool]]) -> list[File]:
    """Returns the files of all uploads (name, files, whether an archive), with a folder for each archive where paths collide."""
    known: dict[str, bytes] = {}
    clashing = set()
    for _, inside, _ in uploads:
        clashing |= {path for path, content in inside if known.get(path, content) != content}
        known |= dict(inside)
    found: list[File] = []
    folders: dict[tuple[File, ...], str] = {}  # an archive given twice has one
    for name, inside, packed in uploads:
        if packed and any(file.path in clashing for file in inside):
            stem, n = re.sub(r"(\.(zip|tar|tgz|gz))+$", "", PurePosixPath(name).name), 1
            folder = folders.get(tuple(inside), stem)
            while tuple(inside) not in folders and folder in folders.values():
                n += 1
                folder = f"{stem} ({n})"
            folders[tuple(inside)] = folder
            inside = [File(f"{folder}/{path}", content) for path, content in inside]
        found += inside
    return found


def told_apart(files: list[File], notes: list[str]) -> list[File]:
    """Returns the files with distinct paths: the second of two is numbered, or passed over where its content is the same.

    Of different configurations with one path none is taken: which log each belongs to is not known.
    """
    found: dict[str, bytes] = {}
    numbered = again = 0
    configurations = Counter(file.path for file in dict.fromkeys(files) if SETTINGS.fullmatch(PurePosixPath(file.path).name))
    if unclear := {path: n for path, n in sorted(configurations.items()) if n > 1}:
        notes.append(
            f"{counted(sum(unclear.values()), 'configuration file')} named {shown(', '.join(unclear))}: which belongs to which log is not "
            "known, so none is joined. Give each run's files as a zip."
        )
        files = [file for file in files if file.path not in unclear]
    for path, content in files:
        folder, _, base = path.rpartition("/")
        stem, n, free = re.match(r"\.*[^.]*", base)[0], 1, path  # type: ignore[index]
        while free in found and found[free] != content:
            n += 1
            free = f"{folder}/" * bool(folder) + f"{stem} ({n}){base[len(stem) :]}"
        again += free in found
        numbered += free not in found and free != path
        found[free] = content
    if numbered:
        notes.append(f"{counted(numbered, 'file')} with the name of another one: a number is added to tell the runs apart.")
    if again:
        notes.append(f"{counted(again, 'file')} given twice and read once.")
    return [File(path, content) for path, content in found.items()]


def labels(paths: list[str]) -> dict[str, str]:
    """Returns a run's name for each path: what distinguishes it from the others, without generic parts such as metrics.csv.

    Files of one folder with generic names, and the checkpoints below it, are one run.
    """
    keys = {}
    for path in paths:
        *folders, file = PurePosixPath(path).parts
        kept = [f for f in folders if not re.fullmatch(r"checkpoint-\d+", f)]
        stem = re.sub(r"(\.(csv|tsv|jsonl?|log|txt|out|err|parquet|gz|ya?ml))+$", "", file) or file
        keys[path] = (*kept,) if kept and (_GENERIC.fullmatch(file) or SETTINGS.fullmatch(file)) else (*kept, stem)
    common = 0
    while (
        len(set(keys.values())) > 1
        and all(len(k) > common + 1 for k in keys.values())
        and len({k[common] for k in keys.values()}) == 1
    ):
        common += 1
    brief = {k: "/".join(x for x in k[common:] if not _GENERIC.fullmatch(x)) for k in set(keys.values())}
    taken = Counter(brief.values())
    names = {k: v if v and taken[v] == 1 else "/".join(k[common:]) for k, v in brief.items()}
    return {path: names[key] for path, key in keys.items()}
