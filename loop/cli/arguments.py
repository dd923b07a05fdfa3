"""What the commands of an operator have in common: their arguments, and how they answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

_SETTINGS = {"help_option_names": ["--help", "-h"]}
_FILE = "FILE is the campaign file; without it, the only one in this folder that has a store."

Reason = Annotated[str, typer.Option(help="Why; it stands in the journal, in status and in the report.")]
Url = Annotated[
    str | None,
    typer.Option(help="URL of the store; without it, sqlite beside the campaign file: NAME.yaml has NAME.db."),
]


def _trial_number(word: str) -> int:
    if not (word.isascii() and word.isdigit()):
        raise typer.BadParameter(f"got {word!r}; allowed: the number of a trial, such as 3")
    return int(word)


TrialNumber = Annotated[
    int, typer.Argument(parser=_trial_number, metavar="TRIAL", help="Number of the trial, such as 3.")
]


def command_group(name: str, text: str) -> typer.Typer:
    """Return a group of commands."""
    return typer.Typer(name=name, help=text, no_args_is_help=True, context_settings=_SETTINGS)


def words_of(metavar: str) -> typer.models.ArgumentInfo:
    """Return the argument of a command that takes words, and the campaign file among them."""
    found: typer.models.ArgumentInfo = typer.Argument(metavar=f"{metavar} [FILE]", help=_FILE)
    return found


def say(lines: Iterable[str]) -> None:
    """Print what there is to say."""
    for line in lines:
        typer.echo(line)
