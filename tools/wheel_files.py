"""Build hook of the wheel: puts plotly.min.js of the plotly package that it is built with among the application's files.

The page loads it from its own server. A checkout has its copy in static/, put there by tools/environment.py and not tracked.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WheelFiles(BuildHookInterface):
    """Adds the drawing library to a wheel; an editable install has the checkout's own."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """See hatchling's build hooks: `build_data["force_include"]` maps files to their places in the wheel."""
        found = find_spec("plotly")
        if version == "editable" or found is None or found.origin is None:
            return
        build_data["force_include"][str(Path(found.origin).parent / "package_data" / "plotly.min.js")] = (
            "lawlib_app/static/plotly.min.js"
        )
