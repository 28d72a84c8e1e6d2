"""Readers of log formats, one module each; the first of `TEXT` that recognises a file's head reads it."""

from . import litgpt, maxtext, megatron, nanogpt, olmo, torchtitan, trainer_state
from .console import ANSI, run_name
from .hf_config import D_EXPERT, config_columns, is_config
from .mlflow_run import label, run_settings
from .reader import RUN, Read, Reader
from .sqlite import read_sqlite
from .tracking import Scalars

TEXT: tuple[Reader, ...] = (
    megatron.READER,
    litgpt.READER,
    torchtitan.READER,
    maxtext.READER,
    olmo.READER,
    nanogpt.READER,
)
READERS: dict[str, Reader] = {reader.name: reader for reader in (*TEXT, trainer_state.READER)}

__all__ = [
    "ANSI",
    "D_EXPERT",
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
]
