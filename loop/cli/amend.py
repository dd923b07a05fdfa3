"""The commands that change a campaign while it lives: ``athanor weights``, ``space`` and ``trial``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

_HELP = {"help_option_names": ["--help", "-h"]}


def _group(name: str, text: str) -> typer.Typer:
    return typer.Typer(name=name, help=text, no_args_is_help=True, context_settings=_HELP)


weights = _group("weights", "Weigh the terms of the score anew.")
space = _group("space", "Change what may be chosen from now on.")
trial = _group("trial", "Ask for single trials, and decide about those that there are.")

_FILE = "FILE is the campaign file; without it, the only one in this folder that has a store."
_REASON = Annotated[str, typer.Option(help="Why; it stands in the journal, in status and in the report.")]
_STORE = Annotated[
    str | None,
    typer.Option(help="URL of the store; without it, sqlite beside the campaign file: NAME.yaml has NAME.db."),
]


def _words(metavar: str) -> typer.models.ArgumentInfo:
    found: typer.models.ArgumentInfo = typer.Argument(metavar=f"{metavar}... [FILE]", help=_FILE)
    return found


@weights.command("set")
def set_weights(words: Annotated[list[str], _words("METRIC=WEIGHT")], reason: _REASON, store: _STORE = None) -> None:
    """Give terms of the score other weights: past trials are ranked anew at once, and so is what comes next."""
    from loop.cli.amendment_commands import amend, open_journal_editor, split_file_argument
    from loop.cli.amendment_parser import pairs

    rest, file = split_file_argument(words)
    editor = open_journal_editor(file, store, reason)
    _say(amend(editor, editor.parser.weights(pairs(rest))))


@space.command("set")
def set_bounds(words: Annotated[list[str], _words("NAME=LOW..HIGH")], reason: _REASON, store: _STORE = None) -> None:
    """Give numbers other bounds, such as 'temperature=600..900 degC' or 'time=..24 h'."""
    from loop.cli.amendment_commands import amend, open_journal_editor, split_file_argument
    from loop.cli.amendment_parser import pairs

    rest, file = split_file_argument(words)
    editor = open_journal_editor(file, store, reason)
    _say(amend(editor, editor.parser.bounds(pairs(rest))))


@space.command()
def fix(words: Annotated[list[str], _words("NAME=VALUE")], reason: _REASON, store: _STORE = None) -> None:
    """Fix parameters at one value, such as atmosphere=oxygen."""
    from loop.cli.amendment_commands import amend, open_journal_editor, split_file_argument
    from loop.cli.amendment_parser import pairs

    rest, file = split_file_argument(words)
    editor = open_journal_editor(file, store, reason)
    _say(amend(editor, editor.parser.fixed(pairs(rest))))


@space.command()
def release(words: Annotated[list[str], _words("NAME")], reason: _REASON, store: _STORE = None) -> None:
    """Release fixed parameters."""
    from loop.cli.amendment_commands import amend, open_journal_editor, split_file_argument

    rest, file = split_file_argument(words)
    editor = open_journal_editor(file, store, reason)
    _say(amend(editor, editor.parser.released(rest)))


@space.command()
def add(
    words: Annotated[list[str], _words("NAME=LEVEL")],
    reason: _REASON,
    descriptor: Annotated[
        list[str] | None, typer.Option(metavar="PROPERTY=VALUE", help="A descriptor of the new level; may be repeated.")
    ] = None,
    store: _STORE = None,
) -> None:
    """Add a level to a categorical or an ordinal parameter, such as atmosphere=nitrogen."""
    from loop.cli.amendment_commands import amend, open_journal_editor, split_file_argument
    from loop.cli.amendment_parser import pairs

    rest, file = split_file_argument(words)
    editor = open_journal_editor(file, store, reason)
    _say(amend(editor, editor.parser.level(pairs(rest), pairs(descriptor or []))))


@space.command()
def remove(words: Annotated[list[str], _words("NAME=LEVEL")], reason: _REASON, store: _STORE = None) -> None:
    """Remove a level of a categorical or an ordinal parameter, such as atmosphere=nitrogen."""
    from loop.cli.amendment_commands import amend, open_journal_editor, split_file_argument
    from loop.cli.amendment_parser import pairs

    rest, file = split_file_argument(words)
    editor = open_journal_editor(file, store, reason)
    _say(amend(editor, editor.parser.removed_level(pairs(rest))))


@trial.command("add")
def add_candidate(words: Annotated[list[str], _words("NAME=VALUE")], reason: _REASON, store: _STORE = None) -> None:
    """Ask for a trial that is run next, such as 'temperature=800 degC' time=12 (material=ID where there is a pool)."""
    from loop.cli.amendment_commands import add_trial, open_journal_editor, split_file_argument
    from loop.cli.amendment_parser import pairs

    rest, file = split_file_argument(words)
    _say(add_trial(open_journal_editor(file, store, reason), pairs(rest)))


@trial.command("import")
def import_trials(
    words: Annotated[list[str], typer.Argument(metavar="TABLE [FILE]", help=_FILE)],
    reason: _REASON,
    store: _STORE = None,
) -> None:
    """Make completed trials of what a table holds that was measured before, or elsewhere in this laboratory.

    TABLE is read as under history in the campaign file, and may be imported again when it has grown. The trials cost
    the budget nothing.
    """
    from loop.cli.import_command import import_table, split_table_argument

    table, file = split_table_argument(words)
    for line in import_table(table, file, store, reason):
        typer.echo(line)


@trial.command("release")
def release_trial(words: Annotated[list[str], _words("TRIALS")], reason: _REASON, store: _STORE = None) -> None:
    """Accept measurements in quarantine after all: TRIALS such as 3 or 5-8 go on, and the models use them."""
    from campaigns.amendments import ReleaseTrial
    from loop.cli.amendment_commands import numbers, open_journal_editor, settle, split_file_argument

    rest, file = split_file_argument(words)
    _say(settle(open_journal_editor(file, store, reason), *(ReleaseTrial(trial=number) for number in numbers(rest))))


@trial.command("withdraw")
def withdraw_trial(words: Annotated[list[str], _words("TRIALS")], reason: _REASON, store: _STORE = None) -> None:
    """Never run trials that wait, let rest what is in quarantine or uncertain, or forget what was wrong.

    TRIALS such as 3, or 0-6 for several. A completed trial keeps its measurements, and the models do not use it.
    """
    from campaigns.amendments import WithdrawTrial
    from loop.cli.amendment_commands import numbers, open_journal_editor, settle, split_file_argument

    rest, file = split_file_argument(words)
    _say(settle(open_journal_editor(file, store, reason), *(WithdrawTrial(trial=number) for number in numbers(rest))))


@trial.command("reanalyse")
def reanalyse_trials(
    reason: _REASON,
    words: Annotated[list[str] | None, typer.Argument(metavar="[TRIALS] [FILE]", help=_FILE)] = None,
    store: _STORE = None,
) -> None:
    """Analyse stored raw data anew, once an analysis was corrected: TRIALS such as 3 or 5-8, completed ones included.

    Without TRIALS, all that are in quarantine because their analysis raised an error, or have failed as it gave no
    number of a metric. It is done at once where no run
    goes on; what a trial came to before stays in its log.
    """
    from loop.cli.amendment_commands import open_journal_editor, split_file_argument
    from loop.cli.reanalyse_command import reanalyse

    rest, file = split_file_argument(words or [])
    for line in reanalyse(open_journal_editor(file, store, reason), rest):
        typer.echo(line)


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line)
