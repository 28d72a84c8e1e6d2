"""Turns the scalars of many runs as trackers keep them, (run, step, key, value), into a frame with a row a run and step."""

from __future__ import annotations

from array import array

import numpy as np
import pandas as pd

from lawlib.errors import ReadError

from ..core import counted

CELLS = 50_000_000


class Scalars:
    """Points in the order of logging; of several at one run, step and key the last one counts."""

    def __init__(self) -> None:
        self.settings: dict[str, dict[str, str]] = {}  # of each run
        self._runs: dict[str, int] = {}
        self._keys: dict[str, int] = {}
        self._run, self._key = array("q"), array("q")
        self._step, self._value = array("d"), array("d")

    @property
    def n(self) -> int:
        return len(self._value)

    def add(self, run: str, step: float, key: str, value: float) -> None:
        self._run.append(self._runs.setdefault(run, len(self._runs)))
        self._key.append(self._keys.setdefault(key, len(self._keys)))
        self._step.append(step)
        self._value.append(value)

    def frame(self, run_column: str, notes: list[str] | None = None) -> pd.DataFrame:
        """Returns the columns: run, `step`, a column a setting (text), a column a key (float, NaN where nothing was logged).

        A key logged once, at step 0, in a run that goes on is the run's summary: it stands at its last step.

        Raises:
            ReadError: the runs have too many steps and keys for one table.
        """
        run, key = np.frombuffer(self._run, dtype=np.int64), np.frombuffer(self._key, dtype=np.int64)
        points = pd.DataFrame({"run": run, "step": np.frombuffer(self._step), "key": key, "value": np.frombuffer(self._value)})
        if notes is not None:
            self._summaries(points, notes)
        points = points.drop_duplicates(["run", "step", "key"], keep="last")
        rows = points.groupby(["run", "step"]).ngroup().to_numpy()
        n_rows = int(rows.max()) + 1 if len(rows) else 0
        if n_rows * len(self._keys) > CELLS:
            raise ReadError(
                f"The runs have {n_rows:,} steps and {len(self._keys):,} different keys, more than {CELLS:,} cells together: "
                "leave out runs or keys that are not needed."
            )
        table = np.full((n_rows, len(self._keys)), np.nan)
        table[rows, points["key"].to_numpy()] = points["value"].to_numpy()
        index = points[["run", "step"]].drop_duplicates().sort_values(["run", "step"])
        names = pd.Series(list(self._runs), dtype="str")
        whole: dict[str, pd.Series] = {run_column: names, "step": pd.Series(dtype=float)}
        for setting in dict.fromkeys(s for given in self.settings.values() for s in given):
            whole[setting] = pd.Series([self.settings.get(r, {}).get(setting, "") for r in self._runs], dtype="str")
        of_row = index["run"].to_numpy()
        head = pd.DataFrame({c: s.take(of_row).to_numpy() for c, s in whole.items() if c != "step"})
        head.insert(1, "step", index["step"].to_numpy())
        body = pd.DataFrame(table, columns=[k if k not in head else f"{k} (metric)" for k in self._keys])
        return pd.concat([head, body], axis=1)

    def _summaries(self, points: pd.DataFrame, notes: list[str]) -> None:
        last = points.groupby("run")["step"].transform("max")
        alone = points.groupby(["run", "key"])["step"].transform("max") == 0
        moved = alone & (last > 0)
        points.loc[moved, "step"] = last[moved]
        if moved.any():
            n = int(points.loc[moved, ["run", "key"]].drop_duplicates().shape[0])
            notes.append(f"{counted(n, 'metric')} logged without a step: taken at the last step of the run.")
