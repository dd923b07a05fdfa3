"""What can be wrong with the data of a benchmark, or with an arm on them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence

import typer

from campaigns.errors import AthanorError, suggestion


class DataError(AthanorError):
    """The data folder holds nothing that can be used, or what was asked for does not exist."""


class UnfitError(AthanorError):
    """An arm cannot work on this problem."""


def check_names(names: Iterable[str], allowed: Sequence[str], what: str) -> None:
    """Check that names exist.

    Raises:
        DataError: one does not.
    """
    for name in names:
        if name not in allowed:
            raise DataError(f"there is no {what} {name!r}{suggestion(name, allowed)}; allowed: {', '.join(allowed)}")


def start(main: Callable[..., None]) -> None:
    """Run a benchmark's command; what is wrong with the data that it was given is told in a line, with status 2."""
    try:
        typer.run(main)
    except DataError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
