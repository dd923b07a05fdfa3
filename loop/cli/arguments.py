"""What the commands of an operator have in common: their arguments, and how they answer."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Annotated

import typer

from loop.core.author import signed_by

_SETTINGS = {"help_option_names": ["--help", "-h"]}
_FILE = "FILE is the campaign file; without it, the only one in this folder that has a store."

Reason = Annotated[str, typer.Option(help="Why; it stands in the journal, in status and in the report.")]
Url = Annotated[
    str | None,
    typer.Option(help="URL of the store; without it, sqlite beside the campaign file: NAME.yaml has NAME.db."),
]

By = Annotated[
    str, typer.Option("--by", metavar="NAME", help="Who decides; without it, the name under which you are logged in.")
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
    found: typer.models.ArgumentInfo = typer.Argument(metavar=f"{metavar} [FILE]".strip(), help=_FILE)
    return found


def signed(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with an option --by, whose writing is signed by whom that names."""

    @functools.wraps(command)
    def signing(*given: object, by: str, **named: object) -> None:
        with signed_by(by):
            command(*given, **named)

    takes = inspect.signature(command, eval_str=True)
    added = inspect.Parameter("by", inspect.Parameter.KEYWORD_ONLY, default="", annotation=By)
    signing.__signature__ = takes.replace(parameters=[*takes.parameters.values(), added])  # type: ignore[attr-defined]
    signing.__annotations__ = {**command.__annotations__, "by": By}
    return signing


def say(lines: Iterable[str]) -> None:
    """Print what there is to say."""
    for line in lines:
        typer.echo(line)
