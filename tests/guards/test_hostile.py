"""Uploads made to do harm: bombs, names that lead elsewhere, endless lines, junk, SQL, markup and formulas in names.

Each ends in a sentence that names the file and says what to do, or in plain data; never in a traceback, a path of this machine or
a half-stored import. `tests/guards/test_fuzz.py` has the random ones.
"""

import ast
import csv
import gzip
import io
import json
import random
import re
import tempfile
import time
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from lawlib import export, ingest
from lawlib.errors import ReadError, StoreError
from lawlib.export import Analysis, Chart
from lawlib.export.csv import _FORMULA
from lawlib.ingest.formats import archive, delimited, limits
from lawlib.ingest.formats.archive import File
from lawlib.ingest.many.settings import read_settings
from lawlib.store import Addition, open_store, schema
from tests.support.processes import peak
from tests.support.runs import a_curve, some_runs

ROOT = Path(__file__).resolve().parents[2]
ROWS = b"name,N,D,loss\na,1e8,2e9,3.5\nb,2e8,4e9,3.25\n"
CURVE = b"step,tokens,loss\n1,1e6,4\n2,2e6,3.5\n"
MB = 2**20
SECONDS, MEMORY = 10, 400 * MB


def read(*files: tuple[str, bytes]) -> ingest.Import:
    """What the Upload page would make of the files."""
    table = ingest.open_files(files)
    return ingest.build(table, ingest.detect(table))


def refused(*files: tuple[str, bytes]) -> str:
    """The sentence that refuses the files, quickly and without much memory."""
    began, before = time.process_time(), peak()
    with pytest.raises(ReadError) as error:
        read(*files)
    assert time.process_time() - began < SECONDS
    assert peak() - before < MEMORY
    return checked(str(error.value))


def checked(sentence: str) -> str:
    """The sentence, where it is one: short enough to read, without a traceback or a path of this machine."""
    assert sentence.strip()
    assert len(sentence) < 1000, sentence
    assert "Traceback" not in sentence
    for folder in {str(ROOT), str(Path.home()), tempfile.gettempdir(), "site-packages"} - {"/"}:
        assert folder not in sentence, sentence
    return sentence


def packed(*files: tuple[str, bytes], method=zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as into:
        for name, content in files:
            into.writestr(name, content)
    return buffer.getvalue()


def zeros_in_zip(size: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as into, into.open("runs.csv", "w") as member:
        for _ in range(size // 2**24):
            member.write(bytes(2**24))
    return buffer.getvalue()


def zeros_in_gzip(size: int) -> bytes:
    """One gzip member a 16 MB, as `cat a.gz b.gz` makes them."""
    return gzip.compress(bytes(2**24)) * (size // 2**24)


# Bombs


def test_a_flat_zip_bomb_is_told_by_its_directory(monkeypatch):
    monkeypatch.setattr(limits, "UNPACKED_LIMIT", 2**27)
    bomb = zeros_in_zip(2**27 + 2**24)
    assert len(bomb) < MB
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("it was opened"))
    sentence = refused(("bomb.zip", bomb))
    assert re.fullmatch(
        r"bomb\.zip unpacks to more than 0\.125 GB \([\d,]+ bytes packed\): pack only the logs that are needed\.", sentence
    )


@pytest.mark.parametrize("name", ["bomb.csv.gz", "bomb.csv"])
def test_a_gzip_bomb_is_counted_before_it_is_kept(name, monkeypatch):
    monkeypatch.setattr(limits, "UNPACKED_LIMIT", 2**27)
    sentence = refused((name, zeros_in_gzip(2**27 + 2**24)))
    assert re.fullmatch(
        rf"{re.escape(name)} unpacks to more than 0\.125 GB \([\d,]+ bytes packed\): split it, or leave out .*", sentence
    )


def test_a_gzip_bomb_of_one_member(monkeypatch):
    monkeypatch.setattr(limits, "UNPACKED_LIMIT", 2**27)
    assert "bomb.csv.gz unpacks to more than 0.125 GB" in refused(("bomb.csv.gz", gzip.compress(bytes(2**27 + 1), 1)))


@pytest.mark.parametrize("n", [1, 3])
def test_gzip_files_in_a_zip_share_the_limit(n, monkeypatch):
    monkeypatch.setattr(limits, "UNPACKED_LIMIT", 2**26)
    one = gzip.compress(b"#" * (2**26 // n) + b"\n" + CURVE)
    sentence = refused(("logs.zip", packed(*((f"{i}.csv.gz", one) for i in range(n)), ("ok.csv", CURVE))))
    assert re.match(rf"logs\.zip: with {n - 1}\.csv\.gz its files unpack to more than 0\.0625 GB: give fewer at a time", sentence)


def test_many_empty_gzip_members_are_no_endless_loop():
    assert "bomb.gz is made of more than 100,000 gzip files joined together" in refused(("bomb.gz", gzip.compress(b"") * 200_000))
    few = b"".join(gzip.compress(ROWS[i : i + 1]) for i in range(len(ROWS)))
    assert read(("runs.csv.gz", few)).runs["loss"].tolist() == [3.5, 3.25]


def test_what_is_packed_twice_is_refused_and_packed_once_is_read():
    twice = gzip.compress(gzip.compress(ROWS))
    inner = packed(("runs.csv", ROWS))
    assert refused(("a.csv.gz", twice)) == "a.csv.gz is packed with gzip twice: unpack it once."
    assert refused(("b.zip", packed(("a.csv.gz", twice)))) == "a.csv.gz is packed with gzip twice: unpack it once."
    assert refused(("c.zip", packed(("in.zip", inner)))).startswith("in.zip is a zip archive; needed is CSV")
    sentence = refused(("d.zip", packed(("in.zip", inner), ("in2.zip", inner + b"\0"))))
    assert "in.zip is an archive within the archive: unpack it first." in sentence
    assert len(read(("e.zip", packed(("runs.csv.gz", gzip.compress(ROWS))))).runs) == 2
    assert len(read(("f.zip.gz", gzip.compress(inner))).runs) == 2


def test_a_zip_bomb_that_says_it_is_small_is_not_unpacked():
    bomb = zeros_in_zip(2**28)
    lying = bomb.replace((2**28).to_bytes(4, "little"), (5).to_bytes(4, "little"))
    assert lying != bomb
    before = peak()
    assert "(Bad CRC-32 for file 'runs.csv')" in refused(("bomb.zip", lying))
    assert peak() - before < 2**27


@pytest.mark.parametrize("kind", ["files", "folders", "junk"])
def test_a_zip_of_a_hundred_thousand_members(kind):
    n = 100_000 if kind == "files" else archive.MEMBERS + 1
    name = {"files": "f{}.csv", "folders": "f{}/", "junk": "__MACOSX/f{}"}[kind]
    sentence = refused(("many.zip", packed(*((name.format(i), b"") for i in range(n)), method=zipfile.ZIP_STORED)))
    if kind == "files":
        assert sentence == f"many.zip holds 100,000 files; at most {archive.MEMBERS:,} are read: pack only the logs."
    else:
        assert sentence == "many.zip holds no file: pack the logs into it."


@pytest.mark.parametrize("said", [0, 5, 2**20, 2**31, 2**32 - 2])
def test_a_zip_that_lies_about_a_size_is_no_larger_for_it(said):
    size = len(ROWS * 3000)
    lying = packed(("runs.csv", ROWS * 3000), ("more.csv", ROWS)).replace(size.to_bytes(4, "little"), said.to_bytes(4, "little"))
    if said == 2**20:  # there is less: what there is is read
        assert len(read(("lies.zip", lying)).runs) == 2
        return
    sentence = refused(("lies.zip", lying))
    assert re.match(r"lies\.zip (unpacks to more than 1 GB|is a damaged or unusual zip archive \(Bad CRC-32)", sentence)


# Names in an archive

NAMES = ["../../etc/x.csv", "/etc/x.csv", "..\\..\\x.csv", "C:\\windows\\x.csv", "C:x.csv", "a\0b.csv", "..", "a\nb.csv", "\u202egnp.csv",
         "<img src=x onerror=alert(1)>.csv", "'; drop table runs; --.csv", "=cmd()|x.csv", "x" * 5000 + ".csv"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=lambda n: repr(n)[1:20])
@pytest.mark.parametrize("through", ["zip", "upload"])
def test_a_name_that_leads_elsewhere_is_a_label(name, through, tmp_path, monkeypatch):
    def opened(*_, **__):
        raise AssertionError("a file was opened for writing")

    for call in ("write_bytes", "write_text", "mkdir", "touch", "symlink_to"):
        monkeypatch.setattr(Path, call, opened)
    monkeypatch.setattr(zipfile.ZipFile, "extract", opened)
    monkeypatch.setattr(zipfile.ZipFile, "_extract_member", opened)
    monkeypatch.chdir(tmp_path)
    files = [(name, CURVE), ("other.csv", CURVE.replace(b"3.5", b"3.25"))]
    found = read(("logs.zip", packed(*files))) if through == "zip" else read(*files)
    first, other = found.runs["name"]
    assert other == "other"
    assert first
    if through == "zip":
        assert not first.startswith(("/", "\\", "..")) or first == ".."
        assert not re.search(r"[\0\n]|\.\.[/\\]|:\\", first)
    assert found.runs["loss"].tolist() == [3.5, 3.25]
    assert list(tmp_path.iterdir()) == []


def test_a_symbolic_link_is_a_file_with_a_path_in_it():
    link = zipfile.ZipInfo("link.csv")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as into:
        into.writestr(link, "/etc/passwd")
        into.writestr("runs.csv", ROWS)
    found = read(("links.zip", buffer.getvalue()))
    assert found.runs["name"].tolist() == ["a", "b"]
    assert any(note.startswith("1 file passed over: link.csv") for note in found.notes)
    assert "root:" not in "".join(found.notes)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("through", ["zip", "upload"])
def test_files_of_one_name_are_runs_of_their_own(through):
    files = [("metrics.csv", CURVE), ("metrics.csv", CURVE.replace(b"3.5", b"3.25")), ("metrics.csv", CURVE)]
    found = read(("logs.zip", packed(*files))) if through == "zip" else read(*files)
    assert found.runs[["name", "loss"]].values.tolist() == [["metrics", 3.5], ["metrics (2)", 3.25]]
    assert "1 file with the name of another one: a number is added to tell the runs apart." in found.notes
    assert "1 file given twice and read once." in found.notes


def test_archives_with_the_same_folder_keep_their_own_configurations():
    def run(width: int, loss: str) -> bytes:
        return packed(("run/config.json", b'{"hidden": %d}' % width), ("run/metrics.csv", CURVE.replace(b"3.5", loss.encode())))

    table = ingest.open_files([("a.zip", run(128, "3.5")), ("b.zip", run(512, "3.25")), ("again/a.zip", run(128, "3.5"))])
    last = table.frame.drop_duplicates(table.frame.columns[0], keep="last")
    assert set(zip(last.iloc[:, 0], last["config.hidden"], strict=True)) == {("a/run", "128"), ("b/run", "512")}


def test_which_of_two_configurations_belongs_to_which_log_is_not_guessed():
    files = [("metrics.csv", CURVE), ("config.json", b'{"hidden": 128}'), ("metrics.csv", CURVE.replace(b"3.5", b"3.25"))]
    table = ingest.open_files([*files, ("config.json", b'{"hidden": 512}')])
    assert "config.hidden" not in table.frame
    assert any("2 configuration files named config.json: which belongs to which log is not known" in note for note in table.notes)


def test_an_encrypted_member_is_refused():
    content = bytearray(packed(("runs.csv", ROWS), method=zipfile.ZIP_STORED))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert refused(("x.zip", bytes(content))) == "x.zip is encrypted: unpack it and pack the logs without a password."


# Endless lines, columns, nesting and numbers


@pytest.mark.parametrize(
    ("head", "line", "number"),
    [(b"", b"x", 1), (ROWS, b"x", 4), (ROWS, b",", 4), (ROWS, b'"', 4), (b"", b",", 1)],
    ids=["alone", "cell", "commas", "quotes", "header"],
)
def test_a_line_of_a_hundred_megabytes(head, line, number):
    sentence = refused(("long.csv", head + line * (100 * MB) + b"\n"))
    assert sentence.startswith(f"long.csv: line {number} has more than {delimited.LINE // MB} MB (it begins with ")
    assert sentence.endswith("Save the runs as CSV with a line a row.")


@pytest.mark.parametrize("line", [b"x\n", b"1,2\n", b'"x\n'])
def test_endless_lines_that_do_not_fit(line):
    sentence = refused(("short.csv", ROWS + line * 1_000_000))
    assert sentence.startswith(
        "short.csv: more than 100,000 lines do not fit the header of 4 columns (the first is line 4), so this is"
    )


def test_endless_blank_lines_are_passed_over():
    began = time.process_time()
    assert len(read(("blank.csv", ROWS + b"\n" * (8 * MB) + b"c,3e8,6e9,3\n")).runs) == 3
    assert time.process_time() - began < SECONDS


def test_lines_up_to_the_limit_are_read(monkeypatch):
    monkeypatch.setattr(delimited, "LINE", len(max(ROWS.split(b"\n"), key=len)))
    assert len(read(("runs.csv", ROWS)).runs) == 2
    assert len(read(("runs.csv", ROWS.rstrip())).runs) == 2
    monkeypatch.setattr(delimited, "LINE", delimited.LINE - 1)
    assert "has more than" in refused(("runs.csv", ROWS))


@pytest.mark.parametrize("kind", ["csv", "tsv", "same", "json", "jsonl", "parquet"])
def test_a_table_of_very_many_columns(kind):
    n = 1_000_000 if kind in ("csv", "tsv", "same") else 100_000 if kind != "parquet" else limits.COLUMNS + 1
    names = [f"c{i}" for i in range(n)]
    if kind in ("json", "jsonl"):
        row = json.dumps(dict.fromkeys(names, 1))
        content = f"[{row}]".encode() if kind == "json" else row.encode()
    elif kind == "parquet":
        buffer = io.BytesIO()
        pd.DataFrame([range(n)], columns=names).to_parquet(buffer)
        content = buffer.getvalue()
    else:
        mark = "\t" if kind == "tsv" else ","
        content = f"{mark.join(['c'] * n if kind == 'same' else names)}\n{mark.join(['1'] * n)}\n".encode()
    sentence = refused((f"wide.{kind}", content))
    assert (
        sentence
        == f"wide.{kind} has {n:,} columns; at most {limits.COLUMNS:,} are read. Leave out those that are not needed, or turn the table: a row a run."
    )


def test_columns_of_one_name_are_not_told_one_by_one():
    found = ingest.open_files([("same.csv", b"x," * 500 + b"loss\n" + b"1," * 500 + b"3\n")])
    assert found.frame.columns[499] == "x.499"
    assert len(found.notes) == 6
    assert found.notes[-1] == "So it does with 494 further columns, numbered in the same way."


DEEP = {"list": b"[" * 100_000 + b"1" + b"]" * 100_000, "object": b'{"a":' * 100_000 + b"1" + b"}" * 100_000}
HUGE = b"9" * 100_000


@pytest.mark.parametrize("deep", DEEP.values(), ids=DEEP)
@pytest.mark.parametrize("name", ["deep.json", "deep.txt", "trainer_state.json", "config.json"])
def test_json_nested_a_hundred_thousand_deep(deep, name):
    for content in (deep, b'[{"loss": 3, "x": ' + deep + b"}]"):
        assert re.fullmatch(
            rf"{re.escape(name)} is not JSON: it is nested too deeply\. Save it again, or as CSV\.", refused((name, content))
        )
    assert "trainer_state.json is damaged" in refused(("s.json", b'{"global_step": 1, "log_history": ' + deep + b"}")).replace(
        "s.json is a damaged trainer_state.json", "trainer_state.json is damaged"
    )


@pytest.mark.parametrize(
    ("record", "why"),
    [
        *(
            (b'{"name": "x", "loss": 3, "N": 1e8, "D": 1e9, "y": ' + deep + b"}", "it is nested too deeply")
            for deep in DEEP.values()
        ),
        (b'{"name": "x", "loss": 3, "N": 1e8, "D": ' + HUGE + b"}", "a number in it has more than 4,300 digits"),
    ],
    ids=[*DEEP, "number"],
)
@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv"])
def test_a_line_of_json_that_cannot_be_read_costs_itself(record, why, name):
    good = b'{"name": "%c", "loss": 3, "N": 1e8, "D": 2e9}\n'
    found = read((name, good % b"a" + record + b"\n" + good % b"b"))
    assert found.runs["name"].tolist() == ["a", "b"]
    assert [(p.line, p.reason) for p in found.problems] == [(2, f"The line is not a JSON object: {why}.")]


@pytest.mark.parametrize("digits", [HUGE, HUGE + b"M", b"9_" * 50_000 + b"9", b"1e" + HUGE, b"-" + HUGE, b"0." + HUGE + b"e400"])
@pytest.mark.parametrize("column", ["N", "D", "loss"])
def test_a_number_of_a_hundred_thousand_digits_is_a_problem_of_its_row(digits, column):
    cells = {"N": b"1e8", "D": b"1e9", "loss": b"3"} | {column: digits}
    found = read(("big.csv", ROWS + b"c," + b",".join(cells.values()) + b"\n"))
    assert found.runs["name"].tolist() == ["a", "b"]
    assert {(p.line, p.column) for p in found.problems} == {(4, column)}
    assert all(len(p.value) <= 80 for p in found.problems)


ODD = ["9" * 4000, "9" * 5000, "1e999", "NaN", "-Infinity", "0", "-1", '"x"', "[[1]]", "null", "true"]
HF = ROOT / "tests" / "data" / "hf"


def odd_numbers(text: str, value: str) -> list[bytes]:
    """The JSON text with each of its numbers replaced by the value."""
    places = re.finditer(r"(?<=[:\[ ])-?\d[\d.eE+-]*(?=[,\}\]\s])", text)
    return [(text[: place.start()] + value + text[place.end() :]).encode() for place in places]


@pytest.mark.parametrize("value", ODD, ids=lambda v: v[:9])
def test_every_number_of_a_model_s_configuration_may_be_any(value):
    files = [changed for path in HF.glob("*_config.json") for changed in odd_numbers(path.read_text("utf-8"), value)]
    assert len(files) > 60
    for changed in files:
        columns = read_settings(File("config.json", changed))
        assert columns is None or all(isinstance(text, str) and len(text) < 500 for text in columns.values())


@pytest.mark.parametrize("value", ODD, ids=lambda v: v[:9])
def test_every_number_of_a_trainer_s_state_may_be_any(value):
    for changed in odd_numbers((HF / "trainer_state_seen.json").read_text("utf-8"), value)[::12]:
        try:
            read(("trainer_state.json", changed))
        except ReadError as error:
            checked(str(error))


@pytest.mark.parametrize("form", ["json", "jsonl", "csv"])
def test_nan_and_infinity_are_no_numbers_of_a_run(form):
    rows = [("a", "NaN", 1e8, 1e9), ("b", 3, "Infinity", 1e9), ("c", 3, 1e8, "-Infinity"), ("d", 3, 1e8, 1e9)]
    records = ['{{"name": "{}", "loss": {}, "N": {}, "D": {}}}'.format(*row) for row in rows]
    text = {
        "json": f"[{', '.join(records)}]",
        "jsonl": "\n".join(records),
        "csv": "\n".join(["name,loss,N,D", *(",".join(map(str, row)) for row in rows)]),
    }[form]
    found = read((f"nan.{form}", text.encode()))
    assert found.runs["name"].tolist() == ["d"]
    assert [p.column for p in found.problems] == ["loss", "N", "D"]


# Junk


def junk() -> dict[str, bytes]:
    noise = random.Random(1).randbytes(4000)
    buffer = io.BytesIO()
    pd.DataFrame({"N": [1e8] * 50, "D": [2e9] * 50, "loss": [3.5] * 50}).to_parquet(buffer)
    parquet, whole, gz = buffer.getvalue(), packed(("r.csv", ROWS * 50)), gzip.compress(noise.hex().encode())
    return {
        "random": noise, "PNG": b"\x89PNG\r\n\x1a\n" + noise, "JPEG": b"\xff\xd8\xff\xe0" + noise, "ELF": b"\x7fELF\x02\x01\x01" + noise,
        "exe": b"MZ" + noise, "wasm": b"\0asm" + noise, "pickle": b"\x80\x04\x95" + noise, "text pickle": b"(dp0\nS'a'\np1\nI1\ns.",
        "SQLite": b"SQLite format 3\0" + noise, "DuckDB": noise[:8] + b"DUCK" + noise, "half Parquet": parquet[: len(parquet) // 2],
        "cut Parquet": parquet[:-4], "Parquet of junk": b"PAR1" + noise + b"\xff\xff\xff\x7fPAR1", "half zip": whole[: len(whole) // 2],
        "cut zip": whole[:-10], "half gzip": gz[: len(gz) // 2], "cut gzip": gz[:-2], "gzip of junk": gzip.compress(noise),
        "UTF-16": b"\xff\xfe" + noise, "controls": bytes(range(1, 32)) * 100, "NUL": bytes(4000), "TensorBoard": b"\x18" + bytes(7) + b"\xa3\x7f\x4b\x22"
        b"\x09\0\0\xc0\x1c\x37\x87\xd8\x41\x1a\x0dbrain.Event:2" + noise, "high bytes": bytes(range(128, 256)) * 20,
    }  # fmt: skip


JUNK = junk()
ENDINGS = [".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".csv.gz", ".gz", ".txt", ".zip", ".log", ".out", ".err", ".db", ".sqlite",
           ".duckdb", ".yaml", ".xlsx", ".tfevents", ".pkl", ""]  # fmt: skip


def test_the_uploader_takes_files_of_any_ending():
    """So that the content decides, and all endings are tried here."""
    calls = [
        node
        for source in (ROOT / "ui").rglob("*.py")
        for node in ast.walk(ast.parse(source.read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "file_uploader"
    ]
    assert len(calls) == 3
    assert not any(keyword.arg == "type" for call in calls for keyword in call.keywords)
    names = re.findall(r'"(\.\w+)",\n', (ROOT / "ui" / "data" / "upload" / "at_hand.py").read_text("utf-8"))
    assert set(names) <= set(ENDINGS)


@pytest.mark.parametrize("kind", JUNK)
def test_junk_under_any_ending_gets_a_sentence(kind):
    for ending in ENDINGS:
        assert f"upload-7{ending}" in refused((f"upload-7{ending}", JUNK[kind]))


@pytest.mark.parametrize("kind", JUNK)
def test_junk_beside_a_good_log_is_passed_over_or_refused_by_name(kind):
    whole = ("half zip", "cut zip", "half gzip", "cut gzip", "NUL", "TensorBoard")  # the upload itself cannot be opened
    if kind in whole:
        assert refused(("runs.csv", ROWS), ("junk.csv", JUNK[kind])).startswith("junk.csv")
        return
    found = read(("runs.csv", ROWS), ("junk.csv", JUNK[kind]))
    assert found.runs["name"].tolist() == ["a", "b"]
    checked(next(note for note in found.notes if "junk.csv" in note))


def test_junk_is_no_database_and_no_backup():
    with open_store(workspace=":memory:") as store:
        store.add(some_runs(), "mine")
        before = contents(store)
        for kind, content in JUNK.items():
            with pytest.raises(StoreError) as error:
                store.open_external(content)
            assert checked(str(error.value)).startswith("The file "), kind
            with pytest.raises(StoreError) as error:
                store.restore(content)
            assert checked(str(error.value)).endswith("The workspace is as it was."), kind
        assert contents(store) == before


# Names that are code elsewhere

WORDS = [
    "'; drop table workspace.runs; --", '"; delete from runs; --', "x'); attach 'y.db' as z; --", "select * from runs;", "$1 ? :x %s {0}",
    "<script>alert(1)</script>", '<img src="x" onerror="alert(1)">', "&lt;b&gt; &amp;", "**bold** _it_ `code` [a](b) # h $x^2$ :red[r]",
    "two\nlines", "a\r\nb", "tab\there", "\u202egnp.exe\u202c", "\u2066a\u2069\u200f", "e\u0301 \u00e9 \U0001f4a5", "NULL", "nan", "None", "true", "\\", "a\\'b",
    "=1+1", '=HYPERLINK("//x")', "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1", " =1", "\uff1d1", "''", '""', "a,b;c\td", "../../x", "%00", "{{7*7}}",
]  # fmt: skip


def contents(store) -> dict[str, tuple]:
    """(rows, hash of them) of every table of the workspace."""
    return {
        table: tuple(store._db.read(f"select count(*) as n, coalesce(bit_xor(hash(t)), 0) as h from workspace.{table} t").iloc[0])
        for table in schema.TABLES
    }


def test_words_that_are_code_elsewhere_come_back_as_they_were(tmp_path):
    runs = some_runs(len(WORDS)).assign(
        run_id=[f"{w}{i}" for i, w in enumerate(WORDS)], name=WORDS, status=WORDS, loss_name=WORDS, exclude_reason=WORDS,
        extra=[json.dumps({w: w}) for w in WORDS],
    )  # fmt: skip
    curves = pd.concat([a_curve(i, 3, split=w) for i, w in zip(runs["run_id"], WORDS, strict=True)], ignore_index=True)
    results = pd.DataFrame({"run_id": runs["run_id"], "benchmark": WORDS, "metric": WORDS, "value": 0.5})
    how = pd.DataFrame({"run_id": runs["run_id"], "quantity": WORDS, "source": WORDS, "factor": 1.0, "rule": WORDS})
    path = tmp_path / "w.duckdb"
    with open_store(workspace=path) as store:
        store.add(runs, "mine", curves=curves, evaluations=results, derivations=how)
        for i, words in enumerate(WORDS):
            texts = {"title": words, "source": words, "licence": words, "notes": words, "flops_rule": words}
            store.add(some_runs(1), f"set {i}", **texts)
            store.save_preset(words, words, replace=True)
            store.remember(words, words)
            store.exclude("mine", runs["run_id"].iloc[i], words)
    with open_store(workspace=path) as store:
        assert store.warnings == []
        back = store.runs("mine")
        for column in ("run_id", "name", "status", "loss_name", "extra"):
            assert back[column].tolist() == runs[column].tolist(), column
        assert back["exclude_reason"].tolist() == [w.strip() for w in WORDS]
        points = store.curves("mine")
        for run, words in zip(runs["run_id"], WORDS, strict=True):
            assert points.loc[points["run_id"] == run, "split"].tolist() == [words] * 3
            assert len(store.curves("mine", [run], words)) == 3
            assert store.recall(words) == words
        assert store.evaluations("mine")[["benchmark", "metric"]].values.tolist() == [[w, w] for w in WORDS]
        assert store.derivations("mine")[["quantity", "source", "rule"]].values.tolist() == [[w] * 3 for w in WORDS]
        sets = store.datasets().set_index("dataset")
        for i, words in enumerate(WORDS):
            assert sets.loc[f"set-{i}", ["title", "source", "licence", "notes", "flops_rule"]].tolist() == [words] * 5
        assert set(store.presets()["name"]) == {" ".join(w.split()) for w in WORDS}
        assert set(contents(store)) == set(schema.TABLES)
        attached = store._db.read("select database_name as name from duckdb_databases() where not internal")["name"]
        assert set(attached) == {"workspace", "shipped0", "memory"}


def test_words_as_the_name_of_a_data_set():
    with open_store(workspace=":memory:") as store:
        for words in WORDS:
            if not re.search(r"\w", words):
                with pytest.raises(ValueError, match=r"cannot name a data set: it needs 1 to 80 letters or digits\.$"):
                    store.add(some_runs(), words)
                continue
            added = store.add(some_runs(), words)
            assert re.fullmatch(r"[\w.-]+", added.dataset)
            assert added.n_runs == 3 or store.datasets()["dataset"].eq(added.dataset).sum() == 1  # "=1" and " =1" are one name
            assert len(store.runs(words)) == len(store.runs(added.dataset)) == 3
        titles = set(store.datasets()["title"])
        assert titles >= {w.strip() for w in WORDS if re.search(r"[a-z]{3}", w)}
        assert len(store.runs("marin-moe-v16")) == 47


def test_words_in_a_log_are_its_words():
    """Blanks around a cell and the kind of a line end are no part of it; paths are cut, and said to be."""
    buffer = io.StringIO()
    names = [w for w in WORDS if w.strip() and "//" not in w and "../" not in w]
    columns = list(dict.fromkeys(" ".join(w.split()) for w in names if w.split()))
    into = csv.writer(buffer, quoting=csv.QUOTE_ALL)
    into.writerow(["name", "N", "D", "loss", *columns])
    into.writerows([name, "1e8", f"{i + 1}e9", "3", *columns] for i, name in enumerate(names))
    found = read(("words.csv", buffer.getvalue().encode()))
    assert found.runs["name"].tolist() == [name.strip().replace("\r\n", "\n") for name in names]
    assert json.loads(found.runs["extra"][0]) == {column: column for column in columns}


def test_words_in_benchmark_results_are_data_or_told():
    runs = some_runs(len(WORDS)).assign(name=[w.strip() for w in WORDS], run_id=[f"id{i}" for i in range(len(WORDS))])
    buffer = io.StringIO()
    into = csv.writer(buffer, quoting=csv.QUOTE_ALL)
    into.writerow(["run", "benchmark", "metric", "value"])
    into.writerows([f"id{i}", words, words, "0.5"] for i, words in enumerate(WORDS))
    into.writerow(["'; drop table runs; --", "x", "y", "1e999"])
    found = ingest.read_evaluations(ingest.open_table(buffer.getvalue().encode(), "results.csv"), runs)
    assert [p.line for p in found.problems][-1] == buffer.getvalue().replace("\r\n", "\n").replace("\r", "\n").count("\n")
    with open_store(workspace=":memory:") as store:
        store.add(runs, "mine")
        store.set_evaluations("mine", found.frame)
        kept = store.evaluations("mine")
        assert kept["run_id"].tolist() == found.frame["run_id"].tolist()
        assert set(kept["benchmark"]) <= {w.strip().replace("\r\n", "\n") for w in WORDS} | {"x"}
        assert len(kept) >= len(WORDS) - 2


@pytest.mark.parametrize("kind", JUNK)
def test_junk_as_benchmark_results_gets_a_sentence(kind):
    with pytest.raises(ReadError) as error:
        ingest.read_evaluations(ingest.open_table(JUNK[kind], "results.csv"), some_runs())
    assert "results.csv" in checked(str(error.value))


# CSV


def formulas(content: bytes) -> list[str]:
    """Cells, headers among them, that a spreadsheet would run."""
    rows = csv.reader(io.StringIO(content.decode(), newline=""))
    cells = [cell for row in rows for cell in row]
    return [
        cell for cell in cells if cell.lstrip(" ").startswith(_FORMULA) and not re.fullmatch(r"-?[\d.]+(e[+-]?\d+)?|-inf", cell)
    ]


def test_every_csv_that_leaves_is_free_of_formulas():
    table = pd.DataFrame(dict.fromkeys(WORDS, WORDS) | {"x": [-1.5] * len(WORDS)})
    runs = some_runs(len(WORDS)).assign(name=WORDS, status=WORDS)
    assert formulas(table.to_csv(index=False).encode())  # the check sees them
    for content in (export.safe_csv(table), export.safe_csv(runs)):
        assert formulas(content) == []
        assert len(list(csv.reader(io.StringIO(content.decode(), newline="")))) == len(WORDS) + 1
    analysis = Analysis("x", (), charts=tuple(Chart(w, w, None, table) for w in WORDS))  # type: ignore[arg-type]
    with zipfile.ZipFile(io.BytesIO(export.tables_zip(analysis))) as archived:
        assert archived.namelist()
        for name in archived.namelist():
            assert re.fullmatch(r"[a-z0-9_-]+\.csv", name)
            assert formulas(archived.read(name)) == []


def test_no_csv_is_written_but_by_safe_csv():
    writers = r"\.to_csv\(|\.to_excel\(|csv\.writer\(|csv\.DictWriter\(|write_csv\(|to_clipboard\(|\bcopy\b.*\bto\b.*csv"
    for folder in ("ui", "pages", "lawlib"):
        for source in (ROOT / folder).rglob("*.py"):
            found = [line for line in source.read_text("utf-8").splitlines() if re.search(writers, line)]
            assert len(found) == (source == ROOT / "lawlib" / "export" / "csv.py"), (source, found)
    for source in [*(ROOT / "ui").rglob("*.py"), *(ROOT / "pages").glob("*.py")]:
        for call in re.findall(r"download_button\((?:[^()]|\([^()]*\))*\)", source.read_text("utf-8")):
            assert "csv" not in call.lower() or "safe_csv(" in call, (source, call)


def test_streamlit_s_own_csv_of_a_table_is_not_offered():
    """It is written in the browser, as the cells are: tests/in_browser/test_importers_browser.py looks for the button."""
    rule = '[data-testid="stElementToolbarButton"]:has([aria-label^="Download as CSV"]) {display: none;}'
    assert rule in (ROOT / "ui" / "frame" / "look.py").read_text("utf-8")


# A failed import


def fail(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("second", "error"),
    [
        ({"dataset": "b", "curves": a_curve("nobody")}, StoreError),
        (
            {"dataset": "b", "evaluations": pd.DataFrame({"run_id": ["nobody"], "benchmark": "x", "metric": "y", "value": 1})},
            StoreError,
        ),
        ({"dataset": "marin-moe-v16"}, StoreError),
        ({"dataset": "gone"}, StoreError),
        ({"dataset": "b", "kind": "stolen"}, ValueError),
        ({"dataset": "b", "runs": some_runs(0)}, ValueError),
        ({"dataset": "--"}, ValueError),
        ({"dataset": "b", "curves": pd.DataFrame({"loss": [1.0]})}, ValueError),
        ({"dataset": "b", "derivations": pd.DataFrame({"quantity": ["loss"]}), "fails": "insert_derivations"}, KeyboardInterrupt),
        ({"dataset": "b", "curves": a_curve(), "fails": "insert_curves"}, KeyboardInterrupt),
    ],
    ids=lambda v: "-".join(v) if isinstance(v, dict) else "",
)
def test_a_failed_import_leaves_the_workspace_as_it_was(second, error, tmp_path, monkeypatch):
    path = tmp_path / "w.duckdb" if "fails" in second or "curves" in second else ":memory:"
    results = pd.DataFrame({"run_id": ["r0"], "benchmark": "mmlu", "metric": "acc", "value": [0.5]})
    with open_store(workspace=path) as store:
        store.add(some_runs(), "mine", curves=a_curve(), evaluations=results)
        store.exclude("mine", "r1", "odd")
        store.add(some_runs(), "gone")
        store.delete("gone")
        store.remember("a", "b")
        before, version = contents(store), store.version
        fails = second.get("fails")
        if fails:
            monkeypatch.setattr(f"lawlib.store.adding.{fails}", fail)
        good = {"curves": None if fails == "insert_curves" else a_curve("r5", 3000), "evaluations": results}
        first = Addition(some_runs(9), "mine", **good)
        other = Addition(some_runs(9), "a", curves=good["curves"])
        bad = Addition(**{"runs": some_runs(), **{k: v for k, v in second.items() if k != "fails"}})
        with pytest.raises(error) as raised:
            store.add_all([first, other, bad, Addition(some_runs(), "after")])
        if error is not KeyboardInterrupt:
            checked(str(raised.value))
        assert contents(store) == before
        assert store.version == version
        monkeypatch.undo()
        assert store.add_all([first, other])[0].n_runs == 6  # and nothing is in the way of the next one
    if path != ":memory:":
        with open_store(workspace=path) as store:
            assert store.warnings == []
            assert len(store.runs("mine")) == len(store.runs("a")) == 9


def test_a_backup_that_fails_to_be_restored_leaves_the_workspace_as_it_was(tmp_path):
    with open_store(workspace=tmp_path / "w.duckdb") as store:
        store.add(some_runs(), "mine", curves=a_curve())
        whole, before = store.backup_bytes(), contents(store)
        for damaged in (whole[: len(whole) // 2], whole[:4096] + bytes(4096) + whole[8192:], whole[:-4096]):
            try:
                store.restore(damaged)
            except StoreError as error:
                checked(str(error))
                assert contents(store) == before
            else:  # what was cut off held nothing
                assert {t: v for t, v in contents(store).items() if t != "meta"} == {
                    t: v for t, v in before.items() if t != "meta"
                }
