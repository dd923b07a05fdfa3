"""Who writes into the journal: whom a command names, else who is logged in."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_named: ContextVar[str] = ContextVar("author", default="")


def author() -> str:
    """Return who writes into the journal."""
    try:
        return _named.get() or getpass.getuser()
    except (OSError, KeyError):  # nobody has a name here, as in some containers
        return "operator"


@contextmanager
def signed_by(name: str) -> Iterator[None]:
    """Have what is written meanwhile signed by a person; by who is logged in, if the name is empty."""
    token = _named.set(name.strip())
    try:
        yield
    finally:
        _named.reset(token)
