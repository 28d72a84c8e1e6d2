"""Connects to an MLflow tracking server: checks its address, uses MLflow's own client, and turns every failure into a sentence.

Needs the package mlflow-skinny, which is loaded at the first call. Only the typed address is asked: MLflow's usage
statistics are switched off before it is loaded, and redirects are not followed.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from lawlib.errors import ReadError

from ..core import shown

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")
PACKAGE = "mlflow-skinny"
NEEDED = (
    f"Reading from an MLflow server needs the package {PACKAGE}. Install it with `.venv/bin/pip install -r "
    "requirements-extra.txt` and start again, or upload the server's mlflow.db."
)
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_DISABLE_AGENT_HINT": "1", "MLFLOW_ALLOW_HTTP_REDIRECTS": "false"}
_PATIENCE = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",  # seconds; MLflow's own are 120, and seven repeats
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
}
_STATUS = {"ENDPOINT_NOT_FOUND": 404, "UNAUTHENTICATED": 401, "CUSTOMER_UNAUTHORIZED": 401, "PERMISSION_DENIED": 403}
_CREDENTIALS = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN,"


def installed() -> bool:
    """Whether the package mlflow-skinny is installed; it is not loaded."""
    return importlib.util.find_spec("mlflow") is not None


def address(typed: str) -> str:
    """Returns the server's address in what was typed: http or https, host, port and path; the address of a page of its UI counts too.

    Raises:
        ReadError: another scheme, no host, or a user's name in it.
    """
    text = typed.strip()
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ReadError(f"This is no address: {error}.") from error
    if parts.scheme.lower() not in ("http", "https") or not host or re.search(r"\s", text):
        raise ReadError(
            'A tracking server is named by its address, which begins with http:// or https://, such as "http://127.0.0.1:5000"; this '
            f'is "{shown(text)}".'
        )
    if parts.username is not None or parts.password is not None:
        raise ReadError(
            f"An address with a user's name or password in it is not asked. Set {_CREDENTIALS} where this program is started."
        )
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme.lower()}://{host}{'' if port is None else f':{port}'}{parts.path.rstrip('/')}"


def connect(uri: str) -> MlflowClient:
    """Returns MLflow's client of the server at this address; nothing is requested yet.

    The process's environment gets MLflow's settings for short timeouts where they are not set, and those that keep it to
    the one address. Credentials are taken from MLflow's own environment variables.

    Raises:
        ReadError: the address is none (see `address`), or the package is missing.
    """
    uri = address(uri)
    os.environ.update(_QUIET)
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow import MlflowClient
    except ImportError as error:
        raise ReadError(NEEDED) from error
    return ask(uri, lambda: MlflowClient(tracking_uri=uri))


def ask(uri: str, question: Callable[[], T]) -> T:
    """Returns the result of a call of the client, and turns any failure caused by the server's answer into a sentence.

    Raises:
        ReadError: the question failed.
    """
    try:
        return question()
    except Exception as error:
        raise ReadError(_sentence(urlsplit(uri).netloc, error)) from error


def _sentence(host: str, error: Exception) -> str:
    chain = list(_chain(error))
    text = " ".join(f"{type(e).__name__}: {e}" for e in chain)
    kinds = {kind.__name__ for e in chain for kind in type(e).__mro__}
    if kinds & {"InvalidUrlException", "InvalidURL", "LocationParseError", "UnicodeError"}:
        return f'"{shown(host)}" is no address of a server.'
    if "timed out" in text.lower() or "Timeout" in kinds:
        return f"{host} did not answer in {os.environ['MLFLOW_HTTP_REQUEST_TIMEOUT']} s. Is this machine in the server's network?"
    if "SSLError" in kinds or "SSLError" in text:
        return f"{host} could not be trusted: the https connection failed. Is it http, or a certificate that this machine does not know?"
    if again := re.search(r"too many (\d{3}) error responses", text):
        return _answered(host, int(again[1]), "")
    if "ProxyError" in kinds:
        return f"{host} could not be reached through the proxy that this machine is set to use."
    if "NameResolutionError" in text or "getaddrinfo" in text:
        return f"{host} could not be found: is the name right, and has this machine a way to that network?"
    if "Connection refused" in text:
        return f"Nothing answers at {host}: is the server running, and on this port?"
    if "ConnectionError" in kinds or "RequestException" in kinds:
        return f"{host} could not be reached, or broke the connection off. Is this machine in the server's network?"
    given = re.search(r"failed with error code (\d{3}) != ", str(error))
    if given:
        return _answered(host, int(given[1]), "")
    if "RestException" in kinds:
        code = str(getattr(error, "error_code", ""))
        return _answered(host, _STATUS.get(code, 0), str(error).removeprefix(f"{code}: "))
    return f"What {host} answers is not what an MLflow tracking server answers: is the address right, with its path?"


def _answered(host: str, status: int, said: str) -> str:
    """Returns the sentence for an answer other than 200."""
    if status == 401:
        return f"{host} wants to know who asks (401). Set {_CREDENTIALS} where this program is started, and start it again."
    if status == 403:
        return f"{host} does not allow this with the credentials that it got (403)."
    if status == 404:
        return f"{host} is no MLflow tracking server, or the server lies under another path (404)."
    if 300 <= status < 400:
        return f"{host} sends elsewhere ({status}), as a login page does, and is not followed there. Give the address of the server itself."
    if status:
        return f"{host} answers {status}: the server is busy or has a fault. Try again later."
    return f"{host} refuses: {shown(said, 200).rstrip('.')}."


def _chain(error: Any) -> Iterator[BaseException]:
    """Yields the error and those that caused it."""
    seen = 0
    while error is not None and seen < 20:
        yield error
        error, seen = error.__cause__ or error.__context__, seen + 1
