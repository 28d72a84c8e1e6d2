"""The documents: links and paths that exist, the menu's pages in the README, examples that run, and their promised lengths."""

import re
from pathlib import Path

import pytest

import lawlib

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "tests" / "README.md", ROOT / "sweep" / "README.md")
)
PATH = r"`([\w.-]+/(?:[\w./-]+\.(?:py|js|md|csv|jsonl|json|log)|[\w/-]+))`"
PLACES = ("", "lawlib", "lawlib/ingest")
"""Where a path in a document may begin."""
MADE_UP = {"lawlib/ingest/readers/tinytrain.py", "pages/tokens.py", "tests/data/logs/tinytrain.log"}
"""What CONTRIBUTING.md adds as its examples."""
EXAMPLES = [
    (path, code)
    for path in DOCUMENTS
    for code in re.findall(r"^```python\n(.*?)^```", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)
]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_and_paths_exist(path):
    text = path.read_text("utf-8")
    links = [target for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in target]
    missing = [target for target in links if not (path.parent / target).exists()]
    for target in set(re.findall(PATH, text)) - MADE_UP:
        if not any((place / target).exists() for place in (path.parent, *(ROOT / place for place in PLACES))):
            missing.append(target)
    assert missing == []


def test_the_readme_is_short_and_lists_the_pages_of_the_menu():
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.splitlines()) <= 120
    table = text.split("| page | question |")[1].split("\n\n")[0]
    titles = re.findall(r'st\.Page\("pages/\w+\.py", title="([^"]+)"', (ROOT / "app.py").read_text("utf-8"))
    assert re.findall(r"^\| ([^|]+) \| ", table, re.MULTILINE) == titles


def test_the_readme_asks_each_page_s_own_question():
    text = (ROOT / "README.md").read_text("utf-8")
    for page in sorted((ROOT / "pages").glob("*.py")):
        question = re.search(r'ui\.begin\(\s*"[^"]+",\s*"([^"]+)"', page.read_text("utf-8"))
        assert question is not None
        assert f"| {question[1]} |" in text, page.name


def test_the_changelog_begins_with_unreleased_and_a_version_is_short():
    versions = re.split(r"^## ", (ROOT / "CHANGELOG.md").read_text("utf-8"), flags=re.MULTILINE)[1:]
    assert versions[0].startswith("Unreleased\n")
    assert re.match(r"\d+\.\d+\.\d+ - \d{4}-\d\d-\d\d\n", versions[1])
    assert all(len(version.splitlines()) <= 80 for version in versions[1:])


@pytest.mark.parametrize(("path", "code"), EXAMPLES, ids=lambda value: value.stem if isinstance(value, Path) else "")
def test_examples_are_python_and_name_what_there_is(path, code):
    compile(code, str(path), "exec")
    for name in re.findall(r"\blawlib\.(\w+)", code):
        assert hasattr(lawlib, name) or (ROOT / "lawlib" / name).is_dir(), name


def test_the_readme_s_example_runs(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (code,) = [code for path, code in EXAMPLES if path.name == "README.md" and path.parent == ROOT]
    exec(compile(code.replace("n_resamples=1000", "n_resamples=20"), "README.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) >= 4
