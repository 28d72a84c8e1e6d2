"""Runs, curves and reference tables in DuckDB: the only SQL of the project.

Use `open_store()` to read the bundled data and to keep one's own; `Store.open_external` to read a user's DuckDB file.
"""

from lawlib.store.adding import Added, Addition, slug
from lawlib.store.external import External
from lawlib.store.store import Store, open_store

__all__ = ["Added", "Addition", "External", "Store", "open_store", "slug"]
