"""Fetches runs from elsewhere: files of the catalogue, and MLflow tracking servers."""

from .download import Entry, FetchError
from .mlflow_server import Experiment

__all__ = [
    "Entry",
    "Experiment",
    "FetchError",
]
