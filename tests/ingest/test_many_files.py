"""Archives of very many small files: read together with the same result as one by one, and looked at once a header."""

import io
import json
import random
import zipfile

import pytest

from lawlib import ingest
from lawlib.errors import ReadError
from lawlib.ingest.detection import columns
from lawlib.ingest.formats import body
from lawlib.ingest.many import small

CURVES = [
    "step,tokens,loss",
    "loss,step,tokens",
    "iteration;val_loss;N",
    '"step","train/loss","lr"',
    "_step\t_runtime\tloss",
    "loss,lr,step",
]
RUNS = ["name,N,D,loss", "loss,D,N,name", '"name"\t"N"\t"loss"', "name;N;val_loss;seed"]


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as into:
        for name, content in files.items():
            into.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def read(content: bytes) -> list[object]:
    """All that an upload gives, as values that can be compared; its sentence where it gives nothing."""
    try:
        table = ingest.open_files([("logs.zip", content)])
        mapping = ingest.detect(table)
        origins = [] if table.origins is None else table.origins.tolist()
        found = [
            table.frame.to_json(orient="split"), table.frame.dtypes.astype(str).tolist(), table.lines.tolist(), table.format, table.notes,
            table.ragged, table.decimal, table.sparse, origins, table.dropped, mapping.to_json(),
        ]  # fmt: skip
        runs = ingest.build(table, mapping)
    except ReadError as error:
        return [str(error)]
    return [*found, runs.runs.to_json(), runs.curves.to_json(), runs.derivations.to_json(), runs.problems, runs.notes]


def cell(rng: random.Random, name: str, row: int) -> str:
    is_step = name.strip('"') in ("step", "_step", "iteration")
    if rng.random() < (0.003 if is_step else 0.05):
        return rng.choice(
            ["", "nan", "n/a", "abc", "1,5", "3.5 ", " 2", '"a""b"', '"two\nlines"', '"', "é", "me@x.org", "1_000", "inf"]
        )
    if is_step:
        return str(row + 1)
    return f"run-{rng.random():.6f}" if name.strip('"') == "name" else f"{rng.uniform(1, 5):.3f}"


def delimited(rng: random.Random, header: str) -> bytes:
    mark = next(m for m in ";\t," if m in header)
    names = header.split(mark)
    lines = [header] + [
        mark.join(cell(rng, name, row) for name in names) for row in range(0 if rng.random() < 0.05 else rng.choice([3, 8]))
    ]
    if rng.random() < 0.1:
        lines.insert(rng.randrange(len(lines)) + 1, rng.choice(["", mark * (len(names) - 1), "1", mark * 9, "# x"]))
    content = "\n".join(lines).encode("latin-1" if rng.random() < 0.1 else "utf-8") + b"\n" * rng.choice([0, 1, 1, 1])
    if rng.random() < 0.1:
        content = content.replace(b"\n", b"\r\n")
    return b"\xef\xbb\xbf" * (rng.random() < 0.1) + content


def records(rng: random.Random) -> bytes:
    value = rng.choice(
        [lambda: rng.uniform(1, 5), lambda: 3, lambda: None, lambda: "3.5", lambda: True, lambda: float("nan"), lambda: 2**64]
    )
    rows = [{"step": i + 1, "loss": 4 - i / 9, "x": value() if rng.random() < 0.3 else 1} for i in range(rng.choice([3, 6]))]
    if rng.random() < 0.3:
        del rows[-1]["x"]
    return "\n".join(map(json.dumps, rows)).encode()


def archive(seed: int) -> bytes:
    """A zip of few headers, or of records, with odd files among them."""
    rng = random.Random(seed)
    headers = rng.sample(CURVES if seed % 3 else RUNS, rng.choice([1, 1, 2, 3]))
    files = {}
    for i in range(rng.randint(2, 15)):
        is_json = seed % 4 == 0
        content = records(rng) if is_json else delimited(rng, rng.choice(headers))
        folder = rng.choice(["", f"run-{i}/", "all/"])
        files[f"{folder}f{i}.{'jsonl' if is_json else 'csv'}"] = b"" if rng.random() < 0.03 else content
        if rng.random() < 0.1:
            files[f"run-{i}/hparams.json"] = json.dumps(rng.choice([{"lr": 0.1}, {"lr": i, "N": 1e8}])).encode()
    return packed(files)


@pytest.mark.parametrize("start", range(0, 60, 20))
def test_files_read_together_give_what_each_gives_alone(start, monkeypatch):
    together = [read(archive(seed)) for seed in range(start, start + 20)]
    monkeypatch.setattr(small, "SIZE", -1)
    alone = [read(archive(seed)) for seed in range(start, start + 20)]
    assert together == alone
    assert sum(len(found) > 1 for found in together) > 10


def curve(i: int, header: str = "step,tokens,loss") -> bytes:
    return (header + "\n" + "".join(f"{s},{s}e6,{4 - s / 9 + i / 1e4:.5f}\n" for s in range(1, 10))).encode()


@pytest.fixture
def work(monkeypatch) -> dict[str, int]:
    """How often the dear things are done."""
    counts = {"detect": 0, "parse": 0}

    def counted(module, name: str, kind: str):
        call = getattr(module, name)

        def count(*args):
            counts[kind] += 1
            return call(*args)

        monkeypatch.setattr(module, name, count)

    counted(columns, "_plain", "detect")
    counted(body, "_parse", "parse")
    return counts


@pytest.mark.parametrize("n", [50, 500])
@pytest.mark.parametrize(
    "headers", [["step,tokens,loss"], ["step,tokens,loss", "step,val_loss,tokens", "loss,step,lr"]], ids=[1, 3]
)
def test_the_work_is_by_headers_and_not_by_files(headers, n, work):
    files = {f"run-{i:03}.csv": curve(i, headers[i % len(headers)]) for i in range(n)}
    table = ingest.open_files([("logs.zip", packed(files))])
    assert table.frame["run"].nunique() == n
    assert work == {"detect": 2 * len(headers), "parse": len(headers)}  # without the names from the paths, and with them


def test_a_file_with_text_for_numbers_is_detected_by_itself(work):
    files = {f"run-{i:03}.csv": curve(i) for i in range(100)} | {"odd.csv": curve(0).replace(b"e6", b" M tokens")}
    ingest.open_files([("logs.zip", packed(files))])
    assert work["parse"] == 1
    assert work["detect"] < 8


def test_configurations_are_joined_by_folders_at_once():
    files = {f"run-{i}/metrics.csv": curve(i) for i in range(300)}
    files |= {f"run-{i}/config.json": json.dumps({"hidden_size": 64 + i, "num_hidden_layers": 2}).encode() for i in range(300)}
    found = read(packed(files))
    table = ingest.open_files([("logs.zip", packed(files))])
    assert table.frame.groupby("run")["config.hidden_size"].nunique().eq(1).all()
    assert table.frame["config.hidden_size"].nunique() == 300
    assert "300 configuration files joined to the logs of their folders." in found[4]


def test_so_many_headers_that_no_table_could_hold_them_are_refused_before_a_row_is_read(work, monkeypatch):
    monkeypatch.setattr(small, "_HEADERS", 20)
    monkeypatch.setattr("lawlib.ingest.many.batch.CELLS", 1000)
    files = {f"run-{i}.csv": curve(i, f"step,tokens{i},loss") for i in range(30)}
    with pytest.raises(ReadError, match=r"logs\.zip has 270 rows with 32 different columns together, more than 1,000 cells"):
        ingest.open_files([("logs.zip", packed(files))])
    assert work["parse"] == 0
