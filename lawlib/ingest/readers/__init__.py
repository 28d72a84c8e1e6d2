"""Readers of log formats, one module each; the first of `TEXT` that recognises a file's head reads it."""

from . import (
    composer,
    fairseq,
    litgpt,
    llmc,
    lm_eval,
    maxtext,
    megatron,
    nanochat,
    nanogpt,
    nanotron,
    nemo,
    neox,
    olmo,
    step_lines,
    torchtitan,
    trainer_state,
    trainer_stdout,
)  # fmt: skip
from .console import ANSI, PART, run_name, training_name
from .hf_config import D_EXPERT, config_columns, is_config
from .mlflow_run import label, run_settings
from .reader import RUN, Read, Reader
from .sqlite import read_sqlite
from .tracking import Scalars

TEXT: tuple[Reader, ...] = (
    nemo.READER,
    neox.READER,
    megatron.READER,
    nanotron.READER,
    litgpt.READER,
    torchtitan.READER,
    maxtext.READER,
    olmo.READER,
    nanogpt.READER,
    nanochat.READER,
    llmc.READER,
    fairseq.READER,
    composer.READER,
    trainer_stdout.READER,
    step_lines.READER,
)
READERS: dict[str, Reader] = {reader.name: reader for reader in (*TEXT, trainer_state.READER, lm_eval.READER)}

__all__ = [
    "ANSI",
    "D_EXPERT",
    "PART",
    "READERS",
    "RUN",
    "TEXT",
    "Read",
    "Reader",
    "Scalars",
    "config_columns",
    "is_config",
    "label",
    "read_sqlite",
    "run_name",
    "run_settings",
    "training_name",
]
