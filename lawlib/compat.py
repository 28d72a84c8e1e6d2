"""Module names that scripts exported before the library had rooms import: they go on to work."""

from __future__ import annotations

import sys

from .optimum import approaches, gap
from .runs import selection

for _name, _module in (("approaches", approaches), ("gap", gap), ("selection", selection)):
    sys.modules[f"lawlib.{_name}"] = _module
    setattr(sys.modules["lawlib"], _name, _module)
