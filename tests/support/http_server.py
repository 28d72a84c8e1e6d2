"""A server on this machine that answers correctly, oddly, or not at all."""

import http.server
import threading

import pytest

CONTENT = b"name,params,tokens,loss\n" + b"".join(b"run %d,%de6,2e9,3.%d\n" % (i, i + 1, i) for i in range(9)) * 4000


class Server(http.server.ThreadingHTTPServer):
    """asked: the paths so far; quiet: set when those that wait may stop."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.quiet = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    """/runs.csv and the same in odd ways."""

    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append(self.path)
        getattr(self, self.path.strip("/").partition(".")[0])()

    def log_message(self, *_):
        pass

    def answer(self, body, length=None, status=200, **headers):
        self.send_response(status)
        if length is not False:
            self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def runs(self):
        self.answer(CONTENT)

    def unannounced(self):
        self.answer(CONTENT, length=False, Connection="close")

    def liar(self):
        self.answer(CONTENT[:1000], length=10)

    def huge(self):
        self.answer(b"", length=10**12)

    def cut(self):
        self.answer(CONTENT[:5000], length=len(CONTENT))

    def empty(self):
        self.answer(b"")

    def gone(self):
        self.answer(b"no", status=404)

    def moved(self):
        self.answer(b"", status=302, Location="/runs.csv")

    def elsewhere(self):
        self.answer(b"", status=302, Location=f"http://localhost:{self.server.server_port}/runs.csv")

    def to_file(self):
        self.answer(b"", status=302, Location="file:///etc/passwd")

    def round(self):
        self.answer(b"", status=302, Location="/round")

    def silent(self):
        self.server.quiet.wait(5)

    def stuck(self):
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(b"a" * 10)
        self.wfile.flush()
        self.server.quiet.wait(5)
        self.close_connection = True


@pytest.fixture(scope="module")
def file_server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.quiet.set()
        server.shutdown()
        thread.join()
