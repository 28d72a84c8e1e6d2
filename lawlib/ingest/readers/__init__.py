"""One module a log format. A file is told by its content: the first of `TEXT` that recognises its head reads it."""

from . import litgpt, maxtext, megatron, nanogpt, olmo, torchtitan, trainer_state
from .reader import Read, Reader

TEXT: tuple[Reader, ...] = (
    megatron.READER,
    litgpt.READER,
    torchtitan.READER,
    maxtext.READER,
    olmo.READER,
    nanogpt.READER,
)
READERS: dict[str, Reader] = {reader.name: reader for reader in (*TEXT, trainer_state.READER)}

__all__ = ["READERS", "TEXT", "Read", "Reader"]
