"""Recognises GPT-NeoX's console log, which is Megatron-LM's with other names: `lm_loss`, `train_batch_size`, "validation results"."""

from __future__ import annotations

import re

from . import megatron
from .reader import Reader

_SNIFF = re.compile(rb"samples/sec: {1,4}[\d.]+ \| iteration +\d+/ *\d+ \||validation results at iteration \d+ \|")

READER = Reader("neox", "GPT-NeoX log", lambda head: _SNIFF.search(head) is not None, megatron.read, megatron.mapping)
