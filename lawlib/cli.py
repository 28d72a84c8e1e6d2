"""The command `lawlib`: starts the dashboard, says what a log would be read as, fits a law to a file.

lawlib app [--port N]
lawlib read FILE...
lawlib fit FILE --law NAME [--budget FLOPS] [--expansion E] [--granularity G] [--level .95] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from . import numbers
from .errors import LawlibError, OptimumError, ReadError
from .fitting import bootstrap, fit
from .ingest import build, detect, mapping_table, open_table, read_runs
from .laws import FAMILIES, Ensemble, FittedLaw
from .numerics.percentiles import central
from .optimum import Optimum, compute_optimal
from .runs import parse_number

N_RESAMPLES = 300
"""Bootstrap refits behind the intervals of `lawlib fit`."""
APPLICATION = "lawlib_app"
"""The package of the installed application: app.py, pages, ui, static."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Carries out one command; returns the exit status: 0, or 1 with a sentence on standard error."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (LawlibError, ValueError) as error:
        print(f"lawlib: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lawlib", description="Scaling laws of dense and mixture-of-experts language models.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    app = commands.add_parser("app", help="start the dashboard on this machine", description=_app.__doc__)
    app.add_argument("--port", type=int, default=8501, help="port on 127.0.0.1 (default: 8501)")
    app.set_defaults(run=_app)

    read = commands.add_parser("read", help="say what files would be read as", description=_read.__doc__)
    read.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a log or table; a folder stands for the files in it")
    read.set_defaults(run=_read)

    fitted = commands.add_parser("fit", help="fit a law to the runs of a file", description=_fit.__doc__)
    fitted.add_argument("file", type=Path, metavar="FILE", help="a log or table of runs")
    fitted.add_argument("--law", required=True, choices=list(FAMILIES), metavar="NAME", help=f"one of {', '.join(FAMILIES)}")
    fitted.add_argument("--budget", type=_number, help="training FLOPs of the optimum, such as 1e21 (default: the runs' largest)")
    fitted.add_argument("--expansion", type=_number, help="E = experts / granularity of the optimum, for a law with E")
    fitted.add_argument("--granularity", type=_number, help="G = d_ff / d_expert of the optimum (default: the best)")
    fitted.add_argument("--level", type=float, default=0.95, help="level of the intervals (default: 0.95)")
    fitted.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    fitted.set_defaults(run=_fit)
    return parser


def _number(text: str) -> float:
    value = parse_number(text)
    if not value > 0 or not np.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


def _app(options: argparse.Namespace) -> int:
    """Start the dashboard in this process; Ctrl-C ends it."""
    if find_spec("streamlit") is None:
        raise LawlibError('The dashboard needs Streamlit, which is not installed: pip install "lawlib[app]".')
    place = application()
    os.chdir(place)  # Streamlit reads .streamlit/config.toml and static/ from here
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(options.port)]
    sys.stdout.flush()
    os.execv(sys.executable, command)
    return 0


def application() -> Path:
    """The folder with app.py: the checkout that this library lies in, else the installed application.

    Raises LawlibError where there is neither.
    """
    checkout = Path(__file__).resolve().parents[1]
    if (checkout / "app.py").is_file():
        return checkout
    found = find_spec(APPLICATION)
    places = [] if found is None else [Path(p) for p in found.submodule_search_locations or ()]
    place = next((p for p in places if (p / "app.py").is_file()), None)
    if place is None:
        raise LawlibError(
            "The dashboard is not installed beside this library: install the wheel, or run `make run` in a checkout."
        )
    return place


def _read(options: argparse.Namespace) -> int:
    """Print which column is taken for what, the runs, and what could not be read. Nothing is stored."""
    failed = False
    for path in options.files:
        print(f"{path}")
        try:
            _print_reading(path)
        except ReadError as error:
            failed = True
            print(f"  not read: {error}\n")
    return int(failed)


def _print_reading(path: Path) -> None:
    table = open_table(path, path.name)
    mapping = detect(table)
    print(f"  {table.format}, {len(table.frame):,} rows, {len(table.frame.columns):,} columns\n")
    _print_table(mapping_table(mapping).to_dict("list"))
    found = build(table, mapping)
    points = f", {len(found.curves):,} points of curves" if len(found.curves) else ""
    print(f"\n  {len(found.runs):,} {'run' if len(found.runs) == 1 else 'runs'}{points}")
    for title, lines in (
        ("notes", [*table.notes, *(note for note in found.notes if note not in table.notes)]),
        ("problems", [f"line {p.line}: {p.reason}" for p in found.problems[:10]]),
        ("suggestions, none of them applied", [s.sentence for s in found.suggestions]),
    ):
        if lines:
            print(f"  {title}:")
            print("\n".join(f"    {line}" for line in lines))
    if len(found.problems) > 10:
        print(f"    and {len(found.problems) - 10:,} more")
    print()


def _fit(options: argparse.Namespace) -> int:
    """Fit a law to the runs of a file: coefficients with bootstrap intervals, health, the optimum at a budget."""
    if not 0 < options.level < 1:
        raise ValueError(f"--level must lie between 0 and 1; got {options.level:g}.")
    law = fit(read_runs(options.file), options.law)
    samples = bootstrap(law, N_RESAMPLES)
    budget = options.budget or law.ranges.get("flops", (np.nan, np.nan))[1]
    optimum, why = None, "the runs have no FLOPs: give --budget"
    if np.isfinite(budget):
        try:
            optimum, why = compute_optimal(law, budget, options.expansion, options.granularity), ""
        except OptimumError as error:
            why = str(error)
    intervals = _intervals(law, samples, options, budget if optimum is not None else None)
    content = {
        "law": law.law.name, "formula": law.law.formula, "n": law.count, "runs": len(law.fit.runs), "status": law.status,
        "rmse_of_ln_loss": law.rmse, "flops_rule": law.flops_rule.sentence, "level": options.level,
        "interval": samples.label, "parameters": law.params, "held": dict(law.held), "intervals": intervals["parameters"],
        "health": [{"code": f.code, "severity": f.severity, "sentence": f.sentence, "remedy": f.remedy} for f in law.health()],
        "optimum": None if optimum is None else _optimum(optimum), "optimum_intervals": intervals["optimum"], "no_optimum": why,
    }  # fmt: skip
    if options.json:
        print(json.dumps(numbers.finite(content), indent=1, ensure_ascii=False))
    else:
        _print_fit(content)
    return 0


def _intervals(law: FittedLaw, samples: Ensemble, options: argparse.Namespace, budget: float | None) -> dict[str, dict]:
    """Intervals of the fitted parameters, and of the optimum's N, D and loss where there is a budget."""
    parameters = {p: list(samples.interval(p, options.level)) for p in law.params if p not in law.held}
    if budget is None:
        return {"parameters": parameters, "optimum": {}}
    many = compute_optimal(samples.law, budget, options.expansion, options.granularity)
    optimum = {
        name: [float(end) for end in central(getattr(many, name), options.level)] for name in ("n_active", "tokens", "loss")
    }
    return {"parameters": parameters, "optimum": optimum}


def _optimum(found: Optimum) -> dict[str, float]:
    names = ("flops", "n_active", "n_total", "tokens", "granularity", "expansion", "loss")
    return {name: float(np.asarray(getattr(found, name))) for name in names}


def _print_fit(content: dict) -> None:
    print(f"{content['law']}: {content['formula']}")
    print(
        f"{content['runs']} runs, {content['status']}, rms residual {content['rmse_of_ln_loss']:.2%} of the loss; N is {content['n']}"
    )
    print(f"{content['flops_rule']}\n")
    level = f"{content['level']:.0%} interval, {content['interval']}"
    _print_table(
        {
            "parameter": list(content["parameters"]),
            "value": [f"{v:.5g}" for v in content["parameters"].values()],
            level: [
                "held" if p in content["held"] else "[{:.4g}, {:.4g}]".format(*content["intervals"][p])
                for p in content["parameters"]
            ],
        }
    )
    for finding in content["health"]:
        print(f"\n{finding['severity']}: {finding['sentence']} {finding['remedy']}")
    found, ends = content["optimum"], content["optimum_intervals"]
    if found is None:
        print(f"\nno optimum: {content['no_optimum']}")
        return
    words = "".join(
        f", {letter} = {found[name]:g}" for letter, name in (("E", "expansion"), ("G", "granularity")) if np.isfinite(found[name])
    )
    print(f"\noptimum at {numbers.flops(found['flops'], 3)} FLOPs{words}:")
    _print_table(
        {
            "quantity": ["active parameters", "training tokens", "loss, nats per token"],
            "value": [numbers.count(found["n_active"]), numbers.count(found["tokens"]), numbers.loss(found["loss"])],
            level: [
                f"[{write(low)}, {write(high)}]"
                for write, (low, high) in zip(
                    (numbers.count, numbers.count, numbers.loss), (ends[n] for n in ("n_active", "tokens", "loss")), strict=True
                )
            ],
        }
    )


def _print_table(columns: dict[str, list]) -> None:
    """Columns of text, each as wide as its longest cell, indented by two."""
    cells = [[str(name), *map(str, values)] for name, values in columns.items()]
    widths = [max(map(len, column)) for column in cells]
    for row in zip(*cells, strict=True):
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
