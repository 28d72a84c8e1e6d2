"""Reads Hugging Face `trainer_state.json`, the log of a Trainer, best with the model's `config.json` beside it."""

from __future__ import annotations

import json
from typing import Any

from lawlib.errors import ReadError

from ..core import Mapping, RowProblem, Source, Table, shown
from .console import run_name
from .hf_config import config_sources
from .reader import OF_ALL, RUN, Read, Reader, log_mapping

PER_STEP = "num_input_tokens_seen / global_step"
_WHOLE = ("global_step", "max_steps", "num_input_tokens_seen", "train_batch_size", "total_flos")
_SEQUENCE = ("seq_length", "max_seq_length", "block_size", "sequence_length", "seq_len")


def looks(head: bytes) -> bool:
    return b'"log_history"' in head and b'"global_step"' in head


def read(content: bytes, name: str) -> Read:
    """Returns one row a logged entry; line numbers are entries, counted from 1."""
    try:
        state = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ReadError(f"{name} is a damaged trainer_state.json ({shown(error)}): copy it again.") from error
    history = state.get("log_history") if isinstance(state, dict) else None
    if not isinstance(history, list):
        raise ReadError(f'{name} has no list "log_history": needed is a Trainer\'s trainer_state.json.')
    rows, lines, ragged = [], [], []
    for number, entry in enumerate(history, start=1):
        if isinstance(entry, dict) and isinstance(entry.get("step"), (int, float)):
            rows.append({str(k): v for k, v in entry.items() if isinstance(v, (int, float, str))})
            lines.append(number)
        else:
            ragged.append(RowProblem(number, "step", shown(entry), "The entry of log_history has no step."))
    if not rows:
        raise ReadError(f"{name} has a log_history without a single step: nothing was logged in this run.")
    columns = {key: _texts(key, rows) for key in dict.fromkeys(key for row in rows for key in row)}
    whole = {RUN: run_name(name)} | {
        f"state.{k}": str(state[k])
        for k in _WHOLE
        if isinstance(state.get(k), (int, float)) and (k != "total_flos" or state[k] > 0)
    }
    seen, last = state.get("num_input_tokens_seen"), state.get("global_step")
    if isinstance(seen, (int, float)) and isinstance(last, (int, float)) and 0 < seen < 1e300 and 0 < last < 1e300:
        whole[PER_STEP] = repr(seen / last)
    return Read({k: [v] * len(rows) for k, v in whole.items()} | columns, lines, [], ragged)


def _texts(key: str, rows: list[dict[str, Any]]) -> list[str]:
    """Returns a key's values as text, "" where it is absent: as numbers of one kind where all are numbers, so 1 beside 0.5 is 1.0."""
    given = [row[key] for row in rows if key in row]
    kinds = set(map(type, given))
    mixed = kinds == {int, float} or (kinds == {int} and len(given) < len(rows))
    if mixed and all(-(2**64) < value < 2**64 or type(value) is float for value in given):
        given = list(map(float, given))
    texts = iter(given)
    return [("NaN" if (text := str(next(texts))) == "nan" else text) if key in row else "" for row in rows]


def mapping(table: Table) -> Mapping:
    """Returns the mapping: D by the tokens seen, else step x batch x sequence length where known; C by total_flos of dense models."""
    columns = list(table.frame.columns)
    tokens = [Source("num_input_tokens_seen")] if "num_input_tokens_seen" in columns else []
    tokens += [Source("num_tokens", rule="num_tokens, as TRL counts them")] if "num_tokens" in columns else []
    tokens.append(Source("step", times=(PER_STEP,), rule="D = step x num_input_tokens_seen / global_step"))
    tokens += [
        Source(
            "step", times=("state.train_batch_size", s), rule=f"D = step x train_batch_size x {s}, one device, no accumulation"
        )
        for s in _SEQUENCE
    ]
    flops = [
        Source(
            "state.total_flos",
            rule="total_flos of the Trainer: 6 x parameters without embeddings x tokens, right for dense models",
        )
    ]
    return log_mapping(table, {"step": [Source("step")], "tokens": tokens, "flops": flops, **config_sources()}, OF_ALL)


READER = Reader("hf-trainer", "Hugging Face trainer_state.json", looks, read, mapping)
