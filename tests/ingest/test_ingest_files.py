"""Opening files: what is read and how, and what is refused and why."""

import gzip
import hashlib
import io
import json
import pickle
import random
import re
import zipfile

import numpy as np
import pandas as pd
import pytest

from lawlib import ReadError
from lawlib.ingest import RowProblem, Table, open_table, signature
from lawlib.ingest.formats import limits

ROWS = b"N,D,loss\n1e8,2e9,3.5\n2e8,4e9,3.25\n"
FRAME = {"N": ["1e8", "2e8"], "D": ["2e9", "4e9"], "loss": ["3.5", "3.25"]}


def parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "format"),
    [
        (ROWS, "csv"),
        (ROWS.replace(b",", b"\t"), "tsv"),
        (ROWS.replace(b",", b";"), "csv"),
        (ROWS.replace(b"\n", b"\r\n"), "csv"),
        (ROWS.replace(b"\n", b"\r"), "csv"),
        (b"\xef\xbb\xbf" + ROWS, "csv"),
        (ROWS.decode().encode("utf-16"), "csv"),
        (ROWS.rstrip(), "csv"),
        (b"# made by hand\n#\n\n" + ROWS, "csv"),
        (b"# " + ROWS, "csv"),
        (ROWS.replace(b",", b" , "), "csv"),
        (b'"N","D","loss"\n"1e8","2e9","3.5"\n"2e8","4e9","3.25"\n', "csv"),
        (b'N, "D", loss\n1e8, "2e9", 3.5\n2e8, "4e9", 3.25\n', "csv"),
        (json.dumps(FRAME).encode(), "json"),
        (json.dumps([dict(zip(FRAME, row, strict=True)) for row in zip(*FRAME.values(), strict=True)]).encode(), "json"),
        (json.dumps({"columns": list(FRAME), "data": list(zip(*FRAME.values(), strict=True))}).encode(), "json"),
        (json.dumps({k: dict(zip("ab", v, strict=True)) for k, v in FRAME.items()}).encode(), "json"),
        (b'{"N":"1e8","D":"2e9","loss":"3.5"}\n\n{"N":"2e8","D":"4e9","loss":"3.25"}\n', "jsonl"),
        (parquet(pd.DataFrame(FRAME)), "parquet"),
        (parquet(pd.DataFrame(FRAME, index=[7, 9])), "parquet"),
        (parquet(pd.DataFrame(FRAME).astype("category")), "parquet"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_all_formats_give_the_same_table(data, format, packed):
    table = open_table(gzip.compress(data) if packed else data, "runs")
    stripped = {c: [str(v).strip() for v in values] for c, values in table.frame.to_dict("list").items()}
    assert stripped == FRAME
    assert table.format == format
    assert table.ragged == []


def test_content_wins_over_the_name():
    assert open_table(parquet(pd.DataFrame(FRAME)), "runs.csv").format == "parquet"
    assert open_table(b'[{"loss": 3}]', "runs.csv").format == "json"
    assert open_table(ROWS, "runs.parquet").format == "csv"


def test_a_path_reads_as_its_bytes_do(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_bytes(ROWS)
    a, b = open_table(path, "runs.csv"), open_table(ROWS, "runs.csv")
    pd.testing.assert_frame_equal(a.frame, b.frame)
    assert a.sha256 == b.sha256 == hashlib.sha256(ROWS).hexdigest()


def test_lines_are_physical_and_counted_from_one():
    table = open_table(b'# head\n\nname,loss\na,3\n\n"b\nc",2\nd,1\n', "f.csv")
    assert table.frame["name"].tolist() == ["a", "b\nc", "d"]
    assert table.lines.tolist() == [4, 6, 8]
    assert open_table(b'\n{"a":1}\n\n{"a":2}\n', "f.jsonl").lines.tolist() == [2, 4]
    assert open_table(b'[{"a":1},{"a":2}]', "f.json").lines.tolist() == [1, 2]


def test_ragged_lines_are_told_and_all_others_are_read():
    good = [f"{i},{i + 1},{i + 2}" for i in range(100)]
    lines = ["N,D,loss", *good[:50], "1,2", *good[50:], "1,2,3,4"]
    table = open_table("\n".join(lines).encode(), "f.csv")
    assert table.frame["N"].tolist() == [str(i) for i in range(100)]
    assert table.ragged == [
        RowProblem(52, "", "1,2", "The line has 2 cells, the header 3."),
        RowProblem(103, "", "1,2,3,4", "The line has 4 cells, the header 3."),
    ]
    assert table.lines.tolist() == [*range(2, 52), *range(53, 103)]


@pytest.mark.parametrize(
    ("data", "rows", "lines", "ragged"),
    [
        (b'a,b\n1,5" wide\n2,6\n', [("1", '5" wide'), ("2", "6")], [2, 3], []),
        (b'a,b\n1,2\n2,"open\n3,4\n5,6\n', [("1", "2"), ("3", "4"), ("5", "6")], [2, 4, 5], [3]),
        (b'a,b\n2,"open\n3,4\n5,"6\n7,8\n', [("3", "4"), ("7", "8")], [3, 5], [2, 4]),
        (b'a,b\n1,"x\ny"\n2,3" x\n', [("1", "x\ny"), ("2", '3" x')], [2, 4], []),
        (b'a,b\n1,"q, ""r"""\n2,\n', [("1", 'q, "r"'), ("2", "")], [2, 3], []),
    ],
)
def test_odd_quotes_cost_their_own_line_only(data, rows, lines, ragged):
    table = open_table(data, "f.csv")
    assert list(table.frame.itertuples(index=False, name=None)) == rows
    assert table.lines.tolist() == lines
    assert [p.line for p in table.ragged] == ragged


def test_bad_json_lines_are_told_and_all_others_are_read():
    table = open_table(b'{"a":1}\n{"a":\n[1]\n{"a":2,"a":3}\n{"a":4}\n', "f.jsonl")
    assert table.frame["a"].tolist() == [1, 4]
    assert [p.line for p in table.ragged] == [2, 3, 4]
    assert 'the key "a" comes twice' in table.ragged[2].reason


def test_nested_keys_are_joined_by_dots():
    table = open_table(b'[{"config": {"n": {"value": 3}}, "summary": {"loss": 2}, "betas": [0.9, 0.95]}]', "f.json")
    assert table.frame.to_dict("records") == [{"config.n.value": 3, "summary.loss": 2, "betas": "[0.9, 0.95]"}]


def test_parquet_cells_that_have_no_place_in_a_table_become_text():
    table = open_table(parquet(pd.DataFrame({"s": [{"u": 1}], "l": [[1, 2]], "b": [b"\xffx"]})), "f.parquet")
    assert table.frame.to_dict("records") == [{"l": "[1, 2]", "b": "\\xffx", "s.u": 1}]


@pytest.mark.parametrize(
    ("data", "note"),
    [
        ("näme,loss\nä,3\n".encode("latin-1"), r"not UTF-8 \(line 1\): it is read as Latin-1"),
        ("a,loss\nä,3\n".encode("utf-16"), "UTF-16"),
        (b"a;loss\n1;3,25\n", "decimal commas: 3,25 is 3.25"),
        (b"a,a,\n1,2,3\n", r'names "a" more than once: column 2 is called "a.1"'),
        (b"a,b\n1,2\n , \n,\n", r"2 rows without any content passed over \(first: line 3\)"),
        (parquet(pd.DataFrame({"a": [1]}, index=[7])), "unnamed row index"),
        (b'[{"a": "\\ud800"}]', "half surrogates"),
    ],
)
def test_what_had_to_be_assumed_is_noted(data, note):
    assert re.search(note, " ".join(open_table(data, "f").notes))


@pytest.mark.parametrize(
    ("head", "names"),
    [(b'5" size,loss', ['5" size', "loss"]), (b'"a\nb",loss', ["a b", "loss"]), (b'"a,loss', ["a,loss"])],
)
def test_quotes_in_column_names(head, names):
    data = head + b"\n1,2\n3,4\n"
    if len(names) == 1:
        with pytest.raises(ReadError, match="no row fits the header of 1 columns"):
            open_table(data, "f")
    else:
        table = open_table(data, "f")
        assert list(table.frame.columns) == names
        assert table.frame["loss"].tolist() == ["2", "4"]


@pytest.mark.parametrize(
    ("data", "decimal"),
    [
        (b"a;b\n3,245;x\n", ","),  # semicolons: the comma is not a thousands separator
        (b"a\tb\n3,245\tx\n", "."),
        (b"a\tb\n3,25\tx\n", ","),
        (b'a,b\n"3,25",x\n', ","),
        (b'a,b\n"3,25",1.5\n', "."),
        (b'a,b\n"7,000,000",x\n', "."),
    ],
)
def test_decimal_commas_are_told_by_the_cells(data, decimal):
    assert open_table(data, "f").decimal == decimal


REFUSED = [
    (b"", "f.csv is empty: it has 0 bytes"),
    (b"\0" * 9, "is empty"),
    (b" \n\n", "is empty: it has only blank lines"),
    (b"# a\n", "is empty: it has only blank lines and comments"),
    (gzip.compress(b""), "its gzip data unpack to 0 bytes"),
    (b"N,D,loss\n", r"has column names \(N, D, loss\) but no rows"),
    (b"# N,D,loss\n", r'has a header \("# N,D,loss"\) but no rows'),
    (b"1,2,3\n4,5,6\n", r'line 1 \("1,2,3"\) should name the columns but holds numbers: add a header'),
    (b"loss\n3\n", r'the first line \("loss"\) has no comma, tab or semicolon'),
    (b"iteration ten\nloss 4.1\n", "nothing in it is the log of a trainer known here"),
    (b"a,b\n1,2,3\n4,5,6\n", r"no row fits the header of 2 columns \(a, b\). The line has 3 cells, the header 2"),
    (b"a,b\n,\n", "no row fits the header of 2 columns .* All rows are blank"),
    (b"PK\x03\x04....", "is a damaged or unusual zip archive"),
    (b"PK\x03\x04..xl/workbook.xml", "is an Excel workbook.* Save the sheet as CSV"),
    (pickle.dumps({"a": 1}), "is a Python pickle. Opening a pickle runs the code in it"),
    (pickle.dumps({"a": 1}, 0), "is a Python pickle"),
    (pickle.dumps([1, [2]], 1), "is a Python pickle"),
    (gzip.compress(pickle.dumps([1])), "is a Python pickle"),
    (b"SQLite format 3\0 ", "is damaged or of another version .file is not a database"),
    (b"\x89HDF\r\n\x1a\n", "is an HDF5 file"),
    (b"12345678DUCK", "is a DuckDB database"),
    (b"\x93NUMPY", "is a NumPy array"),
    (b"ARROW1", "is an Arrow"),
    (b"BZh9", "is packed with bzip2"),
    (b"\x28\xb5\x2f\xfd", "is packed with zstd"),
    (b"<!DOCTYPE html><html>", "is a web page or XML"),
    (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
    (b"a,b\n1,\x002\n", "is not text: byte 0 at position 6"),
    (b"\x01\x02\x03a,b", "is not text: byte 1 at position 0"),
    (b"\xff\xfea", "begins like UTF-16 text but"),
    (b"\xff\xfe\0\0", "begins like UTF-16 text but holds none"),
    (b"PAR1 and more", "is a damaged or unusual Parquet file"),
    (parquet(pd.DataFrame({"N": []})), "has 1 columns but no rows"),
    (gzip.compress(ROWS)[:-6], "ends too early"),
    (gzip.compress(ROWS) + b"more", "has 4 bytes after the end of its gzip data"),
    (b"\x1f\x8b" + b"x" * 30, "is a damaged gzip file"),
    (gzip.compress(gzip.compress(ROWS)), "is packed with gzip twice"),
    (b'[{"a":', "is not JSON"),
    (b'{"a": [1, 2]', "is not JSON"),
    (b"[" * 100_000, "is not JSON"),
    (b'[{"a": 1' + b"0" * 5000 + b"}]", "is not JSON"),
    (b"[]", "holds no records"),
    (b"{}", "holds no records"),
    (b"[1, 2]", "holds no records.* First: The record is not a JSON object"),
    (b'{"a": [1, 2], "b": [1]}', r"lists of different lengths \(\{'a': 2, 'b': 1\}\)"),
    (b'{"best": 3, "a": [{"loss": 3}], "b": [{"loss": 4}]}', r"holds several lists of records \(a, b\)"),
]


@pytest.mark.parametrize(("data", "sentence"), REFUSED, ids=[sentence[:30] for _, sentence in REFUSED])
def test_refusals_say_what_was_needed_and_what_came(data, sentence):
    with pytest.raises(ReadError, match=sentence):
        open_table(data, "f.csv")


def test_a_zip_of_one_table_is_read():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("runs.csv", ROWS)
    assert open_table(buffer.getvalue(), "f.zip").frame["loss"].tolist() == ["3.5", "3.25"]


@pytest.mark.parametrize("name", ["runs.pkl", "runs.pickle.gz", "model.pt"])
def test_a_pickle_by_name_is_never_opened(name):
    with pytest.raises(ReadError, match="runs the code in it"):
        open_table(ROWS, name)


def test_paths_that_are_no_files_are_told(tmp_path):
    with pytest.raises(ReadError, match=r"absent\.csv could not be opened: No such file or directory"):
        open_table(tmp_path / "absent.csv", "absent.csv")
    with pytest.raises(ReadError, match="is a folder of 0 files"):
        open_table(tmp_path, "runs")


def test_sizes_have_a_limit(monkeypatch, tmp_path):
    monkeypatch.setattr(limits, "LIMIT", 20)
    path = tmp_path / "runs.csv"
    path.write_bytes(ROWS)
    for data in (path, ROWS):
        with pytest.raises(ReadError, match="has 0 MB; at most 0 MB are read"):
            open_table(data, "runs.csv")


def test_unpacking_has_a_limit(monkeypatch):
    monkeypatch.setattr(limits, "UNPACKED_LIMIT", 2**20)
    bomb = gzip.compress(b"N,D,loss\n" + b"1,2,3\n" * 2**18)
    with pytest.raises(ReadError, match=r"unpacks to more than 0\.000976562 GB \([\d,]+ bytes packed\): split it"):
        open_table(bomb, "runs.csv.gz")
    two = gzip.compress(b"N,D,loss\n" + b"1,2,3\n" * 2**17) * 2
    with pytest.raises(ReadError, match="unpacks to more than"):
        open_table(two, "runs.csv.gz")


def test_a_small_parquet_of_very_many_rows_is_refused(monkeypatch):
    data = parquet(pd.DataFrame({"loss": np.ones(10_000)}))
    monkeypatch.setattr("lawlib.ingest.formats.loading.CELLS", 5_000)
    with pytest.raises(ReadError, match="unpacks to 10,000 rows of 1 columns"):
        open_table(data, "f.parquet")


def test_records_without_common_keys_have_a_limit(monkeypatch):
    monkeypatch.setattr("lawlib.ingest.formats.records.CELLS", 50)
    data = "\n".join(json.dumps({f"k{i}": 1}) for i in range(10)).encode()
    with pytest.raises(ReadError, match="10 records with 10 different keys"):
        open_table(data, "f.jsonl")


@pytest.mark.parametrize("seed", range(300))
def test_random_bytes_give_a_table_or_a_sentence(seed):
    rng = random.Random(seed)
    n = rng.randrange(400)
    pool = rng.choice([range(256), b'0123456789,;\t"\n\r{}[]#ae.: ', b'a,"\n1'])
    data = rng.choice([b"", b"PAR1", b"\x1f\x8b\x08", b"{", b"[", b"a,b\n", b"\xff\xfe", b"\x80\x04"])
    data += bytes(rng.choice(pool) for _ in range(n))
    try:
        table = open_table(data, rng.choice(["f", "f.csv", "f.json.gz", "f.parquet"]))
    except ReadError:
        return
    assert isinstance(table, Table)
    assert len(table.frame) == len(table.lines) > 0


def test_signature_is_that_of_the_column_names_in_any_order():
    a, b, c = (open_table(h + b"\n1,2\n", "f") for h in (b"N,loss", b"loss,N", b"N,losses"))
    assert signature(a) == signature(b) != signature(c)
