"""Whether a store is whole, and what to do where it is not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from campaigns.errors import StoreError
from loop.storage.connections import connect_reading
from loop.storage.integrity.copies import Copy, copies

_MOST = 3
"""Findings that are told of a damaged store. Not tuned: there may be thousands, and the first ones say it."""
_JSON_COLUMNS = """SELECT tables.name, columns.name FROM sqlite_schema tables, pragma_table_info(tables.name) columns
    WHERE tables.type = 'table' AND columns.type = 'JSON'"""


def check_whole(path: Path) -> None:
    """Check that a store is whole: its pages, indices and references, and each of its JSON values.

    Raises:
        StoreError: it is not, it is no database, or its disk does not let it be read.
    """
    try:
        with closing(connect_reading(path)) as connection:
            found = list(_findings(connection))
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorname.startswith(("SQLITE_FULL", "SQLITE_READONLY", "SQLITE_CANTOPEN")):
            raise StoreError(
                f"{path} cannot be read: {error}; look at its rights, and at the room on its disk"
            ) from error
        raise damage_error(path, str(error)) from error
    if found:
        raise damage_error(path, "; ".join(found[:_MOST]))


def damage_error(path: Path, what: str) -> StoreError:
    """Return the error of a store that is damaged, with what to do."""
    return StoreError(f"{path} is damaged, or no store of a campaign: {what}; {advice(path)}")


def advice(path: Path) -> str:
    """Return how a store is brought back."""
    found = copies(path, Copy.BACKUP, Copy.RESCUED)
    if not found:
        return (
            "there is no backup beside it: bring one back by 'athanor restore BACKUP', or name another store by --store"
        )
    return f"'athanor restore {found[-1]}' brings back the latest copy, and keeps what is there"


def _findings(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield what is wrong."""
    yield from (text for (text,) in connection.execute(f"PRAGMA integrity_check({_MOST})") if text != "ok")
    for table, *_ in connection.execute("PRAGMA foreign_key_check").fetchmany(1):
        yield f"a row of table {table} belongs to a trial that is missing"
    for table, column in connection.execute(_JSON_COLUMNS).fetchall():
        # Earlier versions wrote numbers that are not finite as no JSON has them.
        text = f"replace(replace(\"{column}\", 'NaN', '0'), 'Infinity', '0')"
        query = f'SELECT count(*) FROM "{table}" WHERE "{column}" IS NOT NULL AND NOT json_valid({text})'
        (count,) = connection.execute(query).fetchone()
        if count:
            yield f"{count} values of {table}.{column} cannot be read"
