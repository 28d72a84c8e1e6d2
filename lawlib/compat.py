"""Keeps old module names importable, for scripts that were exported before the library was divided into folders."""

from __future__ import annotations

import sys

from .optimum import approaches, gap
from .runs import selection

for _name, _module in (("approaches", approaches), ("gap", gap), ("selection", selection)):
    sys.modules[f"lawlib.{_name}"] = _module
    setattr(sys.modules["lawlib"], _name, _module)
