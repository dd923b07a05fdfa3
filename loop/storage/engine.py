"""The engine of a store: its connections, its JSON, and what the database's errors mean."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.pool import NullPool, QueuePool

from campaigns.errors import StoreError
from loop.storage.connections import connect_reading, connect_writing
from loop.storage.integrity.damage import damage_error
from loop.storage.stored_json import dump_json, load_json


def open_engine(path: Path, *, writable: bool) -> Engine:
    """Return the engine of the store at ``path``, which is there.

    What reads keeps no connection, so that it never stands in the way of a writer, nor sees an old state.
    """
    engine = create_engine(
        "sqlite://",
        creator=partial(connect_writing if writable else connect_reading, path),
        poolclass=QueuePool if writable else NullPool,
        json_serializer=dump_json,
        json_deserializer=load_json,
    )
    event.listen(engine, "handle_error", partial(_explain, path))
    return engine


def _explain(path: Path, context: ExceptionContext) -> StoreError | None:
    """Return what an error of the database means for the store; None where it is a mistake of the program."""
    error = context.original_exception
    name = str(getattr(error, "sqlite_errorname", ""))
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return damage_error(path, str(error))
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")):
        advice = "look at its rights, at those of its folder, and whether its disk may be written"
        return StoreError(f"{path} cannot be opened or written: {error}; {advice}")
    if name.startswith("SQLITE_BUSY"):
        return StoreError(f"{path} is locked by another process for a minute; end that one, then 'athanor run' goes on")
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
        return StoreError(
            f"{path} cannot be written: {error}; make room on its disk, then 'athanor run' goes on from what was kept"
        )
    return None
