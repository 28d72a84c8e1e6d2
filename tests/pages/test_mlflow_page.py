"""The MLflow panel of the Upload page: nothing before a click, runs imported like an upload, a sentence for every failure."""

import pytest

import lawlib
from lawlib.ingest.remote import mlflow_server
from tests.support.pages import answer, captions, clean, open_page


def listed(address):
    at = open_page("upload")
    at.text_input(key="mlflow_uri").input(address)
    return clean(at.button(key="mlflow_list").click().run())


def store_click(at):
    (button,) = [b for b in at.button if b.label.startswith("Store ")]
    return clean(button.click().run())


def test_nothing_is_asked_before_the_click_and_runs_are_imported_like_an_upload(tracking_server):
    at = open_page("upload")
    at = clean(at.text_input(key="mlflow_uri").input(tracking_server.address).run())
    assert tracking_server.asked == []
    at = clean(at.button(key="mlflow_list").click().run())
    assert [method for method, _ in tracking_server.asked] == ["experiments/search"]
    assert at.multiselect(key="mlflow_experiments").options == ["sweep", "Default"]
    assert at.button(key="mlflow_read").disabled
    at = clean(at.multiselect(key="mlflow_experiments").select("1").run())
    assert "Drop a run log" in answer(at)
    at = clean(at.button(key="mlflow_read").click().run())
    assert "**2 runs**" in answer(at)
    assert "Left out, as it tells of people and machines" in captions(at)
    asked = len(tracking_server.asked)
    with lawlib.open_store() as store:
        assert "sweep" not in store.datasets()["dataset"].tolist()
    store_click(at)
    assert len(tracking_server.asked) == asked, "and they are asked for once"
    with lawlib.open_store() as store:
        row = store.datasets().set_index("dataset").loc["sweep"]
        assert row["source"] == "MLflow server, experiment sweep"
        assert (row["n_runs"], row["n_curve_points"]) == (2, 8)
        assert "127" not in row["notes"]
    at = clean(at.button(key="mlflow_away").click().run())
    assert "Drop a run log" in answer(at)


def test_a_list_belongs_to_its_address(tracking_server):
    at = listed(tracking_server.address)
    at = clean(at.text_input(key="mlflow_uri").input("http://other").run())
    assert "mlflow_experiments" not in [m.key for m in at.multiselect]


def test_a_failure_stands_beside_the_address_and_goes_with_the_next_answer(tracking_server):
    at = listed("mlflow.db")
    assert "begins with http" in at.error[0].value
    at.text_input(key="mlflow_uri").input(f"{tracking_server.address}/401")
    at = clean(at.button(key="mlflow_list").click().run())
    assert "wants to know who asks" in at.error[0].value
    at.text_input(key="mlflow_uri").input(tracking_server.address)
    at = clean(at.button(key="mlflow_list").click().run())
    assert not at.error
    at = clean(at.multiselect(key="mlflow_experiments").select("0").run())
    at = clean(at.button(key="mlflow_read").click().run())
    assert "hold no run" in at.error[0].value
    assert "Drop a run log" in answer(at)


def test_names_of_experiments_are_words_and_equal_ones_carry_their_id(tracking_server):
    for experiment in tracking_server.answers["experiments"]["experiments"]:
        experiment["name"] = "**x** $y$"
    at = listed(tracking_server.address)
    assert at.multiselect(key="mlflow_experiments").options == ["**x** $y$ (1)", "**x** $y$ (0)"]
    at = clean(at.multiselect(key="mlflow_experiments").select("1").run())
    at = clean(at.button(key="mlflow_read").click().run())
    assert "\\*\\*x\\*\\* \\$y\\$" in captions(at)


def test_without_the_package_the_page_names_it(monkeypatch):
    monkeypatch.setattr(mlflow_server, "installed", lambda: False)
    at = open_page("upload")
    assert "needs the package mlflow\\-skinny" in at.info[0].value
    assert "mlflow_uri" not in [t.key for t in at.text_input]


@pytest.mark.usefixtures("tracking_server")
def test_an_uploaded_file_comes_before_the_server_s_runs(tracking_server):
    at = listed(tracking_server.address)
    at = clean(at.multiselect(key="mlflow_experiments").select("1").run())
    at = clean(at.button(key="mlflow_read").click().run())
    csv = b"name,params,tokens,loss\n" + b"".join(b"r%d,%de6,2e9,3.%d\n" % (i, i + 1, i) for i in range(5))
    at = clean(at.file_uploader(key="file").set_value(("mine.csv", csv, "text/csv")).run())
    assert "**5 runs**" in answer(at)
