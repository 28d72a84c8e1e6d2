"""An MLflow tracking server on this machine, by its REST protocol: answers recorded from a real one, in pages, and its failures.

MLflow's own client asks it. The whole `mlflow` server would take 850 MB and 100 s to install; what it answered to the same
questions about tests/data/trackers/mlflow.db is in mlflow_answers.json (tools/samples.py).
"""

import http.server
import json
import threading
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

ANSWERS = Path(__file__).parents[1] / "data" / "trackers" / "mlflow_answers.json"


class Server(http.server.ThreadingHTTPServer):
    """answers: what it says, which a test may change; page: the most rows of one answer; asked: the questions so far."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.page = json.loads(ANSWERS.read_text("utf-8")), 10**6
        self.asked: list[tuple[str, dict]] = []
        self.quiet = threading.Event()
        self.address = f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    """The API below any path; a path named after a failure has that failure."""

    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.handle_it({key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()})

    def do_POST(self):
        self.handle_it(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def log_message(self, *_):
        pass

    def handle_it(self, asked):
        prefix, _, method = urlsplit(self.path).path.rpartition("/api/2.0/mlflow/")
        self.server.asked.append((method or self.path, asked))
        name = prefix.strip("/")
        if name.isdigit():
            where = {"Location": "http://localhost:1/elsewhere"} if name == "302" else {}
            return self.answer(f"<html>{name}</html>".encode(), int(name), **where)
        if name == "web":
            return self.answer(b"<html>A page</html>")
        if name == "other":
            return self.answer(b'{"experiments": 7}')
        if name == "bare":
            return self.answer(b"{}")
        if name == "refused":
            return self.answer(json.dumps({"error_code": "INVALID_STATE", "message": "Closed for today."}).encode(), 400)
        if name == "silent":
            self.server.quiet.wait(10)
            self.close_connection = True
            return None
        if name == "token" and self.headers.get("Authorization") != "Bearer abc":
            return self.answer(b"You are not authenticated.", 401)
        if method not in METHODS:
            return self.answer(b'{"error_code": "ENDPOINT_NOT_FOUND", "message": "No such endpoint."}', 404)
        return self.answer(json.dumps(METHODS[method](self.server, asked)).encode())

    def answer(self, body, status=200, **headers):
        self.send_response(status)
        for header, value in ({"Content-Length": str(len(body)), "Content-Type": "application/json"} | headers).items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(body)


def page(server, rows, asked, name):
    """The next `max_results` of the rows, or fewer where the server has a limit, with the token of those that follow."""
    start = int(asked.get("page_token") or 0)
    end = start + min(int(asked["max_results"]), server.page)
    return {name: rows[start:end]} | ({"next_page_token": str(end)} if end < len(rows) else {})


def search_experiments(server, asked):
    assert asked.get("view_type", "ACTIVE_ONLY") == "ACTIVE_ONLY"
    return page(server, server.answers["experiments"]["experiments"], asked, "experiments")


def search_runs(server, asked):
    assert asked["order_by"] == ["attributes.start_time DESC"]
    assert asked["run_view_type"] == "ACTIVE_ONLY"
    wanted = [r for r in server.answers["runs"]["runs"] if r["info"]["experiment_id"] in asked["experiment_ids"]]
    return page(server, sorted(wanted, key=lambda r: -r["info"]["start_time"]), asked, "runs")


def get_history(server, asked):
    points = server.answers["history"][f"{asked['run_id']} {asked['metric_key']}"]["metrics"]
    return page(server, points, asked, "metrics")


METHODS = {"experiments/search": search_experiments, "runs/search": search_runs, "metrics/get-history": get_history}


@pytest.fixture
def tracking_server(monkeypatch):
    """The server, with the client's own settings out of its way."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "MLFLOW_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.quiet.set()
        server.shutdown()
        thread.join(5)
