"""Reading in a process of its own: the same tables and sentences, within limits, and nothing left behind."""

import gzip
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from datetime import date
from datetime import time as clock
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lawlib
from lawlib import ingest
from lawlib.ingest import Table
from lawlib.ingest.guarded import parcel, process
from lawlib.ingest.guarded.process import ReadingLimits
from tests.support.processes import readers

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
SMALL = ReadingLimits(memory=2**30, cpu=2, wall=20)
RESULTS = b"run,benchmark,metric,value\nr1,arc,acc,0.5\nr2,arc,acc,much\nr2,boolq,acc,0.25\nnobody,arc,acc,1\n"

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limits differ elsewhere")


@pytest.fixture(autouse=True)
def nothing_left(tmp_path, monkeypatch):
    """After every test here no process of it runs and no file of it lies about."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert list(tmp_path.glob("lawlib-*")) == []
    assert readers(tmp_path) == []


def assert_same(a: Table, b: Table) -> None:
    """Two tables are equal to the last bit."""
    assert_same_frame(a.frame, b.frame)
    np.testing.assert_array_equal(a.lines, b.lines)
    assert a.lines.dtype == b.lines.dtype
    for name in ("name", "format", "notes", "ragged", "sha256", "decimal", "sparse", "dropped"):
        assert getattr(a, name) == getattr(b, name), name
    assert (a.origins is None) == (b.origins is None)
    if a.origins is not None:
        assert a.origins.tolist() == b.origins.tolist()
        assert a.origins.dtype == b.origins.dtype


def assert_same_frame(a: pd.DataFrame, b: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(a, b, check_exact=True, check_column_type="exact", check_index_type="exact", check_freq=False)
    assert list(map(repr, a.dtypes)) == list(map(repr, b.dtypes))
    for i in range(a.shape[1]):
        if a.iloc[:, i].dtype == object:
            assert [(type(x), repr(x)) for x in a.iloc[:, i]] == [(type(x), repr(x)) for x in b.iloc[:, i]]


def task(name: str, limits: ReadingLimits = SMALL, progress=None):
    """What the call with this task of `tests.support.hostile` gives."""
    return process._guarded(
        f"tests.support.hostile:{name}", [("bad.csv", b"a,b\n1,2\n")], parcel.load_table, "", progress, limits
    )


# The same as without


def files_of(folder: Path) -> list[tuple[str, bytes]]:
    return [(p.relative_to(folder).as_posix(), p.read_bytes()) for p in sorted(folder.rglob("*")) if p.is_file()]


def parquet(frame: pd.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.to_parquet(out)
    return out.getvalue()


ODD = pd.DataFrame(
    {
        "loss": [3.5, np.nan, -0.0],
        "half": np.array([1, 2, 3], dtype=np.float16),
        "small": np.array([1, 2, 255], dtype=np.uint8),
        "when": pd.to_datetime(["2024-01-01", None, "2024-02-01"]),
        "zone": pd.to_datetime(["2024-01-01", None, "2024-02-01"]).tz_localize("Europe/Berlin"),
        "took": pd.to_timedelta([1, None, 3], unit="s"),
        "flag": [True, None, False],
        "text": ["", None, "é\n\0"],
        "day": [date(2024, 1, 2), None, date(1, 1, 1)],
        "hour": [clock(1, 2, 3, 4), None, clock(0)],
        "exact": [Decimal("1.50"), None, Decimal("-0.01")],
        "count": pd.array([1, None, 3], dtype="Int64"),
        "list": [[1, 2], None, [3]],
        "raw": [b"\xff", None, b""],
    }
)
MIXED = (
    b'[{"a": 1, "b": null, "c": "x", "d": 12345678901234567890123}, {"a": 1.5, "b": true, "c": 2}, {"a": "", "b": "n", "e": {}}]'
)
SAMPLES = {
    "csv": [("moe_runs.csv", (DATA / "moe_runs.csv").read_bytes())],
    "decimal commas": [("german.csv", (DATA / "german.csv").read_bytes())],
    "jsonl": [("gemstones.jsonl", (DATA / "tables" / "gemstones.jsonl").read_bytes())],
    "history": [("wandb_history.jsonl", (DATA / "tables" / "wandb_history.jsonl").read_bytes())],
    "chart": [("wandb_chart.csv", (DATA / "tables" / "wandb_chart.csv").read_bytes())],
    "sqlite": [("mlflow.db", (DATA / "trackers" / "mlflow.db").read_bytes())],
    "console": [("megatron_moe.log", (DATA / "logs" / "megatron_moe.log").read_bytes())],
    "trainer state": [("trainer_state.json", (DATA / "hf" / "trainer_state.json").read_bytes())],
    "several": files_of(DATA / "trackers" / "lightning"),
    "event files": files_of(DATA / "trackers" / "tb"),
    "odd types": [("odd.parquet", parquet(ODD))],
    "mixed cells": [("mixed.json", MIXED)],
    "half surrogates": [("s.json", b'[{"\\ud800a": "\\udc00", "loss": 3}]')],
    "ragged and doubled": [("r.csv", b'a,a, ,b\n1,2,3,4\n1,2\n"x\ny",2,,4\n\n1,2,3,4,5\n')],
    "private": [("p.csv", b"run,host,loss,email\na,gpu7,3,x@y.org\nb,gpu8,2,z@y.org\n")],
    "odd name": [("../\ud800 <b>.csv", b"a,b\n1,2\n")],
}


@pytest.mark.parametrize("files", SAMPLES.values(), ids=SAMPLES)
def test_the_table_is_the_one_that_reading_without_a_process_gives(files):
    assert_same(process.open_files(files), ingest.open_files(files))


def test_a_given_name_is_that_of_the_whole():
    files = files_of(DATA / "trackers" / "lightning")
    assert_same(process.open_files(files, "mine"), ingest.open_files(files, "mine"))


@pytest.mark.parametrize(
    "files",
    [[("a.pkl", b"\x80\x04.")], [("é.csv", b"")], [("a.csv.gz", gzip.compress(b"a,b\n1,2\n")[:20])], [("a.csv", b"1,2\n")]],
    ids=["pickle", "empty", "cut", "no header"],
)
def test_what_cannot_be_read_gets_the_same_sentence(files):
    with pytest.raises(lawlib.ReadError) as without:
        ingest.open_files(files)
    with pytest.raises(lawlib.ReadError) as inside:
        process.open_files(files)
    assert str(inside.value) == str(without.value)


def test_benchmark_results_are_the_same_too():
    runs = pd.DataFrame({"run_id": ["i1", "i2"], "name": ["r1", "r2"], "loss": [3.0, 2.0]})
    found = process.read_evaluations([("results.csv", RESULTS)], runs)
    expected = ingest.read_evaluations(ingest.open_table(RESULTS, "results.csv"), runs)
    assert_same_frame(found.frame, expected.frame)
    assert (found.problems, found.notes) == (expected.problems, expected.notes)
    assert len(found.problems) == 2
    with pytest.raises(lawlib.ReadError, match="no column names the run"):
        process.read_evaluations([("results.csv", b"a,b\n1,2\n")], runs)


def test_a_parcel_keeps_doubled_names_rows_of_their_own_and_no_rows_at_all(tmp_path):
    frames = [
        pd.DataFrame([[1, "x", None]], columns=["a", "a", ""], index=pd.Index([7], name="row")),
        pd.DataFrame({"a": [1.0, 2.0]}, index=pd.RangeIndex(4, 8, 2)).rename_axis(columns="tag"),
        pd.DataFrame({"a": pd.Series([], dtype="str"), "b": pd.Series([], dtype=object)}),
        pd.DataFrame(index=pd.RangeIndex(3)),
        pd.DataFrame({"a": ["\ud800", b"\xff", 1 << 80, float("nan"), None]}, dtype=object),
    ]
    for i, frame in enumerate(frames):
        folder = tmp_path / str(i)
        folder.mkdir()
        parcel.save_frame(folder, frame)
        back = parcel.load_frame(folder)
        assert_same_frame(back, frame)
        if back.size:
            back.iloc[0, 0] = back.iloc[0, 0]  # it can be written to


def test_a_cell_that_no_file_has_is_refused_not_bent(tmp_path):
    with pytest.raises(TypeError, match="type complex"):
        parcel.save_frame(tmp_path, pd.DataFrame({"a": [1j, "x"]}, dtype=object))


# The limits


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("eat", r"bad\.csv needs more than 1 GB of memory to be read: give fewer or smaller files at a time\."),
        ("eat_unseen", r"bad\.csv needs more than 1 GB of memory"),
        ("fill", r"bad\.csv needs more than 1 GB of memory"),
        ("spin", r"bad\.csv takes more than 2 s of computing to be read: give fewer"),
        ("kill", r"bad\.csv: the process that read it was killed, as happens where memory runs out: give fewer"),
        ("crash", r"bad\.csv: the process that read it crashed \(Segmentation fault\): the file is damaged or unusual, save it"),
        ("fail", r"bad\.csv could not be read \(KeyError: 'loss'\): it is damaged or unusual, save it again\."),
        ("leave", r"bad\.csv could not be read \(the process that read it ended with code 3\)"),
    ],
)
def test_every_end_is_a_sentence(name, sentence):
    with pytest.raises(lawlib.ReadError, match=sentence):
        task(name)


def test_a_reading_that_waits_ends_by_the_clock():
    with pytest.raises(lawlib.ReadError, match=r"bad\.csv takes more than 2 s to be read: give fewer or smaller files"):
        task("sleep", ReadingLimits(wall=2))


def test_what_progress_raises_cancels_the_reading(tmp_path):
    class Cancelled(BaseException):
        pass

    seen = []

    def progress(seconds):
        seen.append(seconds)
        if (found := list(tmp_path.glob("lawlib-*/half"))) and found[0].stat().st_size:
            assert found[0].parent.stat().st_mode & 0o777 == 0o700
            assert len(readers(tmp_path)) == 1
            raise Cancelled

    begun = time.monotonic()
    with pytest.raises(Cancelled):
        task("sleep", progress=progress)
    assert time.monotonic() - begun < 15
    assert seen == sorted(seen)


def test_a_place_without_room_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(lawlib.ReadError, match=r"a\.csv could not be handed over for reading \(No such file"):
        process.open_files([("a.csv", b"a,b\n1,2\n")])


def test_the_reading_ends_with_the_program_that_asked(tmp_path):
    code = (
        "import tempfile; from lawlib.ingest.guarded import parcel, process\n"
        f"tempfile.tempdir = {str(tmp_path)!r}\n"
        "process._guarded('tests.support.hostile:sleep', [('a.csv', b'a')], parcel.load_table)"
    )
    program = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    try:
        wait_until(lambda: list(tmp_path.glob("lawlib-*/half")))
    finally:
        program.send_signal(signal.SIGKILL)
        program.wait()
    wait_until(lambda: not readers(tmp_path) and not list(tmp_path.glob("lawlib-*")))


def wait_until(so, seconds=30.0):
    end = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_process_knows_nothing_of_the_environment(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    monkeypatch.setenv("PYTHONSTARTUP", "/nowhere.py")
    seen = {}
    real = subprocess.Popen

    def watched(*args, **options):
        seen.update(options["env"])
        return real(*args, **options)

    monkeypatch.setattr(subprocess, "Popen", watched)
    process.open_files([("a.csv", b"a,b\n1,2\n")])
    assert seen.keys() & os.environ.keys() <= {*process._KEPT, "TMPDIR", "OPENBLAS_NUM_THREADS"}
    assert seen.get("TMPDIR") != os.environ.get("TMPDIR", "")


# Bombs


def bomb() -> bytes:
    """1.2 MB that unpack to 1.25 GB of a table."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.csv", "w", force_zip64=True) as file:
        file.write(b"a,b\n")
        for _ in range(80):
            file.write(b"1,2\n" * 2**22)
    return out.getvalue()


def nested() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.csv.gz", gzip.compress(gzip.compress(bytes(2**26))))
        archive.writestr("inner.zip", b"PK\x03\x04" + bytes(100))
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "make", "sentence"),
    [
        ("bomb.zip", bomb, "unpacks to more than 1 GB"),
        ("nested.zip", nested, r"none of its 2 files holds runs\. The first: inner\.csv\.gz is packed with gzip twice"),
        ("twice.csv.gz", lambda: gzip.compress(gzip.compress(bytes(2**26))), "packed with gzip twice"),
    ],
)
def test_a_bomb_ends_in_a_sentence(name, make, sentence):
    with pytest.raises(lawlib.ReadError, match=sentence):
        process.open_files([(name, make())])


def test_a_file_that_unpacks_to_more_than_the_memory_ends_in_a_sentence():
    content = gzip.compress(b"a,b\n" + b"1,2\n" * 2**26, 1)  # 256 MB, within what may be unpacked
    with pytest.raises(lawlib.ReadError, match=r"wide\.csv\.gz needs more than 0\.75 GB of memory to be read"):
        process._guarded(
            "lawlib.ingest.guarded.child:read_table",
            [("wide.csv.gz", content)],
            parcel.load_table,
            limits=ReadingLimits(memory=3 * 2**28),
        )
