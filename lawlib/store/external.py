"""Reads a user's own DuckDB file without letting it do anything: read-only, in an instance of its own that is locked."""

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb
import pandas as pd

from lawlib.errors import StoreError
from lawlib.store.database import connect, quoted, sentence

_AS_IT_IS = {
    "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "FLOAT",
    "DOUBLE", "VARCHAR",
}  # fmt: skip
_TO_DOUBLE = ("DECIMAL", "HUGEINT", "UHUGEINT")


class External:
    """The tables of a foreign DuckDB file. Views are not offered: reading one would run the file's own SQL.

    Numbers come as numbers, texts as `str` with NaN where missing, dates and nested values as text.
    """

    def __init__(self, source: str | Path | bytes) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        name = "The file"
        if isinstance(source, bytes):
            self._folder = tempfile.TemporaryDirectory(prefix="lawlib-")
            path = Path(self._folder.name) / "external.duckdb"
            path.write_bytes(source)
        else:
            path = Path(source).expanduser().resolve()
            name = str(path)
            if not path.is_file():
                self.close()
                raise StoreError(f"There is no file {path}.")
        self._con = connect()
        try:
            self._con.execute(
                f"attach {quoted(path)} as external (type duckdb, read_only)"
            )  # a type of its own choice would load an extension
            self._con.execute("set enable_external_access = false")
            self._con.execute("set lock_configuration = true")
            self._columns = self._con.execute(
                """select if(c.schema_name = 'main', '', c.schema_name || '.') || c.table_name as "table",
                    c.schema_name, c.table_name, c.column_name, c.data_type
                from duckdb_columns() c join duckdb_tables() t using (database_name, schema_name, table_name)
                where c.database_name = 'external' order by c.schema_name, c.table_name, c.column_index"""
            ).df()
        except duckdb.Error as error:
            self.close()
            reason = sentence(path, error).replace(str(path), name)
            raise StoreError(f"{reason}. Only DuckDB database files that nothing else holds open can be read.") from error

    def __enter__(self) -> External:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file, and deletes the copy made of bytes."""
        if hasattr(self, "_con"):
            self._con.close()
        if self._folder is not None:
            self._folder.cleanup()

    def tables(self) -> pd.DataFrame:
        """Returns a DataFrame of table, rows and columns (their names, joined by ", "), in the order of names."""
        found = []
        for table, columns in self._columns.groupby("table", sort=False):
            rows = self._query(str(table), "select count(*) as n", None)["n"].iloc[0]
            found.append({"table": str(table), "rows": int(rows), "columns": ", ".join(columns["column_name"])})
        return pd.DataFrame(found, columns=["table", "rows", "columns"])

    def read(self, table: str, limit: int | None = None) -> pd.DataFrame:
        """Returns the first `limit` rows of a table, or all.

        Raises:
            StoreError: there is no such table (the message names those there are), or it cannot be read.
        """
        columns = self._columns[self._columns["table"] == table]
        if columns.empty:
            known = ", ".join(dict.fromkeys(self._columns["table"])) or "none"
            raise StoreError(f'The file has no table "{table}". Its tables: {known}.')
        items = [_cast(*pair) for pair in zip(columns["column_name"], columns["data_type"], strict=True)]
        return self._query(table, f"select {', '.join(items)}", limit)

    def _query(self, table: str, select: str, limit: int | None) -> pd.DataFrame:
        first = self._columns[self._columns["table"] == table].iloc[0]
        sql = f"{select} from external.{_identifier(first['schema_name'])}.{_identifier(first['table_name'])}"
        if limit is not None:
            sql += f" limit {int(limit)}"
        try:
            with self._con.cursor() as cursor:
                return cursor.sql(sql).to_arrow_table().to_pandas()
        except duckdb.Error as error:
            raise StoreError(f'The table "{table}" cannot be read: {str(error).splitlines()[0]}') from error


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _cast(column: str, data_type: str) -> str:
    name = _identifier(column)
    if data_type in _AS_IT_IS:
        return name
    return f"cast({name} as {'double' if data_type.startswith(_TO_DOUBLE) else 'varchar'}) as {name}"
